use std::time::Instant;

use tracing::warn;

use super::words::{Said, Words};
use crate::pipeline::Pipeline;
use crate::rtc::{Consumer, Notice};
use crate::rtp::{RtpPacket, SenderReport, StreamStatistics};

/// A second consumer of a track, which decodes its own copy for filters that only look. What they say
/// goes where the recording goes; the recording itself it can neither delay nor change (D5).
#[derive(Debug)]
pub(super) struct Inspector {
    pipeline: Pipeline,
    words: Words,
    dropped: u64,
}

impl Inspector {
    /// An inspector whose words go to the sink of a recording.
    pub(super) const fn new(pipeline: Pipeline, words: Words) -> Self {
        Self {
            pipeline,
            words,
            dropped: 0,
        }
    }

    /// Hands over what was said. When the channel is full it is dropped: the recording goes first.
    fn deliver(&mut self) {
        while let Some(output) = self.pipeline.poll_output() {
            if self.words.say(output) == Said::Dropped {
                self.dropped += 1;
            }
        }
    }
}

impl Consumer for Inspector {
    fn packet(&mut self, packet: RtpPacket) {
        self.pipeline.packet(packet);
        self.deliver();
    }

    fn sender_report(&mut self, report: SenderReport) {
        self.pipeline.sender_report(report);
    }

    fn statistics(&mut self, counted: StreamStatistics) {
        self.pipeline.statistics(counted);
    }

    fn notice(&mut self, notice: Notice, now: Instant) {
        match notice {
            Notice::Muted => self.pipeline.mute(now),
            Notice::Unmuted => self.pipeline.unmute(now),
            Notice::Interrupted => self.pipeline.interrupt(now),
            Notice::Restarted(restart) => self.pipeline.restart(restart, now),
            Notice::Ended => self.pipeline.finish(now),
        }
        self.deliver();
    }

    fn overrun(&mut self, count: u64) {
        self.pipeline.overrun(count);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.pipeline.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.pipeline.handle_timeout(now);
        self.deliver();
    }

    fn take_keyframe_request(&mut self) -> bool {
        false
    }
}

impl Drop for Inspector {
    fn drop(&mut self) {
        if self.dropped > 0 {
            let dropped = self.dropped;
            warn!(dropped, "The sink was too slow for what an inspector said.");
        }
    }
}
