//! G.711 ⇄ PCM: 8-bit logarithmic codes for 16-bit samples
//! ([ITU-T G.711](https://www.itu.int/rec/T-REC-G.711)).
//!
//! ```text
//!   7 6 5 4 3 2 1 0
//! +-+-----+-------+
//! |s| exp | mant. |   µ-law: all bits inverted; A-law: every other bit, beginning with the lowest
//! +-+-----+-------+
//! ```

use super::sample::{from_i16, to_i16};
use super::{CodecError, Decoder};
use crate::media::AudioFormat;

/// Which of the two codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// PCMU: North America, Japan.
    Mu,
    /// PCMA: elsewhere.
    A,
}

impl Law {
    /// The 16-bit value that a code stands for.
    pub const fn decode(self, code: u8) -> i16 {
        match self {
            Self::Mu => decode_mu(code),
            Self::A => decode_a(code),
        }
    }

    /// The code of the interval that a 16-bit value is in.
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => encode_mu(sample),
            Self::A => encode_a(sample),
        }
    }

    /// Appends the codes of samples, which are 8 kHz mono for every receiver there is.
    pub fn encode_all(self, samples: &[f32], out: &mut Vec<u8>) {
        out.extend(samples.iter().map(|sample| self.encode(to_i16(*sample))));
    }
}

/// Decodes one G.711 track: 8 kHz mono.
#[derive(Debug)]
pub struct G711Decoder {
    law: Law,
    /// The last sound that came, at most [`HISTORY`].
    history: Vec<f32>,
    /// Samples that were made up since real sound came.
    concealed: usize,
}

impl G711Decoder {
    /// A decoder that has heard nothing.
    pub const fn new(law: Law) -> Self {
        Self {
            law,
            history: Vec::new(),
            concealed: 0,
        }
    }

    fn remember(&mut self, sound: &[f32]) {
        self.history.extend_from_slice(sound);
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
    }

    /// The history played to and fro, so that no seam clicks, ever quieter.
    fn echo(&self, at: usize) -> f32 {
        let len = self.history.len().max(1);
        let (lap, place) = (at / len, at % len);
        let from_end = if lap % 2 == 0 { place } else { len - 1 - place };
        let sample = self.history.iter().rev().nth(from_end);
        let gain = MAX_CONCEALED.saturating_sub(at) as f32 / MAX_CONCEALED as f32;
        sample.copied().unwrap_or(0.0) * gain
    }
}

impl Decoder for G711Decoder {
    fn decode(&mut self, unit: &[u8], out: &mut Vec<f32>) -> Result<(), CodecError> {
        let start = out.len();
        out.extend(unit.iter().map(|code| from_i16(self.law.decode(*code))));
        self.remember(out.split_at(start).1);
        self.concealed = 0;
        Ok(())
    }

    fn conceal(
        &mut self,
        samples: usize,
        _next: Option<&[u8]>,
        out: &mut Vec<f32>,
    ) -> Result<(), CodecError> {
        let end = out.len() + samples;
        let audible = samples.min(MAX_CONCEALED.saturating_sub(self.concealed));
        out.extend((self.concealed..).take(audible).map(|at| self.echo(at)));
        out.resize(end, 0.0);
        self.concealed = self.concealed.saturating_add(samples);
        Ok(())
    }

    fn format(&self) -> AudioFormat {
        AudioFormat::G711
    }
}

const fn decode_mu(code: u8) -> i16 {
    let code = !code;
    let exponent = (code >> 4) & 7;
    let magnitude = ((((code & 15) as i16) << 3) + MU_BIAS) << exponent;
    if code & SIGN == 0 {
        magnitude - MU_BIAS
    } else {
        MU_BIAS - magnitude
    }
}

const fn encode_mu(sample: i16) -> u8 {
    let sign = if sample < 0 { SIGN } else { 0 };
    // The largest code stands for 32124.
    let magnitude = match sample.unsigned_abs() {
        loud if loud > 32_635 => 32_635,
        magnitude => magnitude,
    } + MU_BIAS.unsigned_abs();
    let exponent = magnitude.ilog2() - 7;
    let [mantissa, _] = (magnitude >> (exponent + 3)).to_le_bytes();
    let [exponent, ..] = exponent.to_le_bytes();
    !(sign | (exponent << 4) | (mantissa & 15))
}

const fn decode_a(code: u8) -> i16 {
    let code = code ^ A_INVERTED;
    let exponent = (code >> 4) & 7;
    let step = (((code & 15) as i16) << 4) + 8;
    let magnitude = match exponent {
        0 => step,
        _ => (step + 0x100) << (exponent - 1),
    };
    if code & SIGN == 0 {
        -magnitude
    } else {
        magnitude
    }
}

const fn encode_a(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 {
        (0, !sample)
    } else {
        (SIGN, sample)
    };
    let magnitude = magnitude.unsigned_abs();
    let exponent = if magnitude < 0x100 {
        0
    } else {
        magnitude.ilog2() - 7
    };
    let shift = if exponent == 0 { 4 } else { exponent + 3 };
    let [mantissa, _] = (magnitude >> shift).to_le_bytes();
    let [exponent, ..] = exponent.to_le_bytes();
    (sign | (exponent << 4) | (mantissa & 15)) ^ A_INVERTED
}

const SIGN: u8 = 0x80;
const MU_BIAS: i16 = 0x84;
const A_INVERTED: u8 = 0x55;

/// 20 ms.
const HISTORY: usize = 160;

/// 60 ms: it repeats what it heard, which is bearable for no longer.
const MAX_CONCEALED: usize = 480;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_back_as_it_was() {
        for code in 0..=u8::MAX {
            assert_eq!(Law::A.encode(Law::A.decode(code)), code);
            // 0x7f is a second zero, below the first.
            let expected = if code == 0x7f { 0xff } else { code };
            assert_eq!(Law::Mu.encode(Law::Mu.decode(code)), expected);
        }
    }

    #[test]
    fn a_sample_gets_the_nearest_code_or_its_neighbour() {
        for law in [Law::Mu, Law::A] {
            let mut values: Vec<i32> = (0..=u8::MAX).map(|code| law.decode(code).into()).collect();
            values.sort_unstable();
            for sample in i16::MIN..=i16::MAX {
                let off = |value: i32| value.abs_diff(sample.into());
                let found = off(law.decode(law.encode(sample)).into());
                let nearest = values.iter().map(|value| off(*value)).min().unwrap();
                // Where steps double, the middle between two codes is not where they part.
                assert!(found <= 2 * nearest + 1, "{law:?} {sample}");
            }
        }
    }

    /// The table of ITU-T G.711: the ends of the scale.
    #[test]
    fn the_ends_of_the_scale_are_those_of_the_table() {
        let cases = [
            (Law::Mu, 0xff, 0),
            (Law::Mu, 0x80, 32_124),
            (Law::Mu, 0x00, -32_124),
            (Law::A, 0xd5, 8),
            (Law::A, 0x55, -8),
            (Law::A, 0xaa, 32_256),
            (Law::A, 0x2a, -32_256),
        ];
        for (law, code, sample) in cases {
            assert_eq!(law.decode(code), sample, "{law:?} {code:02x}");
        }
    }

    #[test]
    fn a_gap_repeats_what_was_heard_ever_quieter_and_falls_silent() {
        let mut decoder = G711Decoder::new(Law::Mu);
        let mut out = Vec::new();
        decoder
            .decode(&[Law::Mu.encode(8_000); 160], &mut out)
            .unwrap();
        let level = out[0];

        for _ in 0..5 {
            decoder.conceal(160, None, &mut out).unwrap();
        }

        let made_up = &out[160..];
        assert_eq!(made_up.len(), 800);
        assert!((made_up[0] - level).abs() < 1e-3 && (made_up[240] - level / 2.0).abs() < 1e-3);
        assert!(made_up.windows(2).all(|pair| pair[1] <= pair[0]));
        assert!(made_up[MAX_CONCEALED..].iter().all(|sample| *sample == 0.0));
        assert!(decoder.history.len() <= HISTORY);
    }

    #[test]
    fn before_any_sound_a_gap_is_silent() {
        let mut out = Vec::new();

        G711Decoder::new(Law::A)
            .conceal(500, None, &mut out)
            .unwrap();

        assert_eq!(out, [0.0; 500]);
    }

    #[test]
    fn floats_are_encoded_as_the_integers_they_stand_for() {
        let mut codes = Vec::new();

        Law::Mu.encode_all(&[0.0, 1.0, -1.0], &mut codes);

        assert_eq!(codes, [0xff, 0x80, 0x00]);
    }
}
