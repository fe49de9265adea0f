use std::time::Instant;

use trackmill::codec::encode::{OpusEncoder, Settings};
use trackmill::media::{AudioFormat, Channels, SampleRate};

use super::Seed;
use crate::capture;
use crate::depacketized::Depacketized;

/// Captures, and what our encoder makes of a noise, for every rate, with gaps.
pub(super) fn decoded() -> anyhow::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for name in ["opus-pion-mute", "opus-libwebrtc-mute"] {
        let packets = captured(name)?;
        for (rate, hertz) in SampleRate::ALL.into_iter().zip(0..) {
            let name = format!("{name}-{}", rate.get());
            seeds.push(seed(&name, hertz, &packets));
        }
    }
    for (name, rate, bit_rate) in [
        ("silk", SampleRate::HZ_16000, 16_000),
        ("hybrid", SampleRate::HZ_24000, 28_000),
        ("celt", SampleRate::HZ_48000, 64_000),
    ] {
        let packets = noise(rate, bit_rate)?;
        seeds.push(seed(name, 0x85, &packets));
    }
    Ok(seeds)
}

/// With a gap of 60 ms in front of each seventh packet.
fn seed(name: &str, format: u8, packets: &[Vec<u8>]) -> Seed {
    let mut input = vec![format];
    for (packet, number) in packets.iter().zip(1_u32..) {
        let gap = if number.is_multiple_of(7) { 24 } else { 0 };
        let length = u16::try_from(packet.len()).expect("a packet fits a datagram");
        input.push(gap);
        input.extend(length.to_le_bytes());
        input.extend(packet);
    }
    Seed::new("decode_opus", name, input)
}

#[expect(clippy::disallowed_methods, reason = "the arrival means nothing here")]
fn captured(name: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut steps = capture::in_order(capture::packets(name, Instant::now())?);
    steps.truncate(20);
    let units = Depacketized::of(steps).units;
    Ok(units.iter().map(|unit| unit.data.to_vec()).collect())
}

/// Seven frames.
fn noise(rate: SampleRate, bit_rate: u32) -> anyhow::Result<Vec<Vec<u8>>> {
    let settings = Settings {
        bit_rate: Some(bit_rate),
        complexity: 5,
    };
    let format = AudioFormat::new(rate, Channels::Mono);
    let mut encoder = OpusEncoder::new(format, settings)?;
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(state.to_be_bytes()[0]) / 1_024.0 - 0.125
    };
    let sound: Vec<f32> = std::iter::repeat_with(next)
        .take(encoder.frame() * 7)
        .collect();
    let frames = sound.chunks(encoder.frame());
    frames
        .map(|frame| Ok(encoder.encode(frame)?.to_vec()))
        .collect()
}
