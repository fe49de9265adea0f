//! What LiveKit's own SDK publishes is recorded into files that every player accepts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use trackmill_tests::recorder::{Recorded, Recorder};
use trackmill_tests::servers::{LibWebRtc, LiveKit};
use trackmill_tests::{inspect, probe};

use crate::support::{lasts, opus_packets};

#[tokio::test]
async fn opus_with_dtx_becomes_a_file_without_holes() -> anyhow::Result<()> {
    let file = record("dtx", "audio", &["--dtx"]).await?;

    let packets = opus_packets(&file.path)?;
    assert!(packets.len() > 250, "{} packets", packets.len());
    inspect::opusinfo(&file.path)?;
    probe::decode(&file.path)?;
    Ok(())
}

#[tokio::test]
async fn simulcast_vp8_becomes_a_webm_that_reaches_720p() -> anyhow::Result<()> {
    let file = record("simulcast", "video", &["--codec", "vp8", "--simulcast"]).await?;

    inspect::mkvinfo(&file.path)?;
    shows_720p(&file.path)
}

#[tokio::test]
async fn h264_becomes_an_mp4_that_reaches_720p() -> anyhow::Result<()> {
    let file = record("h264-webrtc", "video", &["--codec", "h264"]).await?;

    probe::mediainfo(&file.path)?;
    shows_720p(&file.path)
}

#[tokio::test]
async fn vp9_becomes_a_webm_that_reaches_720p() -> anyhow::Result<()> {
    let file = record("vp9", "video", &["--codec", "vp9"]).await?;

    inspect::mkvinfo(&file.path)?;
    shows_720p(&file.path)
}

#[tokio::test]
async fn av1_becomes_an_mp4_that_reaches_720p() -> anyhow::Result<()> {
    let file = record("av1", "video", &["--codec", "av1"]).await?;

    probe::mediainfo(&file.path)?;
    shows_720p(&file.path)
}

/// A recorded file, and the folder that holds it.
struct Recording {
    path: PathBuf,
    _folder: Recorded,
}

/// Publishes one track and records six seconds of it, which is what the file must last.
async fn record(room: &str, kind: &str, options: &[&str]) -> anyhow::Result<Recording> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let mut publisher = LibWebRtc::join(&server, room, "alice", options).await?;
    publisher.tell(&format!("publish {kind}")).await?;

    let recorder = Recorder::record(&server, room, &["--all", "--duration", "6s"])?;
    let recorded = recorder.end().await?;

    publisher.tell("leave").await?;
    let path = recorded.only_file()?;
    lasts(&path, Duration::from_secs(6))?;
    Ok(Recording {
        path,
        _folder: recorded,
    })
}

/// Decodes a file without any complaint and looks at the size of its last picture.
fn shows_720p(file: &Path) -> anyhow::Result<()> {
    let pictures = probe::decode(file)?;
    ensure!(pictures > 30, "{pictures} pictures");
    let size = probe::last_picture(file)?;
    ensure!(size == (1280, 720), "the last picture is {size:?}");
    Ok(())
}
