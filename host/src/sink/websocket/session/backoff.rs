use std::time::{Duration, Instant};

use crate::dial::Jitter;

/// Decides when to dial again after a failure, and when to stop trying.
#[derive(Debug)]
pub(super) struct Backoff {
    jitter: Jitter,
    outage: Option<Outage>,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Dial { after: Duration },
    GiveUp { attempts: u32, lasted: Duration },
}

/// From the first failure until the connection has stood for a while.
#[derive(Debug)]
struct Outage {
    since: Instant,
    attempts: u32,
    /// When it counts as over; `None` while there is no connection.
    over_at: Option<Instant>,
}

impl Backoff {
    /// Begins before the first connection: the first attempt is made at once.
    pub(super) const fn new(seed: u64, now: Instant) -> Self {
        Self {
            jitter: Jitter::new(seed),
            outage: Some(Outage {
                since: now,
                attempts: 1,
                over_at: None,
            }),
        }
    }

    /// Counts a failure: dials again after ever longer pauses, the last time at the end of `window`.
    pub(super) fn fail(&mut self, window: Duration, now: Instant) -> Next {
        let settled = |outage: &Outage| outage.over_at.is_some_and(|over_at| now >= over_at);
        if self.outage.as_ref().is_some_and(settled) {
            self.outage = None;
        }
        let outage = self.outage.get_or_insert(Outage {
            since: now,
            attempts: 0,
            over_at: None,
        });
        outage.over_at = None;
        let (attempts, lasted) = (outage.attempts, now.saturating_duration_since(outage.since));
        if lasted >= window {
            return Next::GiveUp { attempts, lasted };
        }
        outage.attempts += 1;
        let pause = FIRST_PAUSE * 2_u32.pow(attempts.min(MAX_DOUBLINGS));
        let after = self.jitter.stretch(pause.min(LONGEST_PAUSE));
        Next::Dial {
            after: after.min(window - lasted),
        }
    }

    /// The connection stands; how often it was tried, and how long it took.
    pub(super) fn connect(&mut self, now: Instant) -> (u32, Duration) {
        let Some(outage) = &mut self.outage else {
            return (1, Duration::ZERO);
        };
        outage.over_at = Some(now + SETTLED);
        (outage.attempts, now.saturating_duration_since(outage.since))
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Five seconds with the jitter.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// 2⁶ · 0.1 s is beyond the longest pause.
const MAX_DOUBLINGS: u32 = 6;
/// A connection that breaks sooner is still the same outage: a server that accepts and hangs up is
/// not tried for ever.
const SETTLED: Duration = Duration::from_secs(5);
