//! A bad network in virtual time: the same seed loses the same packets.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::random::Random;

/// What a network does to the packets; by default, nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Conditions {
    /// Share of the packets that never arrive, 0 to 1.
    pub loss: f64,
    /// Share of the packets that arrive twice, 0 to 1.
    pub duplicates: f64,
    /// Share of the packets that are overtaken by those of the next 30 ms, 0 to 1.
    pub reordered: f64,
    /// How long every packet takes at least.
    pub delay: Duration,
    /// How much longer it may take; every duration up to this is equally likely. Packets that
    /// are sent within this time can overtake each other.
    pub jitter: Duration,
}

/// What a network did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Packets that were put in.
    pub sent: u64,
    /// Packets that never arrive.
    pub lost: u64,
    /// Packets that arrive twice.
    pub duplicated: u64,
}

/// Carries packets of any kind from one end to the other, in one direction.
#[derive(Debug)]
pub struct Network<T> {
    conditions: Conditions,
    random: Random,
    /// Ordered by arrival; the number keeps packets of the same instant in order.
    under_way: BTreeMap<(Instant, u64), T>,
    tally: Tally,
    next: u64,
}

impl<T: Clone> Network<T> {
    /// Creates an empty network.
    #[must_use]
    pub const fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            random: Random::new(seed),
            under_way: BTreeMap::new(),
            tally: Tally {
                sent: 0,
                lost: 0,
                duplicated: 0,
            },
            next: 0,
        }
    }

    /// Changes the conditions for packets sent from here on.
    pub const fn change(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// Sends a packet.
    pub fn send(&mut self, packet: T, now: Instant) {
        self.tally.sent += 1;
        if self.happens(self.conditions.loss) {
            self.tally.lost += 1;
            return;
        }
        if self.happens(self.conditions.duplicates) {
            self.tally.duplicated += 1;
            self.deliver(packet.clone(), now);
        }
        self.deliver(packet, now);
    }

    /// Takes the next packet that has arrived.
    pub fn receive(&mut self, now: Instant) -> Option<T> {
        let entry = self.under_way.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// Returns when the next packet arrives.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.under_way.first_key_value().map(|(key, _)| key.0)
    }

    /// Returns what happened so far.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    fn deliver(&mut self, packet: T, now: Instant) {
        let mut delay = self.conditions.delay;
        delay += self.conditions.jitter.mul_f64(self.random.fraction());
        if self.happens(self.conditions.reordered) {
            delay += OVERTAKEN_WITHIN;
        }
        self.next += 1;
        self.under_way.insert((now + delay, self.next), packet);
    }

    fn happens(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.random.fraction() < chance
    }
}

const OVERTAKEN_WITHIN: Duration = Duration::from_millis(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_loses_the_same_packets() {
        let conditions = Conditions {
            loss: 0.1,
            duplicates: 0.1,
            reordered: 0.1,
            jitter: Duration::from_millis(5),
            ..Conditions::default()
        };

        let first = arrivals(conditions, 7);
        let second = arrivals(conditions, 7);
        let other = arrivals(conditions, 8);

        assert_eq!(first, second);
        assert_ne!(first, other);
    }

    #[test]
    fn a_good_network_delivers_everything_in_order() {
        let arrived = arrivals(Conditions::default(), 1);

        assert_eq!(arrived, (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn the_share_of_lost_packets_is_near_the_wanted_one() {
        let conditions = Conditions {
            loss: 0.05,
            ..Conditions::default()
        };

        let arrived = arrivals(conditions, 3);

        assert!((930..970).contains(&arrived.len()), "{}", arrived.len());
    }

    fn arrivals(conditions: Conditions, seed: u64) -> Vec<u32> {
        let start = crate::clock::now();
        let mut network = Network::new(conditions, seed);
        for number in 0..1_000 {
            network.send(number, start + Duration::from_millis(1) * number);
        }
        let end = start + Duration::from_secs(10);
        std::iter::from_fn(|| network.receive(end)).collect()
    }
}
