use std::time::{Duration, Instant};

/// A token bucket that holds what a second brings, and may be overdrawn: what a call costs is known
/// only afterwards, so a debt is paid off before the next.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: i64,
    /// In millionths of a token, so that a microsecond brings a whole number of them.
    level: i64,
    refilled: Instant,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = i64::from(per_second);
        Self {
            per_second,
            level: per_second * MILLION,
            refilled: now,
        }
    }

    /// Whether anything is left.
    pub(crate) fn has_any(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.level > 0
    }

    /// Takes tokens, more than there are if need be.
    pub(crate) fn take(&mut self, tokens: u64) {
        let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
        self.level = self.level.saturating_sub(tokens.saturating_mul(MILLION));
    }

    /// Takes one token if there is one.
    pub(crate) fn try_take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let has_one = self.level >= MILLION;
        if has_one {
            self.take(1);
        }
        has_one
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.refilled);
        self.refilled = self.refilled.max(now);
        // A debt can be larger than a second, but never is an hour's worth of anything.
        let micros = i64::try_from(passed.min(HOUR).as_micros()).unwrap_or(i64::MAX);
        let full = self.per_second * MILLION;
        self.level = self
            .level
            .saturating_add(micros.saturating_mul(self.per_second))
            .min(full);
    }
}

const MILLION: i64 = 1_000_000;
const HOUR: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_takes_a_quarter_of_the_time_runs_a_fifth_of_it() {
        let start = start();
        let mut share = Bucket::new(50_000, start);
        let mut calls = 0;

        for frame in 0..500 {
            if share.has_any(start + Duration::from_millis(20) * frame) {
                share.take(5_000);
                calls += 1;
            }
        }

        // 10 s bring 500 ms, and the bucket was full: 550 ms at 5 ms a call.
        assert!((108..=111).contains(&calls), "{calls}");
    }

    #[test]
    fn a_debt_is_paid_off_first() {
        let start = start();
        let mut share = Bucket::new(50_000, start);
        share.take(150_000);

        assert!(!share.has_any(start + Duration::from_millis(1_999)));
        assert!(share.has_any(start + Duration::from_millis(2_001)));
    }

    #[test]
    fn it_never_holds_more_than_a_second_brings() {
        let start = start();
        let mut lines = Bucket::new(3, start);
        let later = start + Duration::from_secs(60);

        let taken = (0..10).filter(|_| lines.try_take(later)).count();

        assert_eq!(taken, 3);
    }

    #[test]
    fn time_that_runs_backwards_brings_nothing() {
        let start = start() + Duration::from_secs(10);
        let mut lines = Bucket::new(1, start);
        assert!(lines.try_take(start));

        assert!(!lines.try_take(start - Duration::from_secs(5)));
        assert!(!lines.try_take(start));
    }

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn start() -> Instant {
        Instant::now()
    }
}
