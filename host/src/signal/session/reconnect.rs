use std::time::{Duration, Instant};

use super::{Reconnection, Settings};
use crate::dial::Jitter;

/// Decides how and when to come back after a failure, and when to stop trying.
#[derive(Debug)]
pub(super) struct Reconnect {
    jitter: Jitter,
    outage: Option<Outage>,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Attempt {
        reconnection: Reconnection,
        delay: Duration,
    },
    GiveUp {
        attempts: u32,
        lasted: Duration,
    },
}

/// From the first failure until the connection has been whole for a while.
#[derive(Debug)]
struct Outage {
    since: Instant,
    resumes: u32,
    joins: u32,
    reconnection: Reconnection,
    /// When it counts as over; `None` while the connection is broken.
    over_at: Option<Instant>,
}

impl Reconnect {
    pub(super) const fn new(settings: &Settings) -> Self {
        Self {
            jitter: Jitter::new(settings.seed),
            outage: None,
        }
    }

    /// Counts a failure. Resumes while they are `wanted` and not used up; then joins anew, with
    /// ever longer pauses, the last time at the end of `window`.
    pub(super) fn fail(&mut self, wanted: Reconnection, window: Duration, now: Instant) -> Next {
        let outage = self.outage.get_or_insert(Outage {
            since: now,
            resumes: 0,
            joins: 0,
            reconnection: wanted,
            over_at: None,
        });
        outage.over_at = None;
        let lasted = now.duration_since(outage.since);
        if lasted >= window {
            return Next::GiveUp {
                attempts: outage.resumes + outage.joins,
                lasted,
            };
        }
        let pause = outage.count(wanted);
        let reconnection = outage.reconnection;
        // The last attempt is at the end of the window rather than after it.
        let delay = self.jitter.stretch(pause).min(window - lasted);
        Next::Attempt {
            reconnection,
            delay,
        }
    }

    /// A new session: it may be resumed as often as the first.
    pub(super) const fn joined(&mut self) {
        if let Some(outage) = &mut self.outage {
            outage.resumes = 0;
        }
    }

    /// The connection is whole. Says by what, if it was not before.
    pub(super) fn recover(&mut self, now: Instant) -> Option<Reconnection> {
        let outage = self.outage.as_mut()?;
        if outage.over_at.is_some() {
            return None;
        }
        outage.over_at = Some(now + SETTLED);
        Some(outage.reconnection)
    }

    /// Forgets an outage that is over.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|over_at| now >= over_at) {
            self.outage = None;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.outage.as_ref()?.over_at
    }
}

impl Outage {
    /// Chooses the next attempt and counts it; the pause before it.
    fn count(&mut self, wanted: Reconnection) -> Duration {
        if wanted == Reconnection::Resume && self.resumes < MAX_RESUMES {
            self.reconnection = Reconnection::Resume;
            self.resumes += 1;
            return FIRST_RESUME * 2_u32.pow(self.resumes - 1);
        }
        self.reconnection = Reconnection::Full;
        self.joins += 1;
        let doublings = (self.joins - 1).min(MAX_DOUBLINGS);
        LONGEST_PAUSE.min(FIRST_JOIN * 2_u32.pow(doublings))
    }
}

const MAX_RESUMES: u32 = 3;
const FIRST_RESUME: Duration = Duration::from_millis(300);
const FIRST_JOIN: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// 2⁴ · 0.5 s is beyond the longest pause.
const MAX_DOUBLINGS: u32 = 4;
/// A connection that breaks sooner is still the same outage.
const SETTLED: Duration = Duration::from_secs(5);
