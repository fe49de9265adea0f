//! What happens to the track while a file is played: one JSON object a line.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::filter::TrackEvent;

/// Something that happens at a time since the beginning of the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planned {
    pub(super) at: Duration,
    pub(super) event: TrackEvent,
}

/// An event as it is written down.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
enum Written {
    Published {},
    Muted {},
    Unmuted {},
    Unpublished {},
    Attributes {
        attributes: BTreeMap<String, String>,
    },
    Message {
        #[serde(default)]
        topic: String,
        sender: Option<String>,
        text: Option<String>,
        base64: Option<String>,
    },
    Other {
        name: String,
        #[serde(default)]
        data: Value,
    },
}

/// Reads a file of events, in the order of their times.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Planned>> {
    let file = path.display();
    let text = fs::read_to_string(path).with_context(|| file.to_string())?;
    let mut events = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if !line.trim().is_empty() {
            events.push(parse(line).with_context(|| format!("{file}, line {number}"))?);
        }
    }
    events.sort_by_key(|event| event.at);
    Ok(events)
}

fn parse(line: &str) -> anyhow::Result<Planned> {
    let mut fields: Map<String, Value> = serde_json::from_str(line)?;
    let at_ms = fields.remove("at_ms").context("`at_ms` is missing")?;
    let at_ms = at_ms
        .as_f64()
        .filter(|millis| (0.0..=MAX_MS).contains(millis));
    let at_ms = at_ms.context("`at_ms` is no time: expected milliseconds since the beginning")?;
    Ok(Planned {
        at: Duration::from_secs_f64(at_ms / 1_000.0),
        event: serde_json::from_value::<Written>(fields.into())?.event()?,
    })
}

impl Written {
    fn event(self) -> anyhow::Result<TrackEvent> {
        Ok(match self {
            Self::Published {} => TrackEvent::Published,
            Self::Muted {} => TrackEvent::Muted,
            Self::Unmuted {} => TrackEvent::Unmuted,
            Self::Unpublished {} => TrackEvent::Unpublished,
            Self::Attributes { attributes } => {
                TrackEvent::AttributesChanged(attributes.into_iter().collect())
            }
            Self::Message {
                topic,
                sender,
                text,
                base64,
            } => TrackEvent::Message {
                topic,
                sender,
                payload: payload(text, base64)?.into(),
            },
            Self::Other { name, data } => TrackEvent::Other {
                name,
                json: data.to_string(),
            },
        })
    }
}

fn payload(text: Option<String>, base64: Option<String>) -> anyhow::Result<Vec<u8>> {
    match (text, base64) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(base64)) => BASE64.decode(base64.as_bytes()).context("`base64`"),
        (None, None) => Ok(Vec::new()),
        (Some(_), Some(_)) => bail!("`text` and `base64`: a message has one of them"),
    }
}

/// A day.
const MAX_MS: f64 = 86_400_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_can_be_written_down() {
        let message = |sender: Option<&str>, payload: &'static [u8]| TrackEvent::Message {
            topic: "redact".into(),
            sender: sender.map(Into::into),
            payload: payload.into(),
        };
        for (line, at_ms, event) in [
            (
                r#"{"at_ms": 0, "event": "published"}"#,
                0,
                TrackEvent::Published,
            ),
            (
                r#"{"event": "muted", "at_ms": 1200}"#,
                1_200,
                TrackEvent::Muted,
            ),
            (
                r#"{"at_ms": 2.5e3, "event": "unmuted"}"#,
                2_500,
                TrackEvent::Unmuted,
            ),
            (
                r#"{"at_ms": 1, "event": "message", "topic": "redact", "sender": "host", "text": "ä"}"#,
                1,
                message(Some("host"), "ä".as_bytes()),
            ),
            (
                r#"{"at_ms": 1, "event": "message", "topic": "redact", "base64": "AAH/"}"#,
                1,
                message(None, &[0, 1, 255]),
            ),
            (
                r#"{"at_ms": 1, "event": "attributes", "attributes": {"language": "de"}}"#,
                1,
                TrackEvent::AttributesChanged(vec![("language".into(), "de".into())]),
            ),
            (
                r#"{"at_ms": 1, "event": "other", "name": "raised-hand", "data": {"up": true}}"#,
                1,
                TrackEvent::Other {
                    name: "raised-hand".into(),
                    json: r#"{"up":true}"#.into(),
                },
            ),
            (
                r#"{"at_ms": 9, "event": "unpublished"}"#,
                9,
                TrackEvent::Unpublished,
            ),
        ] {
            let planned = parse(line).unwrap();

            assert_eq!(planned.at, Duration::from_millis(at_ms), "{line}");
            assert_eq!(planned.event, event, "{line}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        for (line, reason) in [
            ("muted", "expected value"),
            (r#"{"event": "muted"}"#, "`at_ms` is missing"),
            (r#"{"at_ms": -1, "event": "muted"}"#, "`at_ms` is no time"),
            (r#"{"at_ms": "1s", "event": "muted"}"#, "`at_ms` is no time"),
            (r#"{"at_ms": 1}"#, "missing field `event`"),
            (
                r#"{"at_ms": 1, "event": "mutde"}"#,
                "unknown variant `mutde`, expected one of",
            ),
            (
                r#"{"at_ms": 1, "event": "muted", "x": 1}"#,
                "unknown field `x`",
            ),
            (
                r#"{"at_ms": 1, "event": "message", "tpic": ""}"#,
                "unknown field `tpic`",
            ),
            (
                r#"{"at_ms": 1, "event": "message", "base64": "%"}"#,
                "`base64`",
            ),
            (
                r#"{"at_ms": 1, "event": "message", "base64": "", "text": ""}"#,
                "a message has one of them",
            ),
            (
                r#"{"at_ms": 1, "event": "attributes"}"#,
                "missing field `attributes`",
            ),
        ] {
            let first = r#"{"at_ms": 1, "event": "muted"}"#;
            fs::write(&path, format!("{first}\n\n{line}\n")).unwrap();

            let error = format!("{:#}", read(&path).unwrap_err());

            assert!(error.contains("events.jsonl, line 3: "), "{error}");
            assert!(error.contains(reason), "{line}: {error}");
        }
    }

    #[test]
    fn events_come_in_the_order_of_their_times() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let lines = [(300, "unmuted"), (100, "muted"), (300, "unpublished")];
        let lines = lines.map(|(at, event)| format!(r#"{{"at_ms": {at}, "event": "{event}"}}"#));
        fs::write(&path, lines.join("\n")).unwrap();

        let events = read(&path).unwrap();

        let events: Vec<_> = events.into_iter().map(|planned| planned.event).collect();
        let expected = [
            TrackEvent::Muted,
            TrackEvent::Unmuted,
            TrackEvent::Unpublished,
        ];
        assert_eq!(events, expected);
    }
}
