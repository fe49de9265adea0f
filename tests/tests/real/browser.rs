//! Chromium plays and seeks our files, finished or not (media.md M1, O2, W2, W4).

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use trackmill_tests::browser::{Played, play};
use trackmill_tests::probe::ffprobe;
use trackmill_tests::recorder::Recorder;
use trackmill_tests::simulated_room;

#[tokio::test]
async fn finished_and_growing_files_play_and_seek_in_chromium() -> anyhow::Result<()> {
    let room = simulated_room::start().await?;
    let options = ["--all", "--output", simulated_room::OUTPUT];
    let recorder = Recorder::record(room.server(), simulated_room::ROOM, &options)?;
    recorder.writes(simulated_room::FILES.len()).await;
    tokio::time::sleep(RECORDED).await;
    let growing = tempfile::TempDir::new()?;
    let copies = copy_growing(recorder.folder(), growing.path())?;
    let recorded = recorder.stop().await?;
    let finished = recorded.complete()?;
    let all = simulated_room::FILES.len();
    assert_eq!((finished.len(), copies.len()), (all, all));

    let files = [finished, copies].concat();
    let played = play(&files).await?;

    for (file, played) in files.iter().zip(&played) {
        plays_and_seeks(file, played).with_context(|| file.display().to_string())?;
    }
    for (file, played) in files.iter().zip(&played).take(all) {
        let says = played
            .duration
            .context("a finished file says its duration")?;
        assert!((says - played.end).abs() < 0.05, "{file:?}: {played:?}");
    }
    Ok(())
}

/// Chromium decodes what ffprobe counts, to the end, and finds the middle.
fn plays_and_seeks(file: &Path, played: &Played) -> anyhow::Result<()> {
    let probe = ffprobe(file)?;
    let stream = probe.pointer("/streams/0").context("a stream")?;
    let is_video = stream.get("codec_type").is_some_and(|kind| kind == "video");
    if is_video {
        let frames = stream.get("nb_read_frames").and_then(Value::as_str);
        let frames = frames.context("ffprobe counts frames")?;
        assert_eq!(played.frames, frames.parse::<u64>()?, "{played:?}");
        assert_eq!((played.width, played.height), (320, 180), "{file:?}");
    }
    assert!(
        played.end > RECORDED.as_secs_f64() - 1.0,
        "{file:?}: {played:?}"
    );
    let middle = played.end / 2.0;
    assert!((played.sought - middle).abs() < 0.1, "{file:?}: {played:?}");
    assert!(
        (played.end_again - played.end).abs() < 0.1,
        "{file:?}: {played:?}"
    );
    Ok(())
}

/// Copies the files that still grow, as they lie.
fn copy_growing(from: &Path, to: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let copy = |name: &str| {
        let name = format!("{name}.part");
        std::fs::copy(from.join(&name), to.join(&name))?;
        Ok(to.join(name))
    };
    simulated_room::FILES.into_iter().map(copy).collect()
}

const RECORDED: Duration = Duration::from_secs(3);
