use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::installed;
use crate::deadline;

/// A WebSocket server as its author would write it: `tests/receivers/receive.py` in a process of its
/// own. Killed when dropped.
#[derive(Debug)]
pub struct Receiver {
    process: Child,
    commands: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
    /// What happened since that was looked for.
    seen: Vec<Value>,
    folder: TempDir,
    port: u16,
}

/// What came in over one connection.
#[derive(Debug)]
pub struct Heard {
    /// The binary messages one after the other.
    pub sound: Vec<u8>,
    /// When each came, and how long it was.
    pub messages: Vec<(SystemTime, usize)>,
}

impl Receiver {
    /// Starts a server; `options` are those of the script.
    ///
    /// # Errors
    /// Python or its library is missing.
    pub async fn start(options: &[&str]) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/receivers/receive.py");
        let mut process = Command::new(installed("python/bin/python"))
            .arg(script)
            .arg("--folder")
            .arg(folder.path())
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run Python; `make setup` installs it")?;
        let commands = process.stdin.take().context("a pipe")?;
        let events = process.stdout.take().context("a pipe")?;
        let mut receiver = Self {
            process,
            commands,
            events: BufReader::new(events).lines(),
            seen: Vec::new(),
            folder,
            port: 0,
        };
        let listening = receiver.event("listening").await?;
        let port = listening
            .get("port")
            .and_then(Value::as_u64)
            .context("a port")?;
        receiver.port = port.try_into()?;
        Ok(receiver)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/sound", self.port)
    }

    /// Its port, for another in its place.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Gives a command, such as `stall 3`, and waits until it is done.
    ///
    /// # Errors
    /// It has ended.
    pub async fn tell(&mut self, command: &str) -> anyhow::Result<()> {
        self.commands
            .write_all(format!("{command}\n").as_bytes())
            .await?;
        self.event("done").await.map(drop)
    }

    /// Waits for the next event of this name; those before it stay to be looked for.
    ///
    /// # Errors
    /// It has ended.
    pub async fn event(&mut self, name: &str) -> anyhow::Result<Value> {
        if let Some(place) = self.seen.iter().position(|event| is(event, name)) {
            return Ok(self.seen.remove(place));
        }
        deadline::until(format_args!("the receiver says {name}"), self.hear(name)).await
    }

    /// The texts that came over a connection until it was closed, each with how many bytes of sound
    /// came before it.
    ///
    /// # Errors
    /// It has ended.
    pub async fn texts_until_closed(&mut self, connection: u64) -> anyhow::Result<Vec<Text>> {
        let closed = loop {
            let closed = self.event("closed").await?;
            if is_of(&closed, connection) {
                break closed;
            }
        };
        let mut texts = Vec::new();
        self.seen.retain(|event| {
            let is_it = is(event, "text") && is_of(event, connection);
            if is_it {
                texts.push(Text::of(event));
            }
            !is_it
        });
        self.seen.push(closed);
        Ok(texts)
    }

    /// What came over a connection so far.
    ///
    /// # Errors
    /// There was no such connection.
    pub fn heard(&self, connection: u64) -> anyhow::Result<Heard> {
        let read = |kind| std::fs::read(self.path(connection, kind));
        let times = String::from_utf8(read("times")?)?;
        let message = |line: &str| {
            let (at, length) = line.split_once(' ').context("a time and a length")?;
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(at.parse()?);
            anyhow::Ok((at, length.parse()?))
        };
        Ok(Heard {
            sound: read("sound")?,
            messages: times.lines().map(message).collect::<anyhow::Result<_>>()?,
        })
    }

    /// Waits until so many bytes of sound have come over a connection.
    pub async fn hears(&self, connection: u64, bytes: u64) {
        let path = self.path(connection, "sound");
        let what = format!("{bytes} bytes over connection {connection}");
        deadline::found(what, async || {
            let length = path.metadata().map_or(0, |file| file.len());
            (length >= bytes).then_some(())
        })
        .await;
    }

    /// Ends the process at once: its sockets close, and nobody says goodbye.
    ///
    /// # Errors
    /// The operating system does not let us.
    pub async fn kill(mut self) -> std::io::Result<()> {
        self.process.kill().await
    }

    fn path(&self, connection: u64, kind: &str) -> PathBuf {
        self.folder.path().join(format!("{connection}.{kind}"))
    }

    async fn hear(&mut self, name: &str) -> anyhow::Result<Value> {
        loop {
            let line = self.events.next_line().await?;
            let line = line.with_context(|| format!("the receiver ended before {name}"))?;
            let event: Value = serde_json::from_str(&line)?;
            if is(&event, name) {
                return Ok(event);
            }
            self.seen.push(event);
        }
    }
}

fn is(event: &Value, name: &str) -> bool {
    event.get("event").is_some_and(|event| event == name)
}

fn is_of(event: &Value, number: u64) -> bool {
    let connection = event.get("connection");
    connection.is_some_and(|connection| connection == number)
}

impl Heard {
    /// Each binary message.
    #[must_use]
    pub fn packets(&self) -> Vec<&[u8]> {
        let mut rest = &self.sound[..];
        let take = |(_, length): &(SystemTime, usize)| {
            let (packet, after) = rest.split_at(*length);
            rest = after;
            packet
        };
        self.messages.iter().map(take).collect()
    }
}

/// A text message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The words.
    pub text: String,
    /// Bytes of sound that came before it.
    pub after: usize,
}

impl Text {
    fn of(event: &Value) -> Self {
        let after = event.get("after").and_then(Value::as_u64);
        let text = event.get("text").and_then(Value::as_str);
        Self {
            text: text.unwrap_or_default().to_owned(),
            after: usize::try_from(after.unwrap_or_default()).unwrap_or(usize::MAX),
        }
    }

    /// The words as JSON; null if they are none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}
