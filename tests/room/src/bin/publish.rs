//! Publishes media files to a LiveKit server, in one room or in many.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use trackmill_room::media::Media;
use trackmill_room::publisher::{History, Publisher, Source, TrackSpec};
use trackmill_room::signal::Server;

/// Publishes media files in a loop and prints what was sent, as JSON.
#[derive(Debug, Parser)]
struct Arguments {
    /// WebSocket address of the server.
    #[arg(long, default_value = "ws://127.0.0.1:7880")]
    url: String,
    /// API key.
    #[arg(long, default_value = "devkey")]
    api_key: String,
    /// API secret.
    #[arg(long)]
    api_secret: String,
    /// Room name; with several rooms a number is appended.
    #[arg(long, default_value = "load")]
    room: String,
    /// Number of rooms.
    #[arg(long, default_value_t = 1)]
    rooms: usize,
    /// Number of tracks in each room; they take turns among the given files.
    #[arg(long, default_value_t = 1)]
    tracks: usize,
    /// Opus in Ogg.
    #[arg(long)]
    opus: Option<PathBuf>,
    /// VP8 in IVF.
    #[arg(long)]
    vp8: Option<PathBuf>,
    /// H.264 in Annex B.
    #[arg(long)]
    h264: Option<PathBuf>,
    /// Seconds to publish after the last track is up; for ever if left out.
    #[arg(long)]
    duration: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let specs = arguments.specs()?;
    let mut publishers = Vec::new();
    for index in 0..arguments.rooms {
        let publisher = arguments.join(index).await?;
        publisher.publish_all(specs.clone()).await?;
        publishers.push(publisher);
    }
    print_line(&serde_json::json!({ "published": arguments.rooms * arguments.tracks }));
    wait(arguments.duration).await?;
    print_line(&counts(&publishers).await?);
    for publisher in publishers {
        publisher.leave().await?;
    }
    Ok(())
}

impl Arguments {
    /// One specification a track, in turns over the given files.
    fn specs(&self) -> anyhow::Result<Vec<TrackSpec>> {
        let files: Vec<&PathBuf> = [&self.opus, &self.vp8, &self.h264]
            .into_iter()
            .flatten()
            .collect();
        ensure!(
            !files.is_empty(),
            "give at least one of --opus, --vp8, --h264"
        );
        let media = files
            .into_iter()
            .map(|file| Media::open(file).with_context(|| file.display().to_string()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let tracks = media.iter().cycle().take(self.tracks).enumerate();
        Ok(tracks.map(|(index, media)| spec(index, media)).collect())
    }

    async fn join(&self, index: usize) -> anyhow::Result<Publisher> {
        let server = Server {
            url: self.url.clone(),
            api_key: self.api_key.clone(),
            api_secret: self.api_secret.clone(),
        };
        let room = if self.rooms == 1 {
            self.room.clone()
        } else {
            format!("{}-{index}", self.room)
        };
        let publisher = Box::pin(Publisher::join(&server, &room, "publisher")).await;
        publisher.with_context(|| format!("join {room}"))
    }
}

fn spec(index: usize, media: &Media) -> TrackSpec {
    TrackSpec {
        name: format!("{}-{index}", media.codec.name()),
        source: if media.codec.is_video() {
            Source::Camera
        } else {
            Source::Microphone
        },
        media: media.clone(),
        speed: 1.0,
        history: History::Count,
    }
}

async fn wait(seconds: Option<u64>) -> std::io::Result<()> {
    let end = async {
        match seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        () = end => {}
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}

async fn counts(publishers: &[Publisher]) -> anyhow::Result<serde_json::Value> {
    let mut tracks = serde_json::Map::new();
    let mut packets = 0;
    for publisher in publishers {
        for (sid, count) in publisher.sent_counts().await? {
            packets += count;
            tracks.insert(sid.0, count.into());
        }
    }
    Ok(serde_json::json!({ "packets": packets, "tracks": tracks }))
}

#[expect(clippy::print_stdout, reason = "the result of the program")]
fn print_line(value: &serde_json::Value) {
    println!("{value}");
}
