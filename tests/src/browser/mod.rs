//! Chromium, headless: what it makes of our files when a page plays them.

mod server;

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use self::server::Server;
use crate::deadline;

/// How a file was played to its end, and once more from its middle.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Played {
    /// Seconds, as the file says; `None` if it does not.
    pub duration: Option<f64>,
    /// Pixels across, in the beginning; 0 for sound.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The position where it ended, in seconds.
    pub end: f64,
    /// Pictures that were decoded until then.
    pub frames: u64,
    /// The position behind a seek to half of `end`.
    pub sought: f64,
    /// The position where it ended when it was played on from there.
    pub end_again: f64,
}

/// What the page tells of a file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Outcome {
    Played(Played),
    Refused { error: String },
}

/// Plays the files, which end on `.ogg`, `.webm` or `.mp4`, perhaps with `.part` behind.
///
/// # Errors
/// Chromium is missing (`make setup` installs it), or cannot play one of them.
pub async fn play(files: &[PathBuf]) -> anyhow::Result<Vec<Played>> {
    let server = Server::start(files).await?;
    let profile = TempDir::new()?;
    let mut chromium = start(&server.url(), &profile)?;
    let told = async {
        tokio::select! {
            results = server.results() => results,
            ended = chromium.wait() => bail!("Chromium ended by itself: {:?}", ended?),
        }
    };
    let results = deadline::until("Chromium plays the files", told).await?;
    // Its profile can be removed when it has ended.
    chromium.kill().await?;
    let outcomes: Vec<Outcome> = serde_json::from_slice(&results)?;
    let named = outcomes.into_iter().zip(files);
    let played = named.map(|(outcome, file)| match outcome {
        Outcome::Played(played) => Ok(played),
        Outcome::Refused { error } => bail!("Chromium on {}: {error}", file.display()),
    });
    played.collect()
}

/// Without sandbox, for containers and root; without its calls home, which the tests need no network
/// for.
fn start(url: &str, profile: &TempDir) -> anyhow::Result<Child> {
    let mut user_data = std::ffi::OsString::from("--user-data-dir=");
    user_data.push(profile.path());
    Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args([
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
        ])
        .args(["--disable-background-networking", "--disable-sync"])
        .args(["--disable-component-update", "--mute-audio"])
        .arg("--autoplay-policy=no-user-gesture-required")
        .args([user_data, url.into()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run chromium; `make setup` installs it")
}
