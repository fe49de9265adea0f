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
    use std::time::{Duration, Instant};

    use bytes::Bytes;

    use super::*;
    use crate::clock;
    use crate::filter::{Change, Switch};
    use crate::media::{AudioFormat, NtpTimestamp};
    use crate::pipeline::GapReason;
    use crate::sink::websocket::FrameDuration;

    #[test]
    fn what_happens_is_told_in_the_words_that_a_server_knows() {
        let muted = |words| EventKind::Track(TrackEvent::Muted, words);
        let told = |is_muted, instead: Option<&str>| {
            let instead = instead.map(str::to_owned);
            Some(Text::Muted { is_muted, instead })
        };
        let published = |words| EventKind::Track(TrackEvent::Published, words);
        let unmuted = EventKind::Track(TrackEvent::Unmuted, Words::Own);
        let verbatim = Text::Verbatim {
            json: "{}".into(),
            least: Texts::Plugins,
        };
        let gap = EventKind::Gap {
            duration: Duration::from_millis(60),
            reason: GapReason::Lost,
        };
        let told_gap = Text::Gap {
            pts: Pts(1_960),
            duration: Duration::from_millis(60),
            reason: "lost",
        };
        for (kind, words) in [
            (muted(Words::Own), told(true, None)),
            (
                muted(Words::Replaced("hush".into())),
                told(true, Some("hush")),
            ),
            (muted(Words::Dropped), None),
            (unmuted, told(false, None)),
            (published(Words::Own), None),
            (published(Words::Replaced("{}".into())), Some(verbatim)),
            (gap, Some(told_gap)),
        ] {
            let event = Event {
                pts: Pts(960),
                kind: kind.clone(),
            };

            assert_eq!(text(event, Pts(1_000)), words, "{kind:?}");
        }
    }

    #[test]
    fn what_filters_say_has_its_place_among_all_segments() {
        let said = Content::Text {
            topic: "speech".into(),
            text: "{}".into(),
        };
        let mark = Content::Mark {
            name: "loud".into(),
            at: Pts(0),
            length: None,
            json: "{}".into(),
        };
        let switch = Switch {
            filter: "vad".into(),
            pts: Pts(960),
            change: Change::Bypassed,
            reason: "it trapped".into(),
        };
        let kinds = [
            EventKind::Emission("vad".into(), said),
            EventKind::Emission("vad".into(), mark),
            EventKind::Switch(switch),
        ];

        let words = kinds.map(|kind| {
            text(
                Event {
                    pts: Pts(960),
                    kind,
                },
                Pts(48_000),
            )
        });

        let [
            Some(Text::Emitted { pts, .. }),
            Some(Text::Verbatim {
                json: mark,
                least: Texts::Plugins,
            }),
            Some(Text::Verbatim {
                json: switch,
                least: Texts::All,
            }),
        ] = words
        else {
            panic!("{words:?}");
        };
        assert_eq!(pts, Pts(48_960));
        for line in [mark, switch] {
            assert!(line.contains(r#""at_us":1020000"#), "{line}");
        }
    }

    #[test]
    fn positions_go_on_where_the_codec_changes_as_far_as_the_clock_has_gone_on() {
        let now = clock::now();
        let mut translator = Translator::new(Wanted::default());
        let first = translator.translate(Output::Open(opening(100)));
        for number in 0..50 {
            let message = translator.translate(message(number * 960, now));
            assert_eq!(begins(message), number * 960);
        }

        let again = translator.translate(Output::Open(opening(103)));
        let behind = translator.translate(message(0, now));

        assert_eq!(begins(behind), 3 * 48_000);
        let (Some(Message::Open(first)), Some(Message::Open(again))) = (first, again) else {
            panic!("both say how it is laid out");
        };
        assert_eq!(first, again, "the position 0 is the same");
        let format = Format::Pcm {
            audio: AudioFormat::OPUS,
            frame: FrameDuration::Ms20,
        };
        assert_eq!(first.format, format);
    }

    fn opening(seconds: u64) -> pipeline::Opening {
        pipeline::Opening {
            format: AudioFormat::OPUS,
            anchor: Some(timeline::Anchor {
                ntp: NtpTimestamp(seconds << 32),
                origin: timeline::AnchorOrigin::Arrival,
            }),
        }
    }

    fn message(pts: u64, now: Instant) -> Output {
        Output::Message(pipeline::Message {
            bytes: Bytes::new(),
            pts: Pts(pts),
            duration: Duration::from_millis(20),
            made_at: now,
        })
    }

    fn begins(message: Option<Message>) -> u64 {
        match message {
            Some(Message::Audio(audio)) => audio.pts.0,
            other => panic!("{other:?} is no sound"),
        }
    }

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
