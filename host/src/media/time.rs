use std::num::NonZeroU32;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Ticks a second of a media clock. Not the sample rate: Opus ticks at 48 kHz whatever it carries
/// ([RFC 7587 §4.1](https://www.rfc-editor.org/rfc/rfc7587#section-4.1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClockRate(NonZeroU32);

impl ClockRate {
    /// 48 kHz.
    pub const OPUS: Self = Self::constant(48_000);
    /// 8 kHz, [RFC 3551 §4.5.14](https://www.rfc-editor.org/rfc/rfc3551#section-4.5.14).
    pub const G711: Self = Self::constant(8_000);
    /// 90 kHz, every video payload format.
    pub const VIDEO: Self = Self::constant(90_000);

    /// `None` for zero.
    pub const fn new(ticks_a_second: u32) -> Option<Self> {
        match NonZeroU32::new(ticks_a_second) {
            Some(rate) => Some(Self(rate)),
            None => None,
        }
    }

    /// Ticks a second.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// How long `ticks` last, to the nanosecond, rounded down.
    pub fn duration(self, ticks: u64) -> Duration {
        let rate = u64::from(self.get());
        let nanos = (ticks % rate) * 1_000_000_000 / rate;
        Duration::from_secs(ticks / rate) + Duration::from_nanos(nanos)
    }

    /// How many ticks last `duration`, to the nearest; saturates after 2⁶⁴ ticks.
    pub fn ticks(self, duration: Duration) -> u64 {
        let rate = u64::from(self.get());
        let whole = duration.as_secs().saturating_mul(rate);
        let rest = u64::from(duration.subsec_nanos()) * rate + 500_000_000;
        whole.saturating_add(rest / 1_000_000_000)
    }

    const fn constant(ticks_a_second: u32) -> Self {
        match Self::new(ticks_a_second) {
            Some(rate) => rate,
            None => panic!("a clock rate is not zero"),
        }
    }
}

/// An RTP timestamp extended by its roll-overs, in ticks of the stream's [`ClockRate`]. Its origin
/// is arbitrary: only differences within one stream mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaTime(pub u64);

impl MediaTime {
    /// The 32 bits that were on the wire.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the wire carries the low 32 bits"
    )]
    pub const fn wire(self) -> u32 {
        self.0 as u32
    }

    /// Ticks from `earlier` to here; negative if `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }
}

/// Presentation time since the first access unit that was written (media.md T1), in ticks of the
/// track's [`ClockRate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pts(pub u64);

impl Pts {
    /// Ticks from `earlier` to here; negative if `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// Later by `ticks`.
    #[must_use]
    pub const fn plus(self, ticks: u64) -> Self {
        Self(self.0.saturating_add(ticks))
    }

    /// The time since the recording's start.
    pub fn duration(self, rate: ClockRate) -> Duration {
        rate.duration(self.0)
    }
}

/// Wall-clock time as RTCP carries it: seconds since 1900 in 32.32 fixed point,
/// [RFC 3550 §4](https://www.rfc-editor.org/rfc/rfc3550#section-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NtpTimestamp(pub u64);

impl NtpTimestamp {
    const UNIX_EPOCH: u64 = 2_208_988_800;

    /// Nanoseconds since 1970; 0 for a time before that.
    pub const fn unix_nanos(self) -> u64 {
        let seconds = (self.0 >> 32).saturating_sub(Self::UNIX_EPOCH);
        let fraction = (self.0 & 0xffff_ffff) * 1_000_000_000;
        seconds * 1_000_000_000 + (fraction >> 32)
    }

    /// Later by `duration`; earlier with [`NtpTimestamp::minus`].
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.wrapping_add(fixed_point(duration)))
    }

    /// Earlier by `duration`.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.wrapping_sub(fixed_point(duration)))
    }

    /// The time from `earlier` to here; `None` if `earlier` is later.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        let fixed = self.0.checked_sub(earlier.0)?;
        let nanos = ((fixed & 0xffff_ffff) * 1_000_000_000) >> 32;
        Some(Duration::from_secs(fixed >> 32) + Duration::from_nanos(nanos))
    }
}

impl From<SystemTime> for NtpTimestamp {
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(fixed_point(
            since_epoch + Duration::from_secs(Self::UNIX_EPOCH),
        ))
    }
}

/// 32.32 fixed point; the seconds wrap as they do on the wire.
const fn fixed_point(duration: Duration) -> u64 {
    let fraction = ((duration.subsec_nanos() as u64) << 32) / 1_000_000_000;
    (duration.as_secs() << 32) | fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_durations_agree_after_years() {
        for rate in [ClockRate::OPUS, ClockRate::G711, ClockRate::VIDEO] {
            for ticks in [0, 1, 959, 960, 90_000, 48_000 * 86_400 * 3_650] {
                assert_eq!(rate.ticks(rate.duration(ticks)), ticks, "{rate:?} {ticks}");
            }
        }
    }

    #[test]
    fn an_ntp_timestamp_round_trips_to_the_nanosecond() {
        let at = UNIX_EPOCH + Duration::new(1_790_000_000, 123_456_789);

        let nanos = NtpTimestamp::from(at).unix_nanos();

        assert!(nanos.abs_diff(1_790_000_000_123_456_789) <= 1, "{nanos}");
    }
}
