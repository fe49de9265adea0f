//! WebM files, judged by ffmpeg, mkvinfo, mediainfo and crate `matroska` (media.md W1 to W4).

use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use matroska::Matroska;
use proptest::prelude::*;
use tempfile::TempDir;
use trackmill::bitstream::{vp8, vp9};
use trackmill::media::{AccessUnit, Codec, Integrity, NtpTimestamp, Pts};
use trackmill::mux::webm::{WebM, recover};
use trackmill::mux::{Metadata, Muxer};
use trackmill_tests::clip::Clip;
use trackmill_tests::file::Growing;
use trackmill_tests::fuzz;
use trackmill_tests::inspect::mkvinfo;
use trackmill_tests::probe::{decode, ffmpeg, ffprobe, mediainfo};

use crate::ogg::{Random, opus_packets, units};

/// W3, W4: every picture is there as it came, at its time, and no tool complains.
#[test]
fn webm_holds_pictures_as_they_came() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("ours.webm");
    for (codec, name) in [
        (Codec::Vp8, "vp8"),
        (Codec::Vp9, "vp9"),
        (Codec::Av1, "av1"),
    ] {
        let pictures = pictures(codec, folder.path())?;
        let end = 3_000 * pictures.len() as u64;

        record(codec, &pictures, end).write_to(&path)?;

        mkvinfo(&path)?;
        assert_eq!(decode(&path)?, pictures.len() as u64, "{name}");
        let probe = ffprobe(&path)?;
        let stream = &probe["streams"][0];
        assert_eq!(stream["codec_name"], name);
        assert_eq!([&stream["width"], &stream["height"]], [320, 180]);
        assert_eq!(probe["format"]["duration"], "2.500000");
        assert_eq!(probe["format"]["tags"]["ROOM"], "küche");
        for (packet, unit) in packets(&probe).iter().zip(&pictures) {
            let time = packet["pts"].as_u64().context("a time")?;
            assert_eq!(time, (unit.pts.0 + 45) / 90);
            let is_keyframe = packet["flags"].as_str().is_some_and(|f| f.contains('K'));
            assert_eq!(is_keyframe, unit.is_keyframe);
        }
        if codec != Codec::Av1 {
            let out = folder.path().join("out.ivf");
            ffmpeg([Path::new("-i"), &path, "-c".as_ref(), "copy".as_ref(), &out])?;
            let found = ivf_frames(&std::fs::read(out)?)?;
            let wanted: Vec<_> = pictures.iter().map(|unit| unit.data.clone()).collect();
            assert_eq!(found, wanted, "{name}");
        }
    }
    Ok(())
}

/// W3: what the file says about itself is what another reader finds.
#[test]
fn webm_says_what_it_holds() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("ours.webm");
    let pictures = pictures(Codec::Vp8, folder.path())?;

    let file = record(Codec::Vp8, &pictures, 225_000);

    let read = Matroska::open(Cursor::new(file.bytes()))?;
    assert_eq!(read.info.duration, Some(Duration::from_millis(2_500)));
    assert_eq!(read.info.writing_app, "trackmill");
    assert!(read.info.date_utc.is_some());
    let track = read.tracks.first().context("a track")?;
    assert_eq!(track.codec_id, "V_VP8");
    assert_eq!(track.name.as_deref(), Some("TR_VCx7"));
    file.write_to(&path)?;
    let general = &mediainfo(&path)?["media"]["track"][0];
    assert_eq!(general["Duration"], "2.500");
    assert_eq!(general["Encoded_Date"], "2026-07-14 00:23:28 UTC");
    Ok(())
}

/// W3: Opus in WebM keeps its packets, the time that a mute takes, and what a decoder must know.
#[test]
fn webm_holds_opus_at_its_time() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("ours.webm");
    let sound = opus_packets(folder.path(), &["-ac", "2"])?;
    let mut units = units(&sound);
    for unit in units.iter_mut().skip(100) {
        unit.pts = unit.pts.plus(48_000 * 60);
    }
    let end = 48_000 * 60 + 960 * units.len() as u64;

    let file = record(Codec::Opus, &units, end);

    file.write_to(&path)?;
    let text = mkvinfo(&path)?;
    assert!(
        text.contains("Codec-inherent delay: 00:00:00.006500000"),
        "{text}"
    );
    let probe = ffprobe(&path)?;
    let found = packets(&probe);
    assert_eq!(found.len(), sound.len());
    // ffprobe takes the delay of 6.5 ms off.
    assert_eq!(found[100]["pts"], 62_000 - 7);
    for (packet, sound) in found.iter().zip(&sound) {
        assert_eq!(packet["size"], sound.len().to_string());
    }
    Ok(())
}

/// T3: a frame that stands for long is shown for long, and one that comes late goes behind.
#[test]
fn webm_times_follow_the_sender_and_never_go_back() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("ours.webm");
    let pts = [
        0, 3_000, 6_000, 5_000, 9_000, 3_609_000, 3_609_010, 3_700_000,
    ];
    let mut pictures = pictures(Codec::Vp8, folder.path())?;
    pictures.truncate(pts.len());
    for (unit, pts) in pictures.iter_mut().zip(pts) {
        unit.pts = Pts(pts);
    }

    record(Codec::Vp8, &pictures, 4_500_000).write_to(&path)?;

    mkvinfo(&path)?;
    let probe = ffprobe(&path)?;
    let times: Vec<_> = packets(&probe)
        .iter()
        .map(|packet| packet["pts"].as_u64())
        .collect();
    let wanted = [0, 33, 67, 68, 100, 40_100, 40_100, 41_111].map(Some);
    assert_eq!(times, wanted);
    assert_eq!(probe["format"]["duration"], "50.000000");
    assert_eq!(decode(&path)?, pts.len() as u64);
    Ok(())
}

/// W1: more cues than fit into the head go to the end, and players find them there.
#[test]
fn webm_cues_of_a_long_recording_follow_the_last_cluster() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("ours.webm");
    let keyframe = pictures(Codec::Vp8, folder.path())?[0].clone();
    for (seconds, in_head) in [(1_000, true), (5_000, false), (20_000, false)] {
        let mut muxer = WebM::new(metadata(Codec::Vp8));
        let mut file = Growing::default();
        for second in 0..seconds {
            let pts = Pts(second * 90_000);
            muxer.write(&AccessUnit {
                pts,
                ..keyframe.clone()
            })?;
            file.drain(&mut muxer);
        }
        let clusters_end = file.bytes().len();

        muxer.finish(Pts(seconds * 90_000));

        file.drain(&mut muxer);
        let grown = file.bytes().len() - clusters_end;
        assert_eq!(grown < 10_000, in_head, "{seconds} s: {grown} bytes");
        file.write_to(&path)?;
        mkvinfo(&path)?;
        let out = folder.path().join("one.ivf");
        let last = (seconds - 1).to_string();
        let seek = ["-ss", &last, "-i"].map(Path::new);
        ffmpeg(
            seek.into_iter()
                .chain([&*path, "-c".as_ref(), "copy".as_ref(), &out]),
        )?;
        assert_eq!(ivf_frames(&std::fs::read(out)?)?.len(), 1);
        assert!(recover(&file.bytes())?.outputs.is_empty());
    }
    Ok(())
}

/// W2: a file cut anywhere plays every closed cluster, and a repaired one is whole.
#[test]
fn webm_files_cut_anywhere_play_and_are_repaired() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("cut.webm");
    let pictures = pictures(Codec::Vp9, folder.path())?;
    let mut muxer = WebM::new(metadata(Codec::Vp9));
    let mut torn = Growing::default();
    for (index, unit) in pictures.iter().enumerate() {
        muxer.write(unit)?;
        if index % 5 == 4 {
            muxer.flush();
        }
        torn.drain(&mut muxer);
    }
    // Behind the head and the first cluster.
    let first = (64 << 10) + 60_000;
    let mut random = Random(11);
    for round in 0..60 {
        let cut = first + random.index(torn.bytes().len() - first);
        let mut file = Growing::from_bytes(&torn.bytes()[..cut]);

        let repair = recover(&file.bytes())?;

        let (units, duration) = (repair.units, repair.duration);
        if round % 10 == 0 {
            file.write_to(&path)?;
            assert!(packets(&ffprobe(&path)?).len() as u64 >= units);
        }
        file.repair(repair);
        let again = recover(&file.bytes())?;
        assert_eq!((again.units, again.duration), (units, duration));
        assert!(again.outputs.is_empty());
        let read = Matroska::open(Cursor::new(file.bytes()))?;
        assert_eq!(read.info.duration, Some(duration));
        if round % 10 == 0 {
            file.write_to(&path)?;
            mkvinfo(&path)?;
            assert_eq!(decode(&path)?, units);
        }
    }
    Ok(())
}

/// W2: the head that recovery writes is the one that the end of the recording writes, and a file
/// killed between its last cluster and its head is repaired to the byte.
#[test]
fn webm_recovery_writes_what_finish_writes() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let pictures = pictures(Codec::Vp8, folder.path())?;
    let mut muxer = WebM::new(metadata(Codec::Vp8));
    let mut file = Growing::default();
    for unit in &pictures {
        muxer.write(unit)?;
    }
    muxer.finish(Pts(240_000));
    let mut outputs: Vec<_> = std::iter::from_fn(|| muxer.poll_output()).collect();
    let head = outputs.pop().context("the head comes last")?;
    outputs.into_iter().for_each(|output| file.apply(output));
    let mut whole = file.clone();
    whole.apply(head);

    let repair = recover(&file.bytes())?;

    file.repair(repair);
    assert!(file == whole);
    assert!(recover(&whole.bytes())?.outputs.is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Recovery takes whatever the disk gives, and what it repairs needs no other repair.
    #[test]
    fn webm_recovery_survives_damage(
        damage in prop::collection::vec((0..70_000_usize, any::<u8>()), 0..40),
        len in 0..70_000_usize,
    ) {
        let units: Vec<_> = (0..60).map(|index| tiny(index, index % 20 == 0)).collect();
        let mut file = record(Codec::Opus, &units, 60 * 48_000).bytes().to_vec();
        for (at, byte) in damage {
            // Half of the damage goes where the structure is.
            let at = if at % 2 == 0 { at % 700 } else { at };
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
        }
        file.truncate(len.max(1_000));
        fuzz::recover_webm(&file);
    }
}

/// Writes all units and ends the track.
fn record(codec: Codec, units: &[AccessUnit], end: u64) -> Growing {
    let mut muxer = WebM::new(metadata(codec));
    let mut file = Growing::default();
    for unit in units {
        muxer.write(unit).expect("a legal unit");
        file.drain(&mut muxer);
    }
    muxer.finish(Pts(end));
    file.drain(&mut muxer);
    file
}

/// 75 pictures of 320 × 180, a keyframe each second.
fn pictures(codec: Codec, folder: &Path) -> anyhow::Result<Vec<AccessUnit>> {
    let encoder = match codec {
        Codec::Vp8 => "libvpx",
        Codec::Vp9 => "libvpx-vp9",
        _ => return Clip::of(codec).access_units(),
    };
    let path = folder.join("theirs.ivf");
    let source = "testsrc2=size=320x180:rate=30";
    let arguments = [
        "-f",
        "lavfi",
        "-i",
        source,
        "-frames:v",
        "75",
        "-pix_fmt",
        "yuv420p",
        "-c:v",
        encoder,
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
        "-lag-in-frames",
        "0",
        "-g",
        "30",
        "-b:v",
        "1M",
    ];
    ffmpeg(arguments.map(Path::new).into_iter().chain([&*path]))?;
    let frames = ivf_frames(&std::fs::read(path)?)?;
    Ok(frames
        .into_iter()
        .zip(0..)
        .map(|(data, index)| AccessUnit {
            pts: Pts(index * 3_000),
            is_keyframe: match codec {
                Codec::Vp8 => vp8::FrameHeader::parse(&data).is_some_and(|head| head.is_keyframe()),
                _ => matches!(
                    vp9::FrameHeader::parse(&data),
                    Some(vp9::FrameHeader::Key(_))
                ),
            },
            integrity: Integrity::Whole,
            data,
        })
        .collect())
}

/// IVF: a head of 32 bytes, then frames behind their size and time.
fn ivf_frames(stream: &[u8]) -> anyhow::Result<Vec<Bytes>> {
    let mut rest = stream.get(32..).context("IVF has a head")?;
    let mut frames = Vec::new();
    while let Some((head, behind)) = rest.split_first_chunk::<12>() {
        let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]).try_into()?;
        let (frame, next) = behind.split_at_checked(len).context("IVF is whole")?;
        frames.push(Bytes::copy_from_slice(frame));
        rest = next;
    }
    Ok(frames)
}

fn packets(probe: &serde_json::Value) -> &[serde_json::Value] {
    probe["packets"].as_array().map_or(&[], Vec::as_slice)
}

fn tiny(index: u64, is_keyframe: bool) -> AccessUnit {
    AccessUnit {
        pts: Pts(index * 9_600),
        is_keyframe,
        integrity: Integrity::Whole,
        data: Bytes::from_static(&[0xf8, 0xff, 0xfe]),
    }
}

fn metadata(codec: Codec) -> Metadata {
    Metadata {
        codec,
        room: "küche".to_owned(),
        participant: "alice".to_owned(),
        track: "TR_VCx7".to_owned(),
        started_at: NtpTimestamp(0xee00_0000_8000_0000),
    }
}
