//! What sound costs: an item is 20 ms of one track.

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use trackmill::codec::decoder;
use trackmill::codec::encode::{OpusEncoder, Settings};
use trackmill::codec::resample::Converter;
use trackmill::codec::sample::{from_s16le, to_s16le};
use trackmill::media::{AudioFormat, Channels, Codec, SampleRate};

/// Opus, noise at 32 kbit/s, to a rate and a number of channels.
#[divan::bench(args = [(48_000, 1), (48_000, 2), (16_000, 1), (8_000, 1)])]
fn decode_opus(bencher: Bencher<'_, '_>, (rate, channels): (u32, usize)) {
    let format = format(rate, channels);
    let packets = encoded(AudioFormat::new(SampleRate::HZ_48000, format.channels));
    bencher
        .counter(ItemsCount::new(FRAMES))
        .with_inputs(|| decoder(Codec::Opus, format).expect("a format of Opus"))
        .bench_local_values(|mut decoder| {
            let mut out = Vec::with_capacity(format.values(SECOND));
            for packet in &packets {
                out.clear();
                decoder.decode(packet, &mut out).expect("a whole packet");
                black_box(&out);
            }
            decoder
        });
}

/// PCMU to a rate, with the resampling.
#[divan::bench(args = [8_000, 16_000, 48_000])]
fn decode_g711(bencher: Bencher<'_, '_>, rate: u32) {
    let format = format(rate, 1);
    bencher
        .counter(ItemsCount::new(FRAMES))
        .with_inputs(|| decoder(Codec::Pcmu, format).expect("it is sound"))
        .bench_local_values(|mut decoder| {
            let mut out = Vec::with_capacity(format.values(SECOND));
            for frame in 0..FRAMES {
                out.clear();
                let unit = [u8::try_from(frame).unwrap_or(0); 160];
                decoder.decode(&unit, &mut out).expect("all is sound");
                black_box(&out);
            }
            decoder
        });
}

/// At 32 kbit/s a channel.
#[divan::bench(args = [(1, 5), (1, 10), (2, 5), (2, 10)])]
fn encode_opus(bencher: Bencher<'_, '_>, (channels, complexity): (usize, u8)) {
    let format = format(48_000, channels);
    let sound = noise(format);
    bencher
        .counter(ItemsCount::new(FRAMES))
        .with_inputs(|| OpusEncoder::new(format, settings(format, complexity)).expect("legal"))
        .bench_local_values(|mut encoder| {
            for frame in sound.chunks_exact(format.values(encoder.frame())) {
                black_box(encoder.encode(frame).expect("a whole frame"));
            }
            encoder
        });
}

/// Mono.
#[divan::bench(args = [(48_000, 16_000), (16_000, 48_000), (8_000, 16_000), (48_000, 44_100)])]
fn resample(bencher: Bencher<'_, '_>, (from, to): (u32, u32)) {
    let (from, to) = (format(from, 1), format(to, 1));
    let sound = noise(from);
    bencher
        .counter(ItemsCount::new(FRAMES))
        .with_inputs(|| Converter::new(from, to))
        .bench_local_values(|mut converter| {
            let mut out = Vec::with_capacity(to.values(SECOND));
            for frame in sound.chunks_exact(sound.len() / FRAMES) {
                out.clear();
                converter.push(frame, &mut out);
                black_box(&out);
            }
            converter
        });
}

/// 48 kHz stereo to 16-bit bytes and back.
#[divan::bench]
fn to_16_bits(bencher: Bencher<'_, '_>) {
    let sound = noise(AudioFormat::OPUS);
    bencher.counter(ItemsCount::new(FRAMES)).bench_local(|| {
        let mut out = Vec::with_capacity(4 * SECOND);
        to_s16le(black_box(&sound), &mut out);
        out
    });
}

/// The other way.
#[divan::bench]
fn from_16_bits(bencher: Bencher<'_, '_>) {
    let mut bytes = Vec::new();
    to_s16le(&noise(AudioFormat::OPUS), &mut bytes);
    bencher.counter(ItemsCount::new(FRAMES)).bench_local(|| {
        let mut out = Vec::with_capacity(2 * SECOND);
        from_s16le(black_box(&bytes), &mut out);
        out
    });
}

fn format(hertz: u32, channels: usize) -> AudioFormat {
    AudioFormat {
        rate: SampleRate::new(hertz).expect("a known rate"),
        channels: Channels::new(channels).expect("one or two"),
    }
}

fn encoded(format: AudioFormat) -> Vec<Bytes> {
    let mut encoder = OpusEncoder::new(format, settings(format, 5)).expect("legal settings");
    let sound = noise(format);
    let frames = sound.chunks_exact(format.values(encoder.frame()));
    frames
        .map(|frame| encoder.encode(frame).expect("a whole frame"))
        .collect()
}

fn settings(format: AudioFormat, complexity: u8) -> Settings {
    let channels = u32::try_from(format.channels.count()).expect("one or two");
    Settings {
        bit_rate: Some(32_000 * channels),
        complexity,
    }
}

/// A second of noise that comes and goes like syllables, so that no codec takes it easy.
fn noise(format: AudioFormat) -> Vec<f32> {
    let mut state = 1_u32;
    let len = format.values(format.rate.get() as usize);
    let syllable = len / 5;
    (0..len)
        .map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [high, ..] = state.to_be_bytes();
            let loudness = (at % syllable) as f32 / syllable as f32;
            (f32::from(high) / 256.0 - 0.5) * loudness
        })
        .collect()
}

/// Frames of an iteration, which is a second.
const FRAMES: usize = 50;

/// Samples per channel at the highest rate.
const SECOND: usize = 48_000;
