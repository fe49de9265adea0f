//! When which seat of a worker is due.

use std::time::Instant;

/// A time for each slot. Looking through 1,000 of them takes less than a microsecond, 200 times a
/// second: a heap would not be quicker, and every packet moves a deadline.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    slots: Vec<Option<Instant>>,
}

impl Deadlines {
    /// Sets the time of a slot; `None` for never.
    pub(crate) fn set(&mut self, slot: usize, due: Option<Instant>) {
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, None);
        }
        if let Some(entry) = self.slots.get_mut(slot) {
            *entry = due;
        }
    }

    /// The first slot from `from` on that is due.
    pub(crate) fn due(&self, now: Instant, from: usize) -> Option<usize> {
        self.slots
            .iter()
            .enumerate()
            .skip(from)
            .find(|(_, due)| due.is_some_and(|due| due <= now))
            .map(|(slot, _)| slot)
    }

    /// The earliest time of all.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.slots.iter().flatten().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn slots_come_due_in_their_order() {
        let now = crate::rtc::clock::now();
        let mut deadlines = Deadlines::default();
        deadlines.set(3, Some(now));
        deadlines.set(1, Some(now + Duration::from_secs(1)));
        deadlines.set(0, Some(now));

        assert_eq!(deadlines.due(now, 0), Some(0));
        assert_eq!(deadlines.due(now, 1), Some(3));
        assert_eq!(deadlines.due(now, 4), None);
        assert_eq!(deadlines.next(), Some(now));
    }

    #[test]
    fn a_cleared_slot_never_comes_due() {
        let now = crate::rtc::clock::now();
        let mut deadlines = Deadlines::default();
        deadlines.set(0, Some(now));

        deadlines.set(0, None);

        assert_eq!(deadlines.due(now, 0), None);
        assert_eq!(deadlines.next(), None);
    }
}
