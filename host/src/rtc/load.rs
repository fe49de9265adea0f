//! How busy each worker is, and which of them gets the next peer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The load of one worker: it measures, the control side reads.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Peers given to it.
    peers: AtomicUsize,
    /// Peers it had when it measured last.
    peers_measured: AtomicUsize,
    /// What it used then, in thousandths of a core.
    used: AtomicUsize,
}

impl Load {
    /// It is given a peer.
    pub(crate) fn add_peer(&self) {
        self.peers.fetch_add(1, Ordering::Relaxed);
    }

    /// It has a peer less.
    pub(crate) fn remove_peer(&self) {
        self.peers.fetch_sub(1, Ordering::Relaxed);
    }

    /// It used `cpu` of the time that has `passed`.
    pub(crate) fn measured(&self, cpu: Duration, passed: Duration) {
        let used = cpu.as_micros() * 1_000 / passed.as_micros().max(1);
        let peers = self.peers.load(Ordering::Relaxed);
        self.peers_measured.store(peers, Ordering::Relaxed);
        self.used.store(
            usize::try_from(used).unwrap_or(usize::MAX),
            Ordering::Relaxed,
        );
    }

    /// What it uses, in thousandths of a core. Peers that came since it measured are taken for
    /// rooms of 50 audio tracks.
    fn share(&self) -> usize {
        let peers = self.peers.load(Ordering::Relaxed);
        let new = peers.saturating_sub(self.peers_measured.load(Ordering::Relaxed));
        let used = self.used.load(Ordering::Relaxed);
        used.saturating_add(new.saturating_mul(NEW_PEER))
    }
}

/// Which worker gets the next peer: they are filled one after the other, because a turn costs the
/// same for one packet as for 100. A worker that is half full gets no more while another is not: its
/// peers may still grow, and cannot move.
pub(crate) fn place<'a>(loads: impl Iterator<Item = &'a Load>) -> Option<usize> {
    let shares: Vec<_> = loads.map(Load::share).enumerate().collect();
    let open = shares.iter().filter(|(_, share)| *share < HALF_FULL);
    let fullest = open.rev().max_by_key(|(_, share)| *share);
    let emptiest = || shares.iter().min_by_key(|(_, share)| *share);
    fullest.or_else(emptiest).map(|(index, _)| *index)
}

/// How often a worker measures what it uses.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);
const HALF_FULL: usize = 500;
const NEW_PEER: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_filled_one_after_the_other() {
        assert_eq!(place(workers(&[0, 0, 0]).iter()), Some(0));
        assert_eq!(place(workers(&[0, 499, 300]).iter()), Some(1));
        assert_eq!(place(workers(&[500, 0, 300]).iter()), Some(2));
    }

    #[test]
    fn when_all_are_half_full_the_emptiest_is_next() {
        assert_eq!(place(workers(&[900, 700, 800]).iter()), Some(1));
    }

    #[test]
    fn without_workers_there_is_no_place() {
        assert_eq!(place([].iter()), None);
    }

    #[test]
    fn a_crowd_that_joins_at_once_is_spread_before_anything_is_measured() {
        let workers = workers(&[0, 0]);

        let mut peers = [0, 0];
        for _ in 0..300 {
            let index = place(workers.iter()).unwrap();
            workers[index].add_peer();
            peers[index] += 1;
        }

        assert_eq!(peers, [150, 150]);
    }

    #[test]
    fn a_measurement_takes_the_place_of_the_guess() {
        let load = Load::default();
        (0..10).for_each(|_| load.add_peer());
        assert_eq!(load.share(), 50);

        load.measured(Duration::from_millis(400), Duration::from_secs(2));
        assert_eq!(load.share(), 200);

        load.add_peer();
        assert_eq!(load.share(), 205);
        load.remove_peer();
        load.remove_peer();
        assert_eq!(load.share(), 200);
    }

    fn workers(shares: &[u64]) -> Vec<Load> {
        let load = |share: &u64| {
            let load = Load::default();
            load.measured(Duration::from_millis(*share), Duration::from_secs(1));
            load
        };
        shares.iter().map(load).collect()
    }
}
