use std::time::Instant;

use super::destination::{Around, Destination};
use super::file::File;
use super::gate::{Gate, Verdict};
use super::summary::{Cause, Size, Summary};
use super::{FLUSH_AFTER, Settings, Source, Start};
use crate::bitstream;
use crate::media::{AccessUnit, Codec, Integrity, Pts, TrackKind};
use crate::mux;
use crate::rtp::Timeline;

/// Access units → container bytes, untouched (D5).
#[derive(Debug)]
pub(super) struct Passthrough {
    codec: Codec,
    source: Source,
    settings: Settings,
    gate: Gate,
    file: Option<File>,
}

impl Passthrough {
    pub(super) const fn new(codec: Codec, source: Source, settings: Settings) -> Self {
        Self {
            gate: Gate::new(codec.kind(), settings.on_loss),
            codec,
            source,
            settings,
            file: None,
        }
    }

    const fn is_video(&self) -> bool {
        matches!(self.codec.kind(), TrackKind::Video)
    }

    fn write(&mut self, mut unit: AccessUnit, around: &mut Around<'_>) {
        if around.outputs.bytes > self.settings.max_pending {
            return self.refuse_for_sink(around);
        }
        let is_first = self.file.is_none();
        if is_first {
            self.file = self.begin(unit.pts, around.timeline);
        }
        let Some(file) = &mut self.file else { return };
        unit.pts = file.place(unit.pts);
        let nothing = unit.pts.since(file.end());
        around.summary.close_gap(file.last(), nothing);
        if file.write(self.codec, &unit).is_err() {
            return self.refuse(is_first, around);
        }
        file.flush_at = Some(around.now + FLUSH_AFTER);
        file.hand_out(around.outputs);
        self.count(&unit, around.summary);
    }

    /// A file whose first unit is at `origin`; `None` without a packet on the timeline.
    fn begin(&self, origin: Pts, timeline: &Timeline) -> Option<File> {
        let metadata = mux::Metadata {
            codec: self.codec,
            room: self.source.room.clone(),
            participant: self.source.participant.clone(),
            track: self.source.track.clone(),
            started_at: timeline.anchor(origin)?.ntp,
        };
        let container = self.settings.container(self.codec);
        let start = Start {
            container,
            metadata,
            samples: None,
        };
        Some(File::new(start, origin))
    }

    /// The container cannot hold a unit. No file begins with it, and another keyframe may do better.
    fn refuse(&mut self, is_first: bool, around: &mut Around<'_>) {
        around.summary.units.refused += 1;
        if is_first {
            self.file = None;
            if self.is_video() {
                self.gate.close(around.now);
            }
        }
    }

    /// The sink cannot follow: what is dropped is counted, and pictures go on with a keyframe.
    fn refuse_for_sink(&mut self, around: &mut Around<'_>) {
        around.summary.units.sink_full += 1;
        if let Some(at) = self.last() {
            around.summary.open_gap(at, 1, Cause::SinkFull);
        }
        if self.is_video() {
            self.gate.close(around.now);
        }
    }

    fn count(&mut self, unit: &AccessUnit, summary: &mut Summary) {
        summary.bytes += unit.data.len() as u64;
        summary.units.written += 1;
        summary.units.damaged += u64::from(unit.integrity == Integrity::Damaged);
        if !self.is_video() || !unit.is_keyframe {
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
}

impl Destination for Passthrough {
    fn unit(&mut self, unit: AccessUnit, around: &mut Around<'_>) {
        if unit.integrity == Integrity::Damaged {
            self.lost(around.now);
        }
        match self.gate.judge(&unit, around.now) {
            Verdict::Write => self.write(unit, around),
            Verdict::BeforeKeyframe => around.summary.units.before_keyframe += 1,
            Verdict::AfterLoss => around.summary.units.after_loss += 1,
        }
    }

    fn lost(&mut self, now: Instant) {
        if self.is_video() {
            self.gate.damage(now);
        }
    }

    fn restart(&mut self, now: Instant) {
        if self.is_video() {
            self.gate.close(now);
        }
    }

    fn fill(&mut self, until: Pts, around: &mut Around<'_>) {
        if around.outputs.bytes < self.settings.max_pending
            && let Some(file) = &mut self.file
        {
            file.fill(until, around.outputs);
        }
    }

    fn place(&self, pts: Pts) -> Option<Pts> {
        self.file.as_ref().map(|file| file.place(pts))
    }

    fn last(&self) -> Option<Pts> {
        self.file.as_ref().map(File::last)
    }

    fn ends_in_pause(&self) -> bool {
        self.file.as_ref().is_some_and(File::ends_in_pause)
    }

    fn end(&self) -> Pts {
        self.file.as_ref().map_or(Pts(0), File::end)
    }

    fn take_keyframe_request(&mut self) -> bool {
        self.gate.take_request()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let flush = self.file.as_ref().and_then(|file| file.flush_at);
        [flush, self.gate.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle_timeout(&mut self, around: &mut Around<'_>) {
        self.gate.handle_timeout(around.now);
        if let Some(file) = &mut self.file
            && file.flush_at.is_some_and(|at| at <= around.now)
        {
            file.flush(around.outputs);
        }
    }

    fn finish(&mut self, end: Pts, around: &mut Around<'_>) -> bool {
        let Some(file) = &mut self.file else {
            return false;
        };
        file.finish(self.codec, end, around.outputs);
        around.summary.started_at = around.timeline.anchor(file.origin());
        true
    }
}
