//! The binary under test as a child process, driven and judged from outside as its users do.

use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use trackmill_room::signal::Server;

use crate::{deadline, probe};

/// A running `trackmill record`, which writes into a folder of its own. Killed when dropped.
#[derive(Debug)]
pub struct Recorder {
    process: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    said: Vec<String>,
    folder: TempDir,
}

/// What a recorder left behind.
#[derive(Debug)]
pub struct Recorded {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    folder: TempDir,
}

impl Recorder {
    /// Starts to record `room` with the server's own keys.
    ///
    /// # Errors
    /// The binary cannot be built or run.
    pub fn record(server: &Server, room: &str, options: &[&str]) -> anyhow::Result<Self> {
        let Server {
            url,
            api_key,
            api_secret,
        } = server;
        let access = [
            "--url",
            url,
            "--api-key",
            api_key,
            "--api-secret",
            api_secret,
        ];
        let arguments = [&access, ["--room", room].as_slice(), options].concat();
        Self::start(&arguments)
    }

    /// Starts `trackmill record` with these arguments; the output is a name in the folder unless
    /// they say otherwise. The environment does not count.
    ///
    /// # Errors
    /// The binary cannot be built or run.
    pub fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let output = ["--output", NAME];
        let says_where = |argument: &&str| ["--output", "--to"].contains(argument);
        let output = if arguments.iter().any(says_where) {
            &[]
        } else {
            &output[..]
        };
        let mut command = Command::new(binary()?);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        let home = crate::guests::target().join("home");
        command
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_STATE_HOME", home.join("state"));
        let mut process = command
            .arg("record")
            .args(output)
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stderr = process.stderr.take().context("a pipe")?;
        Ok(Self {
            process,
            stderr: BufReader::new(stderr).lines(),
            said: Vec::new(),
            folder,
        })
    }

    /// Waits until it says a line with `text` in it on standard error.
    ///
    /// # Errors
    /// It ended before.
    pub async fn says(&mut self, text: &str) -> anyhow::Result<()> {
        deadline::until(format_args!("trackmill says {text:?}"), self.hear(text)).await
    }

    /// Waits until media has reached this many files.
    pub async fn writes(&self, files: usize) {
        let folder = self.folder.path();
        deadline::found(format_args!("media in {files} files"), async || {
            let written = list(folder).ok()?.into_iter();
            let has_media = |path: &PathBuf| path.metadata().is_ok_and(|file| file.len() > HEADERS);
            (written.filter(has_media).count() >= files).then_some(())
        })
        .await;
    }

    /// How many bytes of memory it has, by the kernel's count.
    ///
    /// # Errors
    /// It has ended.
    pub fn memory(&self) -> anyhow::Result<u64> {
        let id = self.process.id().context("it has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        Ok(kib.context("a resident size")?.parse::<u64>()? << 10)
    }

    /// Where it writes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends signals such as `INT` in this order, so that they arrive together.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, names: &[&str]) -> anyhow::Result<()> {
        let id = self.process.id().context("it has ended")?.to_string();
        // What comes while a process is stopped waits until it goes on.
        for name in ["STOP"].iter().chain(names).chain(&["CONT"]) {
            probe::run(Program::new("kill").args(["-s", name, &id]))?;
        }
        Ok(())
    }

    /// Interrupts it as Ctrl-C does, and waits until it has finished its files.
    ///
    /// # Errors
    /// It has ended already.
    pub async fn stop(self) -> anyhow::Result<Recorded> {
        self.signal(&["INT"])?;
        self.end().await
    }

    async fn hear(&mut self, text: &str) -> anyhow::Result<()> {
        loop {
            let line = self.stderr.next_line().await?;
            let line = line.with_context(|| format!("no {text:?} in {:#?}", self.said))?;
            let is_it = line.contains(text);
            self.said.push(line);
            if is_it {
                return Ok(());
            }
        }
    }

    /// Ends it at once, as `kill -9` and the kernel's out-of-memory killer do; what was written lies
    /// in the folder.
    ///
    /// # Errors
    /// It has ended already.
    pub async fn kill(mut self) -> anyhow::Result<TempDir> {
        let ended = self.process.try_wait()?;
        ensure!(ended.is_none(), "it ended by itself: {ended:?}");
        self.process.kill().await?;
        Ok(self.folder)
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// What it prints is not text.
    pub async fn end(mut self) -> anyhow::Result<Recorded> {
        let mut stdout = String::new();
        let mut output = self.process.stdout.take().context("a pipe")?;
        let end = async {
            let read = output.read_to_string(&mut stdout);
            tokio::try_join!(drain(&mut self.stderr, &mut self.said), read)?;
            self.process.wait().await
        };
        let status = deadline::until("trackmill ends", end).await?;
        Ok(Recorded {
            code: status.code(),
            stdout,
            stderr: self.said.join("\n"),
            folder: self.folder,
        })
    }
}

impl Recorded {
    /// Its files, in the order of their names, if all went well.
    ///
    /// # Errors
    /// It failed.
    pub fn complete(&self) -> anyhow::Result<Vec<PathBuf>> {
        let stderr = &self.stderr;
        ensure!(self.code == Some(0), "exit code {:?}: {stderr}", self.code);
        Ok(list(self.folder.path())?)
    }

    /// Its only file.
    ///
    /// # Errors
    /// It failed, or there is another number of files.
    pub fn only_file(&self) -> anyhow::Result<PathBuf> {
        let mut files = self.complete()?;
        ensure!(files.len() == 1, "{files:?}: {}", self.stderr);
        files.pop().context("there is one")
    }

    /// Where it was to write.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

async fn drain(
    lines: &mut Lines<BufReader<ChildStderr>>,
    into: &mut Vec<String>,
) -> std::io::Result<()> {
    while let Some(line) = lines.next_line().await? {
        into.push(line);
    }
    Ok(())
}

/// Makes whole what lies in `folder` by `trackmill recover`; what it printed.
///
/// # Errors
/// Something cannot be recovered.
pub fn recover(folder: &Path) -> anyhow::Result<String> {
    let output = probe::run(Program::new(binary()?).arg("recover").arg(folder))?;
    Ok(String::from_utf8(output.stdout)?)
}

/// Builds the binary once, as `cargo build` would, and tells where it is.
///
/// # Errors
/// It does not build.
pub fn binary() -> anyhow::Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BINARY.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    let path = built.as_deref();
    path.map_err(|error| anyhow::anyhow!("{error}"))
}

fn build() -> anyhow::Result<PathBuf> {
    // The whole workspace, so that dependencies have the features of `make test`.
    let binary = ["build", "--locked", "--workspace", "--bin", "trackmill"];
    let mut cargo = Program::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(binary);
    // target/PROFILE/deps/real-0123456789abcdef
    let test = std::env::current_exe()?;
    let profile = test.ancestors().nth(2).context("a target directory")?;
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    probe::run(&mut cargo)?;
    Ok(profile.join("trackmill"))
}

/// The media files of a folder, spool files included.
fn list(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<std::io::Result<Vec<_>>>()?;
    let is_media = |path: &PathBuf| {
        path.extension()
            .is_none_or(|extension| extension != "json" && extension != "jsonl")
    };
    paths.retain(is_media);
    paths.sort();
    Ok(paths)
}

/// What the binary would read from the environment of whoever runs the tests.
const VARIABLES: [&str; 8] = [
    "LIVEKIT_URL",
    "LIVEKIT_API_KEY",
    "LIVEKIT_API_SECRET",
    "LIVEKIT_TOKEN",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];
const NAME: &str = "{publisher_identity}-{track_source}-{track_id}";
/// More than any container has before its first media.
const HEADERS: u64 = 2_000;
