//! The only place of the media workers that reads time.

use std::time::{Duration, Instant, SystemTime};

/// The monotonic time.
#[expect(clippy::disallowed_methods, reason = "the media worker is a driver")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, which the kernel stamps datagrams with.
#[expect(clippy::disallowed_methods, reason = "the media worker is a driver")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Blocks the thread.
#[expect(
    clippy::disallowed_methods,
    reason = "a media worker is a thread of its own and runs no tasks"
)]
pub(crate) fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}
