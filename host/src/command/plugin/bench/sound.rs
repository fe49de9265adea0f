//! Sound that no plugin takes easy: the same each time.

use crate::media::AudioFormat;

/// A second of noise that comes and goes like syllables.
pub(super) fn second(format: AudioFormat) -> Vec<f32> {
    let mut state = 1_u32;
    let len = format.values(format.rate.get() as usize);
    let syllable = (len / 5).max(1);
    let sample = |at: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [high, ..] = state.to_be_bytes();
        let loudness = share(at % syllable, syllable);
        (f32::from(high) / 256.0 - 0.5) * loudness
    };
    (0..len).map(sample).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a second has few samples")]
fn share(part: usize, whole: usize) -> f32 {
    part as f32 / whole as f32
}
