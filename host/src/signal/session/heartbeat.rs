use std::time::{Duration, Instant};

use crate::signal::message::ClientMessage;

/// Pings the server, and notices when it has gone silent.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    /// The origin of the timestamps in pings.
    epoch: Instant,
    next: Instant,
    last_heard: Instant,
    round_trip: i64,
}

impl Heartbeat {
    pub(super) fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        Self {
            interval,
            timeout,
            epoch: now,
            next: now + interval,
            last_heard: now,
            round_trip: 0,
        }
    }

    /// Any message is a sign of life.
    pub(super) const fn heard(&mut self, now: Instant) {
        self.last_heard = now;
    }

    pub(super) fn pong(&mut self, timestamp: i64, now: Instant) {
        let round_trip = self.timestamp(now).saturating_sub(timestamp);
        self.round_trip = round_trip.max(0);
    }

    pub(super) fn is_dead(&self, now: Instant) -> bool {
        now >= self.last_heard + self.timeout
    }

    /// The pings that are due, in the form of newer and of older servers.
    pub(super) fn beat(&mut self, now: Instant) -> Option<[ClientMessage; 2]> {
        if now < self.next {
            return None;
        }
        self.next = now + self.interval;
        let timestamp = self.timestamp(now);
        let ping = ClientMessage::Ping {
            timestamp,
            round_trip: self.round_trip,
        };
        Some([ping, ClientMessage::LegacyPing { timestamp }])
    }

    pub(super) fn silence(&self) -> Duration {
        self.timeout
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.next.min(self.last_heard + self.timeout)
    }

    fn timestamp(&self, now: Instant) -> i64 {
        let elapsed = now.duration_since(self.epoch).as_millis();
        i64::try_from(elapsed).unwrap_or(i64::MAX)
    }
}
