//! The only reader of time among the plugins: what a call costs. The time of day comes from the caller.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The CPU time that this thread has used; zero if the system does not say.
pub(crate) fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
