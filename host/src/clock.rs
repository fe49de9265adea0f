//! The only place of the control side that reads time.

use std::time::{Duration, Instant, SystemTime};

use nix::time::{ClockId, clock_gettime};

use crate::media::NtpTimestamp;
use crate::rtp::timeline::WallClock;

/// The monotonic time.
#[expect(clippy::disallowed_methods, reason = "drivers read the clock here")]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "drivers read the clock here")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// The CPU time that this thread has used; zero if the system does not say.
pub fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Blocks the thread: for commands that run no tasks.
pub fn sleep_until(due: Instant) {
    loop {
        let left = due.saturating_duration_since(now());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}

/// Both clocks at one moment.
pub fn wall_clock() -> WallClock {
    WallClock {
        instant: now(),
        ntp: NtpTimestamp::from(wall()),
    }
}
