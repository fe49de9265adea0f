//! 16-bit integers ⇄ floats, for files, sockets and plugins that want them.
//!
//! Full scale is 32768, as libopus has it, so that each integer comes back as it was. What lies
//! between two integers goes to the nearest, halves away from zero; what lies beyond them is clipped.
//! There is no dither: it would make the same input give different bytes.

/// The nearest 16-bit value; clips beyond full scale. What is not a number becomes 0.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast from float to integer saturates, which is the clipping that is wanted"
)]
pub fn to_i16(sample: f32) -> i16 {
    (sample * FULL_SCALE).round() as i16
}

/// The float that stands for a 16-bit value: -1.0 to just below 1.0.
pub fn from_i16(sample: i16) -> f32 {
    f32::from(sample) / FULL_SCALE
}

/// Appends samples as 16-bit little endian (`s16le`).
pub fn to_s16le(samples: &[f32], out: &mut Vec<u8>) {
    out.reserve(samples.len().saturating_mul(2));
    out.extend(
        samples
            .iter()
            .flat_map(|sample| to_i16(*sample).to_le_bytes()),
    );
}

/// Appends the samples that 16-bit little endian bytes stand for; half a sample at the end is left
/// out.
pub fn from_s16le(bytes: &[u8], out: &mut Vec<f32>) {
    let (pairs, _) = bytes.as_chunks::<2>();
    out.extend(pairs.iter().map(|pair| from_i16(i16::from_le_bytes(*pair))));
}

const FULL_SCALE: f32 = 32_768.0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_integer_comes_back_as_it_was() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(to_i16(from_i16(sample)), sample);
        }
    }

    #[test]
    fn what_is_too_loud_is_clipped_and_what_is_no_number_is_silent() {
        let cases = [
            (1.0, i16::MAX),
            (-1.0, i16::MIN),
            (f32::MAX, i16::MAX),
            (f32::NEG_INFINITY, i16::MIN),
            (f32::NAN, 0),
            (-0.0, 0),
        ];
        for (float, integer) in cases {
            assert_eq!(to_i16(float), integer, "{float}");
        }
    }

    #[test]
    fn halves_go_away_from_zero() {
        for (steps, integer) in [(0.5, 1), (-0.5, -1), (0.49, 0), (1.5, 2), (-2.5, -3)] {
            assert_eq!(to_i16(steps / FULL_SCALE), integer, "{steps}");
        }
    }

    #[test]
    fn half_a_sample_is_left_out() {
        let mut samples = Vec::new();

        from_s16le(&[0, 0x80, 0xff, 0x7f, 1], &mut samples);

        assert_eq!(samples, [-1.0, 32_767.0 / 32_768.0]);
    }

    proptest! {
        #[test]
        fn a_float_is_off_by_half_a_step_at_most(sample in -1.0_f32..0.999) {
            let step = from_i16(to_i16(sample));

            prop_assert!((step - sample).abs() <= 0.5 / FULL_SCALE, "{sample} {step}");
        }

        #[test]
        fn bytes_come_back_as_they_were(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let (mut samples, mut again) = (Vec::new(), Vec::new());

            from_s16le(&bytes, &mut samples);
            to_s16le(&samples, &mut again);

            prop_assert_eq!(&again[..], &bytes[..bytes.len() / 2 * 2]);
        }
    }
}
