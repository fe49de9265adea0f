//! Puts packets in sequence order and decides when a missing one is lost (media.md §2).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::RtpPacket;
use crate::media::SeqNo;

/// Reorders the packets of one stream; holds back only what is behind a hole.
///
/// After each [`push`](Self::push), and at [`poll_timeout`](Self::poll_timeout), call
/// [`poll`](Self::poll) until `None`.
#[derive(Debug)]
pub struct JitterBuffer {
    settings: Settings,
    /// The sequence number of the first slot; `None` before the first packet.
    next: Option<SeqNo>,
    slots: VecDeque<Option<RtpPacket>>,
    /// Since when the packet of the first slot is known to be missing.
    missing_since: Option<Instant>,
    /// Nothing is waited for until the buffer is empty.
    draining: bool,
    /// Which of the last packets came out, the newest of them in the lowest bit.
    came: u128,
}

/// How long and how far to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a packet may hold up those behind it, from the arrival of the first of them.
    pub max_delay: Duration,
    /// How many packets a hole and what is behind it may span; beyond that the hole is given up.
    pub max_span: usize,
}

/// What became of a packet that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It comes out of [`JitterBuffer::poll`] in its turn.
    Accepted,
    /// Its turn is over: it was dropped.
    Late,
    /// It was here already: it was dropped. One that is more than 128 packets old counts as late.
    Duplicate,
}

/// What comes out, in sequence order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    /// The next packet.
    Packet(RtpPacket),
    /// That many packets did not come in time.
    Lost(u64),
}

impl Settings {
    /// 400 ms: a NACK is answered within two round trips, and a filled gap is inaudible in a file.
    pub const AUDIO: Self = Self {
        max_delay: Duration::from_millis(400),
        max_span: 2_048,
    };
    /// 1 s: RTX recovers less than audio NACKs, and a damaged picture harms until the next keyframe.
    pub const VIDEO: Self = Self {
        max_delay: Duration::from_secs(1),
        max_span: 4_096,
    };
}

impl JitterBuffer {
    /// An empty buffer; the first packet sets where the stream begins.
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            next: None,
            slots: VecDeque::new(),
            missing_since: None,
            draining: false,
            came: 0,
        }
    }

    /// Whether a packet that arrives is the next one and nothing waits: then it is out already, and
    /// was never in. Any other is for [`push`](Self::push).
    pub fn passes(&mut self, packet: &RtpPacket) -> bool {
        let found = packet.sequence_number;
        let is_next = self.slots.is_empty() && self.next.is_none_or(|next| next == found);
        if is_next {
            self.draining = false;
            self.take_next(found);
        }
        is_next
    }

    /// Takes a packet as it arrives.
    pub fn push(&mut self, packet: RtpPacket) -> Arrival {
        let next = *self.next.get_or_insert(packet.sequence_number);
        let Some(ahead) = packet.sequence_number.0.checked_sub(next.0) else {
            return self.behind(next.0 - packet.sequence_number.0);
        };
        let Ok(index) = usize::try_from(ahead) else {
            return Arrival::Late;
        };
        if index > self.slots.len() + self.settings.max_span {
            // A slot for each packet of such a hole would be memory by the sender's grace.
            self.draining = true;
            self.slots.push_back(Some(packet));
            return Arrival::Accepted;
        }
        while self.slots.len() <= index {
            self.slots.push_back(None);
        }
        match self.slots.get_mut(index) {
            Some(slot @ None) => *slot = Some(packet),
            _ => return Arrival::Duplicate,
        }
        Arrival::Accepted
    }

    /// The next packet or loss that is due at `now`.
    pub fn poll(&mut self, now: Instant) -> Option<Release> {
        match self.slots.front()? {
            Some(packet) => {
                let (expected, found) = (self.next?, packet.sequence_number);
                if found > expected {
                    return Some(self.lose(expected, found.0 - expected.0));
                }
                self.take_next(found);
                self.missing_since = None;
                self.pop().flatten().map(Release::Packet)
            }
            None => self.give_up(now),
        }
    }

    /// When a missing packet will be given up.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.missing_since
            .map(|since| since + self.settings.max_delay)
    }

    /// No packet follows: what is held comes out at once.
    pub const fn close(&mut self) {
        self.draining = true;
    }

    /// Declares the hole in front lost if it is old or wide enough.
    /// The next packet came.
    fn take_next(&mut self, found: SeqNo) {
        self.next = Some(found.next());
        self.came = self.came << 1 | 1;
    }

    fn give_up(&mut self, now: Instant) -> Option<Release> {
        let since = match self.missing_since {
            Some(since) => since,
            None => *self.missing_since.insert(self.first_arrival(now)),
        };
        let too_old = now.saturating_duration_since(since) >= self.settings.max_delay;
        let too_wide = self.slots.len() > self.settings.max_span;
        if !(too_old || too_wide || self.draining) {
            return None;
        }
        let mut lost = 0;
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            lost += 1;
        }
        self.missing_since = None;
        self.next.map(|next| self.lose(next, lost))
    }

    fn lose(&mut self, next: SeqNo, count: u64) -> Release {
        self.next = Some(SeqNo(next.0 + count));
        let shift = u32::try_from(count).unwrap_or(u32::MAX);
        self.came = self.came.checked_shl(shift).unwrap_or(0);
        Release::Lost(count)
    }

    /// What a packet is that comes `distance` behind its turn.
    const fn behind(&self, distance: u64) -> Arrival {
        if distance <= 128 && self.came >> (distance - 1) & 1 == 1 {
            Arrival::Duplicate
        } else {
            Arrival::Late
        }
    }

    /// The hole is known since the first packet behind it came, which need not be the next one.
    fn first_arrival(&self, now: Instant) -> Instant {
        let arrivals = self.slots.iter().flatten().map(|packet| packet.arrival);
        arrivals.min().unwrap_or(now)
    }

    fn pop(&mut self) -> Option<Option<RtpPacket>> {
        let packet = self.slots.pop_front();
        if self.slots.is_empty() {
            self.draining = false;
            if self.slots.capacity() > KEPT_CAPACITY {
                self.slots.shrink_to(KEPT_CAPACITY);
            }
        }
        packet
    }
}

/// Slots that are kept when the buffer runs empty; a burst's memory is given back.
const KEPT_CAPACITY: usize = 64;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::{Codec, MediaTime, Ssrc};

    #[test]
    fn packets_in_order_come_out_at_once() {
        let mut stream = Stream::new();

        stream.push_all(&[65_535, 65_536, 65_537]);

        assert_eq!(
            stream.out,
            [
                Out::Packet(65_535),
                Out::Packet(65_536),
                Out::Packet(65_537)
            ]
        );
        assert_eq!(stream.buffer.poll_timeout(), None);
        assert_eq!(stream.buffer.slots.capacity(), 0);
    }

    #[test]
    fn a_swapped_pair_is_put_in_order_without_loss() {
        let mut stream = Stream::new();

        stream.push_all(&[1, 3, 2, 4]);

        assert_eq!(stream.out, [1, 2, 3, 4].map(Out::Packet));
    }

    #[test]
    fn a_lost_packet_delays_the_recording_by_at_most_the_jitter_delay() {
        let mut stream = Stream::new();

        stream.push_all(&[1, 3, 4]);
        let due = stream.buffer.poll_timeout().unwrap();
        stream.poll(due - Duration::from_millis(1));
        assert_eq!(stream.out, [Out::Packet(1)]);
        stream.poll(due);

        assert_eq!(due, stream.start + Settings::AUDIO.max_delay);
        assert_eq!(
            stream.out,
            [Out::Packet(1), Out::Lost(1), Out::Packet(3), Out::Packet(4)]
        );
    }

    #[test]
    fn a_second_hole_waits_from_the_arrival_behind_it() {
        let mut stream = Stream::new();
        stream.push_all(&[1, 3]);
        stream.now += Duration::from_millis(100);
        stream.push_all(&[5]);

        stream.poll(stream.start + Settings::AUDIO.max_delay);

        assert_eq!(stream.out, [Out::Packet(1), Out::Lost(1), Out::Packet(3)]);
        let second = stream.start + Duration::from_millis(100) + Settings::AUDIO.max_delay;
        assert_eq!(stream.buffer.poll_timeout(), Some(second));
    }

    #[test]
    fn late_and_duplicate_packets_are_told_apart() {
        let mut stream = Stream::new();
        stream.push_all(&[10, 12]);

        assert_eq!(stream.push(12), Arrival::Duplicate);
        assert_eq!(stream.push(10), Arrival::Duplicate);
        assert_eq!(stream.push(9), Arrival::Late);
        assert_eq!(stream.push(11), Arrival::Accepted);
        stream.push_all(&[15]);
        stream.poll(stream.start + Settings::AUDIO.max_delay);
        assert_eq!(stream.push(14), Arrival::Late);
        assert_eq!(stream.push(15), Arrival::Duplicate);
        assert_eq!(stream.push(11), Arrival::Duplicate);
    }

    #[test]
    fn a_jump_far_ahead_is_loss_and_not_memory() {
        let mut stream = Stream::new();

        stream.push_all(&[1, 1 << 40, (1 << 40) + 1]);

        let lost = (1 << 40) - 2;
        let after = [
            Out::Packet(1),
            Out::Lost(lost),
            Out::Packet(1 << 40),
            Out::Packet((1 << 40) + 1),
        ];
        assert_eq!(stream.out, after);
        assert!(stream.buffer.slots.capacity() <= 2 * KEPT_CAPACITY);
    }

    #[test]
    fn a_hole_wider_than_the_span_is_given_up_before_its_time() {
        let mut stream = Stream::new();
        let span = Settings::AUDIO.max_span as u64;

        stream.push_all(&[1]);
        stream.push_all(&(3..=span + 3).collect::<Vec<_>>());

        assert_eq!(stream.out[1], Out::Lost(1));
        assert_eq!(stream.out.len() as u64, span + 3);
    }

    #[test]
    fn closing_lets_everything_out() {
        let mut stream = Stream::new();
        stream.push_all(&[1, 3, 6]);

        stream.buffer.close();
        stream.poll(stream.now);

        let all = [
            Out::Packet(1),
            Out::Lost(1),
            Out::Packet(3),
            Out::Lost(2),
            Out::Packet(6),
        ];
        assert_eq!(stream.out, all);
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Out {
        Packet(u64),
        Lost(u64),
    }

    struct Stream {
        buffer: JitterBuffer,
        start: Instant,
        now: Instant,
        out: Vec<Out>,
    }

    impl Stream {
        #[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
        fn new() -> Self {
            let start = Instant::now();
            let buffer = JitterBuffer::new(Settings::AUDIO);
            Self {
                buffer,
                start,
                now: start,
                out: Vec::new(),
            }
        }

        fn push(&mut self, sequence_number: u64) -> Arrival {
            let packet = packet(sequence_number, self.now);
            if self.buffer.passes(&packet) {
                self.out.push(Out::Packet(sequence_number));
                return Arrival::Accepted;
            }
            let arrival = self.buffer.push(packet);
            self.poll(self.now);
            arrival
        }

        fn push_all(&mut self, sequence_numbers: &[u64]) {
            for number in sequence_numbers {
                assert_eq!(self.push(*number), Arrival::Accepted);
            }
        }

        fn poll(&mut self, now: Instant) {
            while let Some(release) = self.buffer.poll(now) {
                self.out.push(match release {
                    Release::Packet(packet) => Out::Packet(packet.sequence_number.0),
                    Release::Lost(count) => Out::Lost(count),
                });
            }
        }
    }

    fn packet(sequence_number: u64, arrival: Instant) -> RtpPacket {
        RtpPacket {
            ssrc: Ssrc(1),
            sequence_number: SeqNo(sequence_number),
            timestamp: MediaTime(sequence_number * 960),
            codec: Codec::Opus,
            marker: false,
            arrival,
            payload: Bytes::new(),
        }
    }
}
