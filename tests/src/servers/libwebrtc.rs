use std::process::Stdio;

use anyhow::Context as _;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use trackmill_room::signal::{Grant, Server};

use super::installed;
use crate::deadline;

/// A publisher on LiveKit's own SDK: `tests/publishers/publish.py` in a process of its own. Killed
/// when dropped.
#[derive(Debug)]
pub struct LibWebRtc {
    process: Child,
    commands: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
}

impl LibWebRtc {
    /// Joins a room as `identity`; `options` are those of the script.
    ///
    /// # Errors
    /// Python or the SDK is missing, or the server does not let it in.
    pub async fn join(
        server: &Server,
        room: &str,
        identity: &str,
        options: &[&str],
    ) -> anyhow::Result<Self> {
        let mut process = Command::new(installed("python/bin/python"))
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/publishers/publish.py"
            ))
            .args(["--url", &server.url])
            .args(options)
            .env(
                "LIVEKIT_TOKEN",
                server.token(room, identity, Grant::Publish)?,
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run Python; `make setup` installs it")?;
        let commands = process.stdin.take().context("a pipe")?;
        let events = process.stdout.take().context("a pipe")?;
        let mut publisher = Self {
            process,
            commands,
            events: BufReader::new(events).lines(),
        };
        publisher.event("joined").await?;
        Ok(publisher)
    }

    /// Gives a command, such as `mute audio`, and waits until it is done.
    ///
    /// # Errors
    /// The publisher has ended.
    pub async fn tell(&mut self, command: &str) -> anyhow::Result<Value> {
        self.commands
            .write_all(format!("{command}\n").as_bytes())
            .await?;
        let event = command.split(' ').next().unwrap_or(command);
        let event = if event == "leave" { "left" } else { event };
        self.event(event).await
    }

    /// Waits for an event; those before it are skipped.
    ///
    /// # Errors
    /// The publisher has ended.
    pub async fn event(&mut self, name: &str) -> anyhow::Result<Value> {
        deadline::until(format_args!("libwebrtc says {name}"), self.hear(name)).await
    }

    /// Ends the process at once: its sockets close, and nobody says goodbye.
    ///
    /// # Errors
    /// The operating system does not let us.
    pub async fn kill(mut self) -> std::io::Result<()> {
        self.process.kill().await
    }

    async fn hear(&mut self, name: &str) -> anyhow::Result<Value> {
        loop {
            let line = self.events.next_line().await?;
            let line = line.with_context(|| format!("libwebrtc ended before {name}"))?;
            let event: Value = serde_json::from_str(&line)?;
            if event.get("event").is_some_and(|event| event == name) {
                return Ok(event);
            }
        }
    }
}
