//! PCM of one rate and number of channels → another, as a stream.
//!
//! The beginning of what a filter delays is cut off, so that sample *n* of the output is at the same
//! time as sample *n·to/from* of the input: nobody has to make up for a delay. What it costs is that
//! the output lags behind by [`Converter::delay`], and that the end has to be flushed.

use std::num::NonZeroU32;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use crate::media::{AudioFormat, Channels};

/// Converts rate and channels. Two channels become one by their mean, and one becomes two by being
/// doubled.
#[derive(Debug)]
pub struct Converter {
    from: AudioFormat,
    to: AudioFormat,
    /// Of as few channels as there are on either side. `None` if the rates are the same.
    resampler: Option<Resampler>,
    mixed: Vec<f32>,
    resampled: Vec<f32>,
}

impl Converter {
    /// A converter that has heard nothing. If both formats are the same, it passes on what it gets.
    pub fn new(from: AudioFormat, to: AudioFormat) -> Self {
        let channels = from.channels.min(to.channels);
        let needs_resampler = from.rate != to.rate;
        Self {
            from,
            to,
            resampler: needs_resampler
                .then(|| Resampler::new(from.rate.into(), to.rate.into(), channels)),
            mixed: Vec::new(),
            resampled: Vec::new(),
        }
    }

    /// Converts interleaved samples of any number and appends what is ready.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let narrow = match (self.from.channels, self.to.channels) {
            (Channels::Stereo, Channels::Mono) => {
                self.mixed.clear();
                mix_down(samples, &mut self.mixed);
                &self.mixed
            }
            _ => samples,
        };
        let widens = (self.from.channels, self.to.channels) == (Channels::Mono, Channels::Stereo);
        match &mut self.resampler {
            Some(resampler) if widens => {
                self.resampled.clear();
                resampler.push(narrow, &mut self.resampled);
                double(&self.resampled, out);
            }
            Some(resampler) => resampler.push(narrow, out),
            None if widens => double(narrow, out),
            None => out.extend_from_slice(narrow),
        }
    }

    /// Ends the stream: appends what is held back, so that the output is as long as the input, to the
    /// nearest sample. The converter has heard nothing then.
    pub fn flush(&mut self, out: &mut Vec<f32>) {
        let Some(resampler) = &mut self.resampler else {
            return;
        };
        if self.from.channels < self.to.channels {
            self.resampled.clear();
            resampler.flush(&mut self.resampled);
            double(&self.resampled, out);
        } else {
            resampler.flush(out);
        }
    }

    /// Samples per channel, at the rate that comes out, by which the output lags behind input that
    /// came in whole blocks; of other input, up to a [`block`](Self::block) more.
    pub fn delay(&self) -> usize {
        self.resampler.as_ref().map_or(0, Resampler::delay)
    }

    /// Samples per channel, at the rate that goes in, that are converted at a time: 10 ms (20 ms from
    /// and to 44.1 kHz), or 1 if the rates are the same.
    pub fn block(&self) -> usize {
        self.resampler.as_ref().map_or(1, Resampler::block)
    }

    /// What goes in.
    pub const fn from(&self) -> AudioFormat {
        self.from
    }

    /// What comes out.
    pub const fn to(&self) -> AudioFormat {
        self.to
    }
}

/// Converts the rate alone, between any two rates, so that files of every rate can be played: by
/// Fourier transforms of blocks that last about 10 ms, which is a whole number of samples at all rates of
/// a track.
#[derive(Debug)]
pub struct Resampler {
    fft: Fft<f32>,
    from: NonZeroU32,
    to: NonZeroU32,
    channels: usize,
    /// Not yet a block.
    waiting: Vec<f32>,
    /// One block that came out.
    block: Vec<f32>,
    /// Samples per channel that came in.
    taken: u64,
    /// Samples per channel that came out of the transform, with those that are cut off.
    made: u64,
}

impl Resampler {
    /// A resampler that has heard nothing, for samples a second and channel.
    #[expect(
        clippy::missing_panics_doc,
        reason = "what it would panic at cannot be passed in"
    )]
    pub fn new(from: NonZeroU32, to: NonZeroU32, channels: Channels) -> Self {
        let channels = channels.count();
        let fft = Fft::new_custom(
            from.get() as usize,
            to.get() as usize,
            block(from.get(), to.get()) as usize,
            1,
            channels,
            rubato::WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .expect("the rates and the block are not zero");
        Self {
            block: vec![0.0; fft.output_frames_next() * channels],
            fft,
            from,
            to,
            channels,
            waiting: Vec::new(),
            taken: 0,
            made: 0,
        }
    }

    /// Converts interleaved samples of any number and appends what is ready.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.taken += (samples.len() / self.channels) as u64;
        let len = self.block() * self.channels;
        let missing = (len - self.waiting.len()) % len;
        let (first, rest) = samples.split_at(samples.len().min(missing));
        self.waiting.extend_from_slice(first);
        if self.waiting.len() == len {
            let block = std::mem::take(&mut self.waiting);
            self.convert(&block, out);
            self.waiting = block;
            self.waiting.clear();
        }
        let mut blocks = rest.chunks_exact(len);
        for block in &mut blocks {
            self.convert(block, out);
        }
        self.waiting.extend_from_slice(blocks.remainder());
    }

    /// Ends the stream, as [`Converter::flush`].
    pub fn flush(&mut self, out: &mut Vec<f32>) {
        let all = converted_len(self.taken, self.from, self.to);
        let len = self.block() * self.channels;
        let start = out.len();
        let given = self.given();
        let missing = usize::try_from(all.saturating_sub(given)).unwrap_or(usize::MAX);
        while out.len() < start + missing * self.channels {
            let mut block = std::mem::take(&mut self.waiting);
            block.resize(len, 0.0);
            self.convert(&block, out);
        }
        out.truncate(start + missing * self.channels);
        self.fft.reset();
        self.waiting.clear();
        (self.taken, self.made) = (0, 0);
    }

    /// One block, without what the filter puts in front of the first.
    fn convert(&mut self, block: &[f32], out: &mut Vec<f32>) {
        let (frames_in, frames_out) = (self.block(), self.fft.output_frames_next());
        let input = InterleavedSlice::new(block, self.channels, frames_in);
        let output = InterleavedSlice::new_mut(&mut self.block, self.channels, frames_out);
        let (input, mut output) = input
            .and_then(|input| Ok((input, output?)))
            .expect("both buffers are a block long");
        self.fft
            .process_into_buffer(&input, &mut output, None)
            .expect("both buffers are a block long");
        let skipped = self.delay().saturating_sub(self.made_in_all());
        let skipped = skipped.min(frames_out) * self.channels;
        out.extend_from_slice(self.block.split_at(skipped).1);
        self.made += frames_out as u64;
    }

    fn made_in_all(&self) -> usize {
        usize::try_from(self.made).unwrap_or(usize::MAX)
    }

    /// Samples per channel that were appended.
    fn given(&self) -> u64 {
        self.made.saturating_sub(self.delay() as u64)
    }

    fn delay(&self) -> usize {
        self.fft.output_delay()
    }

    fn block(&self) -> usize {
        self.fft.input_frames_next()
    }
}

/// Samples that are converted at a time, at the rate that goes in: about 10 ms, a whole number on both
/// sides, and an even one, because of an odd one the filter has no middle.
fn block(from: u32, to: u32) -> u32 {
    let divisor = common_divisor(from, to);
    let (step_in, step_out) = (from / divisor, to / divisor);
    let steps = (from / 100).div_ceil(step_in).max(1);
    let is_odd = |step: u32| step % 2 == 1 && steps % 2 == 1;
    step_in.saturating_mul(if is_odd(step_in) || is_odd(step_out) {
        steps * 2
    } else {
        steps
    })
}

/// The greatest one.
const fn common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// How many samples at the rate `to` last as long as `samples` at the rate `from`, to the nearest.
pub(super) fn converted_len(
    samples: u64,
    from: impl Into<NonZeroU32>,
    to: impl Into<NonZeroU32>,
) -> u64 {
    let (from, to) = (u128::from(from.into().get()), u128::from(to.into().get()));
    let converted = (u128::from(samples) * to + from / 2) / from;
    u64::try_from(converted).unwrap_or(u64::MAX)
}

fn mix_down(samples: &[f32], out: &mut Vec<f32>) {
    let (pairs, _) = samples.as_chunks::<2>();
    out.extend(pairs.iter().map(|[left, right]| (left + right) * 0.5));
}

fn double(samples: &[f32], out: &mut Vec<f32>) {
    out.extend(samples.iter().flat_map(|sample| [*sample, *sample]));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::testing::{formats, in_pieces, signal_to_noise, sine};
    use crate::media::SampleRate;

    /// Minutes in pieces of odd sizes are as long as they were.
    #[test]
    fn nothing_drifts() {
        for (from, to, seconds) in [
            (8_000, 12_000, 600),
            (44_100, 16_000, 60),
            (16_000, 44_100, 60),
            (48_000, 8_000, 30),
        ] {
            let (from, to) = (mono(from), mono(to));
            let mut converter = Converter::new(from, to);
            let (mut taken, mut given) = (0, 0);
            let mut out = Vec::new();
            let all = from.rate.get() as usize * seconds;
            let most = converter.delay() + to.rate.get() as usize / 50;
            let mut sizes = [1, 7, 441, 480, 961, 3_000].into_iter().cycle();
            while taken < all {
                let size = sizes.next().unwrap().min(all - taken);
                out.clear();
                converter.push(&[0.25; 3_000][..size], &mut out);
                (taken, given) = (taken + size, given + out.len());
                let due = whole(converted_len(taken as u64, from.rate, to.rate));
                assert!(given <= due && due <= given + most, "{taken} {given}");
            }
            out.clear();
            converter.flush(&mut out);
            assert_eq!(
                given + out.len(),
                to.rate.get() as usize * seconds,
                "{to:?}"
            );
        }
    }

    /// Sample for sample where it was, so that a delay of one would be heard.
    #[test]
    fn a_sine_stays_where_it_is() {
        for from in formats() {
            for to in formats() {
                let mut out = Vec::new();
                let mut converter = Converter::new(from, to);

                converter.push(&sine(from, 1_000.0, from.rate.get() as usize / 4), &mut out);
                converter.flush(&mut out);

                let expected = sine(to, 1_000.0, to.rate.get() as usize / 4);
                assert_eq!(out.len(), expected.len());
                // Both ends have silence around them, which a sine has not.
                let margin = expected.len() / 20;
                let middle = margin..expected.len() - margin;
                let ratio = signal_to_noise(&expected[middle.clone()], &out[middle]);
                assert!(ratio > 80.0, "{from:?} {to:?}: {ratio} dB");
            }
        }
    }

    #[test]
    fn files_of_every_rate_can_be_played() {
        let to = SampleRate::HZ_48000.into();
        for hertz in [
            11_025, 22_050, 32_000, 37_800, 88_200, 96_000, 192_000, 47_999,
        ] {
            let from = NonZeroU32::new(hertz).unwrap();
            let mut resampler = Resampler::new(from, to, Channels::Mono);
            let tone = |hertz: u32, samples: u32| -> Vec<f32> {
                let angle = |at| std::f32::consts::TAU * (at as f32 * 440.0 / hertz as f32).fract();
                (0..samples).map(|at| angle(at).sin()).collect()
            };
            let mut out = Vec::new();

            resampler.push(&tone(hertz, hertz), &mut out);
            resampler.flush(&mut out);

            assert_eq!(out.len(), 48_000, "{hertz}");
            let ratio = signal_to_noise(&tone(48_000, 48_000)[4_800..43_200], &out[4_800..43_200]);
            assert!(ratio > 60.0, "{hertz}: {ratio} dB");
        }
    }

    #[test]
    fn what_a_lower_rate_cannot_carry_is_gone() {
        let (from, to) = (mono(48_000), mono(16_000));
        let mut out = Vec::new();
        let mut converter = Converter::new(from, to);

        converter.push(&sine(from, 9_000.0, 48_000), &mut out);
        converter.flush(&mut out);

        let loudest = out[800..15_200].iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        assert!(loudest < 1e-4, "{loudest}");
    }

    #[test]
    fn output_lags_by_the_delay_and_no_more() {
        for (from, to, delay) in [
            (48_000, 16_000, 80),
            (8_000, 48_000, 240),
            (44_100, 48_000, 480),
        ] {
            let (from, to) = (mono(from), mono(to));
            let mut converter = Converter::new(from, to);
            assert_eq!(converter.delay(), delay);
            let mut out = Vec::new();

            for blocks in 1..50_u64 {
                converter.push(&vec![0.0; converter.block()], &mut out);

                let taken = blocks * converter.block() as u64;
                let due = whole(converted_len(taken, from.rate, to.rate));
                assert_eq!(out.len(), due - delay);
            }
        }
    }

    #[test]
    fn a_flushed_converter_has_heard_nothing() {
        let (from, to) = (mono(48_000), mono(16_000));
        let mut converter = Converter::new(from, to);
        let sound = sine(from, 440.0, 5_000);
        let mut once = Vec::new();
        converter.push(&sound, &mut once);
        converter.flush(&mut once);

        let mut again = Vec::new();
        converter.push(&sound, &mut again);
        converter.flush(&mut again);

        assert_eq!(once, again);
        converter.flush(&mut again);
        assert_eq!(once.len(), again.len());
    }

    #[test]
    fn channels_are_averaged_and_doubled() {
        let (one, two) = (Channels::Mono, Channels::Stereo);
        let format = |channels| AudioFormat::new(SampleRate::HZ_48000, channels);
        let mut out = Vec::new();

        Converter::new(format(two), format(one)).push(&[1.0, 0.0, -0.5, -0.25], &mut out);
        Converter::new(format(one), format(two)).push(&[0.5], &mut out);

        assert_eq!(out, [0.5, -0.375, 0.5, 0.5]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// How the input is cut into pieces changes nothing.
        #[test]
        fn pieces_do_not_matter(
            sizes in prop::collection::vec(0..2_000_usize, 1..12),
            from in prop::sample::select(formats().collect::<Vec<_>>()),
            to in prop::sample::select(formats().collect::<Vec<_>>()),
        ) {
            let sound = sine(from, 300.0, sizes.iter().sum());
            let (mut whole, mut pieces) = (Vec::new(), Vec::new());

            let mut converter = Converter::new(from, to);
            converter.push(&sound, &mut whole);
            converter.flush(&mut whole);
            for piece in in_pieces(&sound, from, &sizes) {
                converter.push(piece, &mut pieces);
            }
            converter.flush(&mut pieces);

            let samples = converted_len(sizes.iter().sum::<usize>() as u64, from.rate, to.rate);
            prop_assert_eq!(whole.len() as u64, samples * to.channels.count() as u64);
            prop_assert_eq!(whole, pieces);
        }
    }

    fn whole(samples: u64) -> usize {
        samples.try_into().unwrap()
    }

    fn mono(hertz: u32) -> AudioFormat {
        AudioFormat::new(SampleRate::new(hertz).unwrap(), Channels::Mono)
    }
}
