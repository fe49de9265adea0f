//! The publishing role.

use std::path::Path;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};
use trackmill_room::media::Media;
use trackmill_room::publisher::{History, Publisher, Source, TrackSpec};
use trackmill_room::signal::Server;

use crate::server::{KEY, SECRET};

/// Which rooms, and how many tracks in each.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    first_room: usize,
    #[arg(long)]
    rooms: usize,
    #[arg(long)]
    tracks: usize,
}

/// Publishes; answers how many packets were sent.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let specs = specs(args.tracks)?;
    let mut publishers = Vec::new();
    let server = server(args.port);
    for room in args.first_room..args.first_room + args.rooms {
        let name = room_name(room);
        let publisher = Box::pin(Publisher::join(&server, &name, "publisher")).await;
        let publisher = publisher.with_context(|| name.clone())?;
        publisher.publish_all(specs.clone()).await.context(name)?;
        publishers.push(publisher);
    }
    let mut requests = BufReader::new(stdin()).lines();
    loop {
        crate::say(&sent(&publishers).await?.to_string());
        if requests.next_line().await?.is_none() {
            return Ok(());
        }
    }
}

/// The room with this number.
pub(crate) fn room_name(number: usize) -> String {
    format!("load-{number}")
}

fn server(port: u16) -> Server {
    Server {
        url: format!("ws://127.0.0.1:{port}"),
        api_key: KEY.into(),
        api_secret: SECRET.into(),
    }
}

fn specs(tracks: usize) -> anyhow::Result<Vec<TrackSpec>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/media/opus.ogg");
    let media = Media::open(&path).with_context(|| path.display().to_string())?;
    let spec = |index| TrackSpec {
        name: format!("opus-{index}"),
        source: Source::Microphone,
        media: media.clone(),
        speed: 1.0,
        history: History::Count,
    };
    Ok((0..tracks).map(spec).collect())
}

async fn sent(publishers: &[Publisher]) -> anyhow::Result<u64> {
    let mut sum = 0;
    for publisher in publishers {
        let counts = publisher.sent_counts().await?;
        sum += counts.iter().map(|(_, count)| count).sum::<u64>();
    }
    Ok(sum)
}
