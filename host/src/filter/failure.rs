use std::collections::VecDeque;
use std::time::{Duration, Instant};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// How often within [`window`](Self::window); after one more failure it is given up.
    pub max: usize,
    /// See [`max`](Self::max).
    pub window: Duration,
    /// How long to wait before the first restart; each further one waits twice as long.
    pub backoff: Duration,
    /// The longest wait.
    pub max_backoff: Duration,
}

impl Default for Restart {
    /// Three times a minute, after 100 ms to 5 s.
    fn default() -> Self {
        Self {
            max: 3,
            window: Duration::from_secs(60),
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
        }
    }
}

/// Counts failures and says when enough is enough.
#[derive(Debug)]
pub(super) struct Breaker {
    restart: Restart,
    /// Failures within the window.
    failures: VecDeque<Instant>,
}

impl Breaker {
    pub(super) const fn new(restart: Restart) -> Self {
        Self {
            restart,
            failures: VecDeque::new(),
        }
    }

    /// It failed: when to open it again; `None` for never.
    pub(super) fn fail(&mut self, now: Instant) -> Option<Instant> {
        let window = self.restart.window;
        self.failures
            .retain(|at| now.saturating_duration_since(*at) < window);
        if self.failures.len() >= self.restart.max {
            return None;
        }
        let doublings = u32::try_from(self.failures.len()).unwrap_or(u32::MAX);
        let factor = 2_u32.saturating_pow(doublings);
        let wait = self.restart.backoff.saturating_mul(factor);
        self.failures.push_back(now);
        Some(now + wait.min(self.restart.max_backoff))
    }
}

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
