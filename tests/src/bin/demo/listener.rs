//! What stands for a speech service: a WebSocket server that tells what it hears, and how late.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use super::say;

/// A server that waits for one track.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    heard: JoinSet<anyhow::Result<Heard>>,
}

/// What came.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Binary messages.
    pub(crate) frames: usize,
    /// How long after its last sample was spoken each came. Silence that stands for a mute is not
    /// spoken, and comes later.
    delays: Vec<Duration>,
    is_muted: bool,
    clock: Option<Clock>,
}

/// What the server was told about the sound to come.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// When the next sample was spoken, since 1970.
    next: Duration,
    bytes_a_second: u64,
}

impl Listener {
    /// Opens a port on the loopback interface.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let server = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = server.local_addr()?;
        let mut heard = JoinSet::new();
        heard.spawn(async move {
            let (stream, _) = server.accept().await?;
            listen(stream).await
        });
        Ok(Self { address, heard })
    }

    /// Where to send sound to.
    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// Waits for the end of the track.
    pub(crate) async fn finish(mut self) -> anyhow::Result<Heard> {
        let heard = self.heard.join_next().await;
        heard.context("the listener")??
    }
}

async fn listen(stream: TcpStream) -> anyhow::Result<Heard> {
    let mut socket = accept_async(stream).await?;
    let mut heard = Heard::default();
    while let Some(message) = socket.next().await {
        match message? {
            Message::Binary(frame) => heard.frame(frame.len()),
            Message::Text(text) => heard.text(&text)?,
            Message::Close(_) => break,
            _ => {}
        }
    }
    Ok(heard)
}

impl Heard {
    /// The delay that this share of the frames did not exceed.
    pub(crate) fn delay(&self, share: f64) -> Option<Duration> {
        let mut delays = self.delays.clone();
        delays.sort();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a demonstration has some hundred frames"
        )]
        let place = (delays.len().saturating_sub(1) as f64 * share) as usize;
        delays.get(place).copied()
    }

    fn frame(&mut self, bytes: usize) {
        self.frames += 1;
        let Some(clock) = &mut self.clock else { return };
        clock.next += Duration::from_micros(bytes as u64 * 1_000_000 / clock.bytes_a_second);
        if !self.is_muted {
            self.delays.push(now().saturating_sub(clock.next));
        }
    }

    fn text(&mut self, text: &str) -> anyhow::Result<()> {
        let words: Value = serde_json::from_str(text)?;
        match word(&words, "event").as_str() {
            Some("start") => self.start(&words)?,
            Some("plugin") => say(&format!(
                "listener: {} says {}: {}",
                word(&words, "plugin"),
                word(&words, "topic"),
                word(&words, "data")
            )),
            Some("end") => say(&format!(
                "listener: the track ended: {}",
                word(&words, "reason")
            )),
            _ => {
                self.is_muted = word(&words, "muted").as_bool().unwrap_or(self.is_muted);
                say(&format!("listener: {text}"));
            }
        }
        Ok(())
    }

    fn start(&mut self, words: &Value) -> anyhow::Result<()> {
        let number = |key: &str| word(words, key).as_u64().with_context(|| key.to_owned());
        let (rate, channels) = (number("sample_rate")?, number("channels")?);
        say(&format!(
            "listener: {} of {rate} Hz, {channels} channel(s), {} ms a message",
            word(words, "format"),
            word(words, "frame_ms")
        ));
        let at = word(words, "wall_clock_unix_ns").as_str();
        let at = at.context("wall_clock_unix_ns")?.parse()?;
        self.clock = Some(Clock {
            next: Duration::from_nanos(at),
            bytes_a_second: rate * channels * 2,
        });
        Ok(())
    }
}

fn word<'a>(words: &'a Value, key: &str) -> &'a Value {
    words.get(key).unwrap_or(&Value::Null)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the delay is that of the wall clock"
)]
fn now() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}
