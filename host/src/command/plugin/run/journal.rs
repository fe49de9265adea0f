//! What happened beside the sound: printed as it comes, and counted.

use std::collections::BTreeMap;

use super::say;
use crate::filter::{Change, Content, Item, Switch, Text, TrackEvent};
use crate::media::{ClockRate, Pts};
use crate::pipeline::{Event, EventKind};

/// What was printed.
#[derive(Debug)]
pub(super) struct Journal {
    is_json: bool,
    /// By the name of the plugin.
    said: BTreeMap<String, Said>,
    pub(super) events: Events,
    /// The first time that a plugin ceased to work.
    pub(super) failure: Option<Switch>,
}

/// What a plugin said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) texts: u64,
    pub(super) binaries: u64,
    pub(super) marks: u64,
}

/// What became of the events of the track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Events {
    pub(super) passed: u64,
    pub(super) replaced: u64,
    pub(super) dropped: u64,
}

impl Journal {
    pub(super) fn new(is_json: bool) -> Self {
        Self {
            is_json,
            said: BTreeMap::new(),
            events: Events::default(),
            failure: None,
        }
    }

    /// Takes what is no sound.
    pub(super) fn note(&mut self, item: Item) -> anyhow::Result<()> {
        let event = match item {
            Item::Block(_) | Item::Gap(_) => return Ok(()),
            Item::Event(event) => Event {
                pts: event.pts,
                kind: EventKind::Track(event.event, event.text),
            },
            Item::Emission { filter, emission } => Event {
                pts: emission.pts,
                kind: EventKind::Emission(filter, emission.content),
            },
            Item::Switch(switch) => Event {
                pts: switch.pts,
                kind: EventKind::Switch(switch),
            },
        };
        self.count(&event.kind);
        if self.is_json {
            event.to_json_line().map_or(Ok(()), |line| say(&line))
        } else {
            say(&format!("{}  {}", seconds(event.pts), text(&event.kind)))
        }
    }

    /// What a plugin of this name said.
    pub(super) fn said(&self, plugin: &str) -> Said {
        self.said.get(plugin).copied().unwrap_or_default()
    }

    fn count(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Track(_, Text::Own) => self.events.passed += 1,
            EventKind::Track(_, Text::Replaced(_)) => self.events.replaced += 1,
            EventKind::Track(_, Text::Dropped) => self.events.dropped += 1,
            EventKind::Emission(filter, content) => {
                let said = self.said.entry(filter.clone()).or_default();
                match content {
                    Content::Text { .. } => said.texts += 1,
                    Content::Binary { .. } => said.binaries += 1,
                    Content::Mark { .. } => said.marks += 1,
                }
            }
            EventKind::Switch(switch) if is_failure(switch.change) => {
                self.failure.get_or_insert_with(|| switch.clone());
            }
            EventKind::Switch(_) | EventKind::Gap { .. } => {}
        }
    }
}

const fn is_failure(change: Change) -> bool {
    match change {
        Change::Bypassed
        | Change::Silenced
        | Change::GivenUp
        | Change::StoppedTrack
        | Change::FailedEgress => true,
        Change::Restarted | Change::Replaced | Change::RolledBack => false,
    }
}

/// A line for people.
fn text(kind: &EventKind) -> String {
    match kind {
        EventKind::Track(event, Text::Own) => name(event).to_owned(),
        EventKind::Track(event, Text::Replaced(text)) => format!("{} → {text}", name(event)),
        EventKind::Track(event, Text::Dropped) => format!("{} → nothing", name(event)),
        EventKind::Emission(filter, Content::Text { topic, text }) => {
            format!("{filter}: {topic} {text}")
        }
        EventKind::Emission(filter, Content::Binary { topic, data }) => {
            format!("{filter}: {topic}, {} bytes", data.len())
        }
        EventKind::Emission(filter, mark @ Content::Mark { .. }) => {
            format!("{filter}: {}", marked(mark))
        }
        EventKind::Gap { reason, .. } => reason.as_str().to_owned(),
        EventKind::Switch(switch) => {
            let change = switch.change.as_str().replace('_', " ");
            match switch.reason.as_str() {
                "" => format!("{} is {change}", switch.filter),
                reason => format!("{} is {change}: {reason}", switch.filter),
            }
        }
    }
}

fn marked(mark: &Content) -> String {
    let Content::Mark {
        name,
        at,
        length,
        json,
    } = mark
    else {
        return String::new();
    };
    let span = length.map(|length| format!(" for {}", seconds(Pts(length)).trim_start()));
    let span = span.unwrap_or_default();
    format!("mark {name} at {}{span} {json}", seconds(*at).trim_start())
}

fn name(event: &TrackEvent) -> &str {
    match event {
        TrackEvent::Published => "published",
        TrackEvent::Muted => "muted",
        TrackEvent::Unmuted => "unmuted",
        TrackEvent::FormatChanged(_) => "format changed",
        TrackEvent::AttributesChanged(_) => "attributes changed",
        TrackEvent::ConfigChanged => "config changed",
        TrackEvent::Message { .. } => "message",
        TrackEvent::Unpublished => "unpublished",
        TrackEvent::Other { name, .. } => name,
    }
}

/// A place on the time line.
pub(super) fn seconds(pts: Pts) -> String {
    format!("{:7.3} s", pts.duration(ClockRate::OPUS).as_secs_f64())
}
