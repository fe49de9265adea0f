//! When sessions of a filter begin and end, and what becomes of the track when one dies.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Adapter, Breaker, Item, Link, Material, Next, Session, Shape};
use crate::filter::chain::Halt;
use crate::filter::changes::Changes;
use crate::filter::failure::OnError;
use crate::filter::switch::Change;
use crate::filter::{Filter, FilterError};
use crate::media::Pts;

impl Link {
    pub(super) fn fail(&mut self, error: &FilterError, at: Pts, now: Instant) {
        let reason = error.to_string();
        let is_final = match error {
            FilterError::Transient(_) => {
                self.account.counts.transient += 1;
                return;
            }
            FilterError::Fatal(_) => false,
            FilterError::Config(_) => true,
        };
        self.account.counts.fatal += 1;
        self.discard();
        let retry = if is_final {
            None
        } else {
            self.breaker.fail(now)
        };
        self.be_out_of_order(reason, retry, at, now);
    }

    /// It does not work, until it may be opened again.
    fn be_out_of_order(&mut self, reason: String, retry: Option<Instant>, at: Pts, now: Instant) {
        let change = match (self.setup.on_error, retry) {
            (OnError::StopTrack, _) => self.halt_with(Halt::Track(reason.clone())),
            (OnError::FailEgress, _) => self.halt_with(Halt::Egress(reason.clone())),
            (_, None) => self.give_up(&reason, now),
            (OnError::Bypass, Some(until)) => self.wait(until, Change::Bypassed),
            (OnError::Silence, Some(until)) => self.wait(until, Change::Silenced),
        };
        self.report(change, at, reason);
    }

    /// Drops the session, and keeps what it has cost.
    fn discard(&mut self) {
        if let Session::Open(filter) = std::mem::replace(&mut self.session, Session::GivenUp) {
            self.account.add(filter.report());
        }
    }

    fn wait(&mut self, until: Instant, change: Change) -> Change {
        self.session = Session::Waiting { until };
        change
    }

    fn halt_with(&mut self, halt: Halt) -> Change {
        let change = match halt {
            Halt::Track(_) => Change::StoppedTrack,
            Halt::Egress(_) => Change::FailedEgress,
        };
        self.session = Session::GivenUp;
        self.halt.get_or_insert(halt);
        change
    }

    /// It is not opened again, unless there is one to go back to.
    fn give_up(&mut self, reason: &str, now: Instant) -> Change {
        self.session = Session::GivenUp;
        if let Some((setup, _)) = self.previous.take_if(|(_, until)| now < *until) {
            self.next = Some(Next {
                setup,
                change: Change::RolledBack,
                reason: format!("what took its place was given up: {reason}"),
            });
        }
        Change::GivenUp
    }

    /// Opens a session at the beginning, or when it is time to try again.
    pub(super) fn open_if_due(&mut self, at: Pts, now: Instant, out: &mut VecDeque<Item>) {
        let is_again = match self.session {
            Session::New => false,
            Session::Waiting { until } if until <= now => true,
            _ => return,
        };
        if self.breaker.is_open(now) {
            return self.be_out_of_order(BROKEN.into(), None, at, now);
        }
        match self.open_session(now) {
            Ok(filter) => self.opened(filter, is_again, at, out),
            Err(error) => return self.fail(&as_fatal(error), at, now),
        }
        for event in self.known.events() {
            self.tell(&event, at, now);
        }
    }

    fn open_session(&mut self, now: Instant) -> Result<Box<dyn Filter>, FilterError> {
        match self.material {
            Material::Sound(_) => {
                let Shape { format, block } = self.shape();
                self.setup.open.open(format, block, now)
            }
            Material::Events => self.setup.open.open_without_sound(now),
        }
    }

    fn opened(
        &mut self,
        filter: Box<dyn Filter>,
        is_again: bool,
        at: Pts,
        out: &mut VecDeque<Item>,
    ) {
        let latency = filter.latency();
        if self.adapter.latency() != latency as u64 {
            self.drain(&[], out);
            self.adapter = Adapter::new(self.material.format(), self.shape(), latency);
        } else if is_again {
            self.warm_up = latency as u64;
        }
        self.session = Session::Open(filter);
        self.hear();
        if is_again {
            self.account.counts.restarts += 1;
            self.report(Change::Restarted, at, String::new());
        }
    }

    /// Takes what is to take its place, if the operator has sent something.
    pub(super) fn look_for_changes(&mut self) {
        let changes = self.setup.changes.as_ref();
        if let Some(setup) = changes.and_then(Changes::latest) {
            self.replace(setup);
        }
    }

    /// Puts in what takes its place.
    pub(super) fn install_next(&mut self, at: Pts, now: Instant, out: &mut VecDeque<Item>) {
        if let Some(next) = self.next.take() {
            self.finish(now, out);
            self.install(next, at, now);
        }
    }

    fn install(&mut self, next: Next, at: Pts, now: Instant) {
        let mut before = std::mem::replace(&mut self.setup, next.setup);
        let changes = before.changes.take();
        self.setup.changes = self.setup.changes.take().or(changes);
        if next.change == Change::Replaced {
            self.previous = Some((before, now + TRIAL));
        }
        self.breaker = Breaker::new(self.setup.restart.clone());
        self.session = Session::New;
        self.warm_up = 0;
        self.adapter = Adapter::new(self.material.format(), self.shape(), 0);
        self.report(next.change, at, next.reason);
    }

    /// Ends the session; what was still inside.
    pub(super) fn finish_session(&mut self, now: Instant) -> Vec<f32> {
        let Session::Open(filter) = &mut self.session else {
            return Vec::new();
        };
        let tail = filter.finish(now);
        self.hear();
        self.discard();
        match tail {
            Ok(tail) => tail.unwrap_or_default(),
            Err(error) => {
                self.account.counts.fatal += 1;
                tracing::warn!(filter = self.name(), %error, "A filter failed at its end.");
                Vec::new()
            }
        }
    }
}

/// A session that could not be opened is none, whatever the error says.
fn as_fatal(error: FilterError) -> FilterError {
    match error {
        FilterError::Transient(reason) => FilterError::Fatal(reason),
        other => other,
    }
}

/// Why a filter is not opened that did not fail here.
const BROKEN: &str = "the plugin failed too often on this and other tracks: it is opened on new ones \
                      when it has been quiet for a while";
/// How long what was replaced may come back.
const TRIAL: Duration = Duration::from_secs(60);
