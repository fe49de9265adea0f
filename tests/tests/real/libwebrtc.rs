//! What LiveKit's own SDK publishes is recorded into files that every player accepts, at the time at
//! which it was captured.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use trackmill_tests::passthrough::{lasts, opus_packets};
use trackmill_tests::recorder::{Recorded, Recorder};
use trackmill_tests::servers::{LibWebRtc, LiveKit};
use trackmill_tests::{inspect, probe};

#[tokio::test]
async fn opus_with_dtx_becomes_a_file_without_holes() -> anyhow::Result<()> {
    let file = record("dtx", "audio", &["--dtx"]).await?;

    lasts(&file.path, DURATION)?;
    let packets = opus_packets(&file.path)?;
    assert!(packets.len() > 200, "{} packets", packets.len());
    inspect::opusinfo(&file.path)?;
    probe::decode(&file.path)?;
    Ok(())
}

#[tokio::test]
async fn simulcast_vp8_becomes_a_webm_that_reaches_720p() -> anyhow::Result<()> {
    let file = record("simulcast", "video", &["--codec", "vp8", "--simulcast"]).await?;

    inspect::mkvinfo(&file.path)?;
    file.shows_what_was_captured(THREE_LAYERS)
}

#[tokio::test]
async fn h264_becomes_an_mp4_that_reaches_720p() -> anyhow::Result<()> {
    let file = record("h264-webrtc", "video", &["--codec", "h264"]).await?;

    probe::mediainfo(&file.path)?;
    file.shows_what_was_captured(ONE_LAYER)
}

#[tokio::test]
async fn vp9_becomes_a_webm_that_reaches_720p() -> anyhow::Result<()> {
    let file = record("vp9", "video", &["--codec", "vp9"]).await?;

    inspect::mkvinfo(&file.path)?;
    file.shows_what_was_captured(ONE_LAYER)
}

#[tokio::test]
async fn av1_becomes_an_mp4_that_reaches_720p() -> anyhow::Result<()> {
    let file = record("av1", "video", &["--codec", "av1"]).await?;

    probe::mediainfo(&file.path)?;
    file.shows_what_was_captured(ONE_LAYER)
}

/// A recorded file, and the folder that holds it.
struct Recording {
    path: PathBuf,
    /// The wall time at which each picture was captured, in seconds, by its number.
    captured: Vec<f64>,
    _folder: Recorded,
}

/// Publishes one track and records six seconds of it.
async fn record(room: &str, kind: &str, options: &[&str]) -> anyhow::Result<Recording> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let mut publisher = LibWebRtc::join(&server, room, "alice", options).await?;
    publisher.tell(&format!("publish {kind}")).await?;

    let seconds = format!("{}s", DURATION.as_secs());
    let recorder = Recorder::record(&server, room, &["--all", "--duration", &seconds])?;
    let recorded = recorder.end().await?;

    let left = publisher.tell("leave").await?;
    let captured = left.get("captured").context("times")?;
    Ok(Recording {
        path: recorded.only_file()?,
        captured: serde_json::from_value(captured.clone())?,
        _folder: recorded,
    })
}

impl Recording {
    /// Fails unless every picture decodes, the last one is large, and each is shown as long after
    /// the first one as it was captured after that, give or take 100 ms. (Six seconds of arrivals
    /// are not six seconds of pictures: a keyframe takes longer to encode than what follows.) Where the
    /// server switches to a larger layer, it may send a picture in both.
    fn shows_what_was_captured(&self, layers: usize) -> anyhow::Result<()> {
        let pictures = probe::decode(&self.path)?;
        ensure!(pictures > 30, "{pictures} pictures");
        let size = probe::last_picture(&self.path)?;
        ensure!(size == (1280, 720), "the last picture is {size:?}");

        let numbers = numbers(&self.path)?;
        let repeated = numbers.iter().zip(numbers.iter().skip(1));
        let repeated = repeated.filter(|(number, next)| number == next).count();
        ensure!(numbers.is_sorted() && repeated < layers, "{numbers:?}");
        let captured: Vec<f64> = numbers
            .iter()
            .map(|number| self.captured.get(*number).copied())
            .collect::<Option<_>>()
            .with_context(|| format!("{numbers:?} of {}", self.captured.len()))?;
        let shown = shown_at(&self.path)?;
        ensure!(shown.len() == captured.len(), "{} pictures", shown.len());
        for (shown, captured) in from_first(&shown).zip(from_first(&captured)) {
            let apart = (shown - captured).abs();
            ensure!(apart < 0.1, "captured at {captured}, shown at {shown}");
        }
        let last = from_first(&captured).last().unwrap_or_default();
        lasts(&self.path, Duration::from_secs_f64(last) + PICTURE)
    }
}

/// The numbers that the pictures show, see `publish.py`.
fn numbers(file: &Path) -> anyhow::Result<Vec<usize>> {
    let squares = "crop=iw*768/1280:ih*64/720:0:0,scale=12:1:flags=area,format=gray";
    let output = probe::run(
        Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(file)
            .args(["-vf", squares, "-fps_mode", "passthrough"])
            .args(["-f", "rawvideo", "-"]),
    )?;
    let number = |squares: &[u8]| {
        let bits = squares.iter().rev();
        bits.fold(0, |number, square| number << 1 | usize::from(*square > 127))
    };
    Ok(output.stdout.chunks(12).map(number).collect())
}

/// When each picture is shown, in seconds.
fn shown_at(file: &Path) -> anyhow::Result<Vec<f64>> {
    let probed = probe::ffprobe(file)?;
    let packets = probed.get("packets").and_then(Value::as_array);
    let seconds = |packet: &Value| packet.get("pts_time")?.as_str()?.parse().ok();
    let times = packets.context("packets")?.iter().map(seconds);
    times.collect::<Option<_>>().context("a time")
}

fn from_first(times: &[f64]) -> impl Iterator<Item = f64> {
    let first = times.first().copied().unwrap_or_default();
    times.iter().map(move |time| time - first)
}

const DURATION: Duration = Duration::from_secs(6);
/// What `publish.py` captures: 15 a second.
const PICTURE: Duration = Duration::from_micros(66_667);
/// Layers that a camera sends without and with simulcast.
const ONE_LAYER: usize = 1;
const THREE_LAYERS: usize = 3;
