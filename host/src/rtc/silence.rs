use std::time::{Duration, Instant};

/// Since when nothing came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    since: Instant,
    is_reported: bool,
}

impl Silence {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            since: now,
            is_reported: false,
        }
    }

    /// Something came: whether it ends a silence that was reported.
    pub(crate) const fn broken(&mut self, now: Instant) -> bool {
        let was_reported = self.is_reported;
        *self = Self::new(now);
        was_reported
    }

    /// When it is to be reported that may last so long; `None` once it was.
    pub(crate) fn due(&self, may_last: Duration) -> Option<Instant> {
        (!self.is_reported).then(|| self.since + may_last)
    }

    /// It is reported.
    pub(crate) const fn report(&mut self) {
        self.is_reported = true;
    }
}
