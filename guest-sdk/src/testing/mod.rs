//! Plays sound through a plugin in a native test, with the host's functions as test doubles that
//! record what the plugin said.
//!
//! The calls are those of the host, in its order: `open`, events and frames by time, `finish`.
//! Nothing is converted: a sound must have the rate and the channels the plugin asks for.

pub(crate) mod double;
mod sound;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::export::{Plugin, Session};
use crate::host::Level;
use crate::{Error, EventVerdict, Format, Frame, Marks, Result, Track, TrackEvent, Verdict, Wants};

pub use sound::Sound;

/// What a plugin made of a sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The sound after the plugin: as long as the input, and what `finish` gave. It is late by the
    /// plugin's latency, which a host takes off.
    pub output: Sound,
    /// What became of the frames, in order.
    pub verdicts: Vec<Verdict>,
    /// What became of the events, in order.
    pub event_verdicts: Vec<EventVerdict>,
    /// What the plugin said.
    pub said: Said,
}

/// What a plugin said to the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Texts, in order.
    pub texts: Vec<Text>,
    /// Binary messages, in order: topic and bytes.
    pub binaries: Vec<(String, Vec<u8>)>,
    /// Marks, in order.
    pub marks: Vec<Mark>,
    /// Lines for the log, in order; fields follow the message as ` name=value`.
    pub logs: Vec<(Level, String)>,
    /// Sums of counters.
    pub counters: BTreeMap<String, u64>,
    /// Last values of gauges.
    pub gauges: BTreeMap<String, f64>,
    /// All values of histograms.
    pub histograms: BTreeMap<String, Vec<f64>>,
}

/// A text that a plugin emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Time of the frame in hand.
    pub at: Duration,
    /// Its topic.
    pub topic: String,
    /// The text.
    pub text: String,
}

/// A mark that a plugin set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its name.
    pub name: String,
    /// Where on the time line it starts.
    pub at: Duration,
    /// How long it is, if it is a span.
    pub length: Option<Duration>,
    /// What belongs to it.
    pub json: String,
}

/// Plays a sound through a plugin. `settings` is a JSON object.
///
/// # Errors
///
/// The first error the plugin returned.
///
/// # Panics
///
/// If the sound does not have the rate or the channels that the plugin wants.
pub fn run<P: Plugin>(sound: &Sound, settings: &str) -> Result<Run> {
    run_with_events::<P>(sound, settings, &[])
}

/// Plays a sound through a plugin, which hears of events at their times (in order, since the start).
///
/// # Errors
///
/// The first error the plugin returned.
///
/// # Panics
///
/// If the sound does not have the rate or the channels that the plugin wants.
pub fn run_with_events<P: Plugin>(
    sound: &Sound,
    settings: &str,
    events: &[(Duration, TrackEvent)],
) -> Result<Run> {
    let format = format(sound, P::Session::WANTS);
    double::reset(settings);
    let mut run = Run {
        output: Sound {
            samples: Vec::new(),
            ..*sound
        },
        verdicts: Vec::new(),
        event_verdicts: Vec::new(),
        said: Said::default(),
    };
    let mut session = P::Session::open(&track(), format, settings)?;
    let mut events = events.iter().peekable();
    for mut frame in frames(sound, format) {
        double::at(frame.pts);
        while let Some((_, event)) = events.next_if(|(at, _)| *at <= frame.pts) {
            run.event_verdicts.push(session.on_event(event)?);
        }
        let before = frame.samples.clone();
        let verdict = session.process(&mut frame)?;
        run.push(verdict, before, frame.samples)?;
    }
    for (_, event) in events {
        run.event_verdicts.push(session.on_event(event)?);
    }
    // The last frame was filled up with silence, which nobody played.
    run.output.samples.truncate(sound.samples.len());
    run.output
        .samples
        .extend(session.finish()?.unwrap_or_default());
    run.said = double::take();
    Ok(run)
}

impl Run {
    fn push(&mut self, verdict: Verdict, before: Vec<f32>, after: Vec<f32>) -> Result<()> {
        if verdict == Verdict::Changed && after.iter().any(|sample| !sample.is_finite()) {
            return Err(Error::fatal(
                "the plugin made a sample that is no finite number",
            ));
        }
        let silence = vec![0.0; before.len()];
        self.output.samples.extend(match verdict {
            Verdict::Unchanged => before,
            Verdict::Changed => after,
            Verdict::Silence | Verdict::Drop => silence,
        });
        self.verdicts.push(verdict);
        Ok(())
    }
}

/// A time or a length, for tests that count in seconds.
#[must_use]
pub fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// What a plugin gets that wants this, of a sound like that.
fn format(sound: &Sound, wants: Wants) -> Format {
    let rate = wants.sample_rate.unwrap_or(sound.sample_rate);
    let channels = wants.channels.unwrap_or(sound.channels);
    assert_eq!(
        (rate, channels),
        (sound.sample_rate, sound.channels),
        "rate and channels that the plugin wants, and those of the sound"
    );
    Format {
        sample_rate: rate,
        channels,
        frame_samples: wants.frame_samples.unwrap_or(rate / 50),
    }
}

fn frames(sound: &Sound, format: Format) -> impl Iterator<Item = Frame> {
    let length = format.frame_samples as usize * format.channel_count();
    sound
        .samples
        .chunks(length)
        .zip(0_u64..)
        .map(move |(samples, number)| {
            let mut samples = samples.to_vec();
            samples.resize(length, 0.0);
            let ticks = number * u64::from(format.frame_samples);
            Frame {
                samples,
                format,
                number,
                pts: Duration::from_micros(ticks * 1_000_000 / u64::from(format.sample_rate)),
                rtp_timestamp: None,
                lost_before: 0,
                marks: Marks::default(),
            }
        })
}

fn track() -> Track {
    Track {
        room_name: "test".into(),
        room_sid: "RM_test".into(),
        participant_identity: "tester".into(),
        participant_name: "Tester".into(),
        sid: "TR_test".into(),
        name: "microphone".into(),
        mime_type: "audio/opus".into(),
        ..Track::default()
    }
}
