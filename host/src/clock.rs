//! The only place of the control side that reads time.

use std::time::{Instant, SystemTime};

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

/// Both clocks at one moment.
pub fn wall_clock() -> WallClock {
    WallClock {
        instant: now(),
        ntp: NtpTimestamp::from(wall()),
    }
}
