use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::backoff::Next;
use super::buffer::Entry;
use super::delivery::Greeting;
use super::keep_alive::{KeepAlive, Life, MISSED_PONGS};
use super::{Disconnect, Event, Output, Phase, Session};
use crate::dial::{DialError, Retry};
use crate::sink::websocket::outcome::{DropReason, Ending, Failure};

impl Session {
    pub(super) fn dial(&mut self) {
        self.phase = Phase::Dialling;
        self.outputs.push_back(Output::Dial);
    }

    pub(super) fn connected(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Dialling) {
            return;
        }
        self.counters.connections += 1;
        self.phase = Phase::Open(KeepAlive::new(self.settings.ping_interval, now));
        self.greetings = VecDeque::from([Greeting::Start, Greeting::Mute]);
        let (attempts, after) = self.backoff.connect(now);
        self.outputs.push_back(Output::Event(Event::Connected {
            connection: self.counters.connections,
            attempts,
            after,
        }));
    }

    pub(super) fn dial_failed(&mut self, error: DialError, now: Instant) {
        if !matches!(self.phase, Phase::Dialling) {
            return;
        }
        let was_connected = self.counters.connections > 0;
        match error.retry() {
            Retry::Never => self.fail(Failure::Dial(error)),
            Retry::OnceConnected if !was_connected => self.fail(Failure::Dial(error)),
            _ if was_connected => self.reconnect(&error.to_string(), now),
            _ => self.connect_again(error, now),
        }
    }

    pub(super) fn pong(&mut self, payload: &[u8]) {
        if let Phase::Open(keep_alive) | Phase::Closing(keep_alive) = &mut self.phase {
            keep_alive.pong(payload);
        }
    }

    pub(super) fn disconnected(&mut self, how: Disconnect, now: Instant) {
        match (&self.phase, how) {
            (Phase::Closing(_), how) => self.said_farewell(&how),
            (
                Phase::Open(_),
                Disconnect::Closed {
                    code: Some(1000),
                    reason,
                },
            ) => {
                self.end(Ending::Satisfied(reason));
            }
            (
                Phase::Open(_),
                Disconnect::Closed {
                    code: Some(code @ (1008 | 4000..=4999)),
                    reason,
                },
            ) => {
                self.count_unconfirmed();
                self.fail(Failure::Refused { code, reason });
            }
            (Phase::Open(_), how) => {
                self.count_unconfirmed();
                self.reconnect(&how.to_string(), now);
            }
            _ => {}
        }
    }

    /// Acts on what the keep-alive knows about the server.
    pub(super) fn watch(&mut self, life: Life, now: Instant) {
        if life == Life::Likely {
            return;
        }
        self.outputs.push_back(Output::HangUp);
        let interval = self.settings.ping_interval.as_secs();
        let cause = format!("{MISSED_PONGS} pings in a row went unanswered for {interval} s each");
        self.disconnected(Disconnect::Broken(cause), now);
    }

    /// The time is over that the server has at the end.
    pub(super) fn drained(&mut self) {
        self.outputs.push_back(Output::HangUp);
        self.count_unconfirmed();
        let cause = match &mut self.phase {
            // All was handed over; the server only did not say farewell.
            Phase::Closing(_) => return self.finished(),
            Phase::Waiting { cause, .. } => std::mem::take(cause),
            Phase::Dialling => "it did not answer".to_owned(),
            Phase::Open(_) | Phase::Ended => String::new(),
        };
        let left = self.drop_rest();
        self.end(Ending::Failed(Failure::Undelivered {
            left,
            within: self.settings.drain,
            cause,
        }));
    }

    /// The server has answered our farewell, or hung up instead.
    fn said_farewell(&mut self, how: &Disconnect) {
        // Whoever answers a farewell has read what came before it.
        if matches!(how, Disconnect::Broken(_)) {
            self.count_unconfirmed();
        }
        self.finished();
    }

    fn finished(&mut self) {
        let finish = self.finish.as_mut();
        let reason = finish.map(|finish| std::mem::take(&mut finish.reason));
        self.end(Ending::Finished(reason.unwrap_or_default()));
    }

    /// Before the first connection only the error of the last attempt is of interest.
    fn connect_again(&mut self, error: DialError, now: Instant) {
        match self.backoff.fail(self.settings.connect_window, now) {
            Next::Dial { after } => self.wait(error.to_string(), after, now),
            Next::GiveUp { .. } => self.fail(Failure::Dial(error)),
        }
    }

    fn reconnect(&mut self, cause: &str, now: Instant) {
        match self.backoff.fail(self.settings.reconnect_window, now) {
            Next::Dial { after } => self.wait(cause.to_owned(), after, now),
            Next::GiveUp { attempts, lasted } => self.fail(Failure::Lost {
                cause: cause.to_owned(),
                attempts,
                lasted,
            }),
        }
    }

    fn wait(&mut self, cause: String, delay: Duration, now: Instant) {
        self.outputs.push_back(Output::Event(Event::Reconnecting {
            cause: cause.clone(),
            delay,
            unconfirmed: self.unconfirmed,
        }));
        self.phase = Phase::Waiting {
            until: now + delay,
            cause,
        };
    }

    /// The connection is lost, and with it perhaps what no pong has confirmed.
    fn count_unconfirmed(&mut self) {
        if let Phase::Open(keep_alive) | Phase::Closing(keep_alive) = &self.phase {
            self.unconfirmed = keep_alive.unconfirmed();
            self.counters.unconfirmed += self.unconfirmed;
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.end(Ending::Failed(failure));
    }

    fn end(&mut self, ending: Ending) {
        self.drop_rest();
        self.phase = Phase::Ended;
        let outcome = self.outcome(ending);
        self.outputs.push_back(Output::Ended(Box::new(outcome)));
    }

    /// Counts what is left as dropped; returns how long the sound is.
    fn drop_rest(&mut self) -> Duration {
        let mut left = Duration::ZERO;
        while let Some(entry) = self.buffer.pop() {
            match entry {
                Entry::Audio(audio) => left += audio.duration,
                Entry::Text(_) => self.counters.dropped_texts += 1,
                Entry::Dropped(_) => {}
            }
        }
        self.counters.drop_audio(left, DropReason::Unsent);
        left
    }
}
