use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::dial::DialError;
use crate::sink::websocket::message::Message;
use crate::sink::websocket::outcome::Outcome;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The track has something to send.
    Message(Message),
    /// The track is over without a [`Message::End`]: nobody is left to send.
    Finish,
    /// [`Output::Dial`] succeeded.
    Connected,
    /// [`Output::Dial`] failed.
    DialFailed(DialError),
    /// The server answered a ping.
    Pong(Bytes),
    /// The connection is of no use any more.
    Disconnected(Disconnect),
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disconnect {
    /// The server closed it, with a code of
    /// [RFC 6455 §7.4](https://www.rfc-editor.org/rfc/rfc6455#section-7.4) if it gave one.
    Closed {
        /// The code.
        code: Option<u16>,
        /// The server's words; may be empty.
        reason: String,
    },
    /// It broke.
    Broken(String),
}

/// What a [`Session`](super::Session) wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Dial the server; answered by one `Connected` or `DialFailed`, unless `HangUp` calls it off.
    Dial,
    /// Drop the connection, or stop dialling; not answered.
    HangUp,
    /// Tell whoever watches.
    Event(Event),
    /// It is over; nothing follows.
    Ended(Box<Outcome>),
}

/// What a [`Session`](super::Session) hands to the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Sound.
    Binary(Bytes),
    /// Words.
    Text(String),
    /// Are you there?
    Ping(Bytes),
    /// Farewell, with code 1000.
    Close,
}

/// What a [`Session`](super::Session) tells whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The connection stands.
    Connected {
        /// Which one; the first is 1.
        connection: u32,
        /// How often it was tried.
        attempts: u32,
        /// Since the first of them, or since the connection before broke.
        after: Duration,
    },
    /// There is no connection; another attempt follows.
    Reconnecting {
        /// Why, for people.
        cause: String,
        /// When, from now.
        delay: Duration,
        /// How much sound the connection before took that the server may not have read.
        unconfirmed: Duration,
    },
    /// Sound is being dropped, because the server reads too slowly or there is none. Comes once
    /// for each burst.
    Dropping,
    /// No sound is dropped any more.
    KeptUp {
        /// How much was dropped since.
        dropped: Duration,
    },
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { code: None, .. } => f.write_str("the server closed it without a code"),
            Self::Closed {
                code: Some(code),
                reason,
            } if reason.is_empty() => {
                write!(f, "the server closed it with code {code}")
            }
            Self::Closed {
                code: Some(code),
                reason,
            } => {
                write!(f, "the server closed it with code {code}: {reason}")
            }
            Self::Broken(error) => f.write_str(error),
        }
    }
}
