use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use crate::plugins::OutputLimits;
use crate::plugins::bindings::events::EmitError;
use crate::plugins::bindings::host::Level;
use crate::plugins::bucket::Bucket;

/// Something a plugin said to the outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Emission {
    /// Media time of the frame in hand, in microseconds since the start of the recording.
    pub at_us: u64,
    /// What it said.
    pub content: EmissionContent,
}

/// What a plugin said.
#[derive(Clone, Debug, PartialEq)]
pub enum EmissionContent {
    /// A text for the sink.
    Text {
        /// What it is about, in the plugin's words.
        topic: String,
        /// The text.
        text: String,
    },
    /// Bytes for the sink.
    Binary {
        /// What they are about, in the plugin's words.
        topic: String,
        /// The bytes.
        data: Vec<u8>,
    },
    /// A point or span on the time line.
    Mark {
        /// What is there.
        name: String,
        /// Where it begins, in microseconds since the start of the recording.
        at_us: u64,
        /// How long it is, in microseconds; none for a point.
        length_us: Option<u64>,
        /// Details, a JSON text as the plugin wrote it.
        json: String,
    },
    /// A log line.
    Log {
        /// Its severity.
        level: LogLevel,
        /// The line, cut off at the limit.
        message: String,
        /// Its fields, as many as fit.
        fields: Vec<(String, String)>,
    },
}

/// The severity of a plugin's log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For whoever writes the plugin, in every detail.
    Trace,
    /// For whoever writes the plugin.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is worse than it should be.
    Warn,
    /// Somebody has to act.
    Error,
}

/// What is known of one metric of a plugin.
#[derive(Clone, Copy, Debug, PartialEq)]
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

/// What did not get out, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputDrops {
    /// Log lines beyond the rate, or while the queue was full.
    pub logs: u64,
    /// Texts, binaries and marks refused as `full`: beyond the rate, or while the queue was full.
    pub events_full: u64,
    /// Texts, binaries and marks refused as `too-large`.
    pub events_too_large: u64,
    /// Metric values of names beyond the limit, of another kind than before, or not finite.
    pub metrics: u64,
}

impl Metric {
    /// Takes in what another instance of the plugin has measured later. Of two kinds the first stays.
    pub fn add(&mut self, other: Self) {
        match (self, other) {
            (Self::Counter(sum), Self::Counter(more)) => *sum = sum.saturating_add(more),
            (Self::Gauge(last), Self::Gauge(later)) => *last = later,
            (
                Self::Histogram {
                    count,
                    sum,
                    min,
                    max,
                },
                Self::Histogram {
                    count: more,
                    sum: add,
                    min: least,
                    max: most,
                },
            ) => {
                *count = count.saturating_add(more);
                *sum += add;
                *min = min.min(least);
                *max = max.max(most);
            }
            _ => {}
        }
    }
}

impl OutputDrops {
    /// Takes in what another instance of the plugin has lost.
    pub fn add(&mut self, other: &Self) {
        let Self {
            logs,
            events_full,
            events_too_large,
            metrics,
        } = other;
        self.logs += logs;
        self.events_full += events_full;
        self.events_too_large += events_too_large;
        self.metrics += metrics;
    }
}

/// What a plugin said and nobody has taken yet: bounded in rate, size and number.
#[derive(Debug)]
pub(crate) struct Outbox {
    limits: OutputLimits,
    queue: VecDeque<Emission>,
    waiting_logs: usize,
    log_rate: Bucket,
    event_rate: Bucket,
    metrics: BTreeMap<String, Metric>,
    drops: OutputDrops,
    at_us: u64,
    now: Instant,
}

impl Outbox {
    pub(crate) fn new(limits: OutputLimits, now: Instant) -> Self {
        Self {
            limits,
            queue: VecDeque::new(),
            waiting_logs: 0,
            log_rate: Bucket::new(limits.logs_per_second, now),
            event_rate: Bucket::new(limits.events_per_second, now),
            metrics: BTreeMap::new(),
            drops: OutputDrops::default(),
            at_us: 0,
            now,
        }
    }

    /// What is said from here on is stamped with `at_us`.
    pub(crate) fn set_time(&mut self, at_us: Option<u64>, now: Instant) {
        self.at_us = at_us.unwrap_or(self.at_us);
        self.now = now;
    }

    /// Media time of the frame in hand.
    pub(crate) fn at_us(&self) -> u64 {
        self.at_us
    }

    pub(crate) fn log(&mut self, level: Level, message: String, fields: Vec<(String, String)>) {
        let has_room = self.waiting_logs < self.limits.queue;
        if !has_room || !self.log_rate.try_take(self.now) {
            self.drops.logs += 1;
            return;
        }
        let (message, fields) = self.shorten(message, fields);
        let level = level.into();
        self.waiting_logs += 1;
        self.put(EmissionContent::Log {
            level,
            message,
            fields,
        });
    }

    pub(crate) fn emit(&mut self, content: EmissionContent) -> Result<(), EmitError> {
        if content.len() > self.limits.event_bytes {
            self.drops.events_too_large += 1;
            return Err(EmitError::TooLarge);
        }
        let has_room = self.queue.len() - self.waiting_logs < self.limits.queue;
        if !has_room || !self.event_rate.try_take(self.now) {
            self.drops.events_full += 1;
            return Err(EmitError::Full);
        }
        self.put(content);
        Ok(())
    }

    pub(crate) fn counter_add(&mut self, name: String, value: u64) {
        self.measure(name, Metric::Counter(0), |metric| match metric {
            Metric::Counter(sum) => {
                *sum = sum.saturating_add(value);
                Some(())
            }
            Metric::Gauge(_) | Metric::Histogram { .. } => None,
        });
    }

    pub(crate) fn gauge_set(&mut self, name: String, value: f64) {
        self.measure(name, Metric::Gauge(value), |metric| match metric {
            Metric::Gauge(last) => value.is_finite().then(|| *last = value),
            Metric::Counter(_) | Metric::Histogram { .. } => None,
        });
    }

    pub(crate) fn histogram_record(&mut self, name: String, value: f64) {
        let empty = Metric::Histogram {
            count: 0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        };
        self.measure(name, empty, |metric| match metric {
            Metric::Histogram {
                count,
                sum,
                min,
                max,
            } => value.is_finite().then(|| {
                *count += 1;
                *sum += value;
                *min = min.min(value);
                *max = max.max(value);
            }),
            Metric::Counter(_) | Metric::Gauge(_) => None,
        });
    }

    /// Takes the oldest emission.
    pub(crate) fn poll(&mut self) -> Option<Emission> {
        let emission = self.queue.pop_front()?;
        if matches!(emission.content, EmissionContent::Log { .. }) {
            self.waiting_logs -= 1;
        }
        Some(emission)
    }

    /// The message that was logged last, if nobody has taken it and nothing followed.
    pub(crate) fn last_log(&self) -> Option<&str> {
        match &self.queue.back()?.content {
            EmissionContent::Log { message, .. } => Some(message),
            _ => None,
        }
    }

    pub(crate) fn metrics(&self) -> &BTreeMap<String, Metric> {
        &self.metrics
    }

    pub(crate) fn drops(&self) -> OutputDrops {
        self.drops
    }

    fn put(&mut self, content: EmissionContent) {
        let at_us = self.at_us;
        self.queue.push_back(Emission { at_us, content });
    }

    /// Changes the metric of that name; `change` says none where the value does not fit it.
    fn measure(
        &mut self,
        name: String,
        new: Metric,
        change: impl FnOnce(&mut Metric) -> Option<()>,
    ) {
        let is_known = self.metrics.contains_key(&name);
        let has_room = self.metrics.len() < self.limits.metric_series;
        if !is_known && (!has_room || name.is_empty() || name.len() > MAX_METRIC_NAME) {
            self.drops.metrics += 1;
            return;
        }
        let mut metric = self.metrics.get(&name).copied().unwrap_or(new);
        if change(&mut metric).is_none() {
            self.drops.metrics += 1;
            return;
        }
        self.metrics.insert(name, metric);
    }

    fn shorten(
        &self,
        mut message: String,
        mut fields: Vec<(String, String)>,
    ) -> (String, Vec<(String, String)>) {
        let limit = self.limits.log_bytes;
        message.truncate(message.floor_char_boundary(limit));
        let mut size = message.len();
        let fitting = fields
            .iter()
            .take_while(|(name, value)| {
                size += name.len() + value.len();
                size <= limit
            })
            .count();
        fields.truncate(fitting);
        // What was handed over may have room for far more than what is kept.
        message.shrink_to_fit();
        fields.shrink_to_fit();
        (message, fields)
    }
}

impl EmissionContent {
    /// Bytes, without those of numbers.
    fn len(&self) -> usize {
        match self {
            Self::Text { topic, text } => topic.len() + text.len(),
            Self::Binary { topic, data } => topic.len() + data.len(),
            Self::Mark { name, json, .. } => name.len() + json.len(),
            Self::Log { message, .. } => message.len(),
        }
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

/// Bytes of a metric's name.
const MAX_METRIC_NAME: usize = 128;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_log_flood_is_bounded_by_rate_and_by_queue() {
        let now = start();
        let mut outbox = outbox(now);

        for second in 0..3 {
            outbox.set_time(None, now + Duration::from_secs(second));
            for _ in 0..1_000 {
                outbox.log(Level::Info, "x".repeat(5_000), vec![]);
            }
            if second > 0 {
                assert_eq!(drain(&mut outbox).len(), 64);
            }
        }

        assert_eq!(outbox.drops().logs, 3_000 - 2 * 64);
    }

    #[test]
    fn a_log_line_is_cut_off_between_characters() {
        let now = start();
        let mut outbox = outbox(now);

        outbox.log(
            Level::Warn,
            "ä".repeat(600),
            vec![("key".into(), "value".into())],
        );
        outbox.log(
            Level::Warn,
            "short".into(),
            vec![
                ("key".into(), "value".into()),
                ("k".into(), "v".repeat(2_000)),
            ],
        );

        let lines = drain(&mut outbox);
        let EmissionContent::Log {
            message, fields, ..
        } = &lines[0].content
        else {
            panic!("{lines:?}")
        };
        assert_eq!(message.len(), 1_024);
        assert!(fields.is_empty());
        let EmissionContent::Log { fields, .. } = &lines[1].content else {
            panic!("{lines:?}")
        };
        assert_eq!(fields.len(), 1);
    }

    #[test]
    fn an_event_flood_is_back_pressure_and_leaves_room_for_logs() {
        let now = start();
        let mut outbox = outbox(now);
        let text = || EmissionContent::Text {
            topic: "t".into(),
            text: "x".into(),
        };

        let sent = (0..1_000).filter(|_| outbox.emit(text()).is_ok()).count();
        outbox.log(Level::Info, "still here".into(), vec![]);

        assert_eq!(sent, 50);
        assert_eq!(outbox.drops().events_full, 950);
        assert_eq!(drain(&mut outbox).len(), 51);
        outbox.set_time(Some(20_000), now + Duration::from_secs(1));
        assert_eq!(outbox.emit(text()), Ok(()));
        assert_eq!(drain(&mut outbox)[0].at_us, 20_000);
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let mut outbox = outbox(start());

        let refused = outbox.emit(EmissionContent::Binary {
            topic: "t".into(),
            data: vec![0; 16 * 1_024],
        });

        assert_eq!(refused, Err(EmitError::TooLarge));
        assert_eq!(outbox.drops().events_too_large, 1);
    }

    #[test]
    fn metric_names_are_bounded_and_keep_their_kind() {
        let mut outbox = outbox(start());

        for name in 0..1_000 {
            outbox.counter_add(format!("series_{name}"), 1);
        }
        outbox.counter_add("series_0".into(), u64::MAX);
        outbox.gauge_set("series_0".into(), 1.0);
        outbox.histogram_record("series_0".into(), f64::NAN);

        assert_eq!(outbox.metrics().len(), 32);
        assert_eq!(outbox.metrics()["series_0"], Metric::Counter(u64::MAX));
        assert_eq!(outbox.drops().metrics, 968 + 2);
    }

    fn outbox(now: Instant) -> Outbox {
        Outbox::new(OutputLimits::default(), now)
    }

    fn drain(outbox: &mut Outbox) -> Vec<Emission> {
        std::iter::from_fn(|| outbox.poll()).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn start() -> Instant {
        Instant::now()
    }
}
