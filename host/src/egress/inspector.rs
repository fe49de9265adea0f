use std::sync::Arc;
use std::time::{Duration, Instant};

use super::notices::{self, Flow, Notices};
use super::recorder::Words;
use super::voice::Voice;
use crate::clock;
use crate::media::DataMessage;
use crate::pipeline::{Output, Pipeline};
use crate::rtc::{Consumer, Interest, Notice};
use crate::rtp::{RtpPacket, SenderReport, StreamStatistics};

/// A second consumer of a track, which decodes its own copy for filters that only look. What they say
/// goes where the recording goes; the recording itself it can neither delay nor change (D5).
///
/// When its thread is too slow, the filters miss what is old, and learn how much (plugins.md P2).
#[derive(Debug)]
pub(super) struct Inspector {
    pipeline: Pipeline,
    notices: Notices,
    voice: Voice,
}

impl Inspector {
    /// An inspector whose words go to the sink of a recording.
    pub(super) const fn new(pipeline: Pipeline, notices: Notices, words: Words) -> Self {
        Self {
            pipeline,
            notices,
            voice: Voice::new(words),
        }
    }

    /// Hands over what was said.
    fn deliver(&mut self) {
        while let Some(output) = self.pipeline.poll_output() {
            if matches!(output, Output::Event(_) | Output::Halt(_)) {
                self.voice.say(output);
            }
        }
    }
}

impl Consumer for Inspector {
    fn interest(&self) -> Interest {
        Interest::All
    }

    fn packet(&mut self, packet: RtpPacket) {
        let age = clock::now().saturating_duration_since(packet.arrival);
        self.pipeline.set_late(age > MAX_AGE);
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
        if self.notices.pass_on(notice, &mut self.pipeline, now) == Flow::End {
            self.pipeline.finish(now);
        }
        self.deliver();
    }

    fn message(&mut self, message: Arc<DataMessage>, at: Instant) {
        self.pipeline.event(notices::event(&message), at);
        self.deliver();
    }

    fn messages_dropped(&mut self, count: u64) {
        self.voice.messages_dropped += count;
    }

    fn overrun(&mut self, count: u64) {
        self.pipeline.overrun(count);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.pipeline.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        // Nothing waits for the thread.
        self.pipeline.set_late(false);
        self.pipeline.handle_timeout(now);
        self.deliver();
    }

    fn take_keyframe_request(&mut self) -> bool {
        false
    }
}

/// A packet that waited longer for the thread is not shown to filters that only look.
const MAX_AGE: Duration = Duration::from_secs(1);
