//! Says where a track is too loud.

use trackmill_plugin::prelude::*;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Frames above this level are marked, in decibels below full scale.
    loud_dbfs: f32,
}

struct Watcher {
    loud_dbfs: f32,
}

impl Inspector for Watcher {
    type Config = Config;

    fn open(_: &Track, _: Format, config: Config) -> Result<Self> {
        Ok(Self { loud_dbfs: config.loud_dbfs })
    }

    fn inspect(&mut self, frame: &Frame) -> Result<()> {
        let peak = frame.samples().iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
        let dbfs = 20.0 * peak.max(1e-6).log10();
        if dbfs > self.loud_dbfs {
            events::mark("loud", frame.pts(), None, &format!(r#"{{"dbfs": {dbfs:.1}}}"#))?;
        }
        Ok(())
    }
}

export_inspector!(Watcher, name = "{{name}}");

#[cfg(test)]
mod tests {
    use super::*;
    use trackmill_plugin::testing::{self, Sound};

    #[test]
    fn what_is_loud_is_marked_and_silence_is_not() {
        let sound = Sound::read_wav("sample.wav").unwrap();

        let run = testing::run::<Watcher>(&sound, r#"{"loud_dbfs": -12.0}"#).unwrap();

        // The sample is silent from the first second to the second.
        let marks = run.said.marks;
        assert!(!marks.is_empty());
        assert!(marks.iter().all(|mark| mark.at.as_secs() != 1), "{marks:?}");
    }
}
