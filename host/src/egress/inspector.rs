use std::sync::Arc;
use std::time::{Duration, Instant};

use super::inspection::Inspection;
use super::notices::{self, Flow, Notices};
use super::voice::Voice;
use super::words::Word;
use crate::clock;
use crate::media::DataMessage;
use crate::pipeline::{Output, Pipeline, Summary};
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
    /// Segments that it has looked at to their end.
    segments: usize,
}

impl Inspector {
    /// An inspector whose words go to the sink of a recording.
    pub(super) fn new(pipeline: Pipeline, notices: Notices, voice: Voice) -> Self {
        Self {
            pipeline,
            notices,
            voice,
            segments: 0,
        }
    }

    /// Hands over what was said.
    fn deliver(&mut self, now: Instant) {
        while let Some(output) = self.pipeline.poll_output() {
            let word = match output {
                Output::Event(event) => Word::Event(event),
                Output::End(summary) => Word::Inspected(Box::new(self.inspected(*summary))),
                _ => continue,
            };
            self.voice.say(word, now);
        }
    }

    fn inspected(&mut self, summary: Summary) -> Inspection {
        let inspection = Inspection::new(self.voice.inspector, self.segments, summary);
        self.segments += 1;
        Inspection {
            events_dropped: inspection.events_dropped + std::mem::take(&mut self.voice.dropped),
            messages_dropped: std::mem::take(&mut self.voice.messages_dropped),
            ..inspection
        }
    }
}

impl Consumer for Inspector {
    fn interest(&self) -> Interest {
        Interest::All
    }

    fn packet(&mut self, packet: RtpPacket) {
        let now = clock::now();
        let age = now.saturating_duration_since(packet.arrival);
        self.pipeline.set_late(age > MAX_AGE);
        self.pipeline.packet(packet);
        self.deliver(now);
    }

    fn sender_report(&mut self, report: SenderReport) {
        self.pipeline.sender_report(report);
    }

    fn statistics(&mut self, counted: StreamStatistics) {
        self.pipeline.statistics(counted);
    }

    fn notice(&mut self, notice: Notice, now: Instant) {
        let flow = self.notices.pass_on(notice, &mut self.pipeline, now);
        if flow == Flow::End {
            self.pipeline.finish(now);
        }
        self.deliver(now);
        if flow == Flow::End {
            self.voice.finish();
        }
    }

    fn message(&mut self, message: Arc<DataMessage>, at: Instant) {
        self.pipeline.event(notices::event(&message), at);
        self.deliver(at);
    }

    fn messages_dropped(&mut self, count: u64) {
        self.voice.messages_dropped += count;
    }

    fn overrun(&mut self, count: u64) {
        self.pipeline.overrun(count);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let timeouts = [self.pipeline.poll_timeout(), self.voice.poll_timeout()];
        timeouts.into_iter().flatten().min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        // Nothing waits for the thread.
        self.pipeline.set_late(false);
        self.pipeline.handle_timeout(now);
        self.deliver(now);
        self.voice.flush(now);
    }

    fn take_keyframe_request(&mut self) -> bool {
        false
    }
}

/// A packet that waited longer for the thread is not shown to filters that only look.
const MAX_AGE: Duration = Duration::from_secs(1);
