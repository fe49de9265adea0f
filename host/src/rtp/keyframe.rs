use std::time::{Duration, Instant};

/// Whether a keyframe is wanted, and when one was last asked for: the server passes on at most one
/// request a second anyway.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyframeRequest {
    is_wanted: bool,
    last: Option<Instant>,
}

impl KeyframeRequest {
    pub(super) const fn want(&mut self) {
        self.is_wanted = true;
    }

    /// Whether to ask at `now`; if so, it is done.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let is_due = self.at(now).is_some_and(|at| at <= now);
        if is_due {
            *self = Self {
                is_wanted: false,
                last: Some(now),
            };
        }
        is_due
    }

    /// When to ask; `now` at the earliest.
    pub(super) fn at(&self, now: Instant) -> Option<Instant> {
        self.is_wanted.then(|| {
            self.last
                .map_or(now, |last| (last + KEYFRAME_EVERY).max(now))
        })
    }
}

/// As often as the server passes a request on.
const KEYFRAME_EVERY: Duration = Duration::from_secs(1);
