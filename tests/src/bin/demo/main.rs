//! `make demo`: a LiveKit-compatible room on this machine with three publishers, and `trackmill
//! record` in it twice. Once everything goes into files, the sound through two plugins; once the
//! microphone goes to a WebSocket server. A third plugin watches both. What happens in the room:
//! Alice mutes and unmutes, Carol leaves.

mod listener;

use std::ffi::OsString;
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
use trackmill_tests::guests;

use listener::{Heard, Listener};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    say("building the plugins denoise, gain and voice-activity");
    let plugins = plugins();
    let room = SimulatedRoom::start(Config::default()).await?;
    let microphone = publish(&room).await?;
    let listener = Listener::start().await?;
    let files = record(&room, &to_files(), &plugins)?;
    let stream = record(&room, &to_socket(&listener), &plugins)?;
    wait_for(&room, TRACKS.len() + 1).await?;
    play(&room, &microphone).await?;
    say("stopping the recorders");
    let (manifests, _) = tokio::try_join!(stop(files), stop(stream))?;
    let heard = listener.finish().await?;
    room.close().await;
    print_table(&manifests);
    print_events(&manifests)?;
    print_delay(&heard)?;
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

/// The options for the plugins: two that change the sound, one that only looks.
fn plugins() -> Vec<OsString> {
    let mut gain = guests::rust("gain").into_os_string();
    gain.push("=");
    gain.push(workspace().join("tests/src/bin/demo/gain.json"));
    let denoise = guests::rust("denoise").into_os_string();
    let watch = guests::rust("voice-activity").into_os_string();
    let options = [
        ("--filter", denoise),
        ("--filter", gain),
        ("--inspect", watch),
    ];
    options
        .into_iter()
        .flat_map(|(name, value)| [name.into(), value])
        .collect()
}

fn to_files() -> Vec<OsString> {
    let output = workspace().join("demo-output/{publisher_identity}-{track_source}-{time}");
    ["--all".into(), "--output".into(), output.into()].into()
}

fn to_socket(listener: &Listener) -> Vec<OsString> {
    let url = listener.url();
    let words = [
        "--participant",
        "alice",
        "--source",
        "microphone",
        "--quiet",
    ];
    let format = [
        "--texts",
        "all",
        "--sample-rate",
        "16000",
        "--channels",
        "1",
    ];
    let target = ["--to", &url];
    words
        .into_iter()
        .chain(format)
        .chain(target)
        .map(OsString::from)
        .collect()
}

/// Starts a recorder; its program stands beside this one.
fn record(room: &SimulatedRoom, what: &[OsString], plugins: &[OsString]) -> anyhow::Result<Child> {
    let program = std::env::current_exe()?.with_file_name("trackmill");
    let mut command = Command::new(&program);
    command
        .args(["record", "--json", "--room", ROOM, "--url", room.url()])
        .args(what)
        .args(plugins)
        .env("LIVEKIT_API_KEY", room.api_key())
        .env("LIVEKIT_API_SECRET", room.api_secret())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
        .spawn()
        .with_context(|| format!("start {}; `make demo` builds it", program.display()))
}

/// Waits until the recorders receive so many tracks: they compile the plugins first.
async fn wait_for(room: &SimulatedRoom, tracks: usize) -> anyhow::Result<()> {
    for _ in 0..600 {
        let subscribers = room.subscribers().await?;
        if subscribers
            .iter()
            .map(|each| each.tracks.len())
            .sum::<usize>()
            >= tracks
        {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the recorders did not come within a minute: their words are above")
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
        let (codec, reason) = (text("codec"), text("reason"));
        let bytes = manifest["bytes"].to_string();
        println!("{file:<54} {codec:<6} {seconds:>7.2} s {bytes:>10}  {reason}");
    }
    println!("\nPlay one with `ffplay FILE`, `mpv FILE`, or by dragging it into a browser.");
    println!("Beside each lies its manifest, FILE.json: mutes, gaps, sizes, how it ended.");
}

/// What the plugin that watches has said lies beside each file.
#[expect(clippy::print_stdout, reason = "the demonstration is what it prints")]
fn print_events(manifests: &[Value]) -> anyhow::Result<()> {
    for manifest in manifests {
        let file = manifest["file"].as_str().unwrap_or_default();
        let name = format!("demo-output/{file}.events.jsonl");
        let path = workspace().join(&name);
        if path.exists() {
            println!("\n{name}:");
            print!("{}", std::fs::read_to_string(path)?);
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the demonstration is what it prints")]
fn print_delay(heard: &Heard) -> anyhow::Result<()> {
    let delay = |share| heard.delay(share).context("the listener heard nothing");
    println!(
        "\nThe listener heard {} messages; of those that were spoken half came within {:.0?} of their end, 99 % within {:.0?}.",
        heard.frames,
        delay(0.5)?,
        delay(0.99)?,
    );
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the demonstration is what it prints")]
pub(crate) fn say(text: &str) {
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
