//! The recording role: what `trackmill record --all` does, in many rooms at once.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use trackmill::clock;
use trackmill::egress::{Disk, Egress, EgressId, Outcome, Plan, Track};
use trackmill::filter;
use trackmill::pipeline::Progress;
use trackmill::room::{self, Credentials, Room};
use trackmill::rtc::{self, Workers};
use trackmill::signal::{self, ApiKey, Publication, ServerUrl};
use trackmill::sink::path::Template;

use crate::publish::room_name;
use crate::server::{KEY, SECRET};

/// Which rooms, and where the files go.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    rooms: usize,
    #[arg(long)]
    output: PathBuf,
}

/// How far the recordings are, all together.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counters {
    /// Tracks of which packets came.
    pub(crate) tracks: usize,
    /// Packets that came.
    pub(crate) packets: u64,
    /// Packets that never came in time.
    pub(crate) lost: u64,
    /// Connections that broke.
    pub(crate) broken: u64,
}

/// What was recorded, as the manifests of the files say.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// Files that are whole.
    pub(crate) files: usize,
    /// Recordings that failed.
    pub(crate) failed: usize,
    /// Packets that came.
    pub(crate) received: u64,
    /// Packets that never came in time.
    pub(crate) lost: u64,
}

/// What all rooms of the process share.
#[derive(Debug)]
struct Shared {
    workers: Arc<Workers>,
    disk: Disk,
    output: Template,
    board: Mutex<Board>,
}

/// Who may be watched.
#[derive(Debug, Default)]
struct Board {
    tracks: Vec<Arc<Progress>>,
    broken: u64,
}

/// Records. Joins on the first request, so that the process can be looked at before.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let shared = Arc::new(Shared {
        workers: Arc::new(Workers::start(threads, &rtc::Settings::default())?),
        disk: Disk::start()?,
        output: format!("{}/{{track_id}}", args.output.display()).parse()?,
        board: Mutex::default(),
    });
    let mut requests = BufReader::new(stdin()).lines();
    say(&shared.counters())?;
    requests.next_line().await?;
    let (stop, stopped) = watch::channel(());
    let mut rooms = JoinSet::new();
    for number in 0..args.rooms {
        let config = config(args.port, number)?;
        rooms.spawn(Box::pin(record(
            config,
            Arc::clone(&shared),
            stopped.clone(),
        )));
        sleep(BETWEEN_JOINS).await;
    }
    say(&shared.counters())?;
    while requests.next_line().await?.is_some() {
        say(&shared.counters())?;
    }
    drop(stop);
    say(&recorded(rooms).await?)?;
    // The last owner waits for the media workers, which must not happen on the runtime.
    tokio::task::spawn_blocking(move || drop(shared)).await?;
    Ok(())
}

/// Records every track of a room until it is told to stop.
async fn record(
    config: room::Config,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<()>,
) -> anyhow::Result<Vec<Outcome>> {
    let mut room = Room::join(config, Arc::clone(&shared.workers)).await?;
    let mut place = None;
    let mut subscriptions = BTreeMap::new();
    let mut writers = JoinSet::new();
    loop {
        let event = tokio::select! {
            event = room.next() => event.context("the room has ended")?,
            _ = stopped.changed() => break,
        };
        match event {
            room::Event::Signal(signal::Event::Joined(joined)) => place = Some(joined.room),
            room::Event::Signal(signal::Event::Published(publication)) => {
                let place = place
                    .clone()
                    .context("joined before anything is published")?;
                let track = publication.sid.clone();
                if let Some(subscription) = subscriptions.get(&track) {
                    // The server may take a track back and list it again at once.
                    room.retarget(*subscription, track).await;
                    continue;
                }
                let egress = shared.egress(place, publication);
                writers.spawn_on(egress.sink.run(), shared.disk.handle());
                let subscription = room.subscribe(track.clone(), egress.consumer).await?;
                subscriptions.insert(track, subscription);
            }
            room::Event::Signal(signal::Event::Reconnecting { .. }) => shared.board().broken += 1,
            room::Event::Signal(signal::Event::Ended(reason)) => anyhow::bail!("{reason}"),
            _ => {}
        }
    }
    room.leave().await;
    Ok(writers.join_all().await)
}

impl Shared {
    fn egress(&self, room: signal::Room, publication: Publication) -> Egress {
        let plan = Plan::untouched(Track { room, publication }, self.output.clone());
        let egress = Egress::new(plan, &filter::Workers::none(), clock::wall_clock());
        self.board().tracks.push(Arc::clone(&egress.progress));
        egress
    }

    fn counters(&self) -> Counters {
        let board = self.board();
        let packets = || board.tracks.iter().map(|track| track.packets());
        Counters {
            tracks: packets().filter(|packets| *packets > 0).count(),
            packets: packets().sum(),
            lost: board.tracks.iter().map(|track| track.lost()).sum(),
            broken: board.broken,
        }
    }

    fn board(&self) -> std::sync::MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn config(port: u16, number: usize) -> anyhow::Result<room::Config> {
    Ok(room::Config {
        url: ServerUrl::parse(&format!("ws://127.0.0.1:{port}"))?,
        credentials: Credentials::Key {
            key: ApiKey {
                key: KEY.into(),
                secret: SECRET.into(),
            },
            room: room_name(number).into(),
            identity: EgressId::random().as_str().into(),
        },
        signal: signal::Settings::default(),
    })
}

/// Waits for the files of all rooms.
async fn recorded(mut rooms: JoinSet<anyhow::Result<Vec<Outcome>>>) -> anyhow::Result<Recorded> {
    let mut recorded = Recorded::default();
    while let Some(outcomes) = rooms.join_next().await {
        for outcome in outcomes?? {
            recorded.failed += usize::from(outcome.failure.is_some());
            recorded.files += outcome.files.len();
            for file in &outcome.files {
                recorded.received += file.manifest.packets.received;
                recorded.lost += file.manifest.packets.lost;
            }
        }
    }
    Ok(recorded)
}

fn say(answer: &impl Serialize) -> anyhow::Result<()> {
    crate::say(&serde_json::to_string(answer)?);
    Ok(())
}

/// The server would be busy with handshakes only.
const BETWEEN_JOINS: Duration = Duration::from_millis(20);
