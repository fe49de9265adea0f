//! `trackmill` as a process of its own, recording from a simulated room.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use trackmill_room::media::Media;
use trackmill_room::publisher::{History, Source, TrackSpec};
use trackmill_room::room::SimulatedRoom;
use trackmill_room::simulation::Config;

/// The room's name.
pub const ROOM: &str = "room";
/// Who publishes there, and the file that `--output {publisher_identity}` makes of it.
pub const FILES: [&str; 3] = ["alice.ogg", "bob.webm", "carol.mp4"];

/// A simulated server with Opus, VP8 and H.264 in one room, which play on and on.
///
/// # Errors
/// Sockets or test media cannot be had.
pub async fn room() -> anyhow::Result<SimulatedRoom> {
    let room = SimulatedRoom::start(Config::default()).await?;
    for (identity, file, source) in [
        ("alice", "opus.ogg", Source::Microphone),
        ("bob", "vp8.ivf", Source::Camera),
        ("carol", "h264.h264", Source::ScreenShare),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/media");
        let track = TrackSpec {
            name: file.to_owned(),
            source,
            media: Media::open(path.join(file))?,
            speed: 1.0,
            history: History::Count,
        };
        room.publish(ROOM, identity, track).await?;
    }
    Ok(room)
}

/// A running `trackmill record`.
#[derive(Debug)]
pub struct Recorder {
    child: Child,
}

/// How a recorder ended.
#[derive(Debug)]
pub struct End {
    /// Its exit code, or what killed it.
    pub status: ExitStatus,
    /// What it said.
    pub stderr: String,
}

impl Recorder {
    /// Starts to record every track of the room into `folder`.
    ///
    /// # Errors
    /// The program is not built, or cannot be started.
    pub fn start(room: &SimulatedRoom, folder: &Path) -> anyhow::Result<Self> {
        let child = Command::new(program()?)
            .args(["record", "--all", "--room", ROOM, "--url", room.url()])
            .arg("--output")
            .arg(folder.join("{publisher_identity}"))
            .env("LIVEKIT_API_KEY", room.api_key())
            .env("LIVEKIT_API_SECRET", room.api_secret())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child })
    }

    /// Ends it at once, as `kill -9` does.
    ///
    /// # Errors
    /// It has ended already.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "it ended by itself");
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It takes longer than `limit`.
    pub async fn end(mut self, limit: Duration) -> anyhow::Result<End> {
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().context("it is piped")?;
        let status = timeout(limit, async {
            pipe.read_to_string(&mut stderr).await?;
            self.child.wait().await
        });
        let status = match status.await {
            Ok(status) => status?,
            Err(_) => anyhow::bail!("it did not end within {limit:?}; it said: {stderr}"),
        };
        Ok(End { status, stderr })
    }
}

/// Makes whole what lies in `folder` by `trackmill recover`; what it printed.
///
/// # Errors
/// It fails.
pub fn recover(folder: &Path) -> anyhow::Result<String> {
    let mut command = std::process::Command::new(program()?);
    let output = crate::probe::run(command.arg("recover").arg(folder))?;
    Ok(String::from_utf8(output.stdout)?)
}

/// Waits for files to be there.
///
/// # Errors
/// They are not there in time.
pub async fn appear(paths: &[PathBuf]) -> anyhow::Result<()> {
    let there = async {
        while !paths.iter().all(|path| path.exists()) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let limit = Duration::from_secs(30);
    let waited = timeout(limit, there).await;
    waited.with_context(|| format!("not all there after {limit:?}: {paths:?}"))
}

/// The binary beside the tests' own.
fn program() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let found = this.ancestors().skip(1).take(2).find_map(|folder| {
        let program = folder.join("trackmill");
        program.is_file().then_some(program)
    });
    found.context("trackmill is not built: `cargo build --workspace` does it")
}
