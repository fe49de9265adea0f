//! The only place of the media workers that reads time.

use std::time::{Duration, Instant, SystemTime};

use nix::time::{ClockId, clock_gettime};

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

/// The CPU time that this thread has used; zero if the system does not say.
pub(crate) fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Blocks the thread.
#[expect(
    clippy::disallowed_methods,
    reason = "a media worker is a thread of its own and runs no tasks"
)]
pub(crate) fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}
