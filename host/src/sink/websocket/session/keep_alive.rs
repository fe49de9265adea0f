use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

/// Pings the server of one connection, notices when it has gone silent, and knows from its pongs how
/// much it has read for certain.
#[derive(Debug)]
pub(super) struct KeepAlive {
    interval: Duration,
    next_at: Instant,
    is_due: bool,
    /// Pings since the last pong.
    unanswered: u32,
    sent: u64,
    /// Sound that was handed over on this connection.
    handed_over: Duration,
    /// Of it, the sound before the last ping that was answered.
    confirmed: Duration,
    /// Pings that are not answered, and the sound that was handed over before each.
    pings: VecDeque<(u64, Duration)>,
}

/// Whether a server is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// As far as we know.
    Likely,
    /// Two pings went unanswered.
    Lost,
}

impl KeepAlive {
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self {
            interval,
            next_at: now + interval,
            is_due: false,
            unanswered: 0,
            sent: 0,
            handed_over: Duration::ZERO,
            confirmed: Duration::ZERO,
            pings: VecDeque::new(),
        }
    }

    /// A ping that the socket did not take counts as unanswered too.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Life {
        if now < self.next_at {
            return Life::Likely;
        }
        if self.unanswered >= MISSED_PONGS {
            return Life::Lost;
        }
        self.unanswered += 1;
        self.is_due = true;
        self.next_at = now + self.interval;
        Life::Likely
    }

    pub(super) const fn poll_timeout(&self) -> Instant {
        self.next_at
    }

    /// The ping that is due, once.
    pub(super) fn take_ping(&mut self) -> Option<Bytes> {
        if !std::mem::take(&mut self.is_due) {
            return None;
        }
        self.sent += 1;
        self.pings.push_back((self.sent, self.handed_over));
        Some(Bytes::copy_from_slice(&self.sent.to_be_bytes()))
    }

    /// Any pong is a sign of life, but only one with the payload of a ping confirms something: some
    /// servers send others, [RFC 6455 §5.5.3](https://www.rfc-editor.org/rfc/rfc6455#section-5.5.3).
    pub(super) fn pong(&mut self, payload: &[u8]) {
        self.unanswered = 0;
        let Ok(number) = payload.try_into().map(u64::from_be_bytes) else {
            return;
        };
        while let Some((ping, handed_over)) = self.pings.front().copied() {
            if ping > number || number > self.sent {
                break;
            }
            self.confirmed = handed_over;
            self.pings.pop_front();
        }
        // Whoever answers with other payloads never empties it.
        while self.pings.len() > MOST_PINGS {
            self.pings.pop_front();
        }
    }

    pub(super) fn hand_over(&mut self, audio: Duration) {
        self.handed_over += audio;
    }

    /// Sound that the server may not have read.
    pub(super) fn unconfirmed(&self) -> Duration {
        self.handed_over.saturating_sub(self.confirmed)
    }
}

/// So many pings may go unanswered.
pub(super) const MISSED_PONGS: u32 = 2;
const MOST_PINGS: usize = 8;
