use std::time::Instant;

use tokio::sync::mpsc::error::TrySendError;

use super::recorder::RETRY_AFTER;
use super::words::{LastRoom, Word, Words};
use crate::pipeline::{Output, Pipeline};
use crate::rtc::{Consumer, Notice};
use crate::rtp::{RtpPacket, SenderReport, StreamStatistics};

/// A second consumer of a track, which decodes its own copy for filters that only look. What they say
/// goes where the recording goes; the recording itself it can neither delay nor change (D5). When the
/// channel is full, the rest waits in the pipeline, which drops and counts what is too much.
#[derive(Debug)]
pub(super) struct Inspector {
    pipeline: Pipeline,
    words: Words,
    /// For what is left at the end, whatever waits then.
    last: Option<LastRoom>,
    retry_at: Option<Instant>,
    /// Segments that it has looked at to their end.
    segments: usize,
}

impl Inspector {
    /// An inspector whose words go to the sink of a recording.
    pub(super) fn new(pipeline: Pipeline, words: Words) -> Self {
        Self {
            pipeline,
            last: words.reserve_last(),
            words,
            retry_at: None,
            segments: 0,
        }
    }

    /// Hands over what the channel takes of what was said.
    fn deliver(&mut self, now: Instant) {
        self.retry_at = None;
        while self.pipeline.has_output() {
            match self.words.reserve() {
                Ok(room) => match next_word(&mut self.pipeline, &mut self.segments) {
                    Some(word) => room.say(word),
                    None => break,
                },
                Err(TrySendError::Full(())) => {
                    self.retry_at = Some(now + RETRY_AFTER);
                    break;
                }
                Err(TrySendError::Closed(())) => drop(self.pipeline.poll_output()),
            }
        }
    }

    fn finish(&mut self, now: Instant) {
        self.pipeline.finish(now);
        let rest = std::iter::from_fn(|| next_word(&mut self.pipeline, &mut self.segments));
        if let Some(room) = self.last.take() {
            room.say(rest.collect());
        }
    }
}

/// The next thing to say: of what such a pipeline hands out the rest goes nowhere.
fn next_word(pipeline: &mut Pipeline, segments: &mut usize) -> Option<Word> {
    loop {
        match pipeline.poll_output()? {
            Output::Event(event) => return Some(Word::Event(event)),
            Output::End(summary) => {
                let segment = *segments;
                *segments += 1;
                return Some(Word::Inspected { segment, summary });
            }
            _ => {}
        }
    }
}

impl Consumer for Inspector {
    fn packet(&mut self, packet: RtpPacket) {
        let now = packet.arrival;
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
        match notice {
            Notice::Muted => self.pipeline.mute(now),
            Notice::Unmuted => self.pipeline.unmute(now),
            Notice::Interrupted => self.pipeline.interrupt(now),
            Notice::Restarted(restart) => self.pipeline.restart(restart, now),
            Notice::Ended => return self.finish(now),
        }
        self.deliver(now);
    }

    fn overrun(&mut self, count: u64) {
        self.pipeline.overrun(count);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.pipeline.poll_timeout(), self.retry_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.pipeline.handle_timeout(now);
        self.deliver(now);
    }

    fn take_keyframe_request(&mut self) -> bool {
        false
    }
}
