//! WAV files, judged by ffmpeg and mediainfo (media.md §7).

use std::fs::File;
use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;
use trackmill::media::{AccessUnit, ClockRate, Codec, Integrity, NtpTimestamp, Pts};
use trackmill::mux::recovery::Source;
use trackmill::mux::wav::{Wav, recover};
use trackmill::mux::{Metadata, Muxer, Output};
use trackmill_tests::file::Growing;
use trackmill_tests::fuzz;
use trackmill_tests::probe::{ffmpeg, ffprobe, mediainfo};
use trackmill_tests::sparse::Sparse;

use crate::ogg::Random;

/// §7: the bytes are those that were sent, and every tool knows what they are.
#[test]
fn wav_holds_sound_as_it_came() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    for (codec, name, format) in [
        (Codec::Pcmu, "pcm_mulaw", "mulaw"),
        (Codec::Pcma, "pcm_alaw", "alaw"),
    ] {
        let sound = g711(folder.path(), format)?;

        let file = record(codec, &units(&sound), Some(0));

        let path = folder.path().join("ours.wav");
        file.write_to(&path)?;
        let probe = ffprobe(&path)?;
        assert_eq!(probe["streams"][0]["codec_name"], name);
        assert_eq!(probe["format"]["duration"], "3.500000");
        assert_eq!(probe["format"]["tags"]["title"], "küche");
        assert_eq!(mediainfo(&path)?["media"]["track"][0]["Duration"], "3.500");
        assert_eq!(raw(&path, format)?, sound, "{name}");
        assert!(recover(&file.bytes())?.outputs.is_empty());
    }
    Ok(())
}

/// T3: file time is wall time; a hole is silence, and an overlap shortens the next.
#[test]
fn wav_holes_are_silent() {
    for (codec, silence) in [(Codec::Pcmu, 0xff), (Codec::Pcma, 0xd5)] {
        let units = [(0, 1), (80, 2), (1_000, 3), (8_000 * 600, 4)];
        let units: Vec<_> = units.map(|(pts, fill)| unit(pts, &[fill; 160])).into();

        let file = record(codec, &units, Some(8_000 * 601));

        let sound = &file.bytes()[file.bytes().len() - 8_000 * 601..];
        let is_all = |from: usize, to: usize, byte: u8| sound[from..to].iter().all(|b| *b == byte);
        assert!(is_all(0, 160, 1) && is_all(160, 320, 2) && is_all(320, 1_000, silence));
        assert!(is_all(1_000, 1_160, 3) && is_all(1_160, 8_000 * 600, silence));
        assert!(is_all(8_000 * 600, 8_000 * 600 + 160, 4));
        assert!(is_all(8_000 * 600 + 160, sound.len(), silence));
    }
}

/// §7: a killed file says how much sound it holds, to a second.
#[test]
fn wav_files_are_right_at_every_second() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("growing.wav");
    let sound = g711(folder.path(), "mulaw")?;
    let mut muxer = Wav::new(&metadata(Codec::Pcmu));
    let mut file = Growing::default();
    let header = {
        file.drain(&mut muxer);
        file.bytes().len()
    };
    for (index, unit) in units(&sound).iter().enumerate() {
        muxer.write(unit)?;
        file.drain(&mut muxer);
        let seconds = (index + 1) / 50;
        assert_eq!(file.bytes().len(), header + seconds * 8_000);
        if (index + 1) % 50 == 0 {
            file.write_to(&path)?;
            assert_eq!(
                ffprobe(&path)?["format"]["duration"],
                format!("{seconds}.000000")
            );
        }
    }
    muxer.flush();
    file.drain(&mut muxer);
    assert_eq!(file.bytes().len(), header + sound.len());
    Ok(())
}

/// §7: above 4 GiB the sizes have 64 bits.
#[test]
fn wav_files_above_4_gib_are_rf64() -> anyhow::Result<()> {
    let mut muxer = Wav::new(&metadata(Codec::Pcma));
    let mut file = Sparse::default();
    let sound = Bytes::from(vec![0xd5; 64 << 20]);
    for index in 0..65 {
        let data = sound.clone();
        let unit = AccessUnit {
            data,
            ..unit(index * (64 << 20), &[])
        };
        muxer.write(&unit)?;
        file.drain(&mut muxer);
    }

    muxer.finish(Pts(0));

    file.drain(&mut muxer);
    let folder = TempDir::new()?;
    let path = folder.path().join("large.wav");
    let mut head = vec![0; 4_096];
    file.read_at(0, &mut head)?;
    let mut disk = File::create(&path)?;
    disk.write_all(&head)?;
    disk.set_len(file.len())?;
    let seconds = format!("{}.000000", (65_u64 << 26) / 8_000);
    let duration = ffprobe_head(&path)?;
    assert_eq!(duration.split('.').next(), seconds.split('.').next());
    let repair = recover(&file)?;
    assert!(repair.outputs.is_empty());
    assert_eq!(repair.duration, ClockRate::G711.duration(65 << 26));
    Ok(())
}

/// §7: a file cut anywhere is repaired, with all the sound that is there.
#[test]
fn wav_files_cut_anywhere_are_repaired() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("cut.wav");
    let sound = g711(folder.path(), "mulaw")?;
    let torn = record(Codec::Pcmu, &units(&sound), None);
    let header = torn.bytes().len() - sound.len();
    let mut random = Random(9);
    for round in 0..100 {
        let cut = header + 1 + random.index(sound.len() - 1);
        let mut file = Growing::from_bytes(&torn.bytes()[..cut]);

        let repair = recover(&file.bytes())?;

        assert_eq!(
            repair.duration,
            ClockRate::G711.duration((cut - header) as u64)
        );
        file.repair(repair);
        assert!(recover(&file.bytes())?.outputs.is_empty());
        if round % 20 == 0 {
            file.write_to(&path)?;
            assert_eq!(raw(&path, "mulaw")?, sound[..cut - header]);
        }
    }
    Ok(())
}

proptest! {
    /// Recovery takes whatever the disk gives, and what it repairs needs no other repair.
    #[test]
    fn wav_recovery_survives_damage(
        damage in prop::collection::vec((0..300_usize, any::<u8>()), 0..8),
        len in 0..2_000_usize,
    ) {
        let mut file = record(Codec::Pcmu, &[unit(0, &[7; 1_601])], Some(0)).bytes().to_vec();
        for (at, byte) in damage {
            file[at] = byte;
        }
        file.truncate(len);
        fuzz::recover_wav(&file);
    }
}

/// Writes all units, and ends the track if it has an end.
fn record(codec: Codec, units: &[AccessUnit], end: Option<u64>) -> Growing {
    let mut muxer = Wav::new(&metadata(codec));
    let mut file = Growing::default();
    for unit in units {
        muxer.write(unit).expect("a legal unit");
        file.drain(&mut muxer);
    }
    match end {
        Some(end) => muxer.finish(Pts(end)),
        None => muxer.flush(),
    }
    while let Some(output) = muxer.poll_output() {
        if let Output::Append(bytes) = &output {
            assert!(bytes.len() < 10_000, "a second at a time");
        }
        file.apply(output);
    }
    file
}

/// Three and a half seconds of sound.
fn g711(folder: &Path, format: &str) -> anyhow::Result<Vec<u8>> {
    let path = folder.join("theirs.raw");
    let source = "aevalsrc='sin(500*t*t)':s=8000:d=3.5";
    let arguments = ["-f", "lavfi", "-i", source, "-f", format].map(Path::new);
    ffmpeg(arguments.into_iter().chain([&*path]))?;
    Ok(std::fs::read(path)?)
}

/// The coded sound, taken out by ffmpeg.
fn raw(wav: &Path, format: &str) -> anyhow::Result<Vec<u8>> {
    let path = wav.with_extension("raw");
    let copy = ["-c", "copy", "-f", format].map(Path::new);
    ffmpeg(
        [Path::new("-i"), wav]
            .into_iter()
            .chain(copy)
            .chain([&*path]),
    )?;
    Ok(std::fs::read(path)?)
}

/// What ffprobe takes from the header alone.
fn ffprobe_head(path: &Path) -> anyhow::Result<String> {
    let mut command = std::process::Command::new("ffprobe");
    let entries = [
        "-v",
        "error",
        "-show_entries",
        "format=duration",
        "-of",
        "csv=p=0",
    ];
    let output = trackmill_tests::probe::run(command.args(entries).arg(path))?;
    Ok(String::from_utf8(output.stdout)?)
}

fn units(sound: &[u8]) -> Vec<AccessUnit> {
    let chunks = sound.chunks(160).zip(0..);
    chunks
        .map(|(chunk, index)| unit(index * 160, chunk))
        .collect()
}

fn unit(pts: u64, data: &[u8]) -> AccessUnit {
    AccessUnit {
        pts: Pts(pts),
        is_keyframe: true,
        integrity: Integrity::Whole,
        data: Bytes::copy_from_slice(data),
    }
}

fn metadata(codec: Codec) -> Metadata {
    Metadata {
        codec,
        room: "küche".to_owned(),
        participant: "alice".to_owned(),
        track: "TR_AMg7".to_owned(),
        started_at: NtpTimestamp(0xee00_0000_8000_0000),
    }
}
