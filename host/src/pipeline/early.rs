use std::collections::VecDeque;

use crate::filter::TrackEvent;

/// What happened to a track before there was any sound of it, for its filters to hear then.
#[derive(Debug, Default)]
pub(super) struct Early {
    events: VecDeque<TrackEvent>,
    dropped: u64,
}

impl Early {
    /// Keeps an event, unless too many are kept already.
    pub(super) fn push(&mut self, event: TrackEvent) {
        if self.events.len() < MAX_EARLY {
            self.events.push_back(event);
        } else {
            self.dropped += 1;
        }
    }

    /// The events in order, and how many more there were.
    pub(super) fn take(&mut self) -> (VecDeque<TrackEvent>, u64) {
        let Self { events, dropped } = std::mem::take(self);
        (events, dropped)
    }
}

/// More are of no use to a filter that has yet to hear something.
const MAX_EARLY: usize = 64;
