use std::collections::VecDeque;

use bytes::Bytes;

use crate::filter::TrackEvent;

/// What is to be done in order, and what happens at which place beside it.
#[derive(Debug, Default)]
pub(super) struct Steps {
    steps: VecDeque<Step>,
    events: VecDeque<(u64, TrackEvent)>,
}

/// A piece of work. Places are samples per channel since the track's origin.
#[derive(Debug)]
pub(super) enum Step {
    /// Silence up to there.
    Silence { until: u64 },
    /// Nothing up to there.
    Jump { to: u64 },
    /// An access unit.
    Unit(Unit),
}

/// An access unit that is to be decoded.
#[derive(Debug)]
pub(super) struct Unit {
    /// Where it begins.
    pub(super) at: u64,
    pub(super) rtp_timestamp: Option<u32>,
    pub(super) data: Bytes,
}

impl Steps {
    /// Adds a piece of work; `false` if there is too much already.
    pub(super) fn push(&mut self, step: Step) -> bool {
        let has_room = self.steps.len() < MAX_STEPS;
        if has_room {
            self.steps.push_back(step);
        }
        has_room
    }

    /// Puts a piece of work before all others.
    pub(super) fn push_front(&mut self, step: Step) {
        self.steps.push_front(step);
    }

    pub(super) fn pop(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Adds what happens at `at`; `false` if too much is to happen already.
    pub(super) fn push_event(&mut self, at: u64, event: TrackEvent) -> bool {
        let has_room = self.events.len() < MAX_EVENTS;
        if has_room {
            self.events.push_back((at, event));
        }
        has_room
    }

    /// The next event whose place is reached.
    pub(super) fn event_at(&mut self, position: u64) -> Option<(u64, TrackEvent)> {
        self.events.pop_front_if(|(at, _)| *at <= position)
    }
}

/// Ten seconds of packets of 5 ms: what can come while an hour is made up.
const MAX_STEPS: usize = 2_048;
/// More than a room says in the time that a track may be behind.
const MAX_EVENTS: usize = 256;
