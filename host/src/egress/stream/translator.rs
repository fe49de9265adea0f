use crate::filter::{Content, Halt, Text as Words, TrackEvent};
use crate::media::{ClockRate, Pts};
use crate::pipeline::{self, Event, EventKind, Output, Summary};
use crate::rtp::timeline;
use crate::sink::websocket::{
    Anchor, AnchorOrigin, Audio, Format, Message, Opening, Text, Texts, Wanted,
};

/// What comes out of a pipeline → messages for a server, which knows nothing of segments: positions
/// go on where the codec changes.
#[derive(Debug)]
pub(super) struct Translator {
    wanted: Wanted,
    /// When position 0 was.
    anchor: Option<timeline::Anchor>,
    /// Where the segment begins that is under way.
    base: Pts,
    /// Where the sound ends that came last.
    end: Pts,
    pub(super) summaries: Vec<Summary>,
    pub(super) halt: Option<Halt>,
}

impl Translator {
    pub(super) const fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            anchor: None,
            base: Pts(0),
            end: Pts(0),
            summaries: Vec::new(),
            halt: None,
        }
    }

    /// The message for an output; `None` if it says nothing to a server.
    pub(super) fn translate(&mut self, output: Output) -> Option<Message> {
        match output {
            Output::Open(opening) => Some(Message::Open(self.open(opening))),
            Output::Message(message) => Some(Message::Audio(self.audio(message))),
            Output::Event(event) => text(event, self.base).map(Message::Text),
            Output::End(summary) => {
                if self.summaries.len() < MAX_SUMMARIES {
                    self.summaries.push(*summary);
                }
                None
            }
            Output::Halt(halt) => {
                self.halt.get_or_insert(halt);
                None
            }
            // A pipeline that makes messages makes no file.
            Output::Start(_) | Output::Bytes(_) => None,
        }
    }

    fn open(&mut self, opening: pipeline::Opening) -> Opening {
        if let Some(first) = self.anchor {
            let now = opening.anchor.and_then(|now| now.ntp.since(first.ntp));
            let now = now.map_or(0, |since| ClockRate::OPUS.ticks(since));
            self.base = self.end.max(Pts(now));
        } else {
            self.anchor = opening.anchor;
            self.base = self.end;
        }
        let format = match self.wanted {
            Wanted::Opus => Format::Opus,
            Wanted::Pcm { frame, .. } => Format::Pcm {
                audio: opening.format,
                frame,
            },
        };
        Opening {
            format,
            anchor: self.anchor.map(anchor),
        }
    }

    fn audio(&mut self, message: pipeline::Message) -> Audio {
        let pts = self.base.plus(message.pts.0);
        self.end = pts.plus(ClockRate::OPUS.ticks(message.duration));
        Audio {
            bytes: message.bytes,
            pts,
            duration: message.duration,
            made_at: message.made_at,
        }
    }
}

/// The words for what happens beside the sound, in a segment that begins at `base`.
pub(in crate::egress) fn text(mut event: Event, base: Pts) -> Option<Text> {
    event.pts = base.plus(event.pts.0);
    let line = |least| {
        let json = event.to_json_line()?;
        Some(Text::Verbatim { json, least })
    };
    match &event.kind {
        EventKind::Track(_, Words::Dropped) => None,
        EventKind::Track(TrackEvent::Muted, words) => Some(muted(true, words)),
        EventKind::Track(TrackEvent::Unmuted, words) => Some(muted(false, words)),
        EventKind::Track(_, Words::Replaced(json)) => Some(Text::Verbatim {
            json: json.clone(),
            least: Texts::Plugins,
        }),
        EventKind::Emission(plugin, Content::Text { topic, text }) => Some(Text::Emitted {
            plugin: plugin.clone(),
            topic: topic.clone(),
            pts: event.pts,
            data: text.clone(),
        }),
        EventKind::Emission(_, Content::Mark { .. } | Content::Binary { .. }) => {
            line(Texts::Plugins)
        }
        EventKind::Switch(_) => line(Texts::All),
        EventKind::Gap { duration, reason } => Some(Text::Gap {
            pts: event.pts,
            duration: *duration,
            reason: reason.as_str(),
        }),
        // The first and the last word of a connection tell of the track; the rest is for plugins.
        EventKind::Track(_, Words::Own) => None,
    }
}

fn muted(is_muted: bool, words: &Words) -> Text {
    let instead = match words {
        Words::Replaced(words) => Some(words.clone()),
        Words::Own | Words::Dropped => None,
    };
    Text::Muted { is_muted, instead }
}

fn anchor(anchor: timeline::Anchor) -> Anchor {
    Anchor {
        at: anchor.ntp,
        origin: match anchor.origin {
            timeline::AnchorOrigin::SenderReport => AnchorOrigin::SenderReport,
            timeline::AnchorOrigin::Arrival => AnchorOrigin::Arrival,
        },
    }
}

/// A publisher that changes its codec more often is not told of in detail.
const MAX_SUMMARIES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_plugin_go_to_a_server_in_the_words_of_the_file() {
        let content = Content::Binary {
            topic: "image".to_owned(),
            data: vec![0xff, 0].into(),
        };
        let event = Event {
            pts: Pts(48_000),
            kind: EventKind::Emission("eye".to_owned(), content),
        };
        let in_file = event.to_json_line();

        let sent = text(event, Pts(0));

        let json =
            r#"{"at_us":1000000,"base64":"/wA=","event":"plugin","plugin":"eye","topic":"image"}"#;
        assert_eq!(in_file.as_deref(), Some(json));
        let least = Texts::Plugins;
        let json = json.to_owned();
        assert_eq!(sent, Some(Text::Verbatim { json, least }));
    }
}
