//! Sound to test with.

use std::f32::consts::TAU;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

/// Sound of any length: interleaved 32-bit floats, full scale ±1.0.
#[derive(Clone, PartialEq)]
pub struct Sound {
    /// Samples per second and channel.
    pub sample_rate: u32,
    /// 1 (mono) or 2 (stereo).
    pub channels: u8,
    /// The samples, interleaved.
    pub samples: Vec<f32>,
}

impl Sound {
    /// Silence, 48 kHz mono.
    #[must_use]
    pub fn silence(length: Duration) -> Self {
        Self::of(length, |_| 0.0)
    }

    /// A sine of half the full scale, 48 kHz mono.
    #[must_use]
    pub fn sine(hertz: f32, length: Duration) -> Self {
        Self::of(length, |time| 0.5 * (TAU * hertz * time).sin())
    }

    /// Noise as of a fan, 48 kHz mono: softer than this peak, and the same at each call.
    #[must_use]
    pub fn noise(peak: f32, length: Duration) -> Self {
        let (mut state, mut low) = (1_u32, 0.0);
        Self::of(length, |_| {
            // Numerical Recipes' generator: enough for ears and levels.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let unit = f32::from(u16::try_from(state >> 16).unwrap_or_default()) / 32_768.0;
            low = 0.9 * low + 0.1 * peak * (unit - 1.0);
            low
        })
    }

    /// This sound, then another of the same rate and channels.
    #[must_use]
    pub fn then(mut self, next: &Self) -> Self {
        debug_assert_eq!(
            (self.sample_rate, self.channels),
            (next.sample_rate, next.channels)
        );
        self.samples.extend(&next.samples);
        self
    }

    /// The part between two times, as far as there is sound.
    #[must_use]
    pub fn between(&self, seconds: Range<f64>) -> Self {
        let end = self.index(seconds.end);
        let start = self.index(seconds.start).min(end);
        Self {
            samples: self.samples.get(start..end).unwrap_or_default().to_vec(),
            ..*self
        }
    }

    /// Its level as root of the mean square: 0.354 for a sine of half the full scale.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a mean over so many samples that precision is lost does not fit into memory"
    )]
    pub fn rms(&self) -> f64 {
        let squares = self.samples.iter().map(|sample| f64::from(*sample).powi(2));
        (squares.sum::<f64>() / self.samples.len().max(1) as f64).sqrt()
    }

    /// Reads a WAV file of integers or floats.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn read_wav(path: impl AsRef<Path>) -> Result<Self, hound::Error> {
        let mut reader = hound::WavReader::open(path)?;
        let spec = reader.spec();
        let samples = match spec.sample_format {
            hound::SampleFormat::Float => reader.samples().collect::<Result<_, _>>()?,
            hound::SampleFormat::Int => integers(&mut reader)?,
        };
        Ok(Self {
            sample_rate: spec.sample_rate,
            channels: u8::try_from(spec.channels).unwrap_or(u8::MAX),
            samples,
        })
    }

    /// Writes a WAV file of 32-bit floats, to be listened to.
    ///
    /// # Errors
    ///
    /// What keeps the file from being written.
    pub fn write_wav(&self, path: impl AsRef<Path>) -> Result<(), hound::Error> {
        let spec = hound::WavSpec {
            channels: self.channels.into(),
            sample_rate: self.sample_rate,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::create(path, spec)?;
        for sample in &self.samples {
            writer.write_sample(*sample)?;
        }
        writer.finalize()
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sounds of tests last seconds, and a cast of a float saturates"
    )]
    fn of(length: Duration, mut value: impl FnMut(f32) -> f32) -> Self {
        let count = (length.as_secs_f64() * f64::from(RATE)).round() as u32;
        Self {
            sample_rate: RATE,
            channels: 1,
            samples: (0..count)
                .map(|index| value(index as f32 / RATE as f32))
                .collect(),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates, and so does the place"
    )]
    fn index(&self, seconds: f64) -> usize {
        let frames = (seconds * f64::from(self.sample_rate)).round() as usize;
        (frames * usize::from(self.channels)).min(self.samples.len())
    }
}

impl fmt::Debug for Sound {
    /// Says how much there is: nobody reads samples in the message of a failed test.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sound")
            .field("sample_rate", &self.sample_rate)
            .field("channels", &self.channels)
            .field("samples", &self.samples.len())
            .field("rms", &self.rms())
            .finish()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a float is as precise as 24-bit audio"
)]
fn integers(reader: &mut hound::WavReader<impl std::io::Read>) -> Result<Vec<f32>, hound::Error> {
    let full_scale = (1_i64 << (reader.spec().bits_per_sample - 1)) as f32;
    let samples = reader.samples::<i32>();
    samples
        .map(|sample| Ok(sample? as f32 / full_scale))
        .collect()
}

/// What LiveKit's Opus decodes to.
const RATE: u32 = 48_000;
