//! What a run came to: for people a table a plugin, for machines one JSON object (`json`).

mod json;

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::journal::{Events, Journal, Said, seconds};
use super::say;
use crate::command::Exit;
use crate::command::plugin::player::Player;
use crate::command::plugin::table::{Table, bytes, counted, grouped, micros};
use crate::filter::{Counts, Switch};
use crate::media::{AudioFormat, Channels};
use crate::plugins::{Limits, Metric, Plugin, Statistics};

/// The file that was played.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    pub(super) path: &'a Path,
    /// How it was played.
    pub(super) format: AudioFormat,
    pub(super) duration: Duration,
}

/// What a run came to.
#[derive(Debug)]
pub(super) struct Report<'a> {
    input: Input<'a>,
    output: Option<&'a Path>,
    events: Events,
    stages: Vec<StageReport>,
    failure: Option<Switch>,
    limits: &'a Limits,
}

/// What one plugin did and cost.
#[derive(Debug)]
struct StageReport {
    plugin: Plugin,
    counts: Counts,
    statistics: Statistics,
    metrics: Vec<(String, Metric)>,
    said: Said,
    /// CPU time of its frames, as a part of the time they last.
    cpu: f64,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        input: Input<'a>,
        output: Option<&'a Path>,
        player: &Player,
        journal: &Journal,
        limits: &'a Limits,
    ) -> Self {
        let stages = player.outcome().map(|(plugin, counts, report)| {
            let report = report.map(|report| (report.statistics, report.metrics));
            let (statistics, metrics) = report.unwrap_or_default();
            let lasts = input.duration.as_secs_f64().max(f64::MIN_POSITIVE);
            StageReport {
                counts,
                cpu: statistics.frames.total().as_secs_f64() / lasts,
                statistics,
                metrics: metrics.into_iter().collect(),
                said: journal.said(&plugin.declaration().name),
                plugin: plugin.clone(),
            }
        });
        Self {
            input,
            output,
            events: journal.events,
            stages: stages.collect(),
            failure: journal.failure.clone(),
            limits,
        }
    }

    /// A failure counts more than a plugin that is too slow.
    pub(super) fn exit(&self) -> Exit {
        let has_failed = self.failure.is_some() || self.stages.iter().any(StageReport::has_failed);
        let is_over = self.stages.iter().any(|stage| stage.is_over(self.limits));
        match (has_failed, is_over) {
            (true, _) => Exit::Failed,
            (false, true) => Exit::OverBudget,
            (false, false) => Exit::Complete,
        }
    }

    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            return say(&json!({ "report": self.to_json() }).to_string());
        }
        let mut text = format!("\n{}\n", self.headline());
        for stage in &self.stages {
            let declaration = stage.plugin.declaration();
            let (name, version) = (&declaration.name, &declaration.version);
            let kind = stage.plugin.kind().as_str();
            text += &format!("\n{name} {version}, {kind}\n{}", stage.table(self.limits));
        }
        for verdict in self.verdicts() {
            text += &format!("\n{verdict}\n");
        }
        say(text.trim_end())
    }

    fn headline(&self) -> String {
        let Input {
            path,
            format,
            duration,
        } = self.input;
        let channels = match format.channels {
            Channels::Mono => "mono",
            Channels::Stereo => "stereo",
        };
        let input = format!(
            "{}: {:.3} s, {} Hz {channels}",
            path.display(),
            duration.as_secs_f64(),
            grouped(format.rate.get())
        );
        match self.output {
            Some(output) => format!("{input} → {}", output.display()),
            None => input,
        }
    }

    /// What there is to complain of.
    fn verdicts(&self) -> Vec<String> {
        let failure = self.failure.as_ref().map(|failure| {
            let (plugin, at) = (&failure.filter, seconds(failure.pts));
            format!("FAILED: {plugin} at {}: {}", at.trim(), failure.reason)
        });
        let at_end = self.stages.iter().filter(|stage| stage.has_failed());
        let at_end = at_end.map(|stage| {
            let name = &stage.plugin.declaration().name;
            format!("FAILED: {name} in `finish`: standard error says why")
        });
        let over = self
            .stages
            .iter()
            .filter(|stage| stage.is_over(self.limits));
        let over = over.map(|stage| {
            let name = &stage.plugin.declaration().name;
            let share = percent(share(self.limits));
            format!("OVER BUDGET: {name} takes more than {share} of a core (--cpu-share)")
        });
        let failures: Vec<String> = match failure {
            Some(failure) => vec![failure],
            None => at_end.collect(),
        };
        failures.into_iter().chain(over).collect()
    }
}

impl StageReport {
    fn is_over(&self, limits: &Limits) -> bool {
        self.statistics.skipped > 0 || self.cpu > share(limits)
    }

    fn has_failed(&self) -> bool {
        self.counts.fatal > 0
    }

    fn table(&self, limits: &Limits) -> Table {
        let Statistics {
            frames,
            late,
            skipped,
            messages_skipped,
            bad_outputs,
            drops,
            ..
        } = &self.statistics;
        let mut table = Table::default();
        table.row("frames", self.verdicts());
        if frames.count() > 0 {
            self.costs(limits, &mut table);
        }
        let Said {
            texts,
            binaries,
            marks,
        } = self.said;
        let lost = drops.logs + drops.events_full + drops.events_too_large + drops.metrics;
        for (name, count, what) in [
            ("texts", texts, ""),
            ("binaries", binaries, ""),
            ("marks", marks, ""),
            ("late calls", *late, " took more than half of the deadline"),
            (
                "skipped",
                *skipped,
                " frames went by it, its CPU share was used up",
            ),
            (
                "unheard",
                *messages_skipped,
                " messages went by it, its CPU share was used up",
            ),
            (
                "bad frames",
                *bad_outputs,
                " had another length or what is no number: silence instead",
            ),
            (
                "lost",
                lost,
                " lines, events or metrics were beyond their limits",
            ),
        ] {
            if count > 0 {
                table.row(name, format_args!("{}{what}", grouped(count)));
            }
        }
        let metrics = self.metrics.iter();
        table.rows(
            "metrics",
            metrics.map(|(name, metric)| format!("{name} {}", measured(metric))),
        );
        table
    }

    fn costs(&self, limits: &Limits, table: &mut Table) {
        let frames = &self.statistics.frames;
        table.row(
            "a frame",
            format_args!(
                "p50 {}, p99 {}, max {} of {} (--deadline)",
                micros(frames.quantile(0.5)),
                micros(frames.quantile(0.99)),
                micros(frames.max()),
                micros(limits.call_deadline),
            ),
        );
        table.row(
            "CPU",
            format_args!(
                "{} of a core, of {} (--cpu-share)",
                percent(self.cpu),
                percent(share(limits)),
            ),
        );
        table.row(
            "memory",
            format_args!(
                "{} of {}",
                bytes(self.statistics.memory),
                bytes(limits.memory)
            ),
        );
    }

    /// What became of its frames.
    fn verdicts(&self) -> String {
        let counts = &self.counts;
        let verdicts = [
            (counts.passed, "passed"),
            (counts.changed, "changed"),
            (counts.silenced, "silenced"),
            (counts.dropped, "dropped"),
            (counts.missed, "missed"),
        ];
        let all: u64 = verdicts.iter().map(|(count, _)| count).sum();
        let some = verdicts.iter().filter(|(count, _)| *count > 0);
        let some = some.map(|(count, what)| format!("{} {what}", grouped(*count)));
        let some: Vec<String> = some.collect();
        let transient = match counts.transient {
            0 => String::new(),
            transient => format!("; {}", counted(transient, "passing error")),
        };
        format!("{}: {}{transient}", grouped(all), some.join(", "))
    }
}

fn measured(metric: &Metric) -> String {
    match metric {
        Metric::Counter(sum) => grouped(*sum),
        Metric::Gauge(last) => format!("{last:.3}"),
        Metric::Histogram {
            count,
            sum,
            min,
            max,
        } => {
            let mean = sum / float(*count).max(1.0);
            format!(
                "{}, {min:.3} to {max:.3}, {mean:.3} on average",
                counted(*count, "value")
            )
        }
    }
}

/// The CPU share as a part of a core.
fn share(limits: &Limits) -> f64 {
    limits.cpu_share.as_secs_f64()
}

fn percent(part: f64) -> String {
    format!("{:.2} %", part * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "nobody records so many values")]
fn float(count: u64) -> f64 {
    count as f64
}
