//! `make demo`: a LiveKit-compatible room on this machine with three publishers, and `trackmill
//! record --all` in it. What happens in the room: Alice mutes and unmutes, Carol leaves.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::sleep;
use trackmill_room::media::Media;
use trackmill_room::publisher::{History, Source, TrackSid, TrackSpec};
use trackmill_room::room::SimulatedRoom;
use trackmill_room::simulation::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let room = SimulatedRoom::start(Config::default()).await?;
    let microphone = publish(&room).await?;
    let recorder = record(&room)?;
    play(&room, &microphone).await?;
    let manifests = stop(recorder).await?;
    room.close().await;
    print_table(&manifests);
    ensure!(
        manifests.len() == TRACKS.len(),
        "{} of {} tracks were recorded",
        manifests.len(),
        TRACKS.len()
    );
    Ok(())
}

/// Publishes the tracks and returns the microphone.
async fn publish(room: &SimulatedRoom) -> anyhow::Result<TrackSid> {
    let mut sids = Vec::new();
    for (identity, file, source) in TRACKS {
        let path = workspace().join("tests/data/media").join(file);
        let media = Media::open(&path).with_context(|| path.display().to_string())?;
        let track = TrackSpec {
            name: file.to_owned(),
            source,
            media,
            speed: 1.0,
            history: History::Count,
        };
        sids.push(room.publish(ROOM, identity, track).await?);
    }
    sids.into_iter().next().context("there is a microphone")
}

/// Starts the recorder, which stands beside this program.
fn record(room: &SimulatedRoom) -> anyhow::Result<Child> {
    let program = std::env::current_exe()?.with_file_name("trackmill");
    let output = workspace().join("demo-output/{publisher_identity}-{track_source}-{time}");
    let mut command = Command::new(&program);
    command
        .args(["record", "--all", "--json", "--room", ROOM])
        .args(["--url", room.url()])
        .arg("--output")
        .arg(output)
        .env("LIVEKIT_API_KEY", room.api_key())
        .env("LIVEKIT_API_SECRET", room.api_secret())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
        .spawn()
        .with_context(|| format!("start {}; `make demo` builds it", program.display()))
}

/// What happens in the room.
async fn play(room: &SimulatedRoom, microphone: &TrackSid) -> anyhow::Result<()> {
    sleep(Duration::from_secs(3)).await;
    say("alice mutes her microphone");
    room.mute(microphone).await?;
    sleep(Duration::from_secs(2)).await;
    say("alice unmutes");
    room.unmute(microphone).await?;
    sleep(Duration::from_secs(2)).await;
    say("carol leaves");
    room.leave(ROOM, "carol").await?;
    sleep(Duration::from_secs(2)).await;
    Ok(())
}

/// Asks the recorder to finish, as Ctrl-C does, and reads the manifests that it prints.
async fn stop(recorder: Child) -> anyhow::Result<Vec<Value>> {
    say("stopping the recorder");
    let id = recorder.id().context("the recorder has ended by itself")?;
    let mut kill = Command::new("kill");
    let status = kill.args(["-INT", &id.to_string()]).status().await?;
    ensure!(status.success(), "cannot signal the recorder");
    let output = recorder.wait_with_output().await?;
    ensure!(
        output.status.success(),
        "the recorder ended with {}",
        output.status
    );
    let text = String::from_utf8(output.stdout)?;
    text.lines()
        .map(|line| serde_json::from_str(line).context("read a manifest"))
        .collect()
}

#[expect(clippy::print_stdout, reason = "the demonstration is what it prints")]
fn print_table(manifests: &[Value]) {
    println!(
        "\n{:<54} {:<6} {:>9} {:>10}  ended because",
        "file", "codec", "length", "bytes"
    );
    for manifest in manifests {
        let text = |key: &str| manifest[key].as_str().unwrap_or("?").to_owned();
        let seconds = manifest["duration_ns"].as_f64().unwrap_or(0.0) / 1e9;
        let file = format!("demo-output/{}", text("file"));
        let (codec, bytes, reason) = (text("codec"), &manifest["bytes"], text("reason"));
        println!("{file:<54} {codec:<6} {seconds:>7.2} s {bytes:>10}  {reason}");
    }
    println!("\nPlay one with `ffplay FILE`, `mpv FILE`, or by dragging it into a browser.");
    println!("Beside each lies its manifest, FILE.json: mutes, gaps, sizes, how it ended.");
}

#[expect(clippy::print_stdout, reason = "the demonstration is what it prints")]
fn say(text: &str) {
    println!("demo: {text}");
}

fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

const ROOM: &str = "demo";

/// Who publishes what; the microphone comes first.
const TRACKS: [(&str, &str, Source); 3] = [
    ("alice", "opus.ogg", Source::Microphone),
    ("bob", "vp8.ivf", Source::Camera),
    ("carol", "h264.h264", Source::ScreenShare),
];
