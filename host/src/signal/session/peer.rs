use std::time::{Duration, Instant};

use crate::signal::open::ResumeReason;

/// What the session knows of the peer connection.
#[derive(Debug)]
pub(super) struct Peer {
    state: State,
    first_connected: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing to connect to yet, or broken.
    Down,
    Connecting {
        deadline: Instant,
    },
    Connected,
}

impl Peer {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Down,
            first_connected: None,
        }
    }

    /// Signalling is up: from now on the peer connection has to connect, unless it still is.
    pub(super) fn expect(&mut self, timeout: Duration, now: Instant) {
        if !self.is_connected() {
            self.state = State::Connecting {
                deadline: now + timeout,
            };
        }
    }

    pub(super) fn connected(&mut self, now: Instant) {
        self.state = State::Connected;
        self.first_connected.get_or_insert(now);
    }

    pub(super) const fn down(&mut self) {
        self.state = State::Down;
    }

    pub(super) const fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    /// When a connection must be there.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Connecting { deadline } => Some(deadline),
            State::Down | State::Connected => None,
        }
    }

    /// What to call a resume. Told of a failed peer connection within 90 s of its first connect,
    /// the server concludes that UDP does not work here, offers TCP only, and remembers it for five
    /// minutes (webrtc.md §4.8). Until then only the WebSocket broke.
    pub(super) fn resume_reason(&self, now: Instant) -> ResumeReason {
        let lasted = self
            .first_connected
            .map_or(Duration::ZERO, |first| now.duration_since(first));
        if self.is_connected() || lasted <= SHORT_CONNECTION {
            return ResumeReason::SignalDisconnected;
        }
        ResumeReason::SubscriberFailed
    }
}

/// livekit-server's `shortConnectionThreshold`.
const SHORT_CONNECTION: Duration = Duration::from_secs(90);
