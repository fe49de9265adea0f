//! MP4 files as other programs see them (media.md §5).

mod finished;
mod growing;
mod large;
mod recovery;

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use serde_json::Value;
use trackmill::media::{AccessUnit, Codec, Pts};
use trackmill::mux::mp4::Mp4Muxer;
use trackmill::mux::{Metadata, Muxer, Output};
use trackmill_tests::clip::Clip;
use trackmill_tests::file::Growing;
use trackmill_tests::probe;

const CODECS: [Codec; 3] = [Codec::H264, Codec::H265, Codec::Av1];

fn muxer(codec: Codec) -> Mp4Muxer {
    Mp4Muxer::new(Metadata {
        codec,
        room: "Kaffeeküche".into(),
        participant: "alice".into(),
        track: "TR_camera".into(),
        started_at: (UNIX_EPOCH + Duration::from_secs(1_790_000_000)).into(),
    })
}

/// All that is written for `units`, which end 1/30 s after the last of them.
fn mux(codec: Codec, units: &[AccessUnit]) -> anyhow::Result<Vec<Output>> {
    let mut muxer = muxer(codec);
    for unit in units {
        muxer.write(unit)?;
    }
    let last = units.iter().map(|unit| unit.pts).max().context("a unit")?;
    muxer.finish(last.plus(3_000));
    Ok(std::iter::from_fn(|| muxer.poll_output()).collect())
}

fn finished(codec: Codec, units: &[AccessUnit]) -> anyhow::Result<Growing> {
    let mut file = Growing::default();
    mux(codec, units)?
        .into_iter()
        .for_each(|output| file.apply(output));
    Ok(file)
}

/// A file on the disk that goes away with the test.
struct OnDisk {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn on_disk(file: &Growing) -> anyhow::Result<OnDisk> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("file.mp4");
    file.write_to(&path)?;
    Ok(OnDisk {
        _folder: folder,
        path,
    })
}

/// Decodes `file` with ffmpeg; how many pictures it holds.
fn decode(file: &Growing) -> anyhow::Result<u64> {
    probe::decode(&on_disk(file)?.path)
}

fn ffprobe(file: &Growing) -> anyhow::Result<Value> {
    probe::ffprobe(&on_disk(file)?.path)
}

/// The presentation time of each packet, in the order of the file.
fn presentation_times(probed: &Value) -> Vec<u64> {
    packet_fields(probed, "pts")
}

fn packet_fields(probed: &Value, field: &str) -> Vec<u64> {
    let packets = probed["packets"].as_array().map_or(&[][..], Vec::as_slice);
    let fields = packets.iter().map(|packet| packet[field].as_u64());
    fields.map(|value| value.expect("a number")).collect()
}

/// A second of small pictures, then larger ones.
fn growing_pictures(codec: Codec) -> anyhow::Result<Vec<AccessUnit>> {
    let small = Clip {
        size: (160, 90),
        frames: 30,
        ..Clip::of(codec)
    };
    let mut units = small.access_units()?;
    units.extend(delayed(Clip::of(codec).access_units()?, 90_000));
    Ok(units)
}

/// The same pictures later.
fn delayed(units: Vec<AccessUnit>, by: u64) -> impl Iterator<Item = AccessUnit> {
    units.into_iter().map(move |unit| AccessUnit {
        pts: Pts(unit.pts.0 + by),
        ..unit
    })
}
