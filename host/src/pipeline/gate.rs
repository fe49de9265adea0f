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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::Pts;

    #[test]
    fn v1_nothing_passes_before_a_whole_keyframe() {
        let now = any_instant();
        let mut gate = Gate::new(TrackKind::Video, OnLoss::Keep);

        assert_eq!(gate.judge(&picture(), now), Verdict::BeforeKeyframe);
        let damaged = AccessUnit {
            integrity: Integrity::Damaged,
            ..keyframe()
        };
        assert_eq!(gate.judge(&damaged, now), Verdict::BeforeKeyframe);
        assert_eq!(gate.judge(&keyframe(), now), Verdict::Write);
        assert_eq!(gate.judge(&picture(), now), Verdict::Write);
    }

    #[test]
    fn v1_a_keyframe_is_asked_for_at_once_and_every_2_s_until_it_comes() {
        let start = any_instant();
        let mut gate = Gate::new(TrackKind::Video, OnLoss::Keep);

        let mut asked = Vec::new();
        for tenth in 0..50 {
            let now = start + Duration::from_millis(100) * tenth;
            gate.handle_timeout(now);
            gate.judge(&picture(), now);
            if gate.take_request() {
                asked.push(tenth);
            }
        }
        gate.judge(&keyframe(), start + Duration::from_secs(5));

        assert_eq!(asked, [0, 20, 40]);
        assert_eq!(gate.poll_timeout(), None);
        assert!(!gate.take_request());
    }

    #[test]
    fn v1_a_keyframe_that_came_meanwhile_takes_the_wish_back() {
        let now = any_instant();
        let mut gate = Gate::new(TrackKind::Video, OnLoss::Keep);
        gate.judge(&keyframe(), now);

        gate.damage(now);
        gate.judge(&keyframe(), now);

        assert!(!gate.take_request());
    }

    #[test]
    fn v2_the_policy_decides_on_pictures_after_a_loss() {
        let now = any_instant();
        for (on_loss, verdict) in [
            (OnLoss::Keep, Verdict::Write),
            (OnLoss::Drop, Verdict::AfterLoss),
        ] {
            let mut gate = Gate::new(TrackKind::Video, on_loss);
            gate.judge(&keyframe(), now);

            gate.damage(now);

            assert!(gate.take_request());
            assert_eq!(gate.judge(&picture(), now), verdict);
            assert_eq!(gate.judge(&keyframe(), now), Verdict::Write);
            assert_eq!(gate.judge(&picture(), now), Verdict::Write);
        }
    }

    #[test]
    fn a_closed_gate_keeps_pictures_out_whatever_the_policy() {
        let now = any_instant();
        let mut gate = Gate::new(TrackKind::Video, OnLoss::Keep);
        gate.judge(&keyframe(), now);

        gate.close(now);
        gate.damage(now);

        assert!(gate.take_request());
        assert_eq!(gate.judge(&picture(), now), Verdict::BeforeKeyframe);
    }

    #[test]
    fn sound_always_passes_and_asks_for_nothing() {
        let now = any_instant();
        let mut gate = Gate::new(TrackKind::Audio, OnLoss::Drop);

        assert_eq!(gate.judge(&keyframe(), now), Verdict::Write);
        assert!(!gate.take_request());
        assert_eq!(gate.poll_timeout(), None);
    }

    fn keyframe() -> AccessUnit {
        AccessUnit {
            pts: Pts(0),
            is_keyframe: true,
            integrity: Integrity::Whole,
            data: Bytes::new(),
        }
    }

    fn picture() -> AccessUnit {
        AccessUnit {
            is_keyframe: false,
            ..keyframe()
        }
    }

    #[expect(clippy::disallowed_methods, reason = "virtual time starts anywhere")]
    fn any_instant() -> Instant {
        Instant::now()
    }
}
