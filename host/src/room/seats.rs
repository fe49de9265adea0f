use std::collections::BTreeMap;

use super::SubscriptionId;

/// Which participant receives which subscription: the first that has a place left.
#[derive(Debug, Default)]
pub(super) struct Seats {
    /// Subscriptions of each participant.
    taken: Vec<usize>,
    seats: BTreeMap<SubscriptionId, usize>,
    next_id: u64,
}

impl Seats {
    /// A new subscription and the participant it goes to, which may not exist yet.
    pub(super) fn take(&mut self) -> (SubscriptionId, usize) {
        let seat = self.next();
        let id = SubscriptionId(self.next_id);
        self.next_id += 1;
        match self.taken.get_mut(seat) {
            Some(taken) => *taken += 1,
            None => self.taken.push(1),
        }
        self.seats.insert(id, seat);
        (id, seat)
    }

    /// Where the next subscription would go.
    pub(super) fn next(&self) -> usize {
        let free = self.taken.iter().position(|taken| *taken < MAX_TRACKS);
        free.unwrap_or(self.taken.len())
    }

    /// Frees the place of a subscription.
    pub(super) fn give_back(&mut self, id: SubscriptionId) {
        let seat = self.seats.remove(&id);
        if let Some(taken) = seat.and_then(|seat| self.taken.get_mut(seat)) {
            *taken = taken.saturating_sub(1);
        }
    }

    pub(super) fn seat_of(&self, id: SubscriptionId) -> Option<usize> {
        self.seats.get(&id).copied()
    }
}

/// The cost of a packet and of an answer grows with the m-lines of a peer connection (webrtc.md
/// Part 2 §1.7).
const MAX_TRACKS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifty_first_track_goes_to_another_participant() {
        let mut seats = Seats::default();

        let of: Vec<usize> = (0..120).map(|_| seats.take().1).collect();

        assert!(of[..50].iter().all(|seat| *seat == 0));
        assert!(of[50..100].iter().all(|seat| *seat == 1));
        assert!(of[100..].iter().all(|seat| *seat == 2));
    }

    #[test]
    fn a_place_that_was_given_back_is_taken_first() {
        let mut seats = Seats::default();
        let ids: Vec<SubscriptionId> = (0..60).map(|_| seats.take().0).collect();

        seats.give_back(ids[3]);
        seats.give_back(ids[3]);
        let (id, seat) = seats.take();

        assert_eq!(seat, 0);
        assert_eq!(seats.seat_of(id), Some(0));
        assert_eq!(seats.seat_of(ids[3]), None);
        assert_eq!(seats.next(), 1);
    }
}
