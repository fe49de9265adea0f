use std::time::Duration;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::format::Format;
use super::identity::Identity;
use super::message::{Anchor, AnchorOrigin, Text};
use super::outcome::{Counters, DropReason};
use crate::media::{ClockRate, Pts};

/// Which text messages a server gets. Times are microseconds (`_us`) on the timeline that plugins
/// see.
///
/// | text | sent by |
/// |---|---|
/// | `{"muted":true}`, `{"muted":false}` | all; the last one again after a reconnect |
/// | `{"event":"plugin","plugin":…,"topic":…,"pts_us":…,"data":…}` | `Plugins`, `All` |
/// | `{"event":"plugin","plugin":…,"topic":…,"at_us":…,"base64":…}`, for bytes, as in `.events.jsonl` | `Plugins`, `All` |
/// | `{"event":"mark","plugin":…,"name":…,"at_us":…,"mark_us":…,"length_us":…,"data":…}` | `Plugins`, `All` |
/// | `{"event":"filter","filter":…,"change":"bypassed",…}`, as in `.events.jsonl` | `All` |
/// | `{"event":"start","format":"pcm_s16le","sample_rate":…,"channels":…,"frame_ms":…,"room":…, …,"egress_id":…,"connection":1,"pts_us":…,"wall_clock":…,"wall_clock_unix_ns":"…","wall_clock_origin":…}` | `All`: first on each connection |
/// | `{"event":"gap","pts_us":…,"duration_us":…,"reason":…}` | `All` |
/// | `{"event":"dropped","pts_us":…,"duration_us":…,"reason":"slow_server"}` | `All`, where the sound is missing |
/// | `{"event":"end","reason":…,"audio_messages":…,"audio_us":…,"dropped_us":…}` | `All`: last |
///
/// `wall_clock` is when the sound at `pts_us` was. A `start` after a reconnect has `unconfirmed_us`:
/// how much of the sound before may not have been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Texts {
    /// Only what LiveKit's own egress sends.
    LiveKit,
    /// And what plugins say.
    #[default]
    Plugins,
    /// And what happens to the sound.
    All,
}

impl Texts {
    /// The words of a text, if the server gets it.
    pub(super) fn compose(self, text: Text) -> Option<String> {
        match (text, self) {
            (Text::Muted { is_muted, instead }, _) => {
                Some(instead.unwrap_or_else(|| format!("{{\"muted\":{is_muted}}}")))
            }
            (
                Text::Gap {
                    pts,
                    duration,
                    reason,
                },
                Self::All,
            ) => Some(missing("gap", pts, duration, reason)),
            (
                Text::Emitted {
                    plugin,
                    topic,
                    pts,
                    data,
                },
                Self::Plugins | Self::All,
            ) => Some(emitted(&plugin, &topic, pts, &data)),
            (Text::Verbatim { json, least }, texts) if texts >= least => Some(json),
            _ => None,
        }
    }
}

/// What a `start` tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start<'a> {
    pub(super) identity: &'a Identity,
    pub(super) format: Format,
    pub(super) anchor: Option<Anchor>,
    /// Where the sound begins that follows.
    pub(super) pts: Option<Pts>,
    /// Which connection this is; the first is 1.
    pub(super) connection: u32,
    /// Of the connection before.
    pub(super) unconfirmed: Duration,
}

impl Start<'_> {
    pub(super) fn compose(&self) -> String {
        let mut fields = Map::new();
        fields.insert("event".to_owned(), json!("start"));
        self.describe_format(&mut fields);
        for (name, value) in self.identity.pairs() {
            fields.insert(name.to_owned(), json!(value));
        }
        fields.insert("connection".to_owned(), json!(self.connection));
        if self.connection > 1 {
            fields.insert("unconfirmed_us".to_owned(), micros(self.unconfirmed));
        }
        if let Some(pts) = self.pts {
            fields.insert("pts_us".to_owned(), micros(pts.duration(ClockRate::OPUS)));
        }
        if let Some(anchor) = self.anchor {
            self.tell_time(anchor, &mut fields);
        }
        Value::Object(fields).to_string()
    }

    fn describe_format(&self, fields: &mut Map<String, Value>) {
        let (name, rate, channels) = match self.format {
            Format::Pcm { audio, frame } => {
                fields.insert("frame_ms".to_owned(), json!(frame.as_millis()));
                let channels = audio.channels.count();
                ("pcm_s16le", audio.rate.get(), Some(channels))
            }
            // Each packet says how many channels it has.
            Format::Opus => ("opus", 48_000, None),
        };
        fields.insert("format".to_owned(), json!(name));
        fields.insert("sample_rate".to_owned(), json!(rate));
        if let Some(channels) = channels {
            fields.insert("channels".to_owned(), json!(channels));
        }
    }

    fn tell_time(&self, anchor: Anchor, fields: &mut Map<String, Value>) {
        let since = self.pts.unwrap_or_default().duration(ClockRate::OPUS);
        let nanos = anchor.at.plus(since).unix_nanos();
        if let Ok(time) = Timestamp::from_nanosecond(nanos.into()) {
            fields.insert("wall_clock".to_owned(), json!(time.to_string()));
        }
        // More than JavaScript can hold as a number.
        fields.insert("wall_clock_unix_ns".to_owned(), json!(nanos.to_string()));
        let origin = match anchor.origin {
            AnchorOrigin::SenderReport => "sender_report",
            AnchorOrigin::Arrival => "arrival",
        };
        fields.insert("wall_clock_origin".to_owned(), json!(origin));
    }
}

/// What a `dropped` tells.
pub(super) fn dropped(pts: Pts, duration: Duration, reason: DropReason) -> String {
    missing("dropped", pts, duration, reason.as_str())
}

/// What an `end` tells.
pub(super) fn end(reason: &str, counters: &Counters) -> String {
    json!({
        "event": "end",
        "reason": reason,
        "audio_messages": counters.audio_messages,
        "audio_us": micros(counters.audio),
        "dropped_us": micros(counters.dropped()),
    })
    .to_string()
}

fn missing(event: &str, pts: Pts, duration: Duration, reason: &str) -> String {
    json!({
        "event": event,
        "pts_us": micros(pts.duration(ClockRate::OPUS)),
        "duration_us": micros(duration),
        "reason": reason,
    })
    .to_string()
}

fn emitted(plugin: &str, topic: &str, pts: Pts, data: &str) -> String {
    let (plugin, topic) = (json!(plugin), json!(topic));
    let pts = micros(pts.duration(ClockRate::OPUS));
    let data = match is_structured(data) {
        // As the plugin wrote it: digits and order of its numbers and keys stay.
        true => data.to_owned(),
        false => json!(data).to_string(),
    };
    format!(
        r#"{{"event":"plugin","plugin":{plugin},"topic":{topic},"pts_us":{pts},"data":{data}}}"#
    )
}

fn is_structured(data: &str) -> bool {
    data.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(data).is_ok()
}

fn micros(duration: Duration) -> Value {
    json!(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_texts_that_were_asked_for_are_sent() {
        let muted = Text::Muted {
            is_muted: true,
            instead: None,
        };
        let rewritten = Text::Muted {
            is_muted: true,
            instead: Some("hush".to_owned()),
        };
        let gap = Text::Gap {
            pts: Pts(48_000),
            duration: Duration::from_millis(20),
            reason: "lost",
        };
        let said = Text::Emitted {
            plugin: "vad".to_owned(),
            topic: "speech".to_owned(),
            pts: Pts(480),
            data: r#"{"b":1.50,"a":"x"}"#.to_owned(),
        };
        let gap_words = r#"{"duration_us":20000,"event":"gap","pts_us":1000000,"reason":"lost"}"#;
        let said_words = r#"{"event":"plugin","plugin":"vad","topic":"speech","pts_us":10000,"data":{"b":1.50,"a":"x"}}"#;
        for (texts, wanted) in [
            (
                Texts::LiveKit,
                [Some(r#"{"muted":true}"#), Some("hush"), None, None],
            ),
            (
                Texts::Plugins,
                [
                    Some(r#"{"muted":true}"#),
                    Some("hush"),
                    None,
                    Some(said_words),
                ],
            ),
            (
                Texts::All,
                [
                    Some(r#"{"muted":true}"#),
                    Some("hush"),
                    Some(gap_words),
                    Some(said_words),
                ],
            ),
        ] {
            let given = [&muted, &rewritten, &gap, &said];

            let composed = given.map(|text| texts.compose(text.clone()));

            assert_eq!(
                composed.each_ref().map(Option::as_deref),
                wanted,
                "{texts:?}"
            );
        }
    }

    #[test]
    fn whatever_a_plugin_says_the_text_is_json() {
        for data in [
            "",
            "plain",
            "{",
            "{} {}",
            "\"q\"\n\u{0}",
            "[1]",
            " {\"a\":1}",
            "12",
        ] {
            let words = emitted("p\"", "t\n", Pts(0), data);

            let value: Value = serde_json::from_str(&words).unwrap();
            let structured = value["data"].is_object() || value["data"].is_array();
            assert!(structured || value["data"] == data, "{words}");
        }
    }
}
