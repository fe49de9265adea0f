use std::time::Instant;

use trackmill::codec::encode::{OpusEncoder, Settings};
use trackmill::media::{AudioFormat, Channels, Codec, Pts, SampleRate};
use trackmill::mux::{Container, for_codec};

use super::{Seed, files};
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

/// A moment in each kind of WAV file, and Opus in Ogg.
pub(super) fn played() -> anyhow::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for (name, tag, bits, hertz) in [
        ("u8", 1_u16, 8_u16, 8_000_u32),
        ("i16", 1, 16, 44_100),
        ("i24", 1, 24, 48_000),
        ("i32", 1, 32, 11_025),
        ("f32", 3, 32, 96_000),
        ("f64", 3, 64, 16_000),
        ("a-law", 6, 8, 8_000),
        ("mu-law", 7, 8, 8_000),
    ] {
        seeds.push(Seed::new("read_sound", name, wav((tag, bits, hertz))));
    }
    let mut ogg = for_codec(Container::Ogg, files::metadata(Codec::Opus));
    for (packet, number) in noise(SampleRate::HZ_48000, 32_000)?.into_iter().zip(0..) {
        let pts = Pts(number * 960);
        ogg.write(&files::unit_of(pts, packet.into()))?;
    }
    ogg.finish(Pts(6_000));
    let ogg = files::applied(&files::drain(&mut *ogg));
    seeds.push(Seed::new("read_sound", "ogg", ogg));
    Ok(seeds)
}

/// 600 bytes of sound behind a chunk that nobody needs.
fn wav((tag, bits, hertz): (u16, u16, u32)) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
    file.extend([tag.to_le_bytes(), [2, 0]].as_flattened());
    file.extend(hertz.to_le_bytes());
    file.extend([0; 6]);
    file.extend(bits.to_le_bytes());
    file.extend(b"data\x58\x02\0\0");
    file.extend((0..600_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]));
    file
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
