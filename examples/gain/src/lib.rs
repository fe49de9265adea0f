//! Louder or softer: the smallest plugin that changes sound.

use trackmill_plugin::prelude::*;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What is added to the level, in decibels; negative is softer.
    gain_db: f32,
}

struct Gain {
    factor: f32,
}

impl Transformer for Gain {
    type Config = Config;

    fn open(_: &Track, _: Format, config: Config) -> Result<Self> {
        if config.gain_db.abs() > 60.0 {
            return Err(Error::config("gain_db", "must lie between -60 and 60"));
        }
        Ok(Self {
            factor: 10f32.powf(config.gain_db / 20.0),
        })
    }

    fn process(&mut self, frame: &mut Frame) -> Result<Verdict> {
        for sample in frame.samples_mut() {
            *sample *= self.factor;
        }
        Ok(Verdict::Changed)
    }
}

export_transformer!(Gain, name = "gain");

#[cfg(test)]
mod tests {
    use super::*;
    use trackmill_plugin::testing::{self, Sound, seconds};

    #[test]
    fn six_decibels_less_are_half_the_level() {
        let sound = Sound::sine(440.0, seconds(1.0));

        let run = testing::run::<Gain>(&sound, r#"{"gain_db": -6.0206}"#).unwrap();

        assert!((run.output.rms() / sound.rms() - 0.5).abs() < 1e-4);
        assert_eq!(run.output.samples.len(), sound.samples.len());
    }

    #[test]
    fn a_gain_out_of_range_is_the_operators_to_mend() {
        let error = testing::run::<Gain>(&Sound::silence(seconds(0.1)), r#"{"gain_db": 90}"#);

        assert_eq!(
            error.unwrap_err(),
            Error::config("gain_db", "must lie between -60 and 60")
        );
    }
}
