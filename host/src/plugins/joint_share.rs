use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::plugins::bucket::Bucket;

/// The CPU share of all instances of a plugin together, whatever threads they run on.
#[derive(Debug)]
pub(crate) struct JointShare(Mutex<Bucket>);

impl JointShare {
    pub(crate) fn new(per_second: Duration, now: Instant) -> Self {
        Self(Mutex::new(Bucket::new(micros(per_second), now)))
    }

    /// Whether anything is left.
    pub(crate) fn has_any(&self, now: Instant) -> bool {
        self.bucket().has_any(now)
    }

    /// Takes what a call took, more than there is if need be.
    pub(crate) fn take(&self, taken: Duration) {
        self.bucket().take(u64::from(micros(taken)));
    }

    /// What it guards is whole at any time, even if a thread died.
    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
