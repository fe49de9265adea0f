//! A sound to try a plugin on.

use std::f32::consts::TAU;

/// A WAV file: 48 kHz, mono, 16 bits.
pub(super) fn wav() -> Vec<u8> {
    let samples = (0..RATE * SECONDS).map(sample);
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut file = Vec::with_capacity(44 + data.len());
    file.extend(b"RIFF");
    file.extend((length + 36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    // PCM, one channel.
    file.extend([1, 0, 1, 0]);
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 2).to_le_bytes());
    // Bytes of all channels, bits of one.
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(data);
    file
}

/// A second of a swelling tone, a second of silence, a second of tone: harmonics of 150 Hz.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "three seconds of samples are exact, and the level is half the full scale"
)]
fn sample(index: u32) -> i16 {
    let time = index as f32 / RATE as f32;
    let swell = (TAU * time / 2.0).sin().max(0.0);
    let tone: f32 = [1.0, 2.0, 4.0]
        .iter()
        .map(|harmonic| (TAU * 150.0 * harmonic * time).sin() / harmonic)
        .sum();
    (swell * tone * 0.28 * 32_767.0) as i16
}

const RATE: u32 = 48_000;
const SECONDS: u32 = 3;
