use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::nanoseconds;
use crate::sink::websocket::{Counters, Format, Outcome};

/// What became of the sound on the way to a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The server; values of the query are left out.
    pub url: String,
    /// What binary messages held: `pcm_s16le` or `opus`.
    pub format: String,
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels; `None` for Opus, of which each packet says how many it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// How long a message of PCM lasts, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_ms: Option<u64>,
    /// Binary messages that were handed over.
    pub audio_messages: u64,
    /// Text messages that were handed over.
    pub text_messages: u64,
    /// How long the sound is that was handed over.
    #[serde(rename = "sent_ns", with = "nanoseconds")]
    pub sent: Duration,
    /// What was not sent, by reason.
    pub dropped: Dropped,
    /// How long the sound is that was handed over to connections that broke before the server had
    /// confirmed it: at most this much was not read.
    #[serde(rename = "unconfirmed_ns", with = "nanoseconds")]
    pub unconfirmed: Duration,
    /// Connections that came about; all but the first are reconnects.
    pub connections: u32,
    /// From when a message was made until it was handed to the socket.
    pub delay: Delays,
}

/// What was not sent, by reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Sound: the server read too slowly.
    #[serde(rename = "slow_server_ns", with = "nanoseconds")]
    pub slow_server: Duration,
    /// Sound: there was no connection.
    #[serde(rename = "disconnected_ns", with = "nanoseconds")]
    pub disconnected: Duration,
    /// Sound: it was left when the delivery ended.
    #[serde(rename = "unsent_ns", with = "nanoseconds")]
    pub unsent: Duration,
    /// Messages longer than any can be.
    pub oversize: u64,
    /// Texts: too many waited, or they were left when the delivery ended.
    pub texts: u64,
}

/// How delays were distributed, to within an eighth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delays {
    /// Half of the messages took no longer.
    #[serde(rename = "p50_ns", with = "nanoseconds")]
    pub p50: Duration,
    /// All but one in a hundred took no longer.
    #[serde(rename = "p99_ns", with = "nanoseconds")]
    pub p99: Duration,
    /// The longest.
    #[serde(rename = "max_ns", with = "nanoseconds")]
    pub max: Duration,
}

impl Delivery {
    /// Tells of a delivery to the server at `url`, which has no secrets in it any more.
    pub(in crate::egress) fn new(url: &str, outcome: &Outcome) -> Self {
        let Outcome {
            format,
            counters,
            delays,
            ..
        } = outcome;
        let (name, sample_rate, channels, frame) = match format {
            Format::Opus => ("opus", 48_000, None, None),
            Format::Pcm { audio, frame } => {
                let channels = Some(audio.channels.count());
                ("pcm_s16le", audio.rate.get(), channels, Some(*frame))
            }
        };
        Self {
            url: url.to_owned(),
            format: name.to_owned(),
            sample_rate,
            channels,
            frame_ms: frame.map(|frame| frame.as_millis()),
            audio_messages: counters.audio_messages,
            text_messages: counters.text_messages,
            sent: counters.audio,
            dropped: counters.into(),
            unconfirmed: counters.unconfirmed,
            connections: counters.connections,
            delay: Delays {
                p50: delays.quantile(0.5),
                p99: delays.quantile(0.99),
                max: delays.max(),
            },
        }
    }
}

impl From<&Counters> for Dropped {
    fn from(counters: &Counters) -> Self {
        Self {
            slow_server: counters.dropped_slow,
            disconnected: counters.dropped_disconnected,
            unsent: counters.dropped_unsent,
            oversize: counters.dropped_oversize,
            texts: counters.dropped_texts,
        }
    }
}
