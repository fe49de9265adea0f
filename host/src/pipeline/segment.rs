use std::time::{Duration, Instant};

use super::destination::{Around, Destination};
use super::summary::{Cause, Seam, SeamReason, Span, Summary};
use super::{Output, Outputs};
use crate::depacketize::{self, Depacketizer};
use crate::filter::TrackEvent;
use crate::media::{Codec, Pts};
use crate::rtp::jitter_buffer::Arrival;
use crate::rtp::timeline::{Discontinuity, Placement, Timeline, WallClock};
use crate::rtp::{Restart, RtpPacket, injected};

/// What goes into one file: packets in order → access units, for their [`Destination`].
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) codec: Codec,
    pub(super) timeline: Timeline,
    pub(super) summary: Summary,
    pub(super) destination: Box<dyn Destination>,
    depacketizer: Box<dyn Depacketizer>,
    /// The packets in hand came long ago, because the thread is too slow.
    pub(super) is_late: bool,
    /// Packets missing before the next one, until it is known whose they were.
    hole: u64,
    last_was_injected: bool,
    /// Why another stream goes on, until its first packet.
    restart: Option<Restart>,
    /// Where it was muted on the timeline; when it is unmuted, packets may have come already.
    muted_from: Option<Pts>,
}

impl Segment {
    pub(super) fn new(
        codec: Codec,
        summary: Summary,
        destination: Box<dyn Destination>,
        wall: WallClock,
    ) -> Self {
        Self {
            codec,
            timeline: Timeline::new(codec.kind(), codec.clock_rate(), wall),
            summary,
            destination,
            depacketizer: depacketize::for_codec(codec),
            is_late: false,
            hole: 0,
            last_was_injected: false,
            restart: None,
            muted_from: None,
        }
    }

    /// The data path of one track, behind the jitter buffer.
    pub(super) fn packet(&mut self, packet: &RtpPacket, outputs: &mut Outputs) {
        self.summary.received += 1;
        let is_injected = injected::is_injected(packet);
        self.settle_hole(is_injected, packet.arrival);
        if is_injected {
            self.summary.injected += 1;
            // The SFU may have closed a picture of which it never sends the rest.
            self.depacketizer.lost();
            return;
        }
        let placement = self.timeline.place(packet.timestamp, packet.arrival);
        self.note_seam(placement);
        if self.depacketizer.push(packet, placement.pts).is_err() {
            self.summary.malformed += 1;
        }
        self.hand_on(packet.arrival, outputs);
    }

    /// Packets are missing before the next one.
    pub(super) const fn lose(&mut self, count: u64) {
        self.hole += count;
    }

    /// A packet that came too late or twice.
    pub(super) const fn unused(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Late => self.summary.late += 1,
            Arrival::Duplicate => self.summary.duplicates += 1,
            Arrival::Accepted => {}
        }
    }

    /// The publisher muted the track.
    pub(super) fn mute(&mut self, now: Instant, outputs: &mut Outputs) {
        self.muted_from = self.timeline.pts_at(now);
        let (destination, mut around) = self.split(now, outputs);
        destination.mute(&mut around);
    }

    /// The publisher unmuted the track.
    pub(super) fn unmute(&mut self, now: Instant, outputs: &mut Outputs) {
        self.end_mute(now);
        let (destination, mut around) = self.split(now, outputs);
        destination.unmute(&mut around);
    }

    /// Something else happened to the track.
    pub(super) fn event(&mut self, event: TrackEvent, now: Instant, outputs: &mut Outputs) {
        let (destination, mut around) = self.split(now, outputs);
        destination.event(event, &mut around);
    }

    /// The track was unmuted, or it ends.
    fn end_mute(&mut self, now: Instant) {
        let from = self.muted_from.take();
        let (Some(from), Some(to)) = (from, self.timeline.pts_at(now)) else {
            return;
        };
        let place = |pts| self.destination.place(pts);
        if let (Some(from), Some(to)) = (place(from), place(to.max(from))) {
            self.summary.mutes.push(Span { from, to });
        }
    }

    /// Another stream goes on where this one ended.
    pub(super) fn restart(&mut self, restart: Restart, now: Instant, outputs: &mut Outputs) {
        self.end_stream(now, outputs);
        self.restart = Some(restart);
        self.depacketizer = depacketize::for_codec(self.codec);
        self.timeline.restart();
        self.last_was_injected = false;
        self.destination.restart(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.destination.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, outputs: &mut Outputs) {
        let (destination, mut around) = self.split(now, outputs);
        destination.handle_timeout(&mut around);
    }

    /// Fills the hole that a mute makes, but for its end: the publisher's clock may be behind ours.
    pub(super) fn fill(&mut self, now: Instant, outputs: &mut Outputs) {
        let Some(at) = self.pts_in_file(now) else {
            return;
        };
        let margin = self.codec.clock_rate().ticks(FILL_MARGIN);
        let (destination, mut around) = self.split(now, outputs);
        destination.fill(Pts(at.0.saturating_sub(margin)), &mut around);
    }

    /// Where a track that ends at `now` ends in the file. One that is muted lasts until `now`, as does
    /// one in a pause of speech that its encoder sends nothing for; any other ends with its last unit.
    pub(super) fn end(&self, now: Instant, is_muted: bool) -> Pts {
        let Some(until) = self.pts_in_file(now) else {
            return Pts(0);
        };
        if is_muted {
            return until;
        }
        let longest_pause = self.codec.clock_rate().ticks(LONGEST_PAUSE);
        match self.destination.last() {
            Some(last) if self.destination.ends_in_pause() => until.min(last.plus(longest_pause)),
            _ => Pts(0),
        }
    }

    /// Writes what is left and finalises the file.
    pub(super) fn finish(&mut self, now: Instant, end: Pts, outputs: &mut Outputs) {
        self.end_mute(now);
        self.end_stream(now, outputs);
        let (destination, mut around) = self.split(now, outputs);
        if destination.finish(end, &mut around) {
            self.summary.drift_ppm = self.timeline.drift_ppm();
            self.summary.duration = self.duration();
            outputs.push(Output::End(Box::new(self.summary.clone())));
        }
    }

    /// No packet follows, at least none of this stream.
    fn end_stream(&mut self, now: Instant, outputs: &mut Outputs) {
        self.settle_hole(false, now);
        self.depacketizer.finish();
        self.hand_on(now, outputs);
    }

    /// How long the file plays so far.
    pub(super) fn duration(&self) -> Duration {
        self.destination.end().duration(self.codec.clock_rate())
    }

    /// A hole beside the SFU's own frames is made of them: they are never retransmitted
    /// (mediaplane.md §3, trap 1).
    fn settle_hole(&mut self, is_injected: bool, now: Instant) {
        let hole = std::mem::take(&mut self.hole);
        let of_injected = is_injected || self.last_was_injected;
        self.last_was_injected = is_injected;
        if hole == 0 {
            return;
        }
        if of_injected {
            self.summary.injected += hole;
            return;
        }
        self.depacketizer.lost();
        self.note_gap(hole);
        self.summary.lost += hole;
        self.destination.lost(now);
    }

    fn note_gap(&mut self, packets: u64) {
        if let Some(at) = self.destination.last() {
            self.summary.open_gap(at, packets, Cause::Network);
        }
    }

    fn note_seam(&mut self, placement: Placement) {
        let reason = match placement.discontinuity {
            None => return,
            Some(Discontinuity::Jump(_)) => SeamReason::ClockJump,
            Some(Discontinuity::Restart) => match self.restart.take() {
                Some(restart) => SeamReason::Restart(restart),
                None => return,
            },
        };
        if let Some(at) = self.destination.place(placement.pts) {
            self.summary.seams.push(Seam { at, reason });
        }
    }

    /// Hands the units that are finished to their destination.
    fn hand_on(&mut self, now: Instant, outputs: &mut Outputs) {
        self.count_skipped(now);
        while let Some(unit) = self.depacketizer.pull() {
            let (destination, mut around) = self.split(now, outputs);
            destination.unit(unit, &mut around);
        }
    }

    /// Units of which nothing came out may be referred to by those that follow.
    fn count_skipped(&mut self, now: Instant) {
        let skipped = self.depacketizer.take_skipped();
        self.summary.units.skipped += u64::from(skipped);
        if skipped > 0 {
            self.destination.lost(now);
        }
    }

    /// Where `at` is in the file; `None` before there is one.
    pub(super) fn pts_in_file(&self, at: Instant) -> Option<Pts> {
        self.destination.place(self.timeline.pts_at(at)?)
    }

    /// The destination, and what it needs of the rest.
    fn split<'a>(
        &'a mut self,
        now: Instant,
        outputs: &'a mut Outputs,
    ) -> (&'a mut dyn Destination, Around<'a>) {
        let around = Around {
            now,
            is_late: self.is_late,
            timeline: &self.timeline,
            summary: &mut self.summary,
            outputs,
        };
        (&mut *self.destination, around)
    }
}

/// An Opus encoder in a pause of speech sends something this often (`DTX` of libopus: 20 frames).
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// More than a timestamp may differ from arrival (media.md T2).
const FILL_MARGIN: Duration = Duration::from_secs(10);
