//! Runs a simulated LiveKit room with three publishers, for demonstrations.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use trackmill_room::media::Media;
use trackmill_room::publisher::{History, Source, TrackSid, TrackSpec};
use trackmill_room::room::SimulatedRoom;
use trackmill_room::simulation::Config;

/// Runs a simulated LiveKit room with an Opus, a VP8 and an H.264 publisher.
///
/// Prints one line of JSON when it is ready: url, api_key, api_secret, room.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port of the WebSocket on 127.0.0.1; 0 lets the system choose.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Name of the room.
    #[arg(long, default_value = "demo")]
    room: String,
    /// What happens in the room.
    #[arg(long, value_enum, default_value_t = Script::Steady)]
    script: Script,
    /// Folder with opus.ogg, vp8.ivf and h264.h264.
    #[arg(long, default_value = "tests/data/media")]
    media: PathBuf,
    /// Seconds to run; until SIGTERM if left out.
    #[arg(long)]
    duration: Option<u64>,
}

/// What happens in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Script {
    /// Everyone plays on.
    Steady,
    /// Alice mutes after 6 s and unmutes after 9 s; Carol leaves after 15 s; Alice's and Bob's
    /// tracks go on.
    Demo,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let signal = SocketAddr::from(([127, 0, 0, 1], arguments.port));
    let room = SimulatedRoom::start_at(Config::default(), signal).await?;
    let microphone = publish(&room, &arguments).await?;
    announce(&room, &arguments.room);
    let mut terminate = signal_stream()?;
    tokio::select! {
        () = end(arguments.duration) => {}
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        result = play(&room, &arguments, &microphone) => result?,
    }
    room.close().await;
    Ok(())
}

/// Publishes the three tracks and returns Alice's microphone.
async fn publish(room: &SimulatedRoom, arguments: &Arguments) -> anyhow::Result<TrackSid> {
    let track = |file: &str, source| spec(&arguments.media.join(file), source);
    let name = &arguments.room;
    let opus = track("opus.ogg", Source::Microphone)?;
    let microphone = room.publish(name, "alice", opus).await?;
    let vp8 = track("vp8.ivf", Source::Camera)?;
    room.publish(name, "bob", vp8).await?;
    let h264 = track("h264.h264", Source::ScreenShare)?;
    room.publish(name, "carol", h264).await?;
    Ok(microphone)
}

/// Plays the script; never ends.
async fn play(
    room: &SimulatedRoom,
    arguments: &Arguments,
    microphone: &TrackSid,
) -> anyhow::Result<()> {
    if arguments.script == Script::Demo {
        sleep(Duration::from_secs(6)).await;
        room.mute(microphone).await?;
        sleep(Duration::from_secs(3)).await;
        room.unmute(microphone).await?;
        sleep(Duration::from_secs(6)).await;
        room.leave(&arguments.room, "carol").await?;
    }
    std::future::pending().await
}

fn spec(path: &std::path::Path, source: Source) -> anyhow::Result<TrackSpec> {
    let media = Media::open(path).with_context(|| path.display().to_string())?;
    Ok(TrackSpec {
        name: media.codec.name().to_owned(),
        source,
        media,
        speed: 1.0,
        history: History::Count,
    })
}

async fn end(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

fn signal_stream() -> std::io::Result<tokio::signal::unix::Signal> {
    signal(SignalKind::terminate())
}

#[expect(
    clippy::print_stdout,
    reason = "whoever started us waits for this line"
)]
fn announce(room: &SimulatedRoom, name: &str) {
    let ready = serde_json::json!({
        "url": room.url(),
        "api_key": room.api_key(),
        "api_secret": room.api_secret(),
        "room": name,
    });
    println!("{ready}");
}
