use std::time::{Duration, Instant};

use crate::media::{ClockRate, MediaTime};

/// Extends the 32-bit timestamps of one stream.
///
/// Only the newest packet moves it, so a late one cannot turn it back. A timestamp is taken as the
/// nearest to that of the newest packet; after an hour without any (a muted track) as the nearest
/// to where a running clock would stand, for 2³¹ ticks of a video clock are only 6.6 hours.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MediaClock {
    newest: Option<(MediaTime, Instant)>,
}

impl MediaClock {
    /// The time that `wire` stands for at `now`.
    pub(super) fn place(&self, wire: u32, now: Instant, rate: ClockRate) -> MediaTime {
        let Some((newest, at)) = self.newest else {
            return MediaTime(FIRST_ROUND | u64::from(wire));
        };
        let silence = now.duration_since(at);
        let expected = if silence < LONG_SILENCE {
            newest
        } else {
            MediaTime(newest.0.wrapping_add(rate.ticks(silence)))
        };
        let distance = wire.wrapping_sub(expected.wire()).cast_signed();
        MediaTime(expected.0.wrapping_add_signed(distance.into()))
    }

    /// Moves on to the time of the newest packet.
    pub(super) const fn advance(&mut self, time: MediaTime, now: Instant) {
        self.newest = Some((time, now));
    }

    /// Whether a packet or a report has set it.
    pub(super) const fn is_set(&self) -> bool {
        self.newest.is_some()
    }
}

/// Where counting starts; leaves room for packets that are older than the first one.
const FIRST_ROUND: u64 = 1 << 32;

const LONG_SILENCE: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::tests::any_instant;

    const RATE: ClockRate = ClockRate::VIDEO;

    #[test]
    fn a_wrap_is_crossed_forwards_and_backwards() {
        let now = any_instant();
        let mut clock = MediaClock::default();

        let before = clock.place(u32::MAX - 2_999, now, RATE);
        clock.advance(before, now);
        let after = clock.place(0, now, RATE);
        clock.advance(after, now);
        let late = clock.place(u32::MAX - 2_999, now, RATE);

        assert_eq!(after.since(before), 3_000);
        assert_eq!(late, before);
    }

    #[test]
    fn a_clock_that_ran_through_a_day_of_silence_is_followed() {
        let start = any_instant();
        let mut clock = MediaClock::default();
        let before = clock.place(7, start, RATE);
        clock.advance(before, start);

        let day = Duration::from_secs(86_400);
        let ticks = RATE.ticks(day);
        let wire = MediaTime(before.0 + ticks + 450).wire();
        let after = clock.place(wire, start + day, RATE);

        assert_eq!(after.0 - before.0, ticks + 450);
    }

    #[test]
    fn a_clock_that_stood_still_for_three_minutes_is_followed() {
        let start = any_instant();
        let mut clock = MediaClock::default();
        let before = clock.place(u32::MAX, start, RATE);
        clock.advance(before, start);

        let after = clock.place(2_999, start + Duration::from_secs(180), RATE);

        assert_eq!(after.since(before), 3_000);
    }
}
