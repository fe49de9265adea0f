//! One consumer of a peer: where its packets come from, and when it wants to be looked at.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::error;

use super::{Consumer, ConsumerId, Interest, Notice};
use crate::media::{DataMessage, Ssrc, TrackSid};
use crate::rtp::{Restart, RestartCause, StreamStatistics};

/// A consumer that is attached to a track.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) id: ConsumerId,
    pub(crate) track: TrackSid,
    pub(crate) source: Source,
    interest: Interest,
    /// `None` once it has panicked.
    consumer: Option<Box<dyn Consumer>>,
    attention: Attention,
    /// Why its next stream is another one, as far as that is known before it comes.
    cause: RestartCause,
    /// What its stream had counted when it came to it; `None` until that is known.
    baseline: Option<StreamStatistics>,
}

/// When a consumer is to be looked at. It is kept here because consumers are large: to ask each of
/// 50 in every turn would fetch them all into the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attention {
    /// It was called since.
    Now,
    /// Then; `None` is never.
    At(Option<Instant>),
}

/// Where the packets of a consumer come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// Its track was not described yet.
    None,
    /// A stream that is no more.
    Stale,
    /// A stream of the last offer.
    Stream(Ssrc),
}

impl Source {
    const fn stale(self) -> Self {
        match self {
            Self::None => Self::None,
            Self::Stale | Self::Stream(_) => Self::Stale,
        }
    }
}

impl Attached {
    pub(crate) fn new(id: ConsumerId, track: TrackSid, consumer: Box<dyn Consumer>) -> Self {
        Self {
            id,
            track,
            source: Source::None,
            interest: consumer.interest(),
            consumer: Some(consumer),
            attention: Attention::Now,
            cause: RestartCause::NewStream,
            baseline: None,
        }
    }

    /// Its stream is no more, because the peer connection is made anew.
    pub(crate) fn reconnect(&mut self) {
        self.source = self.source.stale();
        if self.cause == RestartCause::NewStream {
            self.cause = RestartCause::Reconnected;
        }
    }

    /// It wants another track.
    pub(crate) fn retarget(&mut self, track: TrackSid) {
        self.track = track;
        self.source = self.source.stale();
        self.cause = RestartCause::Republished;
    }

    /// Its track is sent as this stream.
    pub(crate) fn follow(&mut self, ssrc: Ssrc, now: Instant) {
        let source = Source::Stream(ssrc);
        if self.source == source || !self.interest.in_media() {
            return;
        }
        let is_restart = self.source != Source::None;
        self.source = source;
        self.baseline = None;
        let cause = std::mem::replace(&mut self.cause, RestartCause::NewStream);
        if is_restart {
            let track = self.track.clone();
            let restart = Restart { track, cause };
            self.call(|consumer| consumer.notice(Notice::Restarted(restart), now));
        }
    }

    /// Tells it what its stream has counted since it came to it.
    pub(crate) fn report(&mut self, counted: StreamStatistics) {
        let baseline = *self.baseline.get_or_insert(counted);
        self.call(|consumer| consumer.statistics(counted.since(&baseline)));
    }

    /// Whether it wants data messages.
    pub(crate) const fn hears_messages(&self) -> bool {
        self.interest.in_messages()
    }

    /// Hands it a data message, if it wants any.
    pub(crate) fn message(&mut self, message: &Arc<DataMessage>, at: Instant) {
        if self.hears_messages() {
            self.call(|consumer| consumer.message(Arc::clone(message), at));
        }
    }

    /// Tells it of data messages that it will not get, if it wants any.
    pub(crate) fn messages_dropped(&mut self, count: u64) {
        if self.hears_messages() {
            self.call(|consumer| consumer.messages_dropped(count));
        }
    }

    /// Runs what is due; whether a keyframe is wanted.
    pub(crate) fn poll(&mut self, now: Instant) -> bool {
        if matches!(self.attention, Attention::At(due) if due.is_none_or(|due| due > now)) {
            return false;
        }
        let polled = self.call(|consumer| {
            if consumer.poll_timeout().is_some_and(|due| due <= now) {
                consumer.handle_timeout(now);
            }
            (consumer.take_keyframe_request(), consumer.poll_timeout())
        });
        let (wants_keyframe, due) = polled.unwrap_or_default();
        self.attention = Attention::At(due);
        wants_keyframe
    }

    /// When it wants to be polled.
    pub(crate) const fn due(&self) -> Option<Instant> {
        match self.attention {
            Attention::Now => None,
            Attention::At(due) => due,
        }
    }

    /// How long its packets may wait.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.consumer.as_ref().map(|consumer| consumer.patience())
    }

    /// Whether it still lives.
    pub(crate) const fn is_alive(&self) -> bool {
        self.consumer.is_some()
    }

    /// No packet follows.
    pub(crate) fn end(mut self, now: Instant) {
        self.call(|consumer| consumer.notice(Notice::Ended, now));
        self.discard();
    }

    /// Calls the consumer. One that panics is dropped, and harms nobody else: the other tracks of
    /// this thread belong to other recordings. Nothing of it is used afterwards, so that its broken
    /// invariants stay unseen.
    pub(crate) fn call<T>(&mut self, f: impl FnOnce(&mut dyn Consumer) -> T) -> Option<T> {
        self.attention = Attention::Now;
        let consumer = self.consumer.as_deref_mut()?;
        let result = catch_unwind(AssertUnwindSafe(|| f(consumer)));
        if result.is_err() {
            error!(track = %self.track, consumer = self.id.0, "A consumer panicked; its recording is lost.");
            self.discard();
        }
        result.ok()
    }

    /// Drops the consumer, whose destructor may panic too.
    fn discard(&mut self) {
        let consumer = self.consumer.take();
        if catch_unwind(AssertUnwindSafe(|| drop(consumer))).is_err() {
            error!(track = %self.track, consumer = self.id.0, "A consumer panicked while it was dropped.");
        }
    }
}
