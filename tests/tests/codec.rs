//! Decoders and encoders, judged by opusdec and by ffmpeg, whose Opus decoder is not libopus.

use std::path::Path;

use bytes::Bytes;
use tempfile::TempDir;
use trackmill::codec::decoder;
use trackmill::codec::encode::{OpusEncoder, Settings};
use trackmill::codec::g711::Law;
use trackmill::codec::sample::{from_s16le, to_i16};
use trackmill::media::{
    AccessUnit, AudioFormat, Channels, Codec, Integrity, NtpTimestamp, Pts, SampleRate,
};
use trackmill::mux::ogg::Ogg;
use trackmill::mux::{Metadata, Muxer};
use trackmill_tests::file::Growing;
use trackmill_tests::inspect::opusdec;
use trackmill_tests::probe::ffmpeg;

use crate::ogg::opus_packets;

#[test]
fn every_code_of_g711_stands_for_what_ffmpeg_says() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    for (law, name) in [(Law::Mu, "mulaw"), (Law::A, "alaw")] {
        let codes: Vec<u8> = (0..=u8::MAX).collect();
        let path = folder.path().join(name);
        std::fs::write(&path, &codes)?;

        let theirs = samples(&path, &["-f", name, "-ar", "8000"], &[])?;

        let ours = codes.iter().map(|code| law.decode(*code));
        assert_eq!(ours.collect::<Vec<_>>(), theirs, "{name}");
    }
    Ok(())
}

/// Each mode of Opus, mono and stereo, and sizes of frames that browsers send.
#[test]
fn opus_sounds_as_it_does_to_opusdec() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    for (application, channels, bits, millis) in [
        ("voip", "1", "16k", "20"),
        ("voip", "1", "28k", "60"),
        ("audio", "2", "96k", "20"),
        ("lowdelay", "2", "64k", "2.5"),
    ] {
        let coding = ["-application", application, "-frame_duration", millis];
        // opusdec clips softly, and we do not: nothing may be that loud.
        let size = ["-ac", channels, "-b:a", bits, "-af", "volume=0.5"];
        let packets = opus_packets(folder.path(), &[&coding[..], &size].concat())?;
        let mut decoder = decoder(Codec::Opus, AudioFormat::OPUS)?;
        let mut ours = Vec::new();
        for packet in &packets {
            decoder.decode(packet, &mut ours)?;
        }

        let theirs = opusdec(&folder.path().join("theirs.ogg"))?.concat();

        // It leaves out the pre-skip, which depends on the mode, and what lies behind the end.
        let ours: Vec<i16> = ours.into_iter().map(to_i16).collect();
        let skipped = if application == "lowdelay" { 120 } else { 312 };
        let (_, ours) = ours.split_at(2 * skipped);
        assert!(
            (500_000..=ours.len()).contains(&theirs.len()),
            "{application}"
        );
        let off = ours.iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).max();
        // Its libopus is another version, with other vector instructions.
        assert!(off <= Some(16), "{application} {bits}: {off:?}");
    }
    Ok(())
}

/// G.711 becomes Ogg: decoded, resampled, encoded, muxed, and in its place to the sample.
#[test]
fn a_telephone_is_heard_in_an_ogg_file() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let format = AudioFormat::new(SampleRate::HZ_48000, Channels::Mono);
    let mut decoder = decoder(Codec::Pcmu, format)?;
    let settings = Settings {
        bit_rate: Some(64_000),
        complexity: 10,
    };
    let mut encoder = OpusEncoder::new(format, settings)?;
    let mut muxer = Ogg::new(&metadata());
    for (unit, number) in telephone().chunks(160).zip(0..) {
        let mut sound = Vec::new();
        decoder.decode(unit, &mut sound)?;
        muxer.write(&access_unit(number * 960, encoder.encode(&sound)?))?;
    }
    muxer.finish(Pts(5 * 48_000));
    let mut file = Growing::default();
    file.drain(&mut muxer);
    let path = folder.path().join("telephone.ogg");
    file.write_to(&path)?;

    let heard = samples(&path, &["-c:a", "opus"], &["-ac", "1"])?;

    assert_eq!(heard.len(), 5 * 48_000 - usize::from(encoder.pre_skip()));
    let heard = heard.get(decoder.delay()..).unwrap_or_default();
    let expected: Vec<i16> = (0..heard.len()).map(|at| note(at, 48_000)).collect();
    let second = 48_000..;
    let ratio = signal_to_noise(&expected[second.clone()], &heard[second]);
    assert!(ratio > 20.0, "{ratio} dB");
    Ok(())
}

/// Five seconds of 440 Hz.
fn telephone() -> Vec<u8> {
    (0..40_000)
        .map(|at| Law::Mu.encode(note(at, 8_000)))
        .collect()
}

#[expect(clippy::cast_possible_truncation, reason = "a sample fits")]
fn note(at: usize, rate: u32) -> i16 {
    let phase = std::f64::consts::TAU * 440.0 * at as f64 / f64::from(rate);
    (phase.sin() * 10_000.0).round() as i16
}

/// What ffmpeg makes of a file: the samples of all channels.
fn samples(path: &Path, input: &[&str], output: &[&str]) -> anyhow::Result<Vec<i16>> {
    let raw = path.with_extension("s16le");
    let options = input.iter().map(Path::new);
    let file = [Path::new("-i"), path];
    let format = output.iter().chain(&["-f", "s16le"]).map(Path::new);
    ffmpeg(options.chain(file).chain(format).chain([&*raw]))?;
    let mut samples = Vec::new();
    from_s16le(&std::fs::read(raw)?, &mut samples);
    Ok(samples.into_iter().map(to_i16).collect())
}

/// In decibels.
fn signal_to_noise(expected: &[i16], found: &[i16]) -> f64 {
    let signal: f64 = expected.iter().map(|a| f64::from(*a).powi(2)).sum();
    let pairs = expected.iter().zip(found);
    let noise: f64 = pairs
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum();
    10.0 * (signal / noise.max(1.0)).log10()
}

fn access_unit(pts: u64, data: Bytes) -> AccessUnit {
    AccessUnit {
        pts: Pts(pts),
        is_keyframe: true,
        integrity: Integrity::Whole,
        data,
    }
}

fn metadata() -> Metadata {
    Metadata {
        codec: Codec::Opus,
        room: "room".to_owned(),
        participant: "telephone".to_owned(),
        track: "TR_AMg7".to_owned(),
        started_at: NtpTimestamp(0xee00_0000_8000_0000),
    }
}
