// Takes rumble and DC out of a track, in C. `bindings/` is made by `trackmill plugin build`; its header
// lists what a plugin can do. What a call is given is its own to free.

#include "bindings/transformer.h"

#include <stdlib.h>

#define SESSION(name) exports_trackmill_plugin_track_transformer_##name
#define TYPE(name) trackmill_plugin_types_##name

struct exports_trackmill_plugin_track_transformer_session_t {
  size_t channels;
  float input[2], output[2];
};

typedef SESSION(session_t) session;

// How much of the last output stays: a high pass at 38 Hz for 48 kHz.
static const float FEEDBACK = 0.995f;

void exports_trackmill_plugin_plugin_describe(exports_trackmill_plugin_plugin_declaration_t *ret) {
  *ret = (exports_trackmill_plugin_plugin_declaration_t){0};
  transformer_string_dup(&ret->name, "rumble");
  transformer_string_dup(&ret->version, "0.1.0");
  ret->wants.sample_format.is_some = true;
  ret->wants.sample_format.val = TRACKMILL_PLUGIN_TYPES_SAMPLE_FORMAT_FLOAT32;
  ret->kinds.ptr = calloc(1, sizeof *ret->kinds.ptr);
  ret->kinds.ptr[0] = TRACKMILL_PLUGIN_TYPES_TRACK_KIND_AUDIO;
  ret->kinds.len = 1;
}

bool SESSION(static_session_open)(TYPE(track_info_t) *track, TYPE(pcm_format_t) *format,
                                  SESSION(own_session_t) *ret, TYPE(plugin_error_t) *err) {
  session *self = calloc(1, sizeof *self);
  self->channels = format ? format->channels : 1;
  TYPE(track_info_free)(track);
  *ret = SESSION(session_new)(self);
  return true;
}

bool SESSION(method_session_process)(session *self, TYPE(audio_frame_t) *frame,
                                     TYPE(verdict_t) *ret, TYPE(plugin_error_t) *err) {
  float *samples = frame->samples.val.float32.ptr;
  for (size_t i = 0; i < frame->samples.val.float32.len; i++) {
    size_t channel = i % self->channels;
    // Neither zero nor too small: numbers next to zero are a dozen times slower.
    float output = samples[i] - self->input[channel] + FEEDBACK * self->output[channel] + 1e-20f;
    self->input[channel] = samples[i];
    samples[i] = self->output[channel] = output;
  }
  ret->tag = TRACKMILL_PLUGIN_TYPES_VERDICT_REPLACE;
  ret->val.replace = frame->samples; // handed on, thus not freed
  return true;
}

bool SESSION(method_session_on_event)(session *self, TYPE(track_event_t) *event,
                                      TYPE(event_verdict_t) *ret, TYPE(plugin_error_t) *err) {
  TYPE(track_event_free)(event);
  ret->tag = TRACKMILL_PLUGIN_TYPES_EVENT_VERDICT_PASS;
  return true;
}

bool SESSION(method_session_finish)(session *self, SESSION(option_samples_t) *ret,
                                    TYPE(plugin_error_t) *err) {
  ret->is_some = false;
  return true;
}

void SESSION(session_destructor)(session *self) { free(self); }
