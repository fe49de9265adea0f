use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::List;
use super::moment::nanoseconds;
use super::sound::{Filter, FilterSwitch};
use crate::egress::Inspection;
use crate::filter::Report;
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
    /// Data messages of the room that went by it because its share of CPU time was used up.
    pub messages_skipped: u64,
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
    /// Data messages of the room that it did not hear: they were too large, or too many.
    pub messages_dropped: u64,
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
            messages_skipped,
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
            messages_skipped: *messages_skipped,
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
    /// What all filters did that looked at one file, in their order.
    pub(in crate::egress) fn all(inspections: &[Inspection], segment: usize) -> Vec<Self> {
        let of_it = inspections.iter().filter(|it| it.segment == segment);
        let mut of_it: Vec<_> = of_it.collect();
        of_it.sort_by_key(|inspection| inspection.inspector);
        of_it.into_iter().map(Self::new).collect()
    }

    /// What a filter did that only looked.
    pub fn new(inspection: &Inspection) -> Self {
        let Inspection {
            inspector: _,
            segment: _,
            account,
            overrun,
            events_dropped,
            messages_dropped,
            switches,
        } = inspection;
        Self {
            filter: Filter::new(account),
            overrun: *overrun,
            events_dropped: *events_dropped,
            messages_dropped: *messages_dropped,
            switches: List::new(switches, FilterSwitch::new),
        }
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
