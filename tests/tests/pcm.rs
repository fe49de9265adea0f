//! Decoded sound in WAV and raw files, judged by ffmpeg and mediainfo (media.md §7).

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;
use trackmill::media::{
    AccessUnit, AudioFormat, Channels, Codec, Integrity, NtpTimestamp, Pts, SampleRate,
};
use trackmill::mux::recovery::{Source, repair_named};
use trackmill::mux::wav::recover;
use trackmill::mux::{Container, Metadata, Muxer, Output, for_pcm};
use trackmill_tests::file::Growing;
use trackmill_tests::fuzz;
use trackmill_tests::probe::{ffmpeg, ffprobe, mediainfo, run};
use trackmill_tests::sparse::Sparse;

use crate::ogg::Random;

/// §7: the samples are those that were written, and every tool knows what they are.
#[test]
fn pcm_files_hold_what_was_decoded() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    for rate in SampleRate::ALL {
        for channels in [Channels::Mono, Channels::Stereo] {
            let format = AudioFormat::new(rate, channels);
            let sound = sweep(folder.path(), format)?;

            let wav = record(Container::Wav, format, &units(format, &sound), Some(0));
            let raw = record(Container::Pcm, format, &units(format, &sound), Some(0));

            assert_eq!(raw.bytes(), sound);
            let path = folder.path().join("ours.wav");
            wav.write_to(&path)?;
            let stream = &ffprobe(&path)?["streams"][0];
            assert_eq!(stream["codec_name"], "pcm_s16le");
            assert_eq!(stream["sample_rate"], rate.get().to_string());
            assert_eq!(stream["channels"], channels.count());
            assert_eq!(stream["duration"], "3.500000");
            assert_eq!(mediainfo(&path)?["media"]["track"][0]["Duration"], "3.500");
            assert!(samples(&path)? == sound, "{format:?}");
            assert!(recover(&wav.bytes())?.outputs.is_empty());
        }
    }
    Ok(())
}

/// T3: file time is wall time at every rate; a hole is silence, and an overlap shortens the next.
#[test]
fn pcm_holes_are_silent() {
    for format in [MONO, AudioFormat::OPUS] {
        let second = usize::try_from(format.rate.get()).expect("it is small") * bytes(format);
        let unit = |millis: u64, fill: u8| unit(Pts(millis * 48), &vec![fill; second / 50]);
        let units = [unit(0, 1), unit(10, 2), unit(100, 3), unit(600_000, 4)];

        let file = record(Container::Pcm, format, &units, Some(48_000 * 601));

        let sound = file.bytes();
        assert_eq!(sound.len(), 601 * second);
        let is_all = |from: usize, to: usize, byte: u8| {
            let part = &sound[from * second / 1_000..to * second / 1_000];
            part.iter().all(|found| *found == byte)
        };
        assert!(is_all(0, 20, 1) && is_all(20, 40, 2) && is_all(40, 100, 0));
        assert!(is_all(100, 120, 3) && is_all(120, 600_000, 0));
        assert!(is_all(600_000, 600_020, 4) && is_all(600_020, 601_000, 0));
    }
}

/// §7: a killed file says how much sound it holds, to a second.
#[test]
fn pcm_files_are_right_at_every_second() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("growing.wav");
    let sound = sweep(folder.path(), AudioFormat::OPUS)?;
    let mut muxer = muxer(Container::Wav, AudioFormat::OPUS);
    let mut file = Growing::default();
    file.drain(&mut *muxer);
    let header = file.bytes().len();
    for (unit, number) in units(AudioFormat::OPUS, &sound).iter().zip(1..) {
        muxer.write(unit)?;
        file.drain(&mut *muxer);
        let seconds = number / 50;
        assert_eq!(file.bytes().len(), header + seconds * 192_000);
        if number % 50 == 0 {
            file.write_to(&path)?;
            let duration = &ffprobe(&path)?["format"]["duration"];
            assert_eq!(*duration, format!("{seconds}.000000"));
        }
    }
    Ok(())
}

/// §7: ten hours at 48 kHz in stereo are 6.9 GB, of which the first 4 GiB are a WAV file and all are
/// an RF64 file. Each prefix is right, and the kill of a process in the 7th hour costs nothing.
#[test]
fn ten_hours_of_pcm_cross_4_gib() -> anyhow::Result<()> {
    let format = AudioFormat::OPUS;
    let second = vec![0x11; 192_000];
    let mut muxer = muxer(Container::Wav, format);
    let mut file = Sparse::keeping(1 << 10, 64);
    file.drain(&mut *muxer);
    let header = file.len();
    let mut kinds = Vec::new();
    for hour in 1..=10 {
        for number in (hour - 1) * 3_600..hour * 3_600 {
            muxer.write(&unit(Pts(number * 48_000), &second))?;
            file.drain(&mut *muxer);
        }
        assert_eq!(file.len(), header + hour * 3_600 * 192_000);
        assert_eq!(seconds_in_header(&file)?, hour * 3_600);
        let repair = recover(&file)?;
        assert!(repair.outputs.is_empty(), "a killed file is right");
        assert_eq!(repair.duration.as_secs(), hour * 3_600);
        let mut kind = [0; 4];
        file.read_at(0, &mut kind)?;
        kinds.push(kind);
    }
    muxer.finish(Pts(0));
    file.drain(&mut *muxer);

    assert_eq!(kinds[..6], [*b"RIFF"; 6], "4 GiB are 6.2 hours");
    assert_eq!(kinds[6..], [*b"RF64"; 4]);
    assert_eq!(file.len(), header + 36_000 * 192_000);
    assert_eq!(seconds_in_header(&file)?, 36_000);
    Ok(())
}

/// §7: a file cut anywhere, also within a sample, is repaired, with all the samples that are whole.
#[test]
fn pcm_files_cut_anywhere_are_repaired() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("cut.wav");
    let mut random = Random(11);
    for format in [MONO, AudioFormat::OPUS] {
        let sound = sweep(folder.path(), format)?;
        let torn = record(Container::Wav, format, &units(format, &sound), None);
        let header = torn.bytes().len() - sound.len();
        for round in 0..100 {
            let cut = header + 4 + random.index(sound.len() - 4);
            let mut file = Growing::from_bytes(&torn.bytes()[..cut]);
            let whole = (cut - header) / bytes(format) * bytes(format);

            let repair = recover(&file.bytes())?;

            let samples_in = (whole / bytes(format)) as u64;
            assert_eq!(repair.duration, format.rate.duration(samples_in));
            file.repair(repair);
            assert!(recover(&file.bytes())?.outputs.is_empty());
            if round % 20 == 0 {
                file.write_to(&path)?;
                assert!(samples(&path)? == sound[..whole], "{format:?} {cut}");
            }
        }
    }
    Ok(())
}

/// A raw file has nothing but its name; it ends with a whole sample. How long it is is known if its
/// samples are.
#[test]
fn raw_files_are_cut_behind_a_whole_sample() -> anyhow::Result<()> {
    let ms = Duration::from_millis;
    for (len, samples, kept, lasts) in [
        (4, None, 4, ms(0)),
        (5, None, 4, ms(0)),
        (1_923, None, 1_920, ms(0)),
        (1_923, Some(AudioFormat::OPUS), 1_920, ms(10)),
        (1_923, Some(MONO), 1_922, ms(60)),
        (2, Some(MONO), 2, ms(0)),
    ] {
        let torn = vec![7; len];

        let repair = repair_named(&torn.as_slice(), "pcm", samples)?;

        assert_eq!((repair.keep, repair.outputs.len()), (kept, 0));
        assert!(repair.duration.abs_diff(lasts) < ms(1), "{repair:?}");
    }
    assert!(repair_named(&&[0; 3][..], "pcm", None).is_err());
    assert!(repair_named(&&[0; 400][..], "wav", None).is_err());
    Ok(())
}

#[test]
fn other_containers_hold_no_pcm() {
    for container in [Container::Ogg, Container::Mp4, Container::WebM] {
        assert!(for_pcm(container, MONO, &metadata()).is_none());
    }
}

proptest! {
    /// Recovery takes whatever the disk gives, and what it repairs needs no other repair.
    #[test]
    fn pcm_recovery_survives_damage(
        damage in prop::collection::vec((0..300_usize, any::<u8>()), 0..8),
        len in 0..2_000_usize,
    ) {
        let file = record(Container::Wav, AudioFormat::OPUS, &[unit(Pts(0), &[7; 1_600])], Some(0));
        let mut file = file.bytes().to_vec();
        for (at, byte) in damage {
            file[at] = byte;
        }
        file.truncate(len);
        fuzz::recover_wav(&file);
    }
}

/// Writes all units, and ends the track if it has an end.
fn record(
    container: Container,
    format: AudioFormat,
    units: &[AccessUnit],
    end: Option<u64>,
) -> Growing {
    let mut muxer = muxer(container, format);
    let mut file = Growing::default();
    for unit in units {
        muxer.write(unit).expect("whole samples");
        file.drain(&mut *muxer);
    }
    match end {
        Some(end) => muxer.finish(Pts(end)),
        None => muxer.flush(),
    }
    while let Some(output) = muxer.poll_output() {
        if let Output::Append(bytes) = &output {
            assert!(bytes.len() < 200_000, "a second at a time");
        }
        file.apply(output);
    }
    file
}

fn muxer(container: Container, format: AudioFormat) -> Box<dyn Muxer> {
    for_pcm(container, format, &metadata()).expect("it holds PCM")
}

/// Three and a half seconds of sound.
fn sweep(folder: &Path, format: AudioFormat) -> anyhow::Result<Vec<u8>> {
    let path = folder.join("theirs.raw");
    let rate = format.rate.get();
    let channel = "sin(500*t*t)";
    let channels = vec![channel; format.channels.count()].join("|");
    let source = format!("aevalsrc='{channels}':s={rate}:d=3.5");
    let arguments = ["-f", "lavfi", "-i", &source, "-f", "s16le"].map(Path::new);
    ffmpeg(arguments.into_iter().chain([&*path]))?;
    Ok(std::fs::read(path)?)
}

/// The samples, taken out by ffmpeg.
fn samples(wav: &Path) -> anyhow::Result<Vec<u8>> {
    let path = wav.with_extension("raw");
    let copy = ["-c", "copy", "-f", "s16le"].map(Path::new);
    let input = [Path::new("-i"), wav];
    ffmpeg(input.into_iter().chain(copy).chain([&*path]))?;
    Ok(std::fs::read(path)?)
}

/// How long the file plays according to ffprobe, which gets its head and its length.
fn seconds_in_header(file: &Sparse) -> anyhow::Result<u64> {
    let folder = TempDir::new()?;
    let path = folder.path().join("large.wav");
    let mut head = vec![0; 4_096];
    file.read_at(0, &mut head)?;
    let mut disk = File::create(&path)?;
    disk.write_all(&head)?;
    disk.set_len(file.len())?;
    let mut command = std::process::Command::new("ffprobe");
    let entry = ["-v", "error", "-show_entries", "format=duration"];
    let output = run(command.args(entry).args(["-of", "csv=p=0"]).arg(path))?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.trim().trim_end_matches(".000000").parse()?)
}

/// 20 ms each.
fn units(format: AudioFormat, sound: &[u8]) -> Vec<AccessUnit> {
    let samples = u64::from(format.rate.get() / 50);
    let len = usize::try_from(samples).expect("it is small") * bytes(format);
    let chunks = sound.chunks(len).zip(0..);
    chunks
        .map(|(chunk, index)| unit(Pts(format.rate.ticks(index * samples)), chunk))
        .collect()
}

fn unit(pts: Pts, data: &[u8]) -> AccessUnit {
    AccessUnit {
        pts,
        is_keyframe: true,
        integrity: Integrity::Whole,
        data: Bytes::copy_from_slice(data),
    }
}

/// Bytes of a sample of all channels.
const fn bytes(format: AudioFormat) -> usize {
    format.values(2)
}

fn metadata() -> Metadata {
    Metadata {
        codec: Codec::Opus,
        room: "küche".to_owned(),
        participant: "alice".to_owned(),
        track: "TR_AMg7".to_owned(),
        started_at: NtpTimestamp(0xee00_0000_8000_0000),
    }
}

const MONO: AudioFormat = AudioFormat::new(SampleRate::HZ_16000, Channels::Mono);
