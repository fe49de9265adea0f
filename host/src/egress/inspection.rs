use crate::filter::{Account, Switch};
use crate::pipeline::{Listed, Summary};

/// What a filter did that only looked at a track, from where a file began to where it ended.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// The number of the filter among those that look at the track, from 0.
    pub inspector: usize,
    /// The number of the file, from 0.
    pub segment: usize,
    /// What the filter did.
    pub account: Account,
    /// Packets and reports that it did not hear because its thread was too slow.
    pub overrun: u64,
    /// What it said that was dropped because too much waited.
    pub events_dropped: u64,
    /// Data messages of the room that it did not hear.
    pub messages_dropped: u64,
    /// When it began or ceased to do its work.
    pub switches: Listed<Switch>,
}

impl Inspection {
    /// What the only filter of a track did whose sound goes nowhere.
    pub(super) fn new(inspector: usize, segment: usize, summary: Summary) -> Self {
        let sound = summary.sound.unwrap_or_default();
        Self {
            inspector,
            segment,
            account: sound.filters.into_iter().next().unwrap_or_default(),
            overrun: summary.overrun,
            events_dropped: sound.events_dropped,
            messages_dropped: sound.messages_dropped,
            switches: sound.switches,
        }
    }
}
