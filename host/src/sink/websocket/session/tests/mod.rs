//! The rules S3, S5, S6 and S7 of media.md §9, in virtual time.

mod drain;
mod keep_alive;
mod order;
mod overflow;
mod reconnect;

use super::*;
use crate::clock;
use crate::dial::{DialError, DialFailure};
use crate::media::{NtpTimestamp, Pts};
use crate::sink::websocket::message::AnchorOrigin;
use crate::sink::websocket::outcome::{Ending, Failure};
use crate::sink::websocket::text::Texts;

/// A session, and everything around it.
struct Desk {
    session: Session,
    now: Instant,
    start: Instant,
    outputs: Vec<Output>,
    /// Messages of sound that were made; each holds its number.
    made: u32,
}

impl Desk {
    fn new(settings: Settings) -> Self {
        let now = clock::now();
        let identity = Identity {
            room: "room".into(),
            room_sid: "RM_1".into(),
            participant: "alice".into(),
            participant_sid: "PA_1".into(),
            track: "TR_1".into(),
            egress_id: "EG_1".to_owned(),
        };
        let mut desk = Self {
            session: Session::new(settings, identity, Format::LIVEKIT, now),
            now,
            start: now,
            outputs: Vec::new(),
            made: 0,
        };
        desk.collect();
        assert_eq!(desk.take_outputs(), [Output::Dial]);
        desk
    }

    fn connected(settings: Settings) -> Self {
        let mut desk = Self::new(settings);
        desk.connect();
        desk
    }

    fn telling_all() -> Self {
        Self::connected(Settings {
            texts: Texts::All,
            ..Settings::default()
        })
    }

    fn connect(&mut self) {
        self.input(Input::Connected);
    }

    fn input(&mut self, input: Input) {
        self.session.handle_input(input, self.now);
        self.collect();
    }

    fn close(&mut self, code: u16, reason: &str) {
        self.input(Input::Disconnected(Disconnect::Closed {
            code: Some(code),
            reason: reason.to_owned(),
        }));
    }

    fn cut(&mut self) {
        self.input(Input::Disconnected(Disconnect::Broken("cut".to_owned())));
    }

    fn refuse(&mut self, failure: DialFailure) {
        self.input(Input::DialFailed(DialError::new(failure, "no")));
    }

    /// Makes so many messages of 20 ms, in real time.
    fn sound(&mut self, messages: u32) {
        for _ in 0..messages {
            let audio = Audio {
                bytes: self.made.to_be_bytes().to_vec().into(),
                pts: Pts(u64::from(self.made) * 960),
                duration: FRAME,
                made_at: self.now,
            };
            self.made += 1;
            self.input(Input::Message(Message::Audio(audio)));
            self.pass(FRAME);
        }
    }

    fn text(&mut self, text: Text) {
        self.input(Input::Message(Message::Text(text)));
    }

    fn mute(&mut self, is_muted: bool) {
        self.text(Text::Muted {
            is_muted,
            instead: None,
        });
    }

    fn say(&mut self, words: &str) {
        self.text(Text::Emitted {
            plugin: "p".to_owned(),
            topic: "t".to_owned(),
            pts: Pts(0),
            data: words.to_owned(),
        });
    }

    /// Lets time pass, and the session do what is due.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= until) {
            assert!(due >= self.now, "time runs backwards");
            let before = self.session.poll_timeout();
            self.now = due;
            self.session.handle_timeout(self.now);
            self.collect();
            assert_ne!(self.session.poll_timeout(), before, "it is due for ever");
        }
        self.now = until;
    }

    fn pass_seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Everything that a socket with room takes, in short.
    fn sent(&mut self) -> Vec<String> {
        let frames = std::iter::from_fn(|| self.session.poll_frame(self.now));
        let sent = frames.map(|frame| short(&frame)).collect();
        self.collect();
        sent
    }

    /// The next frame only, in short.
    fn sent_one(&mut self) -> Option<String> {
        let frame = self.session.poll_frame(self.now);
        self.collect();
        frame.map(|frame| short(&frame))
    }

    fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    fn outcome(&mut self) -> Option<Outcome> {
        self.take_outputs()
            .into_iter()
            .find_map(|output| match output {
                Output::Ended(outcome) => Some(*outcome),
                _ => None,
            })
    }

    fn collect(&mut self) {
        self.outputs
            .extend(std::iter::from_fn(|| self.session.poll_output()));
    }
}

/// Sound as the number it holds, text as it is, pings and farewells by name.
fn short(frame: &Frame) -> String {
    match frame {
        Frame::Binary(bytes) => u32::from_be_bytes(bytes[..].try_into().unwrap()).to_string(),
        Frame::Text(text) => text.clone(),
        Frame::Ping(payload) => format!(
            "ping {}",
            u64::from_be_bytes(payload[..].try_into().unwrap())
        ),
        Frame::Close => "close".to_owned(),
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn field<'a>(text: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    &text[name]
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("a text is JSON")
}

const FRAME: Duration = Duration::from_millis(20);
const MUTED: &str = r#"{"muted":true}"#;
const UNMUTED: &str = r#"{"muted":false}"#;
