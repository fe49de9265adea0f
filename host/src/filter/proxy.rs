use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::media::DataMessage;
use crate::rtc::{Consumer, Interest, Notice};
use crate::rtp::{RtpPacket, SenderReport, StreamStatistics};

/// The way to wake a worker.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    pub(super) thread: Thread,
}

/// What a worker and its proxies see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Something waits: the worker need not be woken again.
    pub(super) is_woken: AtomicBool,
    pub(super) is_ending: AtomicBool,
    pub(super) tracks: AtomicUsize,
    pub(super) panicked: AtomicU64,
}

impl Link {
    pub(super) fn tracks(&self) -> usize {
        self.shared.tracks.load(Ordering::Relaxed)
    }

    /// Wakes the worker, unless somebody did so since it last looked.
    pub(super) fn wake(&self) {
        if !self.shared.is_woken.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}

/// What both sides of a ring see.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Packets, reports and notices that found the ring full.
    pub(super) overrun: AtomicU64,
    /// Data messages that are in the ring.
    pub(super) messages: AtomicUsize,
    /// Data messages that were dropped.
    pub(super) messages_dropped: AtomicU64,
    pub(super) wants_keyframe: AtomicBool,
}

/// What a media worker hands to a filter worker.
#[derive(Debug)]
pub(super) enum Item {
    Packet(RtpPacket),
    Report(SenderReport),
    Statistics(Box<StreamStatistics>),
    Notice(Notice, Instant),
    Message(Arc<DataMessage>, Instant),
    /// So many were dropped in this place.
    Missing(u64),
}

/// Stands in for a consumer on the media worker.
#[derive(Debug)]
pub(super) struct Proxy {
    /// Closing it ends the track.
    ring: Option<SyncSender<Item>>,
    track: Arc<Track>,
    link: Link,
    /// Notices that found the ring full. What comes behind them may not go before them.
    waiting: VecDeque<(Notice, Instant)>,
    interest: Interest,
    /// Packets and reports that were dropped since the last that found a place.
    missing: u64,
}

impl Proxy {
    pub(super) const fn new(
        ring: SyncSender<Item>,
        track: Arc<Track>,
        link: Link,
        interest: Interest,
    ) -> Self {
        Self {
            ring: Some(ring),
            track,
            link,
            waiting: VecDeque::new(),
            interest,
            missing: 0,
        }
    }

    /// Hands over an item that may be lost.
    fn push(&mut self, item: Item) {
        if self.flush() && self.try_push(item).is_ok() {
            return;
        }
        self.track.overrun.fetch_add(1, Ordering::Relaxed);
        if self.missing == 0 {
            warn!("A filter worker is too slow; packets of a track are dropped.");
        }
        self.missing += 1;
    }

    /// Says what is missing behind what is in the ring; whether that is said.
    fn tell_missing(&mut self) -> bool {
        let is_told = self.missing == 0 || self.try_push(Item::Missing(self.missing)).is_ok();
        if is_told {
            self.missing = 0;
        }
        is_told
    }

    /// Hands over a data message, which may take only some of the places: packets are worth more.
    fn push_message(&mut self, message: Arc<DataMessage>, at: Instant) -> bool {
        // Counted first: the other side takes it out again.
        let has_room = self.track.messages.fetch_add(1, Ordering::Relaxed) < MAX_MESSAGES;
        let is_taken =
            has_room && self.flush() && self.try_push(Item::Message(message, at)).is_ok();
        if !is_taken {
            self.track.messages.fetch_sub(1, Ordering::Relaxed);
        }
        is_taken
    }

    /// Says what is missing and hands over the notices that wait; whether nothing is left.
    fn flush(&mut self) -> bool {
        if !self.tell_missing() {
            return false;
        }
        while let Some((notice, at)) = self.waiting.pop_front() {
            if let Err(Item::Notice(notice, at)) = self.try_push(Item::Notice(notice, at)) {
                self.waiting.push_front((notice, at));
                return false;
            }
        }
        true
    }

    /// Gives the item back if the ring is full. A consumer that is gone takes everything.
    fn try_push(&self, item: Item) -> Result<(), Item> {
        let Some(ring) = &self.ring else {
            return Ok(());
        };
        match ring.try_send(item) {
            Ok(()) => {
                self.link.wake();
                Ok(())
            }
            Err(TrySendError::Full(item)) => Err(item),
            Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    }
}

impl Consumer for Proxy {
    fn interest(&self) -> Interest {
        self.interest
    }

    fn packet(&mut self, packet: RtpPacket) {
        self.push(Item::Packet(packet));
    }

    fn sender_report(&mut self, report: SenderReport) {
        self.push(Item::Report(report));
    }

    fn statistics(&mut self, counted: StreamStatistics) {
        // They are sums: what a full ring does not take, the next say again.
        if self.flush() {
            drop(self.try_push(Item::Statistics(Box::new(counted))));
        }
    }

    fn notice(&mut self, notice: Notice, now: Instant) {
        if notice == Notice::Ended {
            self.ring = None;
            return self.link.wake();
        }
        let is_free = self.flush();
        let item = Item::Notice(notice, now);
        let left = if is_free {
            self.try_push(item)
        } else {
            Err(item)
        };
        let Err(Item::Notice(notice, at)) = left else {
            return;
        };
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back((notice, at));
        } else {
            self.track.overrun.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn message(&mut self, message: Arc<DataMessage>, at: Instant) {
        if !self.push_message(message, at) {
            self.messages_dropped(1);
        }
    }

    fn messages_dropped(&mut self, count: u64) {
        self.track
            .messages_dropped
            .fetch_add(count, Ordering::Relaxed);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.front().map(|(_, at)| *at + RETRY_AFTER)
    }

    fn handle_timeout(&mut self, now: Instant) {
        if !self.flush()
            && let Some((_, at)) = self.waiting.front_mut()
        {
            *at = now;
        }
    }

    fn take_keyframe_request(&mut self) -> bool {
        // A load alone leaves the line with both threads.
        self.track.wants_keyframe.load(Ordering::Relaxed)
            && self.track.wants_keyframe.swap(false, Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ring = None;
        self.link.wake();
    }
}

/// Notices that may wait; more than signalling says in the time that a ring is full.
const MAX_WAITING: usize = 64;
/// Data messages of a track that may be in its ring.
const MAX_MESSAGES: usize = 64;
/// How long to wait before a full ring is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(50);
