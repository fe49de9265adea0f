//! Plays media in a loop, against a clock that the caller holds.

use std::time::{Duration, Instant};

use super::{Media, MediaPacket};

/// Hands out the packets of a [`Media`] when they are due, again and again.
#[derive(Debug, Clone)]
pub struct Player {
    media: Media,
    speed: f64,
    started: Instant,
    next: usize,
    /// When and where on the media clock the current lap began, from the start of the first.
    lap_start: Duration,
}

impl Player {
    /// Plays `media` from `now` on; a `speed` of 2.0 sends everything in half the time.
    ///
    /// RTP timestamps are those of the media whatever the speed.
    #[must_use]
    pub fn new(media: Media, speed: f64, now: Instant) -> Self {
        Self {
            media,
            speed: speed.max(SLOWEST),
            started: now,
            next: 0,
            lap_start: Duration::ZERO,
        }
    }

    /// Returns when [`Self::pull`] has something.
    #[must_use]
    pub fn next_at(&self) -> Instant {
        let at = self.current().at + self.lap_start;
        self.started + at.div_f64(self.speed)
    }

    /// Returns the next packet if it is due. Its `timestamp` and `at` count from the start of
    /// the first lap, so they go on growing when the media begins again.
    pub fn pull(&mut self, now: Instant) -> Option<MediaPacket> {
        if self.next_at() > now {
            return None;
        }
        let mut packet = self.current().clone();
        let lap_ticks = self.media.codec.ticks(self.lap_start);
        packet.timestamp = packet.timestamp.wrapping_add(lap_ticks);
        packet.at += self.lap_start;
        self.advance();
        Some(packet)
    }

    /// Goes on with the last keyframe that was played, as an encoder makes one on request. There is
    /// no gap in time.
    pub fn repeat_keyframe(&mut self) {
        let played = self.media.packets.iter().take(self.next);
        let keyframe = played.enumerate().rev();
        let mut keyframe = keyframe.filter(|(_, packet)| packet.starts_keyframe);
        if let Some((index, packet)) = keyframe.next() {
            self.lap_start += self.current().at - packet.at;
            self.next = index;
        }
    }

    /// Plays other media of the same clock rate from the next packet on, without a gap in time.
    pub fn switch(&mut self, media: Media) {
        self.lap_start += self.current().at;
        self.media = media;
        self.next = 0;
    }

    /// Returns what is played.
    #[must_use]
    pub const fn media(&self) -> &Media {
        &self.media
    }

    fn current(&self) -> &MediaPacket {
        let packet = self.media.packets.get(self.next);
        packet.expect("`next` wraps at the number of packets, which is not zero")
    }

    fn advance(&mut self) {
        self.next += 1;
        if self.next == self.media.packets.len() {
            self.next = 0;
            self.lap_start += self.media.duration;
        }
    }
}

/// Guards the division; one packet in a thousand times its time is no test.
const SLOWEST: f64 = 0.001;
