//! Takes noise out of speech, by RNNoise: a plugin with its own frame length and latency.

use nnnoiseless::DenoiseState;
use trackmill_plugin::prelude::*;

struct Denoise {
    channels: Vec<Channel>,
}

struct Channel {
    state: Box<DenoiseState<'static>>,
    input: [f32; FRAME],
    output: [f32; FRAME],
}

impl Transformer for Denoise {
    type Config = NoConfig;
    /// RNNoise knows nothing but 10 ms at 48 kHz; the host converts.
    const WANTS: Wants = Wants::float32().sample_rate(48_000).frame_samples(480);

    fn open(_: &Track, format: Format, _: NoConfig) -> Result<Self> {
        let channels = (0..format.channels).map(|_| Channel {
            state: DenoiseState::new(),
            input: [0.0; FRAME],
            output: [0.0; FRAME],
        });
        Ok(Self {
            channels: channels.collect(),
        })
    }

    fn process(&mut self, frame: &mut Frame) -> Result<Verdict> {
        let count = frame.format().channel_count();
        for (index, channel) in self.channels.iter_mut().enumerate() {
            let samples = frame.samples_mut().iter_mut().skip(index).step_by(count);
            channel.denoise(samples);
        }
        Ok(Verdict::Changed)
    }

    fn finish(&mut self) -> Result<Option<Vec<f32>>> {
        let mut tail = vec![0.0; FRAME * self.channels.len()];
        let count = self.channels.len();
        for (index, channel) in self.channels.iter_mut().enumerate() {
            channel.denoise(tail.iter_mut().skip(index).step_by(count));
        }
        Ok(Some(tail))
    }

    /// A frame is known when the next one is, because they overlap.
    fn latency() -> u32 {
        480
    }
}

impl Channel {
    fn denoise<'a>(&mut self, samples: impl Iterator<Item = &'a mut f32>) {
        let mut samples: Vec<&mut f32> = samples.collect();
        for (input, sample) in self.input.iter_mut().zip(&samples) {
            *input = **sample * INT16;
        }
        self.state.process_frame(&mut self.output, &self.input);
        for (sample, output) in samples.iter_mut().zip(&self.output) {
            **sample = output / INT16;
        }
    }
}

const FRAME: usize = DenoiseState::FRAME_SIZE;
/// RNNoise counts in 16-bit integers, though in floats.
const INT16: f32 = 32_768.0;

export_transformer!(Denoise, name = "denoise");

#[cfg(test)]
mod tests {
    use super::*;
    use trackmill_plugin::testing::{self, Sound, seconds};

    #[test]
    fn noise_becomes_much_softer() {
        let noise = Sound::noise(0.1, seconds(3.0));

        let run = testing::run::<Denoise>(&noise, "{}").unwrap();

        // The net needs a moment to hear what is noise.
        let (before, after) = (
            noise.between(1.0..3.0).rms(),
            run.output.between(1.0..3.0).rms(),
        );
        assert!(after < before / 10.0, "{before} became {after}");
    }

    #[test]
    fn each_channel_is_its_own() {
        let mut stereo = Sound::silence(seconds(0.0));
        stereo.channels = 2;
        let noise = Sound::noise(0.1, seconds(1.0));
        stereo.samples = noise
            .samples
            .iter()
            .flat_map(|sample| [*sample, 0.0])
            .collect();

        let run = testing::run::<Denoise>(&stereo, "{}").unwrap();
        let mono = testing::run::<Denoise>(&noise, "{}").unwrap();

        let left: Vec<f32> = run.output.samples.iter().step_by(2).copied().collect();
        assert_eq!(left, mono.output.samples);
        assert!(
            run.output
                .samples
                .iter()
                .skip(1)
                .step_by(2)
                .all(|sample| *sample == 0.0)
        );
    }

    #[test]
    fn what_comes_out_is_late_by_the_latency_and_whole() {
        let voice = voice();

        let run = testing::run::<Denoise>(&voice, "{}").unwrap();

        let latency = Denoise::latency() as usize;
        assert_eq!(run.output.samples.len(), voice.samples.len() + latency);
        let shifts = latency - 40..latency + 40;
        let best = shifts.max_by(|a, b| {
            likeness(&voice, &run.output, *a).total_cmp(&likeness(&voice, &run.output, *b))
        });
        // RNNoise's high pass shifts low tones by a few samples more.
        assert!(best.unwrap().abs_diff(latency) < 5, "{best:?}");
    }

    /// What RNNoise takes for a voice: harmonics that swell and fade.
    fn voice() -> Sound {
        let mut sound = Sound::silence(seconds(1.0));
        for (index, sample) in sound.samples.iter_mut().enumerate() {
            let time = index as f32 / 48_000.0;
            let pitch = std::f32::consts::TAU * (130.0 * time + 3.0 * (5.0 * time).sin());
            let harmonics = (1..12).map(|n| (n as f32 * pitch).sin() / n as f32);
            *sample = 0.2 * (8.0 * time).sin().abs() * harmonics.sum::<f32>();
        }
        sound
    }

    fn likeness(input: &Sound, output: &Sound, shift: usize) -> f64 {
        let pairs = input.samples.iter().zip(output.samples.iter().skip(shift));
        pairs.map(|(a, b)| f64::from(a * b)).sum()
    }
}
