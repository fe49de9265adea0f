use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::media::DataMessage;
use crate::rtc::{Consumer, Interest, Notice};
use crate::rtp::{RtpPacket, SenderReport, StreamStatistics};

/// A recording and those who look at it, as one consumer of their track: all of them come and go with
/// it, and hear the same.
#[derive(Debug)]
pub(super) struct Together {
    recording: Box<dyn Consumer>,
    inspectors: Vec<(Interest, Box<dyn Consumer>)>,
}

impl Together {
    pub(super) fn new(recording: Box<dyn Consumer>, inspectors: Vec<Box<dyn Consumer>>) -> Self {
        let inspectors = inspectors.into_iter();
        Self {
            recording,
            inspectors: inspectors
                .map(|inspector| (inspector.interest(), inspector))
                .collect(),
        }
    }

    fn everybody(&self) -> impl Iterator<Item = &dyn Consumer> {
        let inspectors = self.inspectors.iter().map(|(_, inspector)| &**inspector);
        std::iter::once(&*self.recording).chain(inspectors)
    }

    /// Those inspectors that want it.
    fn inspectors(
        &mut self,
        wants: fn(Interest) -> bool,
    ) -> impl Iterator<Item = &mut Box<dyn Consumer>> {
        self.inspectors
            .iter_mut()
            .filter(move |(interest, _)| wants(*interest))
            .map(|(_, inspector)| inspector)
    }
}

impl Consumer for Together {
    fn interest(&self) -> Interest {
        let wants_messages = self.everybody().any(|it| it.interest().in_messages());
        match wants_messages {
            true => Interest::All,
            false => Interest::Media,
        }
    }

    fn packet(&mut self, packet: RtpPacket) {
        for inspector in self.inspectors(Interest::in_media) {
            inspector.packet(packet.clone());
        }
        self.recording.packet(packet);
    }

    fn sender_report(&mut self, report: SenderReport) {
        for inspector in self.inspectors(Interest::in_media) {
            inspector.sender_report(report);
        }
        self.recording.sender_report(report);
    }

    fn statistics(&mut self, counted: StreamStatistics) {
        for inspector in self.inspectors(Interest::in_media) {
            inspector.statistics(counted);
        }
        self.recording.statistics(counted);
    }

    fn notice(&mut self, notice: Notice, now: Instant) {
        for inspector in self.inspectors(|_| true) {
            inspector.notice(notice.clone(), now);
        }
        self.recording.notice(notice, now);
    }

    fn message(&mut self, message: Arc<DataMessage>, at: Instant) {
        for inspector in self.inspectors(Interest::in_messages) {
            inspector.message(Arc::clone(&message), at);
        }
        if self.recording.interest().in_messages() {
            self.recording.message(message, at);
        }
    }

    fn messages_dropped(&mut self, count: u64) {
        for inspector in self.inspectors(Interest::in_messages) {
            inspector.messages_dropped(count);
        }
        if self.recording.interest().in_messages() {
            self.recording.messages_dropped(count);
        }
    }

    fn overrun(&mut self, count: u64) {
        self.recording.overrun(count);
    }

    fn patience(&self) -> Duration {
        let patience = self.everybody().map(Consumer::patience);
        patience.min().unwrap_or_default()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.everybody().filter_map(Consumer::poll_timeout).min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        let is_due = |it: &dyn Consumer| it.poll_timeout().is_some_and(|at| at <= now);
        for inspector in self.inspectors(|_| true) {
            if is_due(&**inspector) {
                inspector.handle_timeout(now);
            }
        }
        if is_due(&*self.recording) {
            self.recording.handle_timeout(now);
        }
    }

    fn take_keyframe_request(&mut self) -> bool {
        // Whoever only looks needs none.
        self.recording.take_keyframe_request()
    }
}
