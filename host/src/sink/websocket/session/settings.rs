use std::time::Duration;

use crate::sink::websocket::text::Texts;

/// How a [`Session`](super::Session) behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How much sound may wait for the server before the oldest is dropped. 10 s.
    pub buffer: Duration,
    /// How long to try to connect for the first time; an attempt takes 10 s at most. 10 s.
    pub connect_window: Duration,
    /// How long to try to connect again. 60 s.
    pub reconnect_window: Duration,
    /// The time between pings. When two went unanswered, the connection is made again. 15 s.
    pub ping_interval: Duration,
    /// How long the server has at the end to take what is left and to say farewell. 10 s.
    pub drain: Duration,
    /// Which text messages are sent.
    pub texts: Texts,
    /// For the jitter of the pauses between attempts; each session should have another.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            buffer: Duration::from_secs(10),
            connect_window: Duration::from_secs(10),
            reconnect_window: Duration::from_secs(60),
            ping_interval: Duration::from_secs(15),
            drain: Duration::from_secs(10),
            texts: Texts::default(),
            seed: 0,
        }
    }
}
