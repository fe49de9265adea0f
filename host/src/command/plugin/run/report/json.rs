use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Report, StageReport, share};
use crate::filter::Switch;
use crate::media::ClockRate;
use crate::plugins::{Limits, Metric};

impl Report<'_> {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "input": {
                "file": self.input.path,
                "seconds": self.input.duration.as_secs_f64(),
                "sample_rate": self.input.format.rate.get(),
                "channels": self.input.format.channels.count(),
            },
            "output": self.output,
            "events": {
                "passed": self.events.passed,
                "replaced": self.events.replaced,
                "dropped": self.events.dropped,
            },
            "plugins": self.stages.iter().map(|it| it.to_json(self.limits)).collect::<Vec<_>>(),
            "failure": self.failure.as_ref().map(|failure| json!({
                "plugin": failure.filter,
                "at_ms": seconds_of(failure) * 1_000.0,
                "reason": failure.reason,
            })),
        })
    }
}

impl StageReport {
    fn to_json(&self, limits: &Limits) -> Value {
        let declaration = self.plugin.declaration();
        let metrics = self.metrics.iter();
        let metrics: Map<_, _> = metrics
            .map(|(name, metric)| (name.clone(), metric_json(metric)))
            .collect();
        json!({
            "name": declaration.name,
            "version": declaration.version,
            "kind": self.plugin.kind().as_str(),
            "sha256": self.plugin.digest().to_string(),
            "frames": self.frames(),
            "errors": { "transient": self.counts.transient, "fatal": self.counts.fatal },
            "restarts": self.counts.restarts,
            "frame_ns": self.times(limits),
            "cpu": {
                "share": number(self.cpu),
                "limit": number(share(limits)),
                "total_ns": nanos(self.statistics.total),
                "over": self.is_over(limits),
            },
            "memory": { "peak": self.statistics.memory, "limit": limits.memory },
            "said": {
                "texts": self.said.texts,
                "binaries": self.said.binaries,
                "marks": self.said.marks,
            },
            "lost": self.lost(),
            "metrics": metrics,
        })
    }

    fn frames(&self) -> Value {
        json!({
            "passed": self.counts.passed,
            "changed": self.counts.changed,
            "silenced": self.counts.silenced,
            "dropped": self.counts.dropped,
            "missed": self.counts.missed,
            "skipped": self.statistics.skipped,
            "late": self.statistics.late,
            "bad_outputs": self.statistics.bad_outputs,
        })
    }

    fn times(&self, limits: &Limits) -> Value {
        let frames = &self.statistics.frames;
        json!({
            "p50": nanos(frames.quantile(0.5)),
            "p99": nanos(frames.quantile(0.99)),
            "max": nanos(frames.max()),
            "deadline": nanos(limits.call_deadline),
        })
    }

    /// What did not get out of the plugin, or into it.
    fn lost(&self) -> Value {
        let drops = &self.statistics.drops;
        json!({
            "logs": drops.logs,
            "events_full": drops.events_full,
            "events_too_large": drops.events_too_large,
            "metrics": drops.metrics,
            "messages_unheard": self.statistics.messages_skipped,
        })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn metric_json(metric: &Metric) -> Value {
    match metric {
        Metric::Counter(sum) => json!(sum),
        Metric::Gauge(last) => number(*last),
        Metric::Histogram {
            count,
            sum,
            min,
            max,
        } => json!({
            "count": count,
            "sum": number(*sum),
            "min": number(*min),
            "max": number(*max),
        }),
    }
}

fn seconds_of(switch: &Switch) -> f64 {
    switch.pts.duration(ClockRate::OPUS).as_secs_f64()
}

/// A number as JSON has it; null for what is not finite.
fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}
