use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::List;
use super::moment::nanoseconds;
use super::sound::{Filter, FilterSwitch};
use crate::filter::Report;
use crate::pipeline::Summary;
use crate::plugins;

/// A plugin that was a filter of the track, and what it has cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plugin {
    /// `sha256:` and the digest of its bytes.
    pub digest: String,
    /// Its version, in its own words.
    pub version: String,
    /// Frames that it was called for.
    pub frames: u64,
    /// CPU time that half of its frames did not exceed.
    #[serde(rename = "frame_p50_ns", with = "nanoseconds")]
    pub frame_p50: Duration,
    /// CPU time that 99 % of its frames did not exceed.
    #[serde(rename = "frame_p99_ns", with = "nanoseconds")]
    pub frame_p99: Duration,
    /// CPU time of the longest frame.
    #[serde(rename = "frame_max_ns", with = "nanoseconds")]
    pub frame_max: Duration,
    /// CPU time of all its calls.
    #[serde(rename = "cpu_ns", with = "nanoseconds")]
    pub cpu: Duration,
    /// Calls that took more than half of their deadline.
    pub late_calls: u64,
    /// Frames that went by it because its share of CPU time was used up; they count as passed.
    pub skipped: u64,
    /// Frames that became silence because what it gave had the wrong length, or was no number.
    pub bad_outputs: u64,
    /// Memories and tables of its largest session, in bytes.
    pub peak_memory: usize,
    /// What it said and did not get out.
    pub dropped: Unsaid,
    /// Its metrics.
    pub metrics: BTreeMap<String, Metric>,
}

/// What a plugin said and did not get out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsaid {
    /// Log lines beyond the rate, or while too many waited.
    pub logs: u64,
    /// Texts, bytes and marks that were refused as `full`.
    pub events_full: u64,
    /// Texts, bytes and marks that were refused as `too-large`.
    pub events_too_large: u64,
    /// Metric values of names beyond the limit, of another kind than before, or not finite.
    pub metrics: u64,
}

/// A metric of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The sum of what was added.
    Counter(u64),
    /// The last value set.
    Gauge(f64),
    /// A summary of the values recorded.
    Histogram {
        /// How many.
        count: u64,
        /// Their sum.
        sum: f64,
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
    },
}

/// A filter that only looked at the track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspector {
    /// What it did.
    #[serde(flatten)]
    pub filter: Filter,
    /// Packets and reports that it did not hear because its thread was too slow.
    pub overrun: u64,
    /// What it said that was dropped because too much waited.
    pub events_dropped: u64,
    /// When it began or ceased to do its work.
    pub switches: List<FilterSwitch>,
}

impl Plugin {
    pub(super) fn new(report: &Report) -> Self {
        let Report {
            digest,
            version,
            statistics,
            metrics,
        } = report;
        let plugins::Statistics {
            frames,
            // Nobody counts it in a recording.
            fuel: _,
            total,
            skipped,
            late,
            bad_outputs,
            memory,
            drops,
        } = statistics;
        Self {
            digest: format!("sha256:{digest}"),
            version: version.clone(),
            frames: frames.count(),
            frame_p50: frames.quantile(0.5),
            frame_p99: frames.quantile(0.99),
            frame_max: frames.max(),
            cpu: *total,
            late_calls: *late,
            skipped: *skipped,
            bad_outputs: *bad_outputs,
            peak_memory: *memory,
            dropped: (*drops).into(),
            metrics: metrics
                .iter()
                .map(|(name, metric)| (name.clone(), Metric::from(*metric)))
                .collect(),
        }
    }
}

impl Inspector {
    /// What the only filter of a track did whose sound goes nowhere; `None` if it heard nothing.
    pub fn new(summary: &Summary) -> Option<Self> {
        let sound = summary.sound.as_ref()?;
        Some(Self {
            filter: Filter::new(sound.filters.first()?),
            overrun: summary.overrun,
            events_dropped: sound.events_dropped,
            switches: List::new(&sound.switches, FilterSwitch::new),
        })
    }
}

impl From<plugins::OutputDrops> for Unsaid {
    fn from(drops: plugins::OutputDrops) -> Self {
        let plugins::OutputDrops {
            logs,
            events_full,
            events_too_large,
            metrics,
        } = drops;
        Self {
            logs,
            events_full,
            events_too_large,
            metrics,
        }
    }
}

impl From<plugins::Metric> for Metric {
    fn from(metric: plugins::Metric) -> Self {
        match metric {
            plugins::Metric::Counter(sum) => Self::Counter(sum),
            plugins::Metric::Gauge(last) => Self::Gauge(finite(last)),
            plugins::Metric::Histogram {
                count,
                sum,
                min,
                max,
            } => Self::Histogram {
                count,
                sum: finite(sum),
                min: finite(min),
                max: finite(max),
            },
        }
    }
}

/// JSON has no other numbers, and sums of large ones may be none.
const fn finite(value: f64) -> f64 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(f64::MIN, f64::MAX)
    }
}
