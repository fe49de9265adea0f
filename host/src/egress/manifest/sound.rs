use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::List;
use super::moment::nanoseconds;
use super::plugin::Plugin;
use crate::filter::{Account, Counts, Switch};
use crate::media::ClockRate;
use crate::pipeline::Sounds;

/// What became of the sound of a track that was decoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sound {
    /// Samples a second between decoder and filters.
    pub sample_rate: u32,
    /// Channels between decoder and filters.
    pub channels: usize,
    /// How much came from access units.
    #[serde(rename = "decoded_ns", with = "nanoseconds")]
    pub decoded: Duration,
    /// How much the decoder made up for units that were lost.
    #[serde(rename = "concealed_ns", with = "nanoseconds")]
    pub concealed: Duration,
    /// How much is silence in the place of a mute or of a long gap.
    #[serde(rename = "silent_ns", with = "nanoseconds")]
    pub silent: Duration,
    /// How much was cut off because it began before what came before had ended.
    #[serde(rename = "removed_ns", with = "nanoseconds")]
    pub removed: Duration,
    /// How much was dropped because the sink was too slow.
    #[serde(rename = "sink_full_ns", with = "nanoseconds", default)]
    pub sink_full: Duration,
    /// Access units that could not be decoded.
    pub undecodable: u64,
    /// Events and emissions that were dropped because too many waited.
    pub events_dropped: u64,
    /// Data messages of the room that were dropped: too large, or too many.
    pub messages_dropped: u64,
    /// The filters in order, and what they did.
    pub filters: Vec<Filter>,
    /// When filters began or ceased to do their work.
    pub switches: List<FilterSwitch>,
}

/// What a filter did, in blocks as it got them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// What it is called.
    pub name: String,
    /// It passed them as they came.
    pub passed: u64,
    /// It changed them.
    pub changed: u64,
    /// It made silence of them.
    pub silenced: u64,
    /// It dropped them.
    pub dropped: u64,
    /// They went by it, or were silent, because it was out of order.
    pub missed: u64,
    /// Calls that failed without harm to the session.
    pub transient_errors: u64,
    /// Sessions that died.
    pub fatal_errors: u64,
    /// Sessions opened after one had died.
    pub restarts: u64,
    /// The plugin that it is; several if it was replaced, the first 16 in order.
    #[serde(default)]
    pub plugins: Vec<Plugin>,
}

/// A filter began or ceased to do its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterSwitch {
    /// Where.
    #[serde(rename = "at_ns", with = "nanoseconds")]
    pub at: Duration,
    /// The filter.
    pub filter: String,
    /// `bypassed`, `silenced`, `restarted`, `given_up`, `replaced`, `rolled_back`, `stopped_track`
    /// or `failed_egress`.
    pub change: String,
    /// Why.
    pub reason: String,
}

impl Sound {
    /// `None` if no sound came.
    pub(super) fn new(sounds: &Sounds) -> Option<Self> {
        let format = sounds.format?;
        let last = |samples| format.rate.duration(samples);
        Some(Self {
            sample_rate: format.rate.get(),
            channels: format.channels.count(),
            decoded: last(sounds.decoded),
            concealed: last(sounds.concealed),
            silent: last(sounds.silent),
            removed: last(sounds.removed),
            sink_full: last(sounds.sink_full),
            undecodable: sounds.undecodable,
            events_dropped: sounds.events_dropped,
            messages_dropped: sounds.messages_dropped,
            filters: sounds.filters.iter().map(Filter::new).collect(),
            switches: List::new(&sounds.switches, FilterSwitch::new),
        })
    }
}

impl Filter {
    pub(super) fn new(account: &Account) -> Self {
        let Counts {
            passed,
            changed,
            silenced,
            dropped,
            missed,
            transient,
            fatal,
            restarts,
        } = account.counts;
        Self {
            name: account.filter.clone(),
            passed,
            changed,
            silenced,
            dropped,
            missed,
            transient_errors: transient,
            fatal_errors: fatal,
            restarts,
            plugins: account.plugins.iter().map(Plugin::new).collect(),
        }
    }
}

impl FilterSwitch {
    pub(super) fn new(switch: &Switch) -> Self {
        Self {
            at: switch.pts.duration(ClockRate::OPUS),
            filter: switch.filter.clone(),
            change: switch.change.as_str().to_owned(),
            reason: switch.reason.clone(),
        }
    }
}
