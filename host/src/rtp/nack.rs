//! Which packets to ask for again, and when.

use std::time::{Duration, Instant};

use crate::media::SeqNo;
use crate::srtp::Source;

/// The packets of one stream that have not come.
///
/// A packet is asked for 8 ms after its gap was seen (reordering heals by itself), then again each
/// [`RoundTrip::patience`], six times in all. The server repeats a packet at most three times, and
/// never the frames that it made itself (the silence of a mute): those are given up.
#[derive(Clone, Debug, Default)]
pub(super) struct Missing {
    /// Ascending by sequence number.
    packets: Vec<MissingPacket>,
    next_at: Option<Instant>,
    recovered: u64,
    given_up: u64,
}

#[derive(Clone, Copy, Debug)]
struct MissingPacket {
    sequence_number: SeqNo,
    /// When to ask for it.
    at: Instant,
    asked: u8,
    last_asked: Option<Instant>,
}

impl Missing {
    /// Adds the gap before `end`, which is the newest packet.
    pub(super) fn add_gap(&mut self, now: Instant, first: SeqNo, end: SeqNo) {
        let lost = end.0.saturating_sub(first.0);
        let wanted = if lost > MAX_GAP {
            0
        } else {
            lost.min(CAPACITY)
        };
        self.given_up += lost - wanted;
        if wanted == 0 {
            return;
        }
        let at = now + REORDERING;
        let gap = (end.0 - wanted..end.0).map(|index| MissingPacket {
            sequence_number: SeqNo(index),
            at,
            asked: 0,
            last_asked: None,
        });
        self.packets.extend(gap);
        self.give_up_oldest();
        self.next_at = Some(self.next_at.map_or(at, |next| next.min(at)));
    }

    /// Strikes off a packet that came.
    pub(super) fn remove(&mut self, now: Instant, came: SeqNo, round_trip: &mut RoundTrip) {
        let Ok(position) = self
            .packets
            .binary_search_by_key(&came, |packet| packet.sequence_number)
        else {
            return;
        };
        let packet = self.packets.remove(position);
        // With several requests under way nobody knows which one was answered.
        if let (1, Some(asked)) = (packet.asked, packet.last_asked) {
            round_trip.sample(now.duration_since(asked));
        }
        self.recovered += u64::from(packet.asked > 0);
        if self.packets.is_empty() {
            self.next_at = None;
        }
    }

    /// Takes the sequence numbers to ask for at `now`, ascending.
    pub(super) fn take_due(&mut self, now: Instant, newest: SeqNo, patience: Duration) -> Vec<u16> {
        let mut due = Vec::new();
        let before = self.packets.len();
        self.packets.retain_mut(|packet| {
            if packet.sequence_number.0 + Source::SPAN <= newest.0 {
                return false;
            }
            if packet.at > now {
                return true;
            }
            if packet.asked == MAX_REQUESTS {
                return false;
            }
            packet.asked += 1;
            packet.last_asked = Some(now);
            packet.at = now + patience;
            due.push(packet.sequence_number.wire());
            true
        });
        self.given_up += count(before - self.packets.len());
        self.next_at = self.packets.iter().map(|packet| packet.at).min();
        due
    }

    /// Gives up everything: the stream ended.
    pub(super) fn clear(&mut self) {
        self.given_up += count(self.packets.len());
        self.packets.clear();
        self.next_at = None;
    }

    /// When [`take_due`](Self::take_due) has something to do.
    pub(super) const fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    pub(super) const fn len(&self) -> usize {
        self.packets.len()
    }

    /// Packets that came after they were asked for.
    pub(super) const fn recovered(&self) -> u64 {
        self.recovered
    }

    /// Packets that nobody asks for any more.
    pub(super) const fn given_up(&self) -> u64 {
        self.given_up
    }

    fn give_up_oldest(&mut self) {
        let capacity = usize::try_from(CAPACITY).unwrap_or(usize::MAX);
        let excess = self.packets.len().saturating_sub(capacity);
        self.packets.drain(..excess);
        self.given_up += count(excess);
    }
}

/// How long the server takes to answer a NACK, smoothed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrip {
    smoothed: Option<Duration>,
}

impl RoundTrip {
    /// `None` before the first answer.
    pub(super) const fn get(self) -> Option<Duration> {
        self.smoothed
    }

    /// How long to wait for an answer before asking again. The server ignores what is repeated
    /// within min(100 ms, 2 round trips).
    pub(super) fn patience(self) -> Duration {
        let round_trip = self.smoothed.unwrap_or(ASSUMED_ROUND_TRIP);
        let heeded = (round_trip * 5 / 2).min(Duration::from_millis(110));
        (round_trip * 5 / 4).max(heeded).max(MIN_PATIENCE)
    }

    fn sample(&mut self, answer: Duration) {
        let answer = answer.clamp(MIN_ROUND_TRIP, MAX_ROUND_TRIP);
        let smoothed = self.smoothed.unwrap_or(answer);
        self.smoothed = Some((smoothed * 7 + answer) / 8);
    }
}

/// A length as the counters count.
fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Packets that overtake each other on the way are not lost.
const REORDERING: Duration = Duration::from_millis(8);

/// How often a packet is asked for.
const MAX_REQUESTS: u8 = 6;

/// Packets missing at a time; the oldest are given up first.
const CAPACITY: u64 = 512;

/// A larger gap is an outage or a restart, not loss: `MAX_DROPOUT` of
/// [RFC 3550 §A.1](https://www.rfc-editor.org/rfc/rfc3550#appendix-A.1). None of it is asked for.
const MAX_GAP: u64 = 3_000;

const ASSUMED_ROUND_TRIP: Duration = Duration::from_millis(100);
const MIN_ROUND_TRIP: Duration = Duration::from_millis(1);

/// One answer that was stuck in a queue must not stop the repeats.
const MAX_ROUND_TRIP: Duration = Duration::from_millis(500);

const MIN_PATIENCE: Duration = Duration::from_millis(20);
