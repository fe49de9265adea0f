//! Bleeps what a data message says must not be heard: a transformer that listens to the room.
//!
//! A message on the topic `redact` such as `{"from_s": 61.0, "to_s": 63.5}` names a span on the time
//! line of the recording. What has already gone out cannot be called back: announce it in time.

use std::ops::Range;
use trackmill_plugin::prelude::*;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Identity of the participant (or the server's own, "") whose messages count.
    from: String,
}

#[derive(serde::Deserialize)]
struct Span {
    from_s: f64,
    to_s: f64,
}

struct Redact {
    from: String,
    /// In seconds since the start of the recording.
    spans: Vec<Range<f64>>,
}

impl Transformer for Redact {
    type Config = Config;

    fn open(_: &Track, _: Format, config: Config) -> Result<Self> {
        Ok(Self {
            from: config.from,
            spans: Vec::new(),
        })
    }

    fn process(&mut self, frame: &mut Frame) -> Result<Verdict> {
        let (start, format) = (frame.pts().as_secs_f64(), frame.format());
        self.spans.retain(|span| span.end > start);
        let mut verdict = Verdict::Unchanged;
        for (index, samples) in (0..).zip(frame.samples_mut().chunks_mut(format.channel_count())) {
            let time = start + (f64::from(index) + 0.5) / f64::from(format.sample_rate);
            if self.spans.iter().any(|span| span.contains(&time)) {
                samples.fill(bleep(time));
                verdict = Verdict::Changed;
            }
        }
        Ok(verdict)
    }

    fn on_event(&mut self, event: &TrackEvent) -> Result<EventVerdict> {
        let TrackEvent::Message(message) = event else {
            return Ok(EventVerdict::Pass);
        };
        if message.topic != "redact" || message.sender.as_deref().unwrap_or("") != self.from {
            return Ok(EventVerdict::Pass);
        }
        let span: Span = serde_json::from_slice(&message.payload).map_err(Error::transient)?;
        if self.spans.len() == MAX_SPANS {
            return Err(Error::transient("too many spans are still to come"));
        }
        self.spans.push(span.from_s..span.to_s);
        Ok(EventVerdict::Drop)
    }
}

/// A square wave at a tenth of the full scale.
fn bleep(time: f64) -> f32 {
    let is_high = (BLEEP * time).fract() < 0.5;
    if is_high { 0.1 } else { -0.1 }
}

/// The tone, in hertz.
const BLEEP: f64 = 1_000.0;
/// Spans that are still to come.
const MAX_SPANS: usize = 100;

export_transformer!(Redact, name = "redact");

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use trackmill_plugin::testing::{self, Sound, seconds};

    #[test]
    fn a_span_is_replaced_by_a_tone_and_the_rest_is_untouched() {
        let sound = Sound::sine(440.0, seconds(2.0));
        let message = message("host", r#"{"from_s": 0.505, "to_s": 1.205}"#);

        let run = redact(&sound, &[(seconds(0.1), message)]).unwrap();

        assert_eq!(run.event_verdicts, [EventVerdict::Drop]);
        for untouched in [0.0..0.505, 1.205..2.0] {
            assert_eq!(
                run.output.between(untouched.clone()),
                sound.between(untouched)
            );
        }
        let tone = run.output.between(0.505..1.205);
        assert!((tone.rms() - 0.1).abs() < 1e-3);
    }

    #[test]
    fn nobody_else_can_redact() {
        let sound = Sound::sine(440.0, seconds(0.5));
        let message = message("guest", r#"{"from_s": 0.0, "to_s": 0.5}"#);

        let run = redact(&sound, &[(seconds(0.0), message)]).unwrap();

        assert_eq!(run.output, sound);
    }

    #[test]
    fn a_message_that_makes_no_sense_is_a_passing_error() {
        let message = message("host", "all of it");

        let error = redact(&Sound::silence(seconds(0.1)), &[(seconds(0.0), message)]).unwrap_err();

        assert!(matches!(error, Error::Transient(_)), "{error:?}");
    }

    fn redact(sound: &Sound, events: &[(Duration, TrackEvent)]) -> Result<testing::Run> {
        testing::run_with_events::<Redact>(sound, r#"{"from": "host"}"#, events)
    }

    fn message(sender: &str, payload: &str) -> TrackEvent {
        TrackEvent::Message(Message {
            topic: "redact".into(),
            sender: Some(sender.into()),
            payload: payload.into(),
        })
    }
}
