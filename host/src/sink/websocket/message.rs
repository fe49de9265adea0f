use std::time::{Duration, Instant};

use bytes::Bytes;

use super::format::Format;
use super::text::Texts;
use crate::media::{NtpTimestamp, Pts};

/// What a track hands to its WebSocket, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A binary message.
    Audio(Audio),
    /// A text message.
    Text(Text),
    /// How the sound that follows is laid out. The next `start` tells the server.
    Open(Opening),
    /// The track is over, and why, for people. Nothing follows.
    End(String),
}

/// How sound is laid out, once that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What each binary message holds.
    pub format: Format,
    /// When position 0 was.
    pub anchor: Option<Anchor>,
}

/// Sound that is sent as one binary message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio {
    /// PCM in the format that was agreed on, or one Opus packet. At most 60 KiB.
    pub bytes: Bytes,
    /// Where it begins: 48 kHz ticks since the session's origin.
    pub pts: Pts,
    /// How long it lasts.
    pub duration: Duration,
    /// When it was made: the delay until it is handed to the socket counts from here.
    pub made_at: Instant,
}

/// Words that are sent as one text message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The track was muted or unmuted; `instead` is what a plugin made of `{"muted":…}`.
    Muted {
        /// Whether it is silent from here on.
        is_muted: bool,
        /// The words to send, if not the usual ones.
        instead: Option<String>,
    },
    /// Nothing came from the publisher; what is sent is silence, or concealment.
    Gap {
        /// Where it begins: 48 kHz ticks.
        pts: Pts,
        /// How long it lasts.
        duration: Duration,
        /// Why, in snake case: `lost`, `interrupted` …
        reason: &'static str,
    },
    /// A plugin has something to say.
    Emitted {
        /// Which one.
        plugin: String,
        /// What about.
        topic: String,
        /// Where: 48 kHz ticks.
        pts: Pts,
        /// The words. A JSON object or array is embedded as such, anything else as a string.
        data: String,
    },
    /// Words that are sent as they are.
    Verbatim {
        /// A JSON object.
        json: String,
        /// Who gets them: servers that are told so much, or more.
        least: Texts,
    },
}

/// The wall-clock time of position 0, and where it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The time.
    pub at: NtpTimestamp,
    /// Whose clock says so.
    pub origin: AnchorOrigin,
}

/// Whose clock an [`Anchor`] is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorOrigin {
    /// The publisher's, by an RTCP sender report.
    SenderReport,
    /// Ours, when the first packet came in.
    Arrival,
}
