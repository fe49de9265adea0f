use std::time::{Duration, Instant};

use super::file::File;
use super::gate::{Gate, Verdict};
use super::summary::{Cause, Seam, SeamReason, Size, Span, Summary};
use super::{FLUSH_AFTER, Output, Outputs, Settings, Source, Start};
use crate::bitstream;
use crate::depacketize::{self, Depacketizer};
use crate::media::{AccessUnit, Codec, Integrity, Pts, TrackKind};
use crate::mux;
use crate::rtp::jitter_buffer::Arrival;
use crate::rtp::timeline::{Discontinuity, Placement, Timeline, WallClock};
use crate::rtp::{Restart, RtpPacket, injected};

/// What goes into one file: packets in order → access units → container bytes.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) codec: Codec,
    pub(super) timeline: Timeline,
    pub(super) gate: Gate,
    pub(super) summary: Summary,
    source: Source,
    settings: Settings,
    depacketizer: Box<dyn Depacketizer>,
    file: Option<File>,
    /// Packets missing before the next one, until it is known whose they were.
    hole: u64,
    last_was_injected: bool,
    /// What the next seam is, if another stream began.
    restart: Option<Restart>,
    /// Where it was muted on the timeline; when it is unmuted, packets may have come already.
    muted_from: Option<Pts>,
}

impl Segment {
    pub(super) fn new(codec: Codec, source: Source, settings: Settings, wall: WallClock) -> Self {
        let kind = codec.kind();
        Self {
            codec,
            timeline: Timeline::new(kind, codec.clock_rate(), wall),
            gate: Gate::new(kind, settings.on_loss),
            summary: Summary::new(codec, settings.container(codec)),
            source,
            settings,
            depacketizer: depacketize::for_codec(codec),
            file: None,
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
        self.write_units(packet.arrival, outputs);
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
    pub(super) fn mute(&mut self, now: Instant) {
        self.muted_from = self.timeline.pts_at(now);
    }

    /// The publisher unmuted the track, or it ends.
    pub(super) fn unmute(&mut self, now: Instant) {
        let from = self.muted_from.take();
        let (Some(from), Some(to), Some(file)) = (from, self.timeline.pts_at(now), &self.file)
        else {
            return;
        };
        let (from, to) = (file.place(from), file.place(to.max(from)));
        self.summary.mutes.push(Span { from, to });
    }

    /// Another stream goes on where this one ended.
    pub(super) fn restart(&mut self, restart: Restart, now: Instant, outputs: &mut Outputs) {
        self.end_stream(now, outputs);
        self.restart = Some(restart);
        self.depacketizer = depacketize::for_codec(self.codec);
        self.timeline.restart();
        self.last_was_injected = false;
        if self.codec.kind() == TrackKind::Video {
            self.gate.close(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let flush = self.file.as_ref().and_then(|file| file.flush_at);
        [flush, self.gate.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, outputs: &mut Outputs) {
        self.gate.handle_timeout(now);
        if let Some(file) = &mut self.file
            && file.flush_at.is_some_and(|at| at <= now)
        {
            file.flush(outputs);
        }
    }

    /// Fills the hole that a mute makes, but for its end: the publisher's clock may be behind ours.
    pub(super) fn fill(&mut self, now: Instant, outputs: &mut Outputs) {
        let Some(at) = self.pts_in_file(now) else {
            return;
        };
        let margin = self.codec.clock_rate().ticks(FILL_MARGIN);
        if outputs.bytes < self.settings.max_pending
            && let Some(file) = &mut self.file
        {
            file.fill(Pts(at.0.saturating_sub(margin)), outputs);
        }
    }

    /// Where a track that ends at `now` ends in the file. One that is muted lasts until `now`, as does
    /// one in a pause of speech that its encoder sends nothing for; any other ends with its last unit.
    pub(super) fn end(&self, now: Instant, is_muted: bool) -> Pts {
        let (Some(file), Some(until)) = (&self.file, self.pts_in_file(now)) else {
            return Pts(0);
        };
        if is_muted {
            return until;
        }
        let longest_pause = self.codec.clock_rate().ticks(LONGEST_PAUSE);
        if file.ends_in_pause() {
            until.min(file.last().plus(longest_pause))
        } else {
            Pts(0)
        }
    }

    /// Writes what is left and finalises the file.
    pub(super) fn finish(&mut self, now: Instant, end: Pts, outputs: &mut Outputs) {
        self.end_stream(now, outputs);
        let Some(file) = &mut self.file else { return };
        file.finish(self.codec, end, outputs);
        self.summary.started_at = self.timeline.anchor(file.origin());
        self.summary.drift_ppm = self.timeline.drift_ppm();
        self.summary.duration = file.end().duration(self.codec.clock_rate());
        outputs.push(Output::End(Box::new(self.summary.clone())));
    }

    /// No packet follows, at least none of this stream.
    fn end_stream(&mut self, now: Instant, outputs: &mut Outputs) {
        self.settle_hole(false, now);
        self.depacketizer.finish();
        self.write_units(now, outputs);
    }

    /// How long the file plays so far.
    pub(super) fn duration(&self) -> Duration {
        let end = self.file.as_ref().map_or(Pts(0), File::end);
        end.duration(self.codec.clock_rate())
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
        self.note_gap(hole, Cause::Network);
        self.summary.lost += hole;
        if self.codec.kind() == TrackKind::Video {
            self.gate.damage(now);
        }
    }

    fn note_gap(&mut self, packets: u64, cause: Cause) {
        if let Some(file) = &self.file {
            self.summary.open_gap(file.last(), packets, cause);
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
        if let Some(file) = &self.file {
            let at = file.place(placement.pts);
            self.summary.seams.push(Seam { at, reason });
        }
    }

    fn write_units(&mut self, now: Instant, outputs: &mut Outputs) {
        self.count_skipped(now);
        while let Some(unit) = self.depacketizer.pull() {
            let is_damaged = unit.integrity == Integrity::Damaged;
            if is_damaged && self.codec.kind() == TrackKind::Video {
                self.gate.damage(now);
            }
            match self.gate.judge(&unit, now) {
                Verdict::Write => self.write(unit, now, outputs),
                Verdict::BeforeKeyframe => self.summary.units.before_keyframe += 1,
                Verdict::AfterLoss => self.summary.units.after_loss += 1,
            }
        }
    }

    /// Pictures of which nothing came out may be referred to by those that follow.
    fn count_skipped(&mut self, now: Instant) {
        let skipped = self.depacketizer.take_skipped();
        self.summary.units.skipped += u64::from(skipped);
        if skipped > 0 && self.codec.kind() == TrackKind::Video {
            self.gate.damage(now);
        }
    }

    fn write(&mut self, mut unit: AccessUnit, now: Instant, outputs: &mut Outputs) {
        if outputs.bytes > self.settings.max_pending {
            return self.refuse_for_sink(now);
        }
        let is_first = self.file.is_none();
        if is_first {
            self.file = self.begin(unit.pts);
        }
        let Some(file) = &mut self.file else { return };
        unit.pts = file.place(unit.pts);
        let nothing = unit.pts.since(file.end());
        self.summary.close_gap(file.last(), nothing);
        if file.write(self.codec, &unit).is_err() {
            return self.refuse(is_first, now);
        }
        file.flush_at = Some(now + FLUSH_AFTER);
        file.hand_out(outputs);
        self.count(&unit);
    }

    /// A file whose first unit is at `origin`; `None` without a packet on the timeline.
    fn begin(&self, origin: Pts) -> Option<File> {
        let metadata = mux::Metadata {
            codec: self.codec,
            room: self.source.room.clone(),
            participant: self.source.participant.clone(),
            track: self.source.track.clone(),
            started_at: self.timeline.anchor(origin)?.ntp,
        };
        let container = self.settings.container(self.codec);
        let start = Start {
            container,
            metadata,
        };
        Some(File::new(start, origin))
    }

    /// The container cannot hold a unit. No file begins with it, and another keyframe may do better.
    fn refuse(&mut self, is_first: bool, now: Instant) {
        self.summary.units.refused += 1;
        if is_first {
            self.file = None;
            if self.codec.kind() == TrackKind::Video {
                self.gate.close(now);
            }
        }
    }

    /// The sink cannot follow: what is dropped is counted, and pictures go on with a keyframe.
    fn refuse_for_sink(&mut self, now: Instant) {
        self.summary.units.sink_full += 1;
        self.note_gap(1, Cause::SinkFull);
        if self.codec.kind() == TrackKind::Video {
            self.gate.close(now);
        }
    }

    fn count(&mut self, unit: &AccessUnit) {
        let summary = &mut self.summary;
        summary.bytes += unit.data.len() as u64;
        summary.units.written += 1;
        summary.units.damaged += u64::from(unit.integrity == Integrity::Damaged);
        if self.codec.kind() == TrackKind::Audio || !unit.is_keyframe {
            return;
        }
        summary.units.keyframes += 1;
        let size = bitstream::dimensions(self.codec, &unit.data);
        let Some(file) = &mut self.file else { return };
        if let Some((width, height)) = size.filter(|_| size != file.size) {
            file.size = size;
            let at = unit.pts;
            summary.sizes.push(Size { at, width, height });
        }
    }

    /// Where `at` is in the file; `None` before there is one.
    fn pts_in_file(&self, at: Instant) -> Option<Pts> {
        let file = self.file.as_ref()?;
        Some(file.place(self.timeline.pts_at(at)?))
    }
}

/// An Opus encoder in a pause of speech sends something this often (`DTX` of libopus: 20 frames).
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// More than a timestamp may differ from arrival (media.md T2).
const FILL_MARGIN: Duration = Duration::from_secs(10);
