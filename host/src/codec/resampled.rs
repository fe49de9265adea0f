//! A decoder whose sound is converted to what somebody wants.

use super::resample::{Converter, converted_len};
use super::{CodecError, Decoder};
use crate::media::{AudioFormat, SampleRate};

/// Gives as much sound for each unit as the unit stands for. What the converter holds back is
/// made up for by silence in front of the first unit, so that the sound comes late by as much.
#[derive(Debug)]
pub(super) struct Resampled {
    inner: Box<dyn Decoder>,
    converter: Converter,
    decoded: Vec<f32>,
    /// Converted, and not handed out.
    ready: Vec<f32>,
    /// Samples per channel that the inner decoder made of units.
    units: u64,
    /// Samples per channel of gaps, at the rate that is wanted.
    gaps: u64,
    /// Samples per channel that the inner decoder made in all.
    taken: u64,
    /// Samples per channel that were handed out.
    given: u64,
    /// Those of them that were silence for what was held back.
    padded: usize,
}

impl Resampled {
    pub(super) fn new(inner: Box<dyn Decoder>, wanted: AudioFormat) -> Self {
        Self {
            converter: Converter::new(inner.format(), wanted),
            inner,
            decoded: Vec::new(),
            ready: Vec::new(),
            units: 0,
            gaps: 0,
            taken: 0,
            given: 0,
            padded: 0,
        }
    }

    /// Converts what was decoded and appends what is due by then.
    fn hand_out(&mut self, out: &mut Vec<f32>) {
        let format = self.converter.to();
        let missing = self.due().saturating_sub(self.given);
        let samples = usize::try_from(missing).unwrap_or(usize::MAX);
        let values = format.values(samples);
        self.converter.push(&self.decoded, &mut self.ready);
        let silent = values.saturating_sub(self.ready.len());
        out.resize(out.len() + silent, 0.0);
        out.extend(self.ready.drain(..values - silent));
        self.padded += silent / format.channels.count();
        self.given += samples as u64;
    }

    /// Samples per channel that units and gaps stand for.
    fn due(&self) -> u64 {
        converted_len(self.units, self.inner_rate(), self.format().rate) + self.gaps
    }

    fn inner_rate(&self) -> SampleRate {
        self.inner.format().rate
    }
}

impl Decoder for Resampled {
    fn decode(&mut self, unit: &[u8], out: &mut Vec<f32>) -> Result<(), CodecError> {
        self.decoded.clear();
        self.inner.decode(unit, &mut self.decoded)?;
        let samples = (self.decoded.len() / self.inner.format().channels.count()) as u64;
        self.units += samples;
        self.taken += samples;
        self.hand_out(out);
        Ok(())
    }

    fn conceal(
        &mut self,
        samples: usize,
        next: Option<&[u8]>,
        out: &mut Vec<f32>,
    ) -> Result<(), CodecError> {
        let due = self.due() + samples as u64;
        let wanted = converted_len(due, self.format().rate, self.inner_rate());
        let gap = wanted.saturating_sub(self.taken);
        self.decoded.clear();
        self.inner.conceal(
            usize::try_from(gap).unwrap_or(usize::MAX),
            next,
            &mut self.decoded,
        )?;
        self.taken += gap;
        self.gaps += samples as u64;
        self.hand_out(out);
        Ok(())
    }

    fn format(&self) -> AudioFormat {
        self.converter.to()
    }

    fn delay(&self) -> usize {
        self.padded.max(self.converter.delay())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::codec::g711::Law;
    use crate::codec::sample::to_i16;
    use crate::codec::testing::{formats, signal_to_noise, sine};
    use crate::codec::{CodecError, decoder};
    use crate::media::{AudioFormat, Channels, Codec, SampleRate};

    #[test]
    fn g711_is_heard_at_every_rate() {
        for format in formats() {
            let second = format.rate.get() as usize;
            let mut decoder = decoder(Codec::Pcmu, format).unwrap();
            let mut out = Vec::new();

            for unit in telephone().chunks(160) {
                let before = out.len();
                decoder.decode(unit, &mut out).unwrap();
                assert_eq!(out.len() - before, format.values(second / 50));
            }

            assert_eq!(decoder.format(), format);
            let late = format.values(decoder.delay());
            let expected = sine(format, 440.0, second);
            let (heard, expected) = (&out[late..], &expected[..out.len() - late]);
            let ratio = signal_to_noise(&expected[4_000..], &heard[4_000..]);
            assert!(ratio > 35.0, "{format:?}: {ratio} dB");
            assert!(decoder.delay() <= second / 100);
        }
    }

    #[test]
    fn pictures_are_refused() {
        let found = decoder(Codec::Vp8, AudioFormat::OPUS);

        assert!(matches!(found, Err(CodecError::Unsupported(Codec::Vp8))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// Whatever comes and gets lost, the sound is as long as the time it stands for.
        #[test]
        fn lengths_add_up(
            steps in prop::collection::vec((any::<bool>(), 0..2_000_usize), 1..60),
            rate in prop::sample::select(&SampleRate::ALL[..]),
        ) {
            let format = AudioFormat::new(rate, Channels::Mono);
            let mut decoder = decoder(Codec::Pcma, format).unwrap();
            let mut out = Vec::new();
            let mut exact = 0.0;
            for (is_lost, samples) in steps {
                if is_lost {
                    decoder.conceal(samples, None, &mut out).unwrap();
                    exact += samples as f64;
                } else {
                    decoder.decode(&vec![0xd5; samples], &mut out).unwrap();
                    exact += samples as f64 * f64::from(rate.get()) / 8_000.0;
                }
                let off = out.len() as f64 - exact;
                prop_assert!(off.abs() <= 1.0, "{} {exact}", out.len());
            }
        }
    }

    /// A second of 440 Hz.
    fn telephone() -> Vec<u8> {
        let sound = sine(AudioFormat::G711, 440.0, 8_000);
        let codes = sound.iter().map(|sample| Law::Mu.encode(to_i16(*sample)));
        codes.collect()
    }
}
