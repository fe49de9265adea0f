use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use tokio::time::{Instant, sleep};

use crate::Settings;
use crate::case::Case;
use crate::process::Process;
use crate::record::{Counters, Recorded};
use crate::server::Server;
use crate::usage;

/// What a case costs.
#[derive(Debug)]
pub(crate) struct Figures {
    case: Case,
    window: Duration,
    packets: u64,
    lost: u64,
    broken: u64,
    recorder: Duration,
    server: Duration,
    publishers: Duration,
    /// Resident memory of the recorder.
    pub(crate) resident: u64,
    drops: Drops,
    load: f64,
    recorded: Recorded,
}

/// Datagrams that the kernel dropped at full sockets, during the window.
#[derive(Clone, Copy, Debug)]
struct Drops {
    recorder: u64,
    server: u64,
}

/// Everybody who takes part in a case.
#[derive(Debug)]
struct Cast {
    server: Server,
    publishers: Vec<Process>,
    recorder: Process,
}

/// What everybody has used up until some moment.
#[derive(Debug)]
struct Sample {
    at: Instant,
    counters: Counters,
    recorder: Duration,
    server: Duration,
    publishers: Duration,
    drops: Drops,
}

/// Measures a case for `window`.
pub(crate) async fn measure(
    case: Case,
    window: Duration,
    settings: &Settings,
) -> anyhow::Result<Figures> {
    let output = tempfile::tempdir()?;
    let mut cast = Cast::assemble(case, &settings.server, output.path()).await?;
    cast.wait_for(case.total()).await?;
    sleep(SETTLE).await;
    let before = cast.sample().await?;
    sleep(window).await;
    let after = cast.sample().await?;
    let resident = usage::resident(cast.recorder.id()?)?;
    let load = usage::load_average()?;
    let recorded: Recorded = cast.recorder.end().await?;
    ensure!(
        recorded.failed == 0,
        "{} recordings failed",
        recorded.failed
    );
    Ok(Figures {
        case,
        window: after.at - before.at,
        packets: after.counters.packets - before.counters.packets,
        lost: after.counters.lost - before.counters.lost,
        broken: after.counters.broken,
        recorder: after.recorder - before.recorder,
        server: after.server - before.server,
        publishers: after.publishers - before.publishers,
        resident,
        drops: Drops {
            recorder: after.drops.recorder - before.drops.recorder,
            server: after.drops.server.saturating_sub(before.drops.server),
        },
        load,
        recorded,
    })
}

impl Cast {
    /// Starts everybody; the recorder has not joined yet.
    async fn assemble(case: Case, program: &Path, output: &Path) -> anyhow::Result<Self> {
        let server = Server::start(program).await?;
        let mut publishers = publishers(case, server.port)?;
        for publisher in &mut publishers {
            publisher.answer::<u64>().await?;
        }
        let mut recorder = Process::start(&[
            "record".to_owned(),
            format!("--port={}", server.port),
            format!("--rooms={}", case.rooms),
            format!("--output={}", output.display()),
        ])?;
        recorder.answer::<Counters>().await?;
        Ok(Self {
            server,
            publishers,
            recorder,
        })
    }

    /// Lets the recorder join, and waits until it receives so many tracks.
    async fn wait_for(&mut self, tracks: usize) -> anyhow::Result<()> {
        let mut found = 0;
        for _ in 0..POLLS {
            found = self.recorder.ask::<Counters>().await?.tracks;
            if found >= tracks {
                return Ok(());
            }
            sleep(POLL).await;
        }
        anyhow::bail!("{found} of {tracks} tracks came")
    }

    async fn sample(&mut self) -> anyhow::Result<Sample> {
        let recorder = self.recorder.id()?;
        let server = self.server.id()?;
        let mut publishers = Duration::ZERO;
        for publisher in &self.publishers {
            publishers += usage::cpu_time(publisher.id()?)?;
        }
        Ok(Sample {
            at: Instant::now(),
            counters: self.recorder.ask().await?,
            recorder: usage::cpu_time(recorder)?,
            server: usage::cpu_time(server)?,
            publishers,
            drops: Drops {
                recorder: usage::udp_drops(recorder)?,
                server: usage::udp_drops(server)?,
            },
        })
    }
}

/// Starts the publishing processes.
fn publishers(case: Case, port: u16) -> anyhow::Result<Vec<Process>> {
    let half = case.rooms.div_ceil(PUBLISHERS);
    let firsts = (0..case.rooms).step_by(half);
    firsts
        .map(|first| {
            Process::start(&[
                "publish".to_owned(),
                format!("--port={port}"),
                format!("--first-room={first}"),
                format!("--rooms={}", half.min(case.rooms - first)),
                format!("--tracks={}", case.tracks),
            ])
        })
        .collect()
}

impl Figures {
    /// The head of the table.
    pub(crate) const HEAD: &str = "\
rooms x  us a    core   packets    KB a    KB a    lost      dropped at      conn.   server  publ.   load
tracks   packet         a second   room    track   packets   us   server     broken  core    core    average";

    /// What the columns mean.
    pub(crate) const LEGEND: &str = "
us a packet, core: CPU time of the recording process, user and system, all threads.
KB: resident memory above that of a process that records one track.
lost: gaps in the sequence numbers, whoever made them; dropped: datagrams that found a socket full.
load average: of the whole machine, in the last minute.";

    /// A line of the table; `alone` is the memory of a process that records one track.
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    pub(crate) fn row(&self, alone: u64) -> String {
        let seconds = self.window.as_secs_f64();
        let packets = self.packets as f64;
        let kilobytes = self.resident.saturating_sub(alone) as f64 / 1e3;
        let each = |count: usize| match count {
            1 => "-".to_owned(),
            _ => format!("{:.1}", kilobytes / (count - 1) as f64),
        };
        format!(
            "{:<8} {:<7.2} {:<6.3} {:<10.0} {:<7} {:<7} {:<9} {:<4} {:<10} {:<7} {:<7.2} {:<7.2} {:.1}
         whole run: {} files, {} packets, {} lost",
            self.case,
            self.recorder.as_secs_f64() * 1e6 / packets,
            self.recorder.as_secs_f64() / seconds,
            packets / seconds,
            each(self.case.rooms),
            each(self.case.total()),
            self.lost,
            self.drops.recorder,
            self.drops.server,
            self.broken,
            self.server.as_secs_f64() / seconds,
            self.publishers.as_secs_f64() / seconds,
            self.load,
            self.recorded.files,
            self.recorded.received,
            self.recorded.lost,
        )
    }
}

/// Two, because one process of 1,000 tracks keeps a core busy.
const PUBLISHERS: usize = 2;
/// From the last track's first packet to the window.
const SETTLE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(500);
const POLLS: usize = 240;
