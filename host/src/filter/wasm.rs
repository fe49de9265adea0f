//! Plugins as filters: a [`Plugin`] with its settings is what opens sessions on a track, and each
//! session of it is a filter (plugins.md §3).
//!
//! ```text
//! AudioBlock ─ int16 or float32 ─► Instance ─► verdict, samples, emissions     log lines ─► tracing
//! ```
//!
//! An inspector is a filter that lets everything pass.

use std::time::{Duration, Instant};

use serde_json::Value;
use tracing::{debug, error, info, trace, warn};

use super::{
    Content, Emission, EventVerdict, Filter, FilterError, Open, Report, TrackEvent, Turn, Verdict,
    Wants,
};
use crate::codec::sample::{from_i16, to_i16};
use crate::media::{
    AudioBlock, AudioFormat, Channels, ClockRate, Marks, Pts, SampleRate, TrackKind,
};
use crate::plugins::contract::{
    self, AudioFrame, FrameMarks, FrameMeta, PcmFormat, SampleFormat, Samples, TrackInfo,
};
use crate::plugins::{
    EmissionContent, Instance, Kind, Limits, LogLevel, Opening, Plugin, PluginError, Severity,
};

/// Opens sessions of a plugin on one track.
pub struct Opener {
    plugin: Plugin,
    settings: String,
    limits: Limits,
    track: TrackInfo,
}

impl Opener {
    /// For a track. `settings` is a JSON object, or empty for none.
    pub const fn new(plugin: Plugin, settings: String, limits: Limits, track: TrackInfo) -> Self {
        Self {
            plugin,
            settings,
            limits,
            track,
        }
    }

    /// How the plugin gets its frames.
    fn format(&self, format: AudioFormat, block: usize) -> Result<PcmFormat, FilterError> {
        let declaration = self.plugin.declaration();
        let lasts = format.rate.duration(block as u64);
        if !(SHORTEST..=LONGEST).contains(&lasts) {
            return Err(FilterError::Config(format!(
                "the plugin wants frames of {lasts:?}; they have 5 to 60 ms: \
                 its author has to change `wants.frame-samples`"
            )));
        }
        Ok(PcmFormat {
            sample_rate: format.rate.get(),
            channels: u8::try_from(format.channels.count()).unwrap_or(u8::MAX),
            sample_format: declaration
                .wants
                .sample_format
                .unwrap_or(SampleFormat::Int16),
            frame_samples: u32::try_from(block).unwrap_or(u32::MAX),
        })
    }

    /// A session; without a format it sees events only.
    fn session(
        &self,
        format: Option<PcmFormat>,
        now: Instant,
    ) -> Result<Box<dyn Filter>, FilterError> {
        let opening = Opening {
            track: self.track.clone(),
            format,
            settings: &self.settings,
            limits: &self.limits,
            now,
        };
        let instance = self.plugin.open(opening).map_err(filter_error)?;
        Ok(Box::new(Session {
            plugin: self.plugin.clone(),
            track: self.track.track_sid.clone(),
            instance,
            sample_format: format.map_or(SampleFormat::Int16, |format| format.sample_format),
            integers: Vec::new(),
        }))
    }
}

impl Open for Opener {
    fn name(&self) -> &str {
        &self.plugin.declaration().name
    }

    fn takes(&self, kind: TrackKind) -> bool {
        let kind = match kind {
            TrackKind::Audio => contract::TrackKind::Audio,
            TrackKind::Video => contract::TrackKind::Video,
        };
        self.plugin.declaration().kinds.contains(&kind)
    }

    fn wants(&self) -> Wants {
        let wants = &self.plugin.declaration().wants;
        let block = wants.frame_samples;
        Wants {
            rate: wants.sample_rate.and_then(SampleRate::new),
            channels: wants
                .channels
                .and_then(|channels| Channels::new(channels.into())),
            block: block.and_then(|samples| usize::try_from(samples).ok()),
        }
    }

    fn open(
        &mut self,
        format: AudioFormat,
        block: usize,
        now: Instant,
    ) -> Result<Box<dyn Filter>, FilterError> {
        let format = self.format(format, block)?;
        self.session(Some(format), now)
    }

    fn open_without_sound(&mut self, now: Instant) -> Result<Box<dyn Filter>, FilterError> {
        self.session(None, now)
    }
}

/// Settings may hold secrets.
impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut opener = f.debug_struct("Opener");
        opener
            .field("plugin", &self.plugin)
            .field("track", &self.track.track_sid)
            .finish_non_exhaustive()
    }
}

/// A plugin that runs on a track.
#[derive(Debug)]
struct Session {
    plugin: Plugin,
    /// The track's SID, for the log.
    track: String,
    instance: Instance,
    sample_format: SampleFormat,
    /// Room for the samples of a plugin that wants integers.
    integers: Vec<i16>,
}

impl Filter for Session {
    fn process(&mut self, block: &mut AudioBlock, turn: Turn) -> Result<Verdict, FilterError> {
        let mut frame = AudioFrame {
            meta: meta(block, turn),
            samples: self.hand_over(block),
        };
        let verdict = match self.plugin.kind() {
            Kind::Transformer => self.instance.process(&mut frame, turn.now),
            Kind::Inspector => {
                let inspected = self.instance.inspect(&mut frame, turn.now);
                inspected.map(|()| contract::Verdict::Pass)
            }
        };
        self.take_back(frame.samples, block);
        Ok(match verdict.map_err(filter_error)? {
            contract::Verdict::Pass => Verdict::Pass,
            contract::Verdict::Silence => Verdict::Silence,
            contract::Verdict::Drop => Verdict::Drop,
            contract::Verdict::Replace(samples) => {
                put(samples, &mut block.samples);
                Verdict::Changed
            }
        })
    }

    fn event(&mut self, event: &TrackEvent, now: Instant) -> Result<EventVerdict, FilterError> {
        let Some(event) = told(event) else {
            return Ok(EventVerdict::Pass);
        };
        let verdict = self.instance.on_event(&event, now).map_err(filter_error)?;
        Ok(match verdict {
            contract::EventVerdict::Pass => EventVerdict::Pass,
            contract::EventVerdict::Drop => EventVerdict::Drop,
            contract::EventVerdict::Replace(text) => EventVerdict::Replace(checked(text)?),
        })
    }

    fn finish(&mut self, now: Instant) -> Result<Option<Vec<f32>>, FilterError> {
        let rest = self.instance.finish(now).map_err(filter_error)?;
        let Some(rest) = rest else {
            return Ok(None);
        };
        let mut samples = Vec::new();
        put(rest, &mut samples);
        if samples.iter().any(|sample| !sample.is_finite()) {
            let reason = "a sample that came out of `finish` is not a number, or infinite";
            return Err(FilterError::Fatal(reason.into()));
        }
        Ok(Some(samples))
    }

    fn latency(&self) -> usize {
        let latency = self.plugin.declaration().latency_samples;
        usize::try_from(latency).unwrap_or(usize::MAX)
    }

    fn poll_emission(&mut self) -> Option<Emission> {
        while let Some(emission) = self.instance.poll_emission() {
            let pts = at(emission.at_us);
            if let Some(content) = self.content(emission.content) {
                return Some(Emission { pts, content });
            }
        }
        None
    }

    fn report(&self) -> Option<Report> {
        Some(Report {
            digest: self.plugin.digest(),
            version: self.plugin.declaration().version.clone(),
            statistics: self.instance.statistics(),
            metrics: self.instance.metrics().clone(),
        })
    }
}

impl Session {
    /// The samples of a block as the plugin wants them. Floats are lent and not copied.
    fn hand_over(&mut self, block: &mut AudioBlock) -> Samples {
        match self.sample_format {
            SampleFormat::Float32 => Samples::Float32(std::mem::take(&mut block.samples)),
            SampleFormat::Int16 => {
                let mut integers = std::mem::take(&mut self.integers);
                integers.clear();
                integers.extend(block.samples.iter().map(|sample| to_i16(*sample)));
                Samples::Int16(integers)
            }
        }
    }

    /// Undoes [`hand_over`](Self::hand_over).
    fn take_back(&mut self, samples: Samples, block: &mut AudioBlock) {
        match samples {
            Samples::Float32(samples) => block.samples = samples,
            Samples::Int16(integers) => self.integers = integers,
        }
    }

    /// What goes to the outside; `None` for a log line, which is written.
    fn content(&self, content: EmissionContent) -> Option<Content> {
        Some(match content {
            EmissionContent::Text { topic, text } => Content::Text { topic, text },
            EmissionContent::Binary { topic, data } => Content::Binary {
                topic,
                data: data.into(),
            },
            EmissionContent::Mark {
                name,
                at_us,
                length_us,
                json,
            } => Content::Mark {
                name,
                at: at(at_us),
                length: length_us.map(|length| at(length).0),
                json,
            },
            EmissionContent::Log {
                level,
                message,
                fields,
            } => {
                self.log(level, &message, &fields);
                return None;
            }
        })
    }

    /// What a guest says is a value, escaped: it may hold anything.
    fn log(&self, level: LogLevel, line: &str, fields: &[(String, String)]) {
        let (plugin, track) = (&self.plugin.declaration().name, &self.track);
        match level {
            LogLevel::Trace => trace!(target: LOG, plugin, track, line, ?fields, "A plugin says:"),
            LogLevel::Debug => debug!(target: LOG, plugin, track, line, ?fields, "A plugin says:"),
            LogLevel::Info => info!(target: LOG, plugin, track, line, ?fields, "A plugin says:"),
            LogLevel::Warn => warn!(target: LOG, plugin, track, line, ?fields, "A plugin says:"),
            LogLevel::Error => error!(target: LOG, plugin, track, line, ?fields, "A plugin says:"),
        }
    }
}

/// Puts samples of a plugin where floats are wanted.
fn put(samples: Samples, into: &mut Vec<f32>) {
    match samples {
        Samples::Float32(samples) => *into = samples,
        Samples::Int16(integers) => {
            into.clear();
            into.extend(integers.iter().map(|sample| from_i16(*sample)));
        }
    }
}

fn meta(block: &AudioBlock, turn: Turn) -> FrameMeta {
    let micros = block.pts.duration(ClockRate::OPUS).as_micros();
    FrameMeta {
        seq: turn.number,
        pts_us: u64::try_from(micros).unwrap_or(u64::MAX),
        rtp_timestamp: block.rtp_timestamp,
        lost_before: turn.lost_before,
        marks: marks(block.marks),
    }
}

fn marks(marks: Marks) -> FrameMarks {
    let Marks {
        concealed,
        silence,
        discontinuity,
        muted,
        // Nobody knows that a frame is the last before the track has ended.
        last: _,
    } = marks;
    let mut flags = FrameMarks::empty();
    for (is_set, flag) in [
        (concealed, FrameMarks::CONCEALED),
        (silence, FrameMarks::SILENCE),
        (discontinuity, FrameMarks::DISCONTINUITY),
        (muted, FrameMarks::MUTED),
    ] {
        if is_set {
            flags |= flag;
        }
    }
    flags
}

/// The event in the contract's words; `None` if it does not concern a plugin: its own frames have one
/// format for as long as it lives.
fn told(event: &TrackEvent) -> Option<contract::TrackEvent> {
    Some(match event {
        TrackEvent::Published => contract::TrackEvent::Published,
        TrackEvent::Muted => contract::TrackEvent::Muted,
        TrackEvent::Unmuted => contract::TrackEvent::Unmuted,
        TrackEvent::FormatChanged(_) => return None,
        TrackEvent::AttributesChanged(attributes) => {
            contract::TrackEvent::AttributesChanged(attributes.clone())
        }
        TrackEvent::ConfigChanged => contract::TrackEvent::ConfigChanged,
        TrackEvent::Message {
            topic,
            sender,
            payload,
        } => contract::TrackEvent::Message(contract::Message {
            topic: topic.clone(),
            sender: sender.clone(),
            payload: payload.to_vec(),
        }),
        TrackEvent::Unpublished => contract::TrackEvent::Unpublished,
        TrackEvent::Other { name, json } => {
            contract::TrackEvent::Other((name.clone(), json.clone()))
        }
    })
}

/// What takes the place of an event's own words, if it can.
fn checked(text: String) -> Result<String, FilterError> {
    let reason = if text.len() > MAX_EVENT {
        format!("{} bytes came in the place of an event", text.len())
    } else if matches!(serde_json::from_str(&text), Ok(Value::Object(_))) {
        return Ok(text);
    } else {
        "what came in the place of an event is no JSON object".into()
    };
    Err(FilterError::Transient(reason))
}

fn filter_error(error: PluginError) -> FilterError {
    match error {
        PluginError::Config(reason) => FilterError::Config(reason),
        error => match error.severity() {
            Severity::Config => FilterError::Config(error.to_string()),
            Severity::Transient => FilterError::Transient(error.to_string()),
            Severity::Fatal => FilterError::Fatal(error.to_string()),
        },
    }
}

fn at(micros: u64) -> Pts {
    Pts(ClockRate::OPUS.ticks(Duration::from_micros(micros)))
}

/// The target of what plugins log.
const LOG: &str = "trackmill::plugin";
/// What a frame lasts.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(60);
/// Bytes that may take the place of an event's own words.
const MAX_EVENT: usize = 16 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_from_the_microseconds_a_plugin_was_told() {
        for ticks in (0..100_000).chain([48_000 * 36_000 + 1, 48_000 * 360_000 + 7]) {
            let micros = Pts(ticks).duration(ClockRate::OPUS).as_micros();
            assert_eq!(at(u64::try_from(micros).unwrap()), Pts(ticks));
        }
        assert_eq!(at(u64::MAX).0, 885_443_715_538_058_478);
    }

    #[test]
    fn only_a_small_json_object_takes_the_place_of_an_event() {
        let object = r#"{"muted":true}"#.to_owned();
        assert_eq!(checked(object.clone()), Ok(object));

        for text in ["", "[]", "muted", "{", r#"{"a":1} {"b":2}"#] {
            let refused = checked(text.to_owned());
            assert!(matches!(refused, Err(FilterError::Transient(_))), "{text}");
        }
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_EVENT));
        assert!(checked(large).is_err());
    }
}
