//! The only place of this crate that reads time; everything else takes `now` as an argument.

use std::time::{Instant, SystemTime};

/// Reads the monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the drivers get their time from here"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Reads the wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the drivers get their time from here"
)]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
