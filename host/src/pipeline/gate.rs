use std::time::{Duration, Instant};

use super::OnLoss;
use crate::media::{AccessUnit, Integrity, TrackKind};

/// Decides which access units are written, and when a keyframe must be asked for (media.md V1, V2).
/// Everything passes for audio.
#[derive(Debug)]
pub(super) struct Gate {
    state: State,
    on_loss: OnLoss,
    wanted: bool,
    ask_again: Option<Instant>,
}

/// What a gate says to an access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Write,
    /// It comes before a keyframe it needs.
    BeforeKeyframe,
    /// It refers to a lost one, and such are to be dropped.
    AfterLoss,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing can be decoded before a keyframe.
    Closed,
    /// What comes may refer to something lost.
    Damaged,
    Open,
}

impl Gate {
    pub(super) const fn new(kind: TrackKind, on_loss: OnLoss) -> Self {
        let state = match kind {
            TrackKind::Audio => State::Open,
            TrackKind::Video => State::Closed,
        };
        Self {
            state,
            on_loss,
            wanted: false,
            ask_again: None,
        }
    }

    /// Judges the next access unit.
    pub(super) fn judge(&mut self, unit: &AccessUnit, now: Instant) -> Verdict {
        if unit.is_keyframe && unit.integrity == Integrity::Whole {
            self.state = State::Open;
            self.ask_again = None;
            self.wanted = false;
        }
        match (self.state, self.on_loss) {
            (State::Open, _) => Verdict::Write,
            (State::Closed, _) => {
                self.ask(now);
                Verdict::BeforeKeyframe
            }
            (State::Damaged, OnLoss::Keep) => {
                self.ask(now);
                Verdict::Write
            }
            (State::Damaged, OnLoss::Drop) => {
                self.ask(now);
                Verdict::AfterLoss
            }
        }
    }

    /// References are lost (video only).
    pub(super) fn damage(&mut self, now: Instant) {
        if self.state == State::Open {
            self.state = State::Damaged;
            self.ask(now);
        }
    }

    /// All references are gone (video only): only a keyframe helps.
    pub(super) fn close(&mut self, now: Instant) {
        self.state = State::Closed;
        self.ask(now);
    }

    /// Whether to ask for a keyframe since the last call.
    pub(super) const fn take_request(&mut self) -> bool {
        std::mem::replace(&mut self.wanted, false)
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.ask_again
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.ask_again.is_some() {
            self.ask(now);
        }
    }

    /// Asks now, unless it did so lately.
    fn ask(&mut self, now: Instant) {
        if self.ask_again.is_none_or(|at| at <= now) {
            self.wanted = true;
            self.ask_again = Some(now + ASK_EVERY);
        }
    }
}

/// When no keyframe came (media.md V1).
const ASK_EVERY: Duration = Duration::from_secs(2);
