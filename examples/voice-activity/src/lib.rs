//! Says when somebody starts and stops to speak: an inspector that emits events, with hysteresis.

use std::time::Duration;

use serde_json::json;
use trackmill_plugin::prelude::*;

#[derive(serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Speech is what is so much louder than the background, in decibels.
    margin_db: f32,
    /// So long it must last until it counts, in milliseconds.
    start_ms: u64,
    /// So long it must be gone until it is over, in milliseconds: people breathe.
    stop_ms: u64,
}

struct VoiceActivity {
    config: Config,
    /// Level of the background, in decibels: falls at once, rises slowly.
    background: f32,
    speaking: bool,
    /// Since when it sounds unlike `speaking`.
    otherwise_since: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            margin_db: 12.0,
            start_ms: 60,
            stop_ms: 400,
        }
    }
}

impl Inspector for VoiceActivity {
    type Config = Config;
    const WANTS: Wants = Wants::float32().mono();

    fn open(_: &Track, _: Format, config: Config) -> Result<Self> {
        Ok(Self {
            config,
            background: -60.0,
            speaking: false,
            otherwise_since: None,
        })
    }

    fn inspect(&mut self, frame: &Frame) -> Result<()> {
        let level = level(frame.samples());
        self.background = level.clamp(-60.0, self.background + 0.02);
        let sounds_like_speech = level > self.background + self.config.margin_db;
        if sounds_like_speech == self.speaking {
            self.otherwise_since = None;
            return Ok(());
        }
        let now = frame.pts();
        let since = *self.otherwise_since.get_or_insert(now);
        let needed = if self.speaking {
            self.config.stop_ms
        } else {
            self.config.start_ms
        };
        if now >= since + Duration::from_millis(needed) {
            self.turn(since)?;
        }
        Ok(())
    }
}

impl VoiceActivity {
    /// Speech started or stopped; it is known later than it happened.
    fn turn(&mut self, since: Duration) -> Result<()> {
        self.speaking = !self.speaking;
        self.otherwise_since = None;
        let topic = if self.speaking {
            "speech-start"
        } else {
            "speech-stop"
        };
        let text = json!({ "at_s": since.as_secs_f64() }).to_string();
        Ok(events::emit_text(topic, &text)?)
    }
}

/// Root of the mean square, in decibels below full scale.
fn level(samples: &[f32]) -> f32 {
    let squares: f32 = samples.iter().map(|sample| sample * sample).sum();
    10.0 * (squares / samples.len().max(1) as f32).max(1e-12).log10()
}

export_inspector!(VoiceActivity, name = "voice-activity");

#[cfg(test)]
mod tests {
    use super::*;
    use trackmill_plugin::testing::{self, Sound, seconds};

    #[test]
    fn speech_starts_and_stops_once_and_breathing_is_no_stop() {
        let background = |length| Sound::noise(0.002, seconds(length));
        let word = Sound::sine(200.0, seconds(0.5));
        let sound = background(1.0)
            .then(&word)
            .then(&background(0.2))
            .then(&word);
        let sound = sound.then(&background(1.0));

        let run = testing::run::<VoiceActivity>(&sound, "{}").unwrap();

        let said: Vec<_> = run
            .said
            .texts
            .iter()
            .map(|text| (&*text.topic, &*text.text))
            .collect();
        assert_eq!(
            said,
            [
                ("speech-start", r#"{"at_s":1.0}"#),
                ("speech-stop", r#"{"at_s":2.2}"#)
            ]
        );
    }

    #[test]
    fn a_click_is_no_speech() {
        let click = Sound::sine(200.0, seconds(0.04));
        let sound = Sound::silence(seconds(1.0))
            .then(&click)
            .then(&Sound::silence(seconds(1.0)));

        let run = testing::run::<VoiceActivity>(&sound, "{}").unwrap();

        assert_eq!(run.said.texts, []);
    }
}
