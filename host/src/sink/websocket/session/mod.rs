//! The delivery of one track to one server, from the first dial to the last farewell. Pure: what
//! happens comes in as [`Input`] with the time, what is to be done comes out as [`Output`], and the
//! socket takes [`Frame`]s as fast as it can.
//!
//! ```text
//!             Connected          Finish, all sent          closed
//!   Dialling ───────────► Open ──────────────────► Closing ─────► Ended
//!      ▲  │ failed          │ broken                                ▲
//!      │  └──────┬──────────┘                                       │
//!      │         ▼   window over, 1000, 1008, 4xxx, drain over      │
//!   pause ── Waiting ───────────────────────────────────────────────┘
//! ```
//!
//! `link.rs` moves along these arrows, `delivery.rs` chooses the next frame; the other files are
//! parts that know nothing of each other.

mod backoff;
mod buffer;
mod delivery;
mod keep_alive;
mod link;
mod port;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use backoff::Backoff;
use buffer::{Buffer, Words};
use delivery::Greeting;
use keep_alive::KeepAlive;

use super::format::Format;
use super::identity::Identity;
use super::message::{Anchor, Audio, Message, Opening, Text};
use super::outcome::{Counters, Delays, DropReason, Outcome, Progress};

pub use port::{Disconnect, Event, Frame, Input, Output};
pub use settings::Settings;

/// Decides what a server gets and when.
///
/// After each [`Session::handle_input`] and [`Session::handle_timeout`], take all outputs; while the
/// socket has room, hand it what [`Session::poll_frame`] gives; then wait for the next input or for
/// [`Session::poll_timeout`], whichever comes first.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    identity: Identity,
    format: Format,
    phase: Phase,
    outputs: VecDeque<Output>,
    buffer: Buffer,
    backoff: Backoff,
    /// What this connection has yet to hear before anything else.
    greetings: VecDeque<Greeting>,
    anchor: Option<Anchor>,
    /// The last mute text that was handed over.
    mute: Option<String>,
    /// Sound that the connection before may not have delivered.
    unconfirmed: Duration,
    /// What was dropped before the burst that goes on; `None` if none does.
    dropped_before: Option<Duration>,
    finish: Option<Finish>,
    counters: Counters,
    delays: Delays,
    last_delay: Duration,
}

#[derive(Debug)]
enum Phase {
    /// An attempt is under way.
    Dialling,
    /// A pause between attempts.
    Waiting { until: Instant, cause: String },
    /// The connection stands.
    Open(KeepAlive),
    /// Our farewell was handed over.
    Closing(KeepAlive),
    /// Nothing happens any more.
    Ended,
}

/// The track is over.
#[derive(Debug)]
struct Finish {
    reason: String,
    deadline: Instant,
    /// Whether the `end` text was handed over.
    is_told: bool,
}

impl Session {
    /// Begins: the first output dials.
    pub fn new(settings: Settings, identity: Identity, format: Format, now: Instant) -> Self {
        Self {
            backoff: Backoff::new(settings.seed, now),
            buffer: Buffer::new(settings.buffer),
            settings,
            identity,
            format,
            phase: Phase::Dialling,
            outputs: VecDeque::from([Output::Dial]),
            greetings: VecDeque::new(),
            anchor: None,
            mute: None,
            unconfirmed: Duration::ZERO,
            dropped_before: None,
            finish: None,
            counters: Counters::default(),
            delays: Delays::default(),
            last_delay: Duration::ZERO,
        }
    }

    /// Takes in what happened at `now`.
    pub fn handle_input(&mut self, input: Input, now: Instant) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        match input {
            Input::Message(Message::Audio(audio)) => self.push_audio(audio),
            Input::Message(Message::Text(text)) => self.push_text(text),
            Input::Message(Message::Open(opening)) => self.open(opening),
            Input::Message(Message::End(reason)) => self.finish(reason, now),
            Input::Finish => self.finish("the recording was stopped".to_owned(), now),
            Input::Connected => self.connected(now),
            Input::DialFailed(error) => self.dial_failed(error, now),
            Input::Pong(payload) => self.pong(&payload),
            Input::Disconnected(how) => self.disconnected(how, now),
        }
    }

    /// Does what is due at `now`: call it at [`Session::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        if self
            .finish
            .as_ref()
            .is_some_and(|finish| now >= finish.deadline)
        {
            return self.drained();
        }
        match &mut self.phase {
            Phase::Waiting { until, .. } if now >= *until => self.dial(),
            Phase::Open(keep_alive) | Phase::Closing(keep_alive) => {
                let life = keep_alive.handle_timeout(now);
                self.watch(life, now);
            }
            _ => {}
        }
    }

    /// The next thing to be done; `None` until something happens again.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Session::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Waiting { until, .. } => Some(*until),
            Phase::Open(keep_alive) | Phase::Closing(keep_alive) => Some(keep_alive.poll_timeout()),
            Phase::Dialling => None,
            Phase::Ended => return None,
        };
        let finish = self.finish.as_ref().map(|finish| finish.deadline);
        [phase, finish].into_iter().flatten().min()
    }

    /// What was sent until now, and what was not.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// How far it is.
    pub const fn progress(&self) -> Progress {
        Progress {
            counters: self.counters,
            delay: self.last_delay,
            is_connected: matches!(self.phase, Phase::Open(_)),
        }
    }

    fn open(&mut self, opening: Opening) {
        self.format = opening.format;
        self.anchor = opening.anchor.or(self.anchor);
    }

    fn push_audio(&mut self, audio: Audio) {
        if self.finish.is_some() {
            return;
        }
        if audio.bytes.len() > LONGEST_MESSAGE {
            self.counters.dropped_oversize += 1;
            return;
        }
        let reason = match self.phase {
            Phase::Open(_) => DropReason::SlowServer,
            _ => DropReason::Disconnected,
        };
        let before = self.counters.dropped();
        let dropped = self.buffer.push_audio(audio, reason);
        if dropped.is_zero() {
            return;
        }
        self.counters.drop_audio(dropped, reason);
        if self.dropped_before.is_none() {
            self.dropped_before = Some(before);
            self.outputs.push_back(Output::Event(Event::Dropping));
        }
    }

    fn push_text(&mut self, text: Text) {
        if self.finish.is_some() {
            return;
        }
        let is_mute = matches!(text, Text::Muted { .. });
        let Some(text) = self.settings.texts.compose(text) else {
            return;
        };
        if text.len() > LONGEST_MESSAGE {
            self.counters.dropped_oversize += 1;
            return;
        }
        self.counters.dropped_texts += self.buffer.push_text(Words { text, is_mute });
    }

    fn finish(&mut self, reason: String, now: Instant) {
        self.finish.get_or_insert_with(|| Finish {
            reason,
            deadline: now + self.settings.drain,
            is_told: false,
        });
    }

    fn outcome(&mut self, ending: super::outcome::Ending) -> Outcome {
        Outcome {
            ending,
            format: self.format,
            counters: self.counters,
            delays: std::mem::take(&mut self.delays),
        }
    }
}

/// What the socket takes in one piece: its buffer of 64 KiB less the head of a frame.
const LONGEST_MESSAGE: usize = 60 << 10;
