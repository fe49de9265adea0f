use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::breakers::Fuse;

/// What becomes of the sound while a filter is out of order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// It goes on without the filter: no recording is lost for one.
    #[default]
    Bypass,
    /// Silence goes on until the filter runs again.
    Silence,
    /// The track ends with the first fatal error; before it, silence stands for blocks that failed.
    StopTrack,
    /// The whole egress fails with the first fatal error.
    FailEgress,
}

/// When a filter that failed is opened again.
#[derive(Clone, Debug)]
pub struct Restart {
    /// How often within [`window`](Self::window); after one more failure it is given up.
    pub max: usize,
    /// See [`max`](Self::max).
    pub window: Duration,
    /// How long to wait before the first restart; each further one waits twice as long.
    pub backoff: Duration,
    /// The longest wait.
    pub max_backoff: Duration,
    /// What counts failures on other tracks too. Without it those of one place in one chain count.
    pub fuse: Option<Fuse>,
}

impl Restart {
    /// Whether the plugin has failed too often of late, here and on other tracks, to be opened
    /// anywhere.
    pub fn has_blown(&self, now: Instant) -> bool {
        let fuse = self.fuse.as_ref();
        fuse.is_some_and(|fuse| fuse.has_blown(self, now))
    }
}

impl Default for Restart {
    /// Three times a minute, after 100 ms to 5 s; failures on other tracks do not count.
    fn default() -> Self {
        Self {
            max: 3,
            window: Duration::from_secs(60),
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            fuse: None,
        }
    }
}

/// Says when enough is enough.
#[derive(Debug)]
pub(super) struct Breaker {
    restart: Restart,
    /// Those here, if nobody else's count.
    failures: Failures,
}

impl Breaker {
    pub(super) fn new(restart: Restart) -> Self {
        Self {
            restart,
            failures: Failures::default(),
        }
    }

    /// It failed: when to open it again; `None` for never.
    pub(super) fn fail(&mut self, now: Instant) -> Option<Instant> {
        match &self.restart.fuse {
            Some(fuse) => fuse.fail(&self.restart, now),
            None => self.failures.fail(&self.restart, now),
        }
    }

    /// Whether it has failed too often on other tracks to be opened here.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        self.restart.has_blown(now)
    }
}

/// The last failures, oldest first.
#[derive(Debug, Default)]
pub(super) struct Failures(VecDeque<Instant>);

impl Failures {
    /// Adds one: when to try again; `None` for never.
    pub(super) fn fail(&mut self, restart: &Restart, now: Instant) -> Option<Instant> {
        let before = self.within(restart.window, now);
        // One more than are forgiven is all that anybody asks for.
        self.0.push_back(now);
        let surplus = self.0.len().saturating_sub(restart.max.saturating_add(1));
        self.0.drain(..surplus);
        if before >= restart.max {
            return None;
        }
        let factor = 2_u32.saturating_pow(u32::try_from(before).unwrap_or(u32::MAX));
        let wait = restart.backoff.saturating_mul(factor);
        Some(now + wait.min(restart.max_backoff))
    }

    /// Whether there were more of late than are forgiven.
    pub(super) fn are_too_many(&self, restart: &Restart, now: Instant) -> bool {
        self.within(restart.window, now) > restart.max
    }

    /// Whether any was in the last hour, which is longer than any window.
    pub(super) fn are_recent(&self, now: Instant) -> bool {
        self.within(HOUR, now) > 0
    }

    fn within(&self, window: Duration, now: Instant) -> usize {
        let is_within = |at: &&Instant| now.saturating_duration_since(**at) < window;
        self.0.iter().filter(is_within).count()
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::testing::any_instant;

    #[test]
    fn each_restart_waits_twice_as_long_until_there_are_enough() {
        let mut now = any_instant();
        let mut breaker = Breaker::new(Restart {
            max: 8,
            ..Restart::default()
        });

        let mut waits = Vec::new();
        while let Some(at) = breaker.fail(now) {
            waits.push(u64::try_from((at - now).as_millis()).unwrap());
            now = at;
        }

        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    }

    #[test]
    fn failures_of_long_ago_do_not_count() {
        let start = any_instant();
        let mut breaker = Breaker::new(Restart::default());

        for minute in 0..100 {
            let now = start + Duration::from_secs(60) * minute;
            let again = breaker.fail(now);
            assert_eq!(again, Some(now + Duration::from_millis(100)));
        }
    }

    #[test]
    fn the_fourth_failure_of_a_minute_is_the_last() {
        let start = any_instant();
        let mut breaker = Breaker::new(Restart::default());

        let granted = (0..10)
            .filter(|second| {
                let now = start + Duration::from_secs(1) * *second;
                breaker.fail(now).is_some()
            })
            .count();

        assert_eq!(granted, 3);
    }
}
