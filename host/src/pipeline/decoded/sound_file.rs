use std::time::Instant;

use bytes::Bytes;

use crate::media::{AccessUnit, Integrity, Pts};
use crate::mux::Muxer;
use crate::pipeline::destination::Around;
use crate::pipeline::{FLUSH_AFTER, Output, Outputs, Start};

/// A file of sound that was decoded, whatever is made of it then.
#[derive(Debug)]
pub(super) struct SoundFile {
    /// What to say of it before its first bytes.
    start: Option<Start>,
    muxer: Box<dyn Muxer>,
    /// When what was written must be readable.
    pub(super) flush_at: Option<Instant>,
}

impl SoundFile {
    pub(super) fn new(start: Start, muxer: Box<dyn Muxer>) -> Self {
        Self {
            start: Some(start),
            muxer,
            flush_at: None,
        }
    }

    /// Writes encoded or plain samples at their place: 48 kHz ticks.
    pub(super) fn write(&mut self, pts: Pts, data: Bytes, around: &mut Around<'_>) {
        let unit = AccessUnit {
            pts,
            is_keyframe: true,
            integrity: Integrity::Whole,
            data,
        };
        if self.muxer.write(&unit).is_err() {
            around.summary.units.refused += 1;
            return;
        }
        self.flush_at = Some(around.now + FLUSH_AFTER);
        self.hand_out(around.outputs);
    }

    /// Makes what was written readable.
    pub(super) fn flush(&mut self, outputs: &mut Outputs) {
        self.flush_at = None;
        self.muxer.flush();
        self.hand_out(outputs);
    }

    pub(super) fn finish(&mut self, end: Pts, outputs: &mut Outputs) {
        self.flush_at = None;
        self.muxer.finish(end);
        self.hand_out(outputs);
    }

    fn hand_out(&mut self, outputs: &mut Outputs) {
        if let Some(start) = self.start.take() {
            outputs.push(Output::Start(start));
        }
        while let Some(output) = self.muxer.poll_output() {
            outputs.push(Output::Bytes(output));
        }
    }
}
