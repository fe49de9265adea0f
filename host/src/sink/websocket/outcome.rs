use std::fmt;
use std::time::Duration;

use super::format::Format;
use crate::dial::DialError;
use crate::sink::Blame;

/// How the delivery to a server ended, and what became of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// What the binary messages held.
    pub format: Format,
    /// What was sent, and what was not.
    pub counters: Counters,
    /// From when a message was made until it was handed to the socket.
    pub delays: Delays,
}

/// How the delivery to a server ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The track was over, for this reason, and everything was handed over.
    Finished(String),
    /// The server had heard enough: it closed with 1000, and this reason.
    Satisfied(String),
    /// It did not work.
    Failed(Failure),
}

/// Why a server did not get everything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The first connection does not come about, or the server does not let us in again.
    #[error("{0}")]
    Dial(DialError),
    /// The server closed the connection with 1008 or 4000 … 4999: it does not want the track.
    #[error("the server refused the track with close code {code}{}: see its documentation", quoted(.reason))]
    Refused {
        /// The close code.
        code: u16,
        /// The server's words; may be empty.
        reason: String,
    },
    /// The connection broke and does not come back.
    #[error(
        "the connection broke and did not come back within {} s and {attempts} attempts (last: {cause}); look at the server's log, or give it more time",
        .lasted.as_secs()
    )]
    Lost {
        /// What went wrong last.
        cause: String,
        /// How often we tried.
        attempts: u32,
        /// For how long.
        lasted: Duration,
    },
    /// The track was over, but the server did not take what was left in time.
    #[error(
        "the server did not take the last {:.1} s within {} s of the end{}; it reads too slowly, or is gone",
        .left.as_secs_f64(), .within.as_secs(), quoted(.cause)
    )]
    Undelivered {
        /// The sound that was left.
        left: Duration,
        /// The time it had.
        within: Duration,
        /// What was wrong with the connection; empty if it stood.
        cause: String,
    },
}

impl Failure {
    /// Who has to act: whoever owns the server, or wrote its URL.
    pub const fn blame(&self) -> Blame {
        Blame::Destination
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished(reason) => f.write_str(reason),
            Self::Satisfied(reason) => {
                write!(f, "the server closed the connection{}", quoted(reason))
            }
            Self::Failed(failure) => write!(f, "{failure}"),
        }
    }
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What was sent, and what was not.
    pub counters: Counters,
    /// From when the last message of sound was made until it was handed to the socket.
    pub delay: Duration,
    /// Whether there is a connection.
    pub is_connected: bool,
}

/// What was sent, and what was not. Durations are of sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Binary messages that were handed over.
    pub audio_messages: u64,
    /// Text messages that were handed over.
    pub text_messages: u64,
    /// Bytes in all of them.
    pub bytes: u64,
    /// How long the sound was that was handed over.
    pub audio: Duration,
    /// How long the sound was that was dropped because the server read too slowly.
    pub dropped_slow: Duration,
    /// How long the sound was that was dropped while there was no connection.
    pub dropped_disconnected: Duration,
    /// How long the sound was that was left at the end.
    pub dropped_unsent: Duration,
    /// Messages that were dropped because they are longer than any can be.
    pub dropped_oversize: u64,
    /// Texts that were dropped because too many waited, or were left at the end.
    pub dropped_texts: u64,
    /// How long the sound was that was handed over to connections that broke before the server had
    /// confirmed it: at most this much was not read.
    pub unconfirmed: Duration,
    /// Connections that came about. All but the first are reconnects.
    pub connections: u32,
}

impl Counters {
    /// All sound that was dropped.
    pub const fn dropped(&self) -> Duration {
        self.dropped_slow
            .saturating_add(self.dropped_disconnected)
            .saturating_add(self.dropped_unsent)
    }

    /// How often the connection was made again.
    pub const fn reconnects(&self) -> u32 {
        self.connections.saturating_sub(1)
    }

    pub(super) fn drop_audio(&mut self, duration: Duration, reason: DropReason) {
        let counter = match reason {
            DropReason::SlowServer => &mut self.dropped_slow,
            DropReason::Disconnected => &mut self.dropped_disconnected,
            DropReason::Unsent => &mut self.dropped_unsent,
        };
        *counter = counter.saturating_add(duration);
    }
}

/// Why sound was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The connection stood, but the server read too slowly.
    SlowServer,
    /// There was no connection for longer than the buffer lasts.
    Disconnected,
    /// It was left when the delivery ended.
    Unsent,
}

impl DropReason {
    /// As it stands in texts and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SlowServer => "slow_server",
            Self::Disconnected => "disconnected",
            Self::Unsent => "unsent",
        }
    }
}

/// How delays are distributed, to within an eighth. One kilobyte, however many there are.
#[derive(Clone, PartialEq, Eq)]
pub struct Delays {
    buckets: [u32; BUCKETS],
    count: u64,
    max: Duration,
}

impl Delays {
    /// Counts a delay. Beyond an hour they count as an hour.
    pub fn record(&mut self, delay: Duration) {
        let micros = u32::try_from(delay.as_micros()).unwrap_or(u32::MAX);
        if let Some(bucket) = self.buckets.get_mut(bucket(micros)) {
            *bucket = bucket.saturating_add(1);
        }
        self.count += 1;
        self.max = self.max.max(delay);
    }

    /// How many were counted.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// A delay that a part of `quantile` (0 … 1) does not exceed; up to an eighth too long. Zero if
    /// none was counted.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let mut seen = 0;
        for (number, count) in self.buckets.iter().enumerate() {
            seen += u64::from(*count);
            if seen > 0 && within(seen, self.count, quantile) {
                return Duration::from_micros(upper_bound(number)).min(self.max);
            }
        }
        self.max
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            buckets: [0; BUCKETS],
            count: 0,
            max: Duration::ZERO,
        }
    }
}

impl fmt::Debug for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delays")
            .field("count", &self.count)
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("max", &self.max)
            .finish()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no exact counts")]
fn within(seen: u64, count: u64, quantile: f64) -> bool {
    seen as f64 >= quantile * count as f64
}

/// Exact below 8 µs, then eight buckets for each doubling.
const fn bucket(micros: u32) -> usize {
    if micros < 8 {
        return micros as usize;
    }
    let doublings = 28 - micros.leading_zeros();
    let eighth = (micros >> doublings) & 7;
    (doublings as usize + 1) * 8 + eighth as usize
}

const fn upper_bound(bucket: usize) -> u64 {
    if bucket < 8 {
        return bucket as u64;
    }
    let (doublings, eighth) = (bucket / 8 - 1, bucket % 8);
    ((eighth as u64 + 9) << doublings) - 1
}

fn quoted(words: &str) -> String {
    match words {
        "" => String::new(),
        words => format!(" ({words})"),
    }
}

/// Eight for each doubling of a 32-bit number of microseconds.
const BUCKETS: usize = 30 * 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delay_has_a_bucket_that_is_an_eighth_wide_at_most() {
        for micros in (0..4096).chain([60_000, 999_999, 10_000_000, u32::MAX - 1, u32::MAX]) {
            let number = bucket(micros);

            let bound = upper_bound(number);
            assert!(number < BUCKETS, "{micros}");
            assert!(bound >= u64::from(micros), "{micros} {bound}");
            assert!(
                bound - u64::from(micros) <= u64::from(micros) / 8,
                "{micros} {bound}"
            );
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut delays = Delays::default();
        assert_eq!(delays.quantile(0.99), Duration::ZERO);

        for millis in 1..=100 {
            delays.record(Duration::from_millis(millis));
        }

        assert_eq!(
            (delays.count(), delays.max()),
            (100, Duration::from_millis(100))
        );
        for (quantile, exact) in [(0.5, 50), (0.9, 90), (0.99, 99)] {
            let exact = Duration::from_millis(exact);
            let estimate = delays.quantile(quantile);
            assert!(
                estimate >= exact && estimate <= exact + exact / 8,
                "{quantile}: {estimate:?}"
            );
        }
        assert_eq!(delays.quantile(1.0), delays.max());
    }
}
