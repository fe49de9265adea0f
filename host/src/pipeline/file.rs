use std::time::Instant;

use super::{Output, Outputs, Start};
use crate::bitstream::opus::{self, Toc};
use crate::media::{AccessUnit, ClockRate, Codec, Pts, TrackKind};
use crate::mux::{self, MuxError, Muxer};

/// The file of a segment, from its first access unit on.
#[derive(Debug)]
pub(super) struct File {
    /// What to say of it before its first bytes.
    start: Option<Start>,
    muxer: Box<dyn Muxer>,
    /// Where the file begins on the timeline.
    origin: Pts,
    /// Where the last unit is, from `origin`.
    last: Pts,
    /// Where it ends, for all that is known.
    end: Pts,
    /// The last unit said only that nothing is sent.
    ends_in_pause: bool,
    /// How many ticks lie between the last two pictures, as far as that is no pause.
    interval: u64,
    /// How many ticks a picture lasts, as long as none that follows says.
    usual: u64,
    /// What the last keyframe showed.
    pub(super) size: Option<(u32, u32)>,
    /// When what was written must be readable.
    pub(super) flush_at: Option<Instant>,
}

impl File {
    pub(super) fn new(start: Start, origin: Pts) -> Self {
        Self {
            muxer: mux::for_codec(start.container, start.metadata.clone()),
            start: Some(start),
            origin,
            last: Pts(0),
            end: Pts(0),
            ends_in_pause: false,
            interval: u64::MAX,
            usual: FIRST_DURATION,
            size: None,
            flush_at: None,
        }
    }

    /// Writes a unit at its [place](Self::place).
    pub(super) fn write(&mut self, codec: Codec, unit: &AccessUnit) -> Result<(), MuxError> {
        self.muxer.write(unit)?;
        self.advance(codec, unit);
        Ok(())
    }

    /// Fills a hole up to `until`, behind which the next unit will be.
    pub(super) fn fill(&mut self, until: Pts, outputs: &mut Outputs) {
        self.muxer.fill(until);
        self.hand_out(outputs);
    }

    /// Makes what was written readable.
    pub(super) fn flush(&mut self, outputs: &mut Outputs) {
        self.flush_at = None;
        self.muxer.flush();
        self.hand_out(outputs);
    }

    /// Finalises it. It lasts until `end`, or as long as its last unit.
    pub(super) fn finish(&mut self, codec: Codec, end: Pts, outputs: &mut Outputs) {
        self.end = self.end.max(end);
        self.muxer.finish(match codec.kind() {
            // The muxer knows to the sample where sound ends.
            TrackKind::Audio => end,
            TrackKind::Video => self.end,
        });
        self.hand_out(outputs);
    }

    pub(super) fn hand_out(&mut self, outputs: &mut Outputs) {
        if let Some(start) = self.start.take() {
            outputs.push(Output::Start(start));
        }
        while let Some(output) = self.muxer.poll_output() {
            outputs.push(Output::Bytes(output));
        }
    }

    /// From the timeline to the file.
    pub(super) fn place(&self, pts: Pts) -> Pts {
        Pts(u64::try_from(pts.since(self.origin)).unwrap_or(0))
    }

    /// Where the file begins on the timeline.
    pub(super) const fn origin(&self) -> Pts {
        self.origin
    }

    /// Where the last unit is.
    pub(super) const fn last(&self) -> Pts {
        self.last
    }

    /// Where it ends, for all that is known.
    pub(super) const fn end(&self) -> Pts {
        self.end
    }

    /// Whether its encoder was sending nothing, because there was nothing to hear.
    pub(super) const fn ends_in_pause(&self) -> bool {
        self.ends_in_pause
    }

    /// Until the next picture says, one lasts as long as the shorter of the two before it: the other may
    /// have been lengthened by a loss.
    fn advance(&mut self, codec: Codec, unit: &AccessUnit) {
        let before = u64::try_from(unit.pts.since(self.last)).unwrap_or(0);
        if (1..=LONGEST_USUAL).contains(&before) {
            self.usual = before.min(std::mem::replace(&mut self.interval, before));
        }
        let ticks = sound(codec, unit).unwrap_or(self.usual);
        self.last = unit.pts;
        self.ends_in_pause = codec == Codec::Opus && opus::is_dtx(&unit.data);
        self.end = unit.pts.plus(ticks).max(self.end);
    }
}

/// How many ticks of sound a unit holds; `None` for a picture.
pub(super) fn sound(codec: Codec, unit: &AccessUnit) -> Option<u64> {
    match codec {
        Codec::Opus => Some(Toc::parse(&unit.data).map_or(0, |toc| toc.duration().into())),
        Codec::Pcmu | Codec::Pcma => Some(unit.data.len() as u64),
        Codec::H264 | Codec::H265 | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => None,
    }
}

/// How long the only picture of a file lasts: 1/30 s.
const FIRST_DURATION: u64 = 3_000;

/// A picture that lasts longer is a pause.
const LONGEST_USUAL: u64 = ClockRate::VIDEO.get() as u64;
