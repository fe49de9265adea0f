//! Words mute events as the tenant's own JSON: a transformer of events that leaves sound alone.

use serde_json::json;
use trackmill_plugin::prelude::*;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Value of the field `type`, by which the tenant's receiver tells these notices.
    #[serde(rename = "type", default = "microphone")]
    kind: String,
}

struct MuteNotices {
    kind: String,
    speaker: String,
}

impl Transformer for MuteNotices {
    type Config = Config;
    const CONFIG_SCHEMA: Option<&'static str> = Some(
        r#"{"type": "object", "properties": {"type": {"type": "string"}}, "additionalProperties": false}"#,
    );

    fn open(track: &Track, _: Format, config: Config) -> Result<Self> {
        Ok(Self {
            kind: config.kind,
            speaker: track.participant_identity.clone(),
        })
    }

    fn process(&mut self, _: &mut Frame) -> Result<Verdict> {
        Ok(Verdict::Unchanged)
    }

    fn on_event(&mut self, event: &TrackEvent) -> Result<EventVerdict> {
        let on = match event {
            TrackEvent::Muted => false,
            TrackEvent::Unmuted => true,
            _ => return Ok(EventVerdict::Pass),
        };
        let notice = json!({ "type": self.kind, "speaker": self.speaker, "on": on });
        Ok(EventVerdict::Replace(notice.to_string()))
    }
}

fn microphone() -> String {
    "microphone".to_owned()
}

export_transformer!(MuteNotices, name = "mute-notices");

#[cfg(test)]
mod tests {
    use super::*;
    use trackmill_plugin::testing::{self, Sound, seconds};

    #[test]
    fn mute_events_are_reworded_and_all_else_passes() {
        let sound = Sound::sine(440.0, seconds(1.0));
        let events = [
            (seconds(0.0), TrackEvent::Published),
            (seconds(0.2), TrackEvent::Muted),
            (seconds(0.4), TrackEvent::Unmuted),
        ];

        let run = testing::run_with_events::<MuteNotices>(&sound, r#"{"type": "mic"}"#, &events);

        let run = run.unwrap();
        let notice = |on: &str| format!(r#"{{"on":{on},"speaker":"tester","type":"mic"}}"#);
        assert_eq!(
            run.event_verdicts,
            [
                EventVerdict::Pass,
                EventVerdict::Replace(notice("false")),
                EventVerdict::Replace(notice("true")),
            ]
        );
        assert_eq!(run.output, sound);
    }

    #[test]
    fn a_misspelt_setting_is_named() {
        let error = testing::run::<MuteNotices>(&Sound::silence(seconds(0.1)), r#"{"typ": "mic"}"#);

        assert!(
            error
                .unwrap_err()
                .to_string()
                .starts_with("typ: unknown field")
        );
    }
}
