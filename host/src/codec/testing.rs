//! What the tests of all stages of sound share.

use std::f64::consts::TAU;

use crate::media::{AudioFormat, Channels, SampleRate};

/// Every format.
pub(super) fn formats() -> impl Iterator<Item = AudioFormat> {
    SampleRate::ALL.into_iter().flat_map(|rate| {
        [Channels::Mono, Channels::Stereo].map(|channels| AudioFormat::new(rate, channels))
    })
}

/// Every format that Opus has.
pub(super) fn opus_formats() -> impl Iterator<Item = AudioFormat> {
    formats().filter(|format| format.rate != SampleRate::HZ_44100)
}

/// `samples` per channel of a sine at half of full scale, the same in all channels.
#[expect(clippy::cast_possible_truncation, reason = "sound has 24 bits at most")]
pub(super) fn sine(format: AudioFormat, hertz: f64, samples: usize) -> Vec<f32> {
    let rate = f64::from(format.rate.get());
    (0..samples)
        .flat_map(|at| {
            let value = 0.5 * (TAU * hertz * at as f64 / rate).sin();
            std::iter::repeat_n(value as f32, format.channels.count())
        })
        .collect()
}

/// How much louder `expected` is than its difference to `found`, in decibels.
pub(super) fn signal_to_noise(expected: &[f32], found: &[f32]) -> f64 {
    let power = |values: &mut dyn Iterator<Item = f32>| {
        values.map(|value| f64::from(value).powi(2)).sum::<f64>()
    };
    let signal = power(&mut expected.iter().copied());
    let noise = power(&mut expected.iter().zip(found).map(|(a, b)| a - b));
    10.0 * (signal / noise.max(f64::MIN_POSITIVE)).log10()
}

/// The sound cut into pieces of so many samples per channel.
pub(super) fn in_pieces<'a>(
    mut sound: &'a [f32],
    format: AudioFormat,
    sizes: &'a [usize],
) -> impl Iterator<Item = &'a [f32]> {
    sizes.iter().map(move |size| {
        let (piece, rest) = sound.split_at(format.values(*size));
        sound = rest;
        piece
    })
}
