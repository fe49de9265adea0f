use std::time::{Duration, Instant};

use super::rtcp::ReportBlock;
use crate::media::{ClockRate, MediaTime, NtpTimestamp, SeqNo, Ssrc};

/// What a receiver report says of one stream,
/// [RFC 3550 §A.3 and §A.8](https://www.rfc-editor.org/rfc/rfc3550#appendix-A.3).
#[derive(Clone, Debug, Default)]
pub(super) struct Reception {
    received: u64,
    first: Option<SeqNo>,
    jitter: Jitter,
    last_report: Reported,
    last_sender_report: Option<(NtpTimestamp, Instant)>,
}

/// The counts of the last report.
#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    expected: u64,
    received: u64,
}

impl Reception {
    /// Counts a packet that came on the stream itself, not by RTX: reports are about the network.
    pub(super) fn count(&mut self, sequence_number: SeqNo) {
        self.received += 1;
        let first = self.first.unwrap_or(sequence_number);
        self.first = Some(first.min(sequence_number));
    }

    /// Takes the times of a packet that is newer than all before it.
    pub(super) fn observe(&mut self, now: Instant, time: MediaTime, rate: ClockRate) {
        self.jitter.observe(now, time, rate);
    }

    pub(super) const fn sender_report(&mut self, now: Instant, ntp: NtpTimestamp) {
        self.last_sender_report = Some((ntp, now));
    }

    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    pub(super) const fn jitter(&self) -> Jitter {
        self.jitter
    }

    /// The next report. `None` before the first packet.
    pub(super) fn report(
        &mut self,
        now: Instant,
        ssrc: Ssrc,
        newest: SeqNo,
    ) -> Option<ReportBlock> {
        let expected = newest.0 - self.first?.0 + 1;
        let last = std::mem::replace(
            &mut self.last_report,
            Reported {
                expected,
                received: self.received,
            },
        );
        let (last_sender_report, delay_since) = self.sender_report_echo(now);
        Some(ReportBlock {
            ssrc,
            fraction_lost: fraction_lost(
                expected.saturating_sub(last.expected),
                self.received - last.received,
            ),
            cumulative_lost: cumulative_lost(expected, self.received),
            highest: highest(newest),
            jitter: self.jitter.ticks(),
            last_sender_report,
            delay_since,
        })
    }

    fn sender_report_echo(&self, now: Instant) -> (u32, u32) {
        let Some((ntp, at)) = self.last_sender_report else {
            return (0, 0);
        };
        let delay = now.duration_since(at).as_micros() * 65_536 / 1_000_000;
        (middle(ntp), u32::try_from(delay).unwrap_or(u32::MAX))
    }
}

/// The mean deviation of the packets' spacing, in ticks,
/// [RFC 3550 §A.8](https://www.rfc-editor.org/rfc/rfc3550#appendix-A.8).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Jitter {
    /// Sixteen times the estimate.
    scaled: u64,
    /// The largest that `scaled` was.
    peak: u64,
    last: Option<(Instant, MediaTime)>,
}

impl Jitter {
    /// The estimate in ticks.
    pub(super) fn ticks(self) -> u32 {
        u32::try_from(self.scaled / 16).unwrap_or(u32::MAX)
    }

    /// The estimate as time.
    pub(super) fn duration(self, rate: ClockRate) -> Duration {
        rate.duration(self.ticks().into())
    }

    /// The largest that the estimate was.
    pub(super) fn peak(self, rate: ClockRate) -> Duration {
        rate.duration(self.peak / 16)
    }

    fn observe(&mut self, now: Instant, time: MediaTime, rate: ClockRate) {
        let Some((at, last)) = self.last.replace((now, time)) else {
            return;
        };
        let apart = now.duration_since(at);
        // A pause, or a jump of the source's clock, is not jitter.
        if apart > DISCONTINUITY {
            return;
        }
        let expected = time.since(last);
        let deviation = ticks(apart, rate).abs_diff(expected);
        if deviation < 5 * u64::from(rate.get()) {
            let decay = (self.scaled + 8) / 16;
            self.scaled = self.scaled + deviation - decay;
            self.peak = self.peak.max(self.scaled);
        }
    }
}

/// `ClockRate::ticks` without its 128-bit division, for a time within [`DISCONTINUITY`].
fn ticks(apart: Duration, rate: ClockRate) -> i64 {
    let nanos = apart.as_secs() * 1_000_000_000 + u64::from(apart.subsec_nanos());
    (nanos * u64::from(rate.get()) / 1_000_000_000).cast_signed()
}

/// Of 256, [RFC 3550 §A.3](https://www.rfc-editor.org/rfc/rfc3550#appendix-A.3).
fn fraction_lost(expected: u64, received: u64) -> u8 {
    let lost = expected.saturating_sub(received);
    let fraction = (lost << 8).checked_div(expected).unwrap_or(0);
    u8::try_from(fraction).unwrap_or(u8::MAX)
}

/// Negative if duplicates outweigh losses.
fn cumulative_lost(expected: u64, received: u64) -> i32 {
    let lost = expected.cast_signed() - received.cast_signed();
    i32::try_from(lost).unwrap_or(i32::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the wire carries the low 32 bits"
)]
const fn highest(newest: SeqNo) -> u32 {
    newest.0 as u32
}

/// The middle 32 of 64 bits, as a report echoes them.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the wire carries the middle 32 bits"
)]
const fn middle(ntp: NtpTimestamp) -> u32 {
    (ntp.0 >> 16) as u32
}

const DISCONTINUITY: Duration = Duration::from_secs(5);
