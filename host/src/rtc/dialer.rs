//! When to open an ICE-TCP connection, [RFC 6544](https://www.rfc-editor.org/rfc/rfc6544): soon if
//! the server has nothing else to offer, and a second later if UDP does not connect.

use core::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Transport;

/// Decides which passive TCP candidate is dialled when; one connection at a time.
#[derive(Debug)]
pub(crate) struct Dialer {
    patience: Duration,
    /// Passive TCP candidates, the next one to try in front.
    candidates: std::collections::VecDeque<SocketAddr>,
    /// When the first candidate of this ICE generation became known.
    known_since: Option<Instant>,
    has_udp: bool,
    /// The transport ICE last connected with.
    proven: Option<Transport>,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// No connection, and none before this time.
    Closed { until: Option<Instant> },
    /// A connection is being made or made.
    Open,
}

impl Dialer {
    /// `patience` is how long UDP may take.
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            patience,
            candidates: std::collections::VecDeque::new(),
            known_since: None,
            has_udp: false,
            proven: None,
            state: State::Closed { until: None },
        }
    }

    /// ICE restarts: the candidates so far are void, and the server closes its TCP connections.
    pub(crate) fn restart(&mut self) {
        self.candidates.clear();
        self.known_since = None;
        self.has_udp = false;
        self.state = State::Closed { until: None };
    }

    /// The server can be reached over UDP.
    pub(crate) fn add_udp(&mut self, now: Instant) {
        self.has_udp = true;
        self.known_since.get_or_insert(now);
    }

    /// The server listens for TCP at `remote`. At most 8 addresses are kept.
    pub(crate) fn add_tcp(&mut self, now: Instant, remote: SocketAddr) {
        self.known_since.get_or_insert(now);
        if self.candidates.len() < MAX_CANDIDATES && !self.candidates.contains(&remote) {
            self.candidates.push_back(remote);
        }
    }

    /// ICE has connected.
    pub(crate) const fn connected(&mut self, transport: Transport) {
        self.proven = Some(transport);
    }

    /// The connection could not be made, or has ended; the next one is tried a second later.
    pub(crate) fn closed(&mut self, now: Instant) {
        self.candidates.rotate_left(self.candidates.len().min(1));
        self.state = State::Closed {
            until: Some(now + BACK_OFF),
        };
    }

    /// When [`poll`](Self::poll) is wanted while ICE is not connected.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let State::Closed { until } = self.state else {
            return None;
        };
        self.candidates.front()?;
        let due = self.known_since? + self.delay();
        Some(until.map_or(due, |until| due.max(until)))
    }

    /// The address to dial, if it is time. Ask only while ICE is not connected.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<SocketAddr> {
        if self.poll_timeout()? > now {
            return None;
        }
        self.state = State::Open;
        self.candidates.front().copied()
    }

    fn delay(&self) -> Duration {
        match (self.proven, self.has_udp) {
            (Some(Transport::Tcp), _) => Duration::ZERO,
            (_, false) => GRACE.min(self.patience),
            (_, true) => self.patience,
        }
    }
}

/// How long a UDP candidate may trail behind the first TCP candidate.
const GRACE: Duration = Duration::from_millis(100);
const BACK_OFF: Duration = Duration::from_secs(1);
const MAX_CANDIDATES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn tcp_is_dialled_when_udp_has_had_its_time() {
        let start = crate::rtc::clock::now();
        let mut dialer = Dialer::new(PATIENCE);

        dialer.add_tcp(start, address(1));
        dialer.add_udp(at(start, 5));

        assert_eq!(dialer.poll(at(start, 999)), None);
        assert_eq!(dialer.poll(at(start, 1_000)), Some(address(1)));
        assert_eq!(dialer.poll_timeout(), None);
    }

    #[test]
    fn tcp_is_dialled_at_once_where_it_is_all_there_is() {
        let start = crate::rtc::clock::now();
        let mut dialer = Dialer::new(PATIENCE);

        dialer.add_tcp(start, address(1));

        assert_eq!(dialer.poll(at(start, 99)), None);
        assert_eq!(dialer.poll(at(start, 100)), Some(address(1)));
    }

    #[test]
    fn a_failed_connection_makes_way_for_the_next_candidate() {
        let start = crate::rtc::clock::now();
        let mut dialer = Dialer::new(PATIENCE);
        dialer.add_tcp(start, address(1));
        dialer.add_tcp(start, address(2));
        dialer.poll(at(start, 100));

        dialer.closed(at(start, 200));

        assert_eq!(dialer.poll(at(start, 1_199)), None);
        assert_eq!(dialer.poll(at(start, 1_200)), Some(address(2)));
    }

    #[test]
    fn an_ice_restart_over_tcp_dials_again_without_delay() {
        let start = crate::rtc::clock::now();
        let mut dialer = Dialer::new(PATIENCE);
        dialer.add_tcp(start, address(1));
        dialer.poll(at(start, 100));
        dialer.connected(Transport::Tcp);

        dialer.restart();
        dialer.add_udp(at(start, 9_000));
        dialer.add_tcp(at(start, 9_000), address(1));

        assert_eq!(dialer.poll(at(start, 9_000)), Some(address(1)));
    }
}
