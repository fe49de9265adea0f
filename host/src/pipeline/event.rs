use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::filter::{Content, Switch, Text, TrackEvent};
use crate::media::{ClockRate, Pts};

/// Something that happens beside the sound of a decoded track, in order with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where: 48 kHz ticks since the track's origin.
    pub pts: Pts,
    /// What.
    pub kind: EventKind,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// Something happened to the track; what the outside hears of it.
    Track(TrackEvent, Text),
    /// A filter, by its name, said something.
    Emission(String, Content),
    /// A filter began or ceased to do its work.
    Switch(Switch),
    /// Nothing came from the publisher for a while that ends here, or before: what stands there is
    /// silence, or made up. Only for those who listen while it goes on.
    Gap {
        /// How long.
        duration: Duration,
        /// Why.
        reason: GapReason,
    },
}

/// Why nothing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The network lost it, for good.
    Lost,
    /// The track was gone, and is back as another stream.
    Interrupted,
}

impl GapReason {
    /// Its name in texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Event {
    /// A line for the file beside a recording: one JSON object, with the place as `at_us`. `None` if
    /// the outside is to hear nothing of it.
    pub fn to_json_line(&self) -> Option<String> {
        let mut fields = Map::new();
        fields.insert("at_us".into(), micros(self.pts));
        let said = match &self.kind {
            EventKind::Track(_, Text::Dropped) => return None,
            EventKind::Track(event, Text::Own) => track(event),
            EventKind::Track(_, Text::Replaced(text)) => json!({
                "event": "replaced",
                "data": embedded(text),
            }),
            EventKind::Emission(filter, content) => emission(filter, content),
            EventKind::Gap { duration, reason } => json!({
                "event": "gap",
                "duration_us": u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
                "reason": reason.as_str(),
            }),
            EventKind::Switch(switch) => json!({
                "event": "filter",
                "filter": switch.filter,
                "change": switch.change.as_str(),
                "reason": switch.reason,
            }),
        };
        if let Value::Object(said) = said {
            fields.extend(said);
        }
        Some(Value::Object(fields).to_string())
    }
}

fn track(event: &TrackEvent) -> Value {
    match event {
        TrackEvent::Published => json!({ "event": "published" }),
        TrackEvent::Muted => json!({ "event": "muted", "muted": true }),
        TrackEvent::Unmuted => json!({ "event": "unmuted", "muted": false }),
        TrackEvent::FormatChanged(format) => json!({
            "event": "format_changed",
            "sample_rate": format.rate.get(),
            "channels": format.channels.count(),
        }),
        TrackEvent::AttributesChanged(attributes) => {
            let attributes = attributes.iter();
            let attributes: Map<_, _> = attributes
                .map(|(key, value)| (key.clone(), json!(value)))
                .collect();
            json!({ "event": "attributes_changed", "attributes": attributes })
        }
        TrackEvent::ConfigChanged => json!({ "event": "config_changed" }),
        TrackEvent::Message {
            topic,
            sender,
            payload,
        } => json!({
            "event": "message",
            "topic": topic,
            "sender": sender,
            "bytes": payload.len(),
        }),
        TrackEvent::Unpublished => json!({ "event": "unpublished" }),
        TrackEvent::Other { name, json } => json!({ "event": name, "data": embedded(json) }),
    }
}

fn emission(filter: &str, content: &Content) -> Value {
    match content {
        Content::Text { topic, text } => json!({
            "event": "plugin",
            "plugin": filter,
            "topic": topic,
            "data": embedded(text),
        }),
        Content::Binary { topic, data } => json!({
            "event": "plugin",
            "plugin": filter,
            "topic": topic,
            "base64": BASE64_STANDARD.encode(data),
        }),
        Content::Mark {
            name,
            at,
            length,
            json,
        } => json!({
            "event": "mark",
            "plugin": filter,
            "name": name,
            "mark_us": micros(*at),
            "length_us": length.map(|length| micros(Pts(length))),
            "data": embedded(json),
        }),
    }
}

/// JSON as such, anything else as a text.
fn embedded(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

fn micros(pts: Pts) -> Value {
    let micros = pts.duration(ClockRate::OPUS).as_micros();
    json!(u64::try_from(micros).unwrap_or(u64::MAX))
}
