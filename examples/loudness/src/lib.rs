//! Says how loud a track is: an inspector that sets marks and metrics.

use std::time::Duration;

use serde_json::json;
use trackmill_plugin::prelude::*;

#[derive(serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Length of one measurement in milliseconds; 400 is what EBU R128 calls momentary.
    window_ms: u32,
    /// Above this level, in decibels below full scale, a window is marked as too loud.
    loud_dbfs: f64,
}

struct Loudness {
    window: Duration,
    loud_dbfs: f64,
    since: Option<Duration>,
    squares: f64,
    count: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window_ms: 400,
            loud_dbfs: -9.0,
        }
    }
}

impl Inspector for Loudness {
    type Config = Config;
    const WANTS: Wants = Wants::float32().sample_rate(48_000).mono();

    fn open(_: &Track, _: Format, config: Config) -> Result<Self> {
        if config.window_ms == 0 {
            return Err(Error::config("window_ms", "must be at least 1"));
        }
        let window = Duration::from_millis(config.window_ms.into());
        Ok(Self {
            window,
            loud_dbfs: config.loud_dbfs,
            since: None,
            squares: 0.0,
            count: 0,
        })
    }

    fn inspect(&mut self, frame: &Frame) -> Result<()> {
        let now = frame.pts();
        let since = *self.since.get_or_insert(now);
        if now >= since + self.window {
            self.measure(since)?;
            self.since = Some(now);
        }
        for sample in frame.samples() {
            self.squares += f64::from(*sample).powi(2);
            self.count += 1;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.since.map_or(Ok(()), |since| self.measure(since))
    }
}

impl Loudness {
    fn measure(&mut self, since: Duration) -> Result<()> {
        let mean = self.squares / f64::from(self.count.max(1));
        // Digital silence has no level in decibels: call it softer than anything.
        let dbfs = 10.0 * mean.max(1e-12).log10();
        (self.squares, self.count) = (0.0, 0);
        metrics::gauge_set("loudness_dbfs", dbfs);
        metrics::histogram_record("loudness_dbfs_windows", dbfs);
        if dbfs > self.loud_dbfs {
            let json = json!({ "dbfs": dbfs }).to_string();
            events::mark("too-loud", since, Some(self.window), &json)?;
        }
        Ok(())
    }
}

export_inspector!(Loudness, name = "loudness");

#[cfg(test)]
mod tests {
    use super::*;
    use trackmill_plugin::testing::{self, Sound, seconds};

    #[test]
    fn a_sine_of_half_the_full_scale_is_nine_decibels_below() {
        let run = testing::run::<Loudness>(&Sound::sine(1_000.0, seconds(2.0)), "{}").unwrap();

        let windows = &run.said.histograms["loudness_dbfs_windows"];
        assert_eq!(windows.len(), 5);
        assert!(
            windows.iter().all(|dbfs| (dbfs + 9.03).abs() < 0.01),
            "{windows:?}"
        );
    }

    #[test]
    fn only_what_is_too_loud_is_marked_where_it_was() {
        let sound = Sound::silence(seconds(0.8)).then(&Sound::sine(1_000.0, seconds(0.4)));

        let run = testing::run::<Loudness>(&sound, r#"{"loud_dbfs": -12.0}"#).unwrap();

        let [mark] = &run.said.marks[..] else {
            panic!("{:?}", run.said.marks)
        };
        assert_eq!(
            (&*mark.name, mark.at, mark.length),
            ("too-loud", seconds(0.8), Some(seconds(0.4)))
        );
        assert_eq!(run.said.gauges.len(), 1);
        assert_eq!(run.output, sound);
    }
}
