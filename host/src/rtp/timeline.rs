//! The media clock of a stream → presentation time of the recording (media.md T1-T5).

use std::time::{Duration, Instant};

use super::SenderReport;
use crate::media::{ClockRate, MediaTime, NtpTimestamp, Pts, TrackKind};

/// Maps RTP timestamps to [`Pts`], over jumps of the media clock and changes of the stream.
///
/// `Pts(0)` is the first packet; the recording moves it to the first unit that is written.
#[derive(Debug)]
pub struct Timeline {
    rate: ClockRate,
    /// How far a timestamp may go back before it counts as a jump.
    back: i64,
    wall: WallClock,
    /// The packet placed last, and where.
    last: Option<Placed>,
    /// Packets came later than their timestamps say, and may be the backlog of a stall.
    backlog: Option<Backlog>,
    /// The stream changed since.
    restarted: bool,
    /// Where the first sender report stands: later ones differ by drift, those behind a break of
    /// the clock by the error of the bridge.
    reference: Option<(Pts, NtpTimestamp)>,
    /// The first and the last sender report since the clock last broke.
    reports: Option<(SenderReport, SenderReport)>,
}

/// A reading of both clocks at one moment, to tell the wall-clock time of any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// The monotonic clock.
    pub instant: Instant,
    /// The wall clock at the same moment.
    pub ntp: NtpTimestamp,
}

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Its presentation time.
    pub pts: Pts,
    /// Why it is not where its timestamp alone would have put it.
    pub discontinuity: Option<Discontinuity>,
}

/// A break of the media clock, bridged by arrival time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discontinuity {
    /// The timestamp moved by this much more (or less) than time did, in ticks (T2).
    Jump(i64),
    /// Another stream goes on where one ended (T4).
    Restart,
}

/// The wall-clock time of a presentation time, and how it is known (T1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The time.
    pub ntp: NtpTimestamp,
    /// Whose clock says so.
    pub origin: AnchorOrigin,
}

/// How a wall-clock time is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorOrigin {
    /// A sender report: the publisher's clock.
    SenderReport,
    /// The arrival of the packet: our clock.
    Arrival,
}

impl WallClock {
    /// The wall-clock time of `instant`.
    pub fn at(&self, instant: Instant) -> NtpTimestamp {
        match instant.checked_duration_since(self.instant) {
            Some(later) => self.ntp.plus(later),
            None => self
                .ntp
                .minus(self.instant.saturating_duration_since(instant)),
        }
    }
}

impl Timeline {
    /// A timeline that begins with the first packet placed on it.
    pub fn new(kind: TrackKind, rate: ClockRate, wall: WallClock) -> Self {
        let back = match kind {
            TrackKind::Audio => AUDIO_BACK,
            TrackKind::Video => VIDEO_BACK,
        };
        Self {
            rate,
            back: rate.ticks(back).cast_signed(),
            wall,
            last: None,
            backlog: None,
            restarted: false,
            reference: None,
            reports: None,
        }
    }

    /// Places a packet. Call in sequence order; packets of one unit get the same `Pts`.
    pub fn place(&mut self, timestamp: MediaTime, arrival: Instant) -> Placement {
        let Some(last) = self.last else {
            return self.put(timestamp, arrival, Pts(0), None);
        };
        let by_arrival = self.by_arrival(last, arrival);
        if std::mem::take(&mut self.restarted) {
            self.backlog = None;
            let seam = Some(Discontinuity::Restart);
            return self.put(timestamp, arrival, by_arrival, seam);
        }
        let moved = timestamp.since(last.timestamp);
        let pts = Pts(last.pts.0.saturating_add_signed(moved));
        let excess = pts.since(by_arrival);
        let limit = self.rate.ticks(MAX_JUMP).cast_signed();
        let is_late = excess < -limit && self.is_backlog(last, excess.unsigned_abs(), arrival);
        if moved < -self.back || (excess.abs() > limit && !is_late) {
            self.reports = None;
            self.backlog = None;
            let jump = Some(Discontinuity::Jump(excess));
            return self.put(timestamp, arrival, by_arrival, jump);
        }
        if !is_late {
            self.backlog = None;
        }
        self.put(timestamp, arrival, pts, None)
    }

    /// Packets come from another stream from here on (T4).
    pub const fn restart(&mut self) {
        self.restarted = self.last.is_some();
        self.reports = None;
    }

    /// Takes a sender report of the stream.
    pub fn sender_report(&mut self, report: SenderReport) {
        let first = self.reports.map_or(report, |(first, _)| first);
        self.reports = Some((first, report));
        if let (Some(last), None, false) = (self.last, self.reference, self.restarted) {
            let ahead = report.timestamp.since(last.timestamp);
            let at = Pts(last.pts.0.saturating_add_signed(ahead));
            self.reference = Some((at, report.ntp));
        }
    }

    /// The presentation time of something that happens at `now`; `None` before the first packet.
    pub fn pts_at(&self, now: Instant) -> Option<Pts> {
        Some(self.by_arrival(self.last?, now))
    }

    /// The RTP timestamp that stands for `pts`, which must not lie before the last break of the clock;
    /// `None` before the first packet.
    pub fn timestamp_at(&self, pts: Pts) -> Option<MediaTime> {
        let last = self.last?;
        let moved = pts.since(last.pts).cast_unsigned();
        Some(MediaTime(last.timestamp.0.wrapping_add(moved)))
    }

    /// The wall-clock time of `pts` (T1); `None` before the first packet.
    pub fn anchor(&self, pts: Pts) -> Option<Anchor> {
        let last = self.last?;
        let (at, reference, origin) = match self.reference {
            Some((at, ntp)) => (at, ntp, AnchorOrigin::SenderReport),
            None => {
                let last = self.backlog.map_or(last, |backlog| backlog.before);
                (last.pts, self.wall.at(last.arrival), AnchorOrigin::Arrival)
            }
        };
        let apart = self.rate.duration(pts.since(at).unsigned_abs());
        let ntp = if pts < at {
            reference.minus(apart)
        } else {
            reference.plus(apart)
        };
        Some(Anchor { ntp, origin })
    }

    /// How much faster than the publisher's wall clock its media clock runs, in parts per million
    /// (T5). `None` until sender reports span half a minute.
    pub fn drift_ppm(&self) -> Option<f64> {
        let (first, last) = self.reports?;
        let wall = last.ntp.since(first.ntp)?;
        let ticks = u64::try_from(last.timestamp.since(first.timestamp)).ok()?;
        if wall < MIN_DRIFT_SPAN {
            return None;
        }
        let media = self.rate.duration(ticks);
        Some((media.as_secs_f64() / wall.as_secs_f64() - 1.0) * 1e6)
    }

    fn put(
        &mut self,
        timestamp: MediaTime,
        arrival: Instant,
        pts: Pts,
        discontinuity: Option<Discontinuity>,
    ) -> Placement {
        self.last = Some(Placed {
            timestamp,
            arrival,
            pts,
        });
        Placement { pts, discontinuity }
    }

    /// Where something that arrives at `now` would be if nothing had delayed it.
    fn by_arrival(&self, last: Placed, now: Instant) -> Pts {
        let in_time = self.backlog.map_or(last, |backlog| backlog.before);
        in_time.pts.plus(self.elapsed(in_time.arrival, now))
    }

    /// Whether a packet that is late by so many ticks may be one of those that waited in a stalled
    /// line, over ICE-TCP above all: they come faster than they were sent, until none is left. A
    /// media clock that stood still stays behind.
    fn is_backlog(&mut self, last: Placed, late: u64, arrival: Instant) -> bool {
        let backlog = self.backlog.get_or_insert(Backlog {
            before: last,
            since: arrival,
            late,
        });
        if arrival.saturating_duration_since(backlog.since) < BACKLOG_PATIENCE {
            return true;
        }
        let catches_up = late + self.rate.ticks(BACKLOG_PROGRESS) <= backlog.late;
        backlog.since = arrival;
        backlog.late = late;
        catches_up
    }

    fn elapsed(&self, from: Instant, to: Instant) -> u64 {
        self.rate.ticks(to.saturating_duration_since(from))
    }
}

#[derive(Clone, Copy, Debug)]
struct Placed {
    timestamp: MediaTime,
    arrival: Instant,
    pts: Pts,
}

/// Packets that are late.
#[derive(Clone, Copy, Debug)]
struct Backlog {
    /// The last one that was not.
    before: Placed,
    /// When it was last looked at …
    since: Instant,
    /// … and by how many ticks they were late then.
    late: u64,
}

/// A timestamp that moves by this much more or less than time is a jump (T2).
const MAX_JUMP: Duration = Duration::from_secs(5);
/// How often a backlog must have become shorter …
const BACKLOG_PATIENCE: Duration = Duration::from_secs(2);
/// … and by how much.
const BACKLOG_PROGRESS: Duration = Duration::from_millis(500);
/// Audio never goes back; a rounding of the SFU's may.
const AUDIO_BACK: Duration = Duration::from_millis(20);
/// Pictures go back where there are B-frames.
const VIDEO_BACK: Duration = Duration::from_secs(1);
/// Shorter spans say more of jitter than of drift.
const MIN_DRIFT_SPAN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Ssrc;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn t2_the_media_clock_places_packets_whatever_the_network_does() {
        let mut line = Line::audio();

        for (media_ms, arrival_ms) in [(0, 0), (20, 95), (40, 96), (60, 97), (4_000, 4_001)] {
            assert_eq!(line.place(media_ms, arrival_ms), (media_ms, None));
        }
    }

    #[test]
    fn t2_a_jump_of_the_media_clock_is_bridged_by_arrival() {
        let mut line = Line::audio();
        line.place(0, 0);

        let (at, jump) = line.place(3_600_000, 20);

        assert_eq!(at, 20);
        assert_eq!(jump, Some(Discontinuity::Jump(3_599_980 * 48)));
        assert_eq!(line.place(3_600_020, 40), (40, None));
    }

    #[test]
    fn t2_a_media_clock_that_stood_still_through_a_pause_is_a_jump_after_two_seconds() {
        let mut line = Line::audio();
        line.place(0, 0);

        let placed: Vec<_> = (0..150)
            .map(|n| line.place(20 * n + 20, 60_000 + 20 * n))
            .collect();

        let jumps = placed.iter().filter(|(_, jump)| jump.is_some());
        assert_eq!(jumps.count(), 1);
        assert_eq!(placed[99], (2_000, None));
        assert_eq!(placed[100].0, 62_000);
        assert_eq!(placed[149], (62_980, None));
    }

    #[test]
    fn t2_packets_that_waited_in_a_stalled_line_are_no_jump() {
        // (stall, how many of them come in 20 ms)
        for (stall, burst) in [(6_000, 300), (20_000, 1_000), (20_000, 2), (600_000, 3)] {
            let mut line = Line::audio();
            line.place(0, 0);

            let mut arrival = stall;
            for n in 1..100_000 {
                arrival = (arrival + u64::from(n % burst == 0) * 20).max(20 * n);
                assert_eq!(line.place(20 * n, arrival), (20 * n, None), "{stall} {n}");
            }
        }
    }

    #[test]
    fn t2_a_stalled_line_that_lost_the_middle_is_no_jump() {
        let mut line = Line::audio();
        line.place(0, 0);

        assert_eq!(line.place(20, 30_000), (20, None));
        assert_eq!(line.place(15_000, 30_001), (15_000, None));
        assert_eq!(line.place(30_000, 30_002), (30_000, None));
        assert_eq!(line.place(90_000, 30_022).0, 30_020);
    }

    #[test]
    fn t2_audio_that_goes_back_is_a_jump_and_pictures_may() {
        let mut audio = Line::audio();
        audio.place(1_000, 1_000);
        assert_eq!(audio.place(900, 1_020).0, 20);

        let mut video = Line::video();
        video.place(1_000, 1_000);
        assert_eq!(video.place(1_100, 1_100), (100, None));
        assert_eq!(video.place(1_033, 1_101), (33, None));
    }

    #[test]
    fn t3_a_mute_is_as_long_as_the_media_clock_says() {
        let mut line = Line::audio();
        line.place(0, 0);

        assert_eq!(line.place(600_000, 600_030), (600_000, None));
    }

    #[test]
    fn t4_another_stream_goes_on_by_arrival() {
        let mut line = Line::audio();
        line.place(0, 0);
        line.place(20, 20);

        line.timeline.restart();

        assert_eq!(
            line.place(777_000, 2_520),
            (2_520, Some(Discontinuity::Restart))
        );
        assert_eq!(line.place(777_020, 2_540), (2_540, None));
    }

    #[test]
    fn t1_the_anchor_is_arrival_until_a_sender_report_comes() {
        let mut line = Line::audio();
        line.place(0, 30);

        let before = line.timeline.anchor(Pts(0)).unwrap();
        line.report(960, 1_000);
        line.place(20, 50);
        let after = line.timeline.anchor(Pts(0)).unwrap();

        assert_eq!(before.origin, AnchorOrigin::Arrival);
        assert_eq!(before.ntp, line.wall.ntp.plus(30 * MS));
        assert_eq!(after.origin, AnchorOrigin::SenderReport);
        assert_eq!(after.ntp, line.wall.ntp.plus(1_000 * MS).minus(20 * MS));
    }

    #[test]
    fn t5_drift_is_what_sender_reports_say() {
        let mut line = Line::audio();
        line.place(0, 0);
        line.report(0, 0);
        assert_eq!(line.timeline.drift_ppm(), None);

        // 100 ppm fast over 100 s: 480 ticks more.
        line.report(48_000 * 100 + 480, 100_000);

        let drift = line.timeline.drift_ppm().unwrap();
        assert!((drift - 100.0).abs() < 0.1, "{drift}");
    }

    #[test]
    fn t5_ten_hours_of_drifting_arrival_are_no_jump() {
        let mut line = Line::audio();

        // 200 ppm: 7.2 s apart at the end.
        for second in 0..36_000_u64 {
            let (at, jump) = line.place(second * 1_000, second * 1_000 + second / 5);
            assert_eq!((at, jump), (second * 1_000, None));
        }
    }

    struct Line {
        timeline: Timeline,
        wall: WallClock,
    }

    impl Line {
        fn audio() -> Self {
            Self::new(TrackKind::Audio, ClockRate::OPUS)
        }

        fn video() -> Self {
            Self::new(TrackKind::Video, ClockRate::VIDEO)
        }

        #[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
        fn new(kind: TrackKind, rate: ClockRate) -> Self {
            let wall = WallClock {
                instant: Instant::now(),
                ntp: NtpTimestamp(0xdead_beef << 32),
            };
            Self {
                timeline: Timeline::new(kind, rate, wall),
                wall,
            }
        }

        /// Times in ms; the media clock has an odd origin.
        fn place(&mut self, media: u64, arrival: u64) -> (u64, Option<Discontinuity>) {
            let ticks = u64::from(self.timeline.rate.get()) * media / 1_000;
            let at = self.wall.instant + Duration::from_millis(arrival);
            let placed = self.timeline.place(MediaTime(ORIGIN + ticks), at);
            let pts = placed.pts.duration(self.timeline.rate).as_millis();
            (u64::try_from(pts).unwrap(), placed.discontinuity)
        }

        fn report(&mut self, ticks: u64, ms: u64) {
            let since = Duration::from_millis(ms);
            self.timeline.sender_report(SenderReport {
                ssrc: Ssrc(1),
                ntp: self.wall.ntp.plus(since),
                timestamp: MediaTime(ORIGIN + ticks),
                arrival: self.wall.instant + since,
            });
        }
    }

    const ORIGIN: u64 = 0x1_ffff_fff0;
}
