//! `kill -9` at any moment: the files play as they lie, and `trackmill recover` makes them whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet, spawn_blocking};
use tokio::time::sleep;
use trackmill::clock;
use trackmill::sink::path;
use trackmill_room::room::SimulatedRoom;
use trackmill_tests::probe::{decode, ffmpeg, ffprobe};
use trackmill_tests::recorder::{self, Recorder};
use trackmill_tests::simulated_room::{self, FILES, OUTPUT, ROOM};

/// Twenty kills for each of Ogg, WebM, MP4 and WAV: one recorder writes all four.
#[tokio::test]
async fn a_killed_recorder_loses_two_seconds_at_most() -> anyhow::Result<()> {
    let room = Rc::new(simulated_room::start().await?);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut kills = JoinSet::new();

    let local = LocalSet::new();
    for after in moments(clock::wall()) {
        let (room, places) = (room.clone(), places.clone());
        let kill = async move {
            // Held to the end: what decodes would take the processor from those that record.
            let _place = places.acquire_owned().await?;
            let (folder, killed_at) = kill_after(&room, after).await?;
            spawn_blocking(move || judge(folder.path(), killed_at))
                .await?
                .with_context(|| format!("killed after {after:?}"))
        };
        kills.spawn_local_on(kill, &local);
    }

    let judged = local.run_until(async move {
        while let Some(judged) = kills.join_next().await {
            judged??;
        }
        Ok(())
    });
    judged.await
}

/// Records until so long after all files have begun; what it left, and when it was killed.
async fn kill_after(
    room: &SimulatedRoom,
    after: Duration,
) -> anyhow::Result<(TempDir, SystemTime)> {
    let options = ["--all", "--output", OUTPUT];
    let recorder = Recorder::record(room.server(), ROOM, &options)?;
    recorder.writes(FILES.len()).await;
    sleep(after).await;
    let killed_at = clock::wall();
    Ok((recorder.kill().await?, killed_at))
}

fn judge(folder: &Path, killed_at: SystemTime) -> anyhow::Result<()> {
    let mut lying = Vec::new();
    for spool in spools(folder) {
        let played = plays(&spool, killed_at);
        lying.push(played.with_context(|| spool.display().to_string())?);
    }
    let said = recorder::recover(folder)?;
    for (name, lying) in FILES.iter().zip(lying) {
        let file = folder.join(name);
        is_whole(&file, lying).with_context(|| format!("{name}: {said}"))?;
    }
    Ok(())
}

/// How long a file plays as it lies, which is at most two seconds less than it grew.
fn plays(spool: &Path, killed_at: SystemTime) -> anyhow::Result<f64> {
    let begun_at = fs::metadata(spool)?.created()?;
    let grew = killed_at.duration_since(begun_at)?;
    let played = end_of_last_packet(&ffprobe(spool)?).context("no packets")?;
    let least = grew.saturating_sub(MOST_LOST).as_secs_f64();
    ensure!(played >= least, "{played} s play of {grew:?}");
    let quiet = ["-i", &spool.to_string_lossy(), "-f", "null", "-"].map(str::to_owned);
    ffmpeg(quiet)?;
    Ok(played)
}

/// Nothing to complain of, and no shorter than it was.
fn is_whole(file: &Path, lying: f64) -> anyhow::Result<()> {
    decode(file)?;
    let probe = ffprobe(file)?;
    let duration = probe.pointer("/format/duration").and_then(seconds);
    let duration = duration.context("no duration")?;
    ensure!(duration + 0.01 >= lying, "{duration} s are left of {lying}");
    let manifest: Value = serde_json::from_slice(&fs::read(path::manifest(file))?)?;
    let status = manifest.pointer("/status");
    ensure!(status == Some(&"recovered".into()), "{manifest}");
    Ok(())
}

fn end_of_last_packet(probe: &Value) -> Option<f64> {
    let packets = probe["packets"].as_array()?.iter();
    let end = |packet: &Value| {
        let duration = seconds(&packet["duration_time"]).unwrap_or_default();
        Some(seconds(&packet["pts_time"])? + duration)
    };
    packets.filter_map(end).reduce(f64::max)
}

fn seconds(value: &Value) -> Option<f64> {
    value.as_str()?.parse().ok()
}

fn spools(folder: &Path) -> Vec<PathBuf> {
    FILES.map(|name| path::spool(&folder.join(name))).into()
}

/// Two to five seconds each.
fn moments(seed: SystemTime) -> Vec<Duration> {
    let nanos = seed.duration_since(SystemTime::UNIX_EPOCH);
    let mut state = nanos.unwrap_or_default().subsec_nanos();
    let mut moment = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Duration::from_millis(2_000 + u64::from(state >> 16) % 3_000)
    };
    (0..KILLS).map(|_| moment()).collect()
}

const KILLS: usize = 20;
/// Recorders that run side by side.
const AT_ONCE: usize = 5;
const MOST_LOST: Duration = Duration::from_secs(2);
