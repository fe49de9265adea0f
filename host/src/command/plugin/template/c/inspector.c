// Says where a track is too loud, in C. `bindings/` is made by `trackmill plugin build`; its header lists what a
// plugin can do. What a call is given is its own to free.

#include "bindings/inspector.h"

#include <stdlib.h>

#define SESSION(name) exports_trackmill_plugin_track_inspector_##name
#define TYPE(name) trackmill_plugin_types_##name

struct exports_trackmill_plugin_track_inspector_session_t {
  bool loud;
};

typedef SESSION(session_t) session;

// Frames with a sample above this are loud; full scale is 1.
static const float LOUD = 0.25f;

void exports_trackmill_plugin_plugin_describe(exports_trackmill_plugin_plugin_declaration_t *ret) {
  *ret = (exports_trackmill_plugin_plugin_declaration_t){0};
  inspector_string_dup(&ret->name, "{{name}}");
  inspector_string_dup(&ret->version, "0.1.0");
  ret->wants.sample_format.is_some = true;
  ret->wants.sample_format.val = TRACKMILL_PLUGIN_TYPES_SAMPLE_FORMAT_FLOAT32;
  ret->kinds.ptr = calloc(1, sizeof *ret->kinds.ptr);
  ret->kinds.ptr[0] = TRACKMILL_PLUGIN_TYPES_TRACK_KIND_AUDIO;
  ret->kinds.len = 1;
}

bool SESSION(static_session_open)(TYPE(track_info_t) *track, TYPE(pcm_format_t) *format,
                                  SESSION(own_session_t) *ret, TYPE(plugin_error_t) *err) {
  TYPE(track_info_free)(track);
  *ret = SESSION(session_new)(calloc(1, sizeof(session)));
  return true;
}

bool SESSION(method_session_inspect)(session *self, TYPE(audio_frame_t) *frame,
                                     TYPE(plugin_error_t) *err) {
  bool loud = false;
  for (size_t i = 0; i < frame->samples.val.float32.len; i++) {
    float sample = frame->samples.val.float32.ptr[i];
    loud = loud || sample > LOUD || sample < -LOUD;
  }
  if (loud && !self->loud) {
    inspector_string_t name, json = {0};
    trackmill_plugin_events_emit_error_t refused;
    inspector_string_set(&name, "loud");
    trackmill_plugin_events_mark(&name, frame->meta.pts_us, NULL, &json, &refused);
  }
  self->loud = loud;
  TYPE(audio_frame_free)(frame);
  return true;
}

bool SESSION(method_session_on_event)(session *self, TYPE(track_event_t) *event,
                                      TYPE(plugin_error_t) *err) {
  TYPE(track_event_free)(event);
  return true;
}

bool SESSION(method_session_finish)(session *self, TYPE(plugin_error_t) *err) { return true; }

void SESSION(session_destructor)(session *self) { free(self); }
