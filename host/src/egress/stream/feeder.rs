use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, OwnedPermit, error::TrySendError};

use super::translator::Translator;
use crate::egress::notices::{self, Flow, Notices};
use crate::egress::words::Word;
use crate::filter::Halt;
use crate::media::DataMessage;
use crate::pipeline::{Pipeline, Summary};
use crate::rtc::{Consumer, Interest, Notice};
use crate::rtp::{RtpPacket, SenderReport, StreamStatistics};
use crate::sink::websocket::{Message, Wanted};

/// The media side's half of a stream: hands packets to the pipeline, and what comes out of it to the
/// sink at once. When the sink's task gets no CPU, what comes waits in the pipeline, whose bound
/// drops sound and counts it.
#[derive(Debug)]
pub(super) struct Feeder {
    pipeline: Pipeline,
    notices: Notices,
    translator: Translator,
    /// `None` once the farewell is said.
    way: Option<Way>,
    /// When a full channel is tried again.
    retry_at: Option<Instant>,
    /// When to look whether the sink is still there, if nothing is sent meanwhile.
    look_at: Option<Instant>,
}

/// The way to the sink.
#[derive(Debug)]
struct Way {
    feed: mpsc::Sender<Message>,
    /// A place for what is left at the end.
    farewell: OwnedPermit<Note>,
}

/// What a [`Courier`](super::Courier) is told beside the messages.
#[derive(Debug)]
pub(in crate::egress) enum Note {
    /// The track is over.
    Farewell(Box<Farewell>),
    /// What an inspector has to say.
    Words(Vec<Word>),
}

/// What a feeder leaves behind.
#[derive(Debug)]
pub(in crate::egress) struct Farewell {
    /// The way to the sink, for what is left.
    pub(super) feed: mpsc::Sender<Message>,
    /// What is left.
    pub(super) left: Vec<Message>,
    /// What came out of the pipeline, one for each codec.
    pub(super) summaries: Vec<Summary>,
    /// A filter failed that may not be passed by.
    pub(super) halt: Option<Halt>,
}

impl Feeder {
    pub(super) fn new(
        (pipeline, notices): (Pipeline, Notices),
        wanted: Wanted,
        feed: mpsc::Sender<Message>,
        farewell: OwnedPermit<Note>,
    ) -> Self {
        Self {
            pipeline,
            notices,
            translator: Translator::new(wanted),
            way: Some(Way { feed, farewell }),
            retry_at: None,
            look_at: None,
        }
    }

    /// Hands over what the channel takes.
    fn deliver(&mut self, now: Instant) {
        self.retry_at = None;
        self.look_at = Some(now + LOOK_AFTER);
        match self.send() {
            Ok(()) if self.translator.halt.is_some() => self.finish(now),
            Ok(()) => {}
            Err(TrySendError::Full(())) => self.retry_at = Some(now + RETRY_AFTER),
            // The server has had enough, or was given up: whoever runs the sink says why.
            Err(TrySendError::Closed(())) => self.finish(now),
        }
    }

    fn send(&mut self) -> Result<(), TrySendError<()>> {
        let Some(way) = &self.way else {
            return Ok(());
        };
        while self.pipeline.has_output() {
            let place = way.feed.try_reserve()?;
            let output = self.pipeline.poll_output();
            if let Some(message) = output.and_then(|it| self.translator.translate(it)) {
                place.send(message);
            }
        }
        Ok(())
    }

    fn finish(&mut self, now: Instant) {
        let Some(Way { feed, farewell }) = self.way.take() else {
            return;
        };
        (self.retry_at, self.look_at) = (None, None);
        self.pipeline.finish(now);
        let rest = std::iter::from_fn(|| self.pipeline.poll_output());
        let left = rest.filter_map(|output| self.translator.translate(output));
        farewell.send(Note::Farewell(Box::new(Farewell {
            feed,
            left: left.collect(),
            summaries: std::mem::take(&mut self.translator.summaries),
            halt: self.translator.halt.take(),
        })));
    }

    const fn has_ended(&self) -> bool {
        self.way.is_none()
    }
}

impl Consumer for Feeder {
    fn interest(&self) -> Interest {
        match self.pipeline.has_filters() {
            true => Interest::All,
            false => Interest::Media,
        }
    }

    fn packet(&mut self, packet: RtpPacket) {
        if self.has_ended() {
            return;
        }
        let now = packet.arrival;
        self.pipeline.packet(packet);
        if self.pipeline.has_output() {
            self.deliver(now);
        }
    }

    fn sender_report(&mut self, report: SenderReport) {
        self.pipeline.sender_report(report);
    }

    fn statistics(&mut self, counted: StreamStatistics) {
        self.pipeline.statistics(counted);
    }

    fn notice(&mut self, notice: Notice, now: Instant) {
        if self.has_ended() {
            return;
        }
        match self.notices.pass_on(notice, &mut self.pipeline, now) {
            Flow::Continue => self.deliver(now),
            Flow::End => self.finish(now),
        }
    }

    fn message(&mut self, message: Arc<DataMessage>, at: Instant) {
        if self.has_ended() {
            return;
        }
        self.pipeline.event(notices::event(&message), at);
        self.deliver(at);
    }

    fn messages_dropped(&mut self, count: u64) {
        self.pipeline.messages_dropped(count);
    }

    fn overrun(&mut self, count: u64) {
        self.pipeline.overrun(count);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.has_ended() {
            return None;
        }
        [self.pipeline.poll_timeout(), self.retry_at, self.look_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.has_ended() {
            return;
        }
        self.pipeline.handle_timeout(now);
        self.deliver(now);
        if self.way.as_ref().is_some_and(|way| way.feed.is_closed()) {
            self.finish(now);
        }
    }

    fn take_keyframe_request(&mut self) -> bool {
        false
    }
}

/// How long to wait before a full channel is tried again: it holds more than that.
const RETRY_AFTER: Duration = Duration::from_millis(5);
/// How long a server that has had enough is not noticed while nothing is to be sent.
const LOOK_AFTER: Duration = Duration::from_secs(1);
