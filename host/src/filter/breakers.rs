//! Failures of a plugin, counted over all tracks of a tenant (plugins.md §3).
//!
//! What kills session after session on different tracks would kill the next ones too, so it is not
//! opened again on any of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::failure::{Failures, Restart};
use crate::plugins::Digest;

/// The breakers of a process, one a tenant and plugin. Clones are the same ones.
///
/// They are behind a lock, which is taken where a session is opened or dies, and with no sound in
/// hand.
#[derive(Clone, Debug, Default)]
pub struct Breakers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    failures: Mutex<BTreeMap<Key, Failures>>,
}

/// A tenant, and a plugin of it.
type Key = (Arc<str>, Digest);

/// The breaker of one plugin of one tenant, for [`Restart::fuse`].
#[derive(Clone, Debug)]
pub struct Fuse {
    breakers: Breakers,
    key: Key,
}

impl Breakers {
    /// The breaker of a plugin, for any track of that tenant.
    pub fn fuse(&self, tenant: &str, plugin: Digest) -> Fuse {
        Fuse {
            breakers: self.clone(),
            key: (tenant.into(), plugin),
        }
    }

    /// What is behind the lock is whole at any time.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Failures>> {
        let failures = self.0.failures.lock();
        failures.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fuse {
    /// It failed on some track: when to open it there again; `None` for never.
    pub(super) fn fail(&self, restart: &Restart, now: Instant) -> Option<Instant> {
        let mut failures = self.breakers.lock();
        // Nobody asks for those that have not failed for long.
        failures.retain(|key, failures| *key == self.key || failures.are_recent(now));
        let failures = failures.entry(self.key.clone()).or_default();
        failures.fail(restart, now)
    }

    /// Whether it has failed too often of late to be opened anywhere.
    pub(super) fn has_blown(&self, restart: &Restart, now: Instant) -> bool {
        let failures = self.breakers.lock();
        failures
            .get(&self.key)
            .is_some_and(|failures| failures.are_too_many(restart, now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::filter::testing::any_instant;

    #[test]
    fn failures_of_all_tracks_count_together_and_those_of_others_do_not() {
        let start = any_instant();
        let at = |millis| start + Duration::from_millis(millis);
        let (breakers, restart) = (Breakers::default(), Restart::default());
        let (ours, theirs) = (Digest::of(b"ours"), Digest::of(b"theirs"));
        let track = || breakers.fuse("tenant", ours);

        let again: Vec<_> = (0..4)
            .map(|track_number| track().fail(&restart, at(track_number * 1_000)))
            .collect();

        let waits = [Some(at(100)), Some(at(1_200)), Some(at(2_400)), None];
        assert_eq!(again, waits);
        assert!(track().has_blown(&restart, at(3_000)));
        for other in [
            breakers.fuse("tenant", theirs),
            breakers.fuse("another", ours),
        ] {
            assert!(!other.has_blown(&restart, at(3_000)));
            assert_eq!(other.fail(&restart, at(3_000)), Some(at(3_100)));
        }
    }

    #[test]
    fn a_minute_after_it_blew_a_plugin_may_be_tried_again() {
        let start = any_instant();
        let (breakers, restart) = (Breakers::default(), Restart::default());
        let fuse = breakers.fuse("tenant", Digest::of(b"plugin"));
        for second in [0, 1, 2, 40] {
            fuse.fail(&restart, start + Duration::from_secs(second));
        }

        assert!(fuse.has_blown(&restart, start + Duration::from_secs(59)));
        assert!(!fuse.has_blown(&restart, start + Duration::from_secs(60)));
    }

    #[test]
    fn what_has_not_failed_for_an_hour_is_forgotten() {
        let start = any_instant();
        let (breakers, restart) = (Breakers::default(), Restart::default());
        for plugin in 0..100_u8 {
            let fuse = breakers.fuse("tenant", Digest::of(&[plugin]));
            fuse.fail(&restart, start);
        }

        let later = start + Duration::from_secs(2 * 3_600);
        breakers
            .fuse("tenant", Digest::of(b"last"))
            .fail(&restart, later);

        assert_eq!(breakers.lock().len(), 1);
    }
}
