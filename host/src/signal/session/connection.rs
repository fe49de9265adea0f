//! The WebSocket comes and goes.

use std::time::Instant;

use super::heartbeat::Heartbeat;
use super::negotiation::Negotiation;
use super::peer::Peer;
use super::reconnect::Next;
use super::{Event, Input, Joined, Output, Phase, Place, Reconnection, Session};
use crate::signal::end_reason::EndReason;
use crate::signal::message::{ClientMessage, Join, Participant, Room};
use crate::signal::open::{Open, Resume};
use crate::signal::open_error::{OpenError, Retry};

impl Session {
    pub(super) fn open(&mut self, reconnection: Reconnection, now: Instant) {
        let resume = self.place.as_ref().map(|place| Resume {
            participant: place.participant.clone(),
            reason: self.peer.resume_reason(now),
        });
        if reconnection == Reconnection::Full {
            self.attempts += 1;
        }
        self.outputs.push_back(Output::Open(Open {
            attempt: self.attempts,
            resume: resume.filter(|_| reconnection == Reconnection::Resume),
            token: self.token.clone(),
            url: self.url.clone(),
        }));
        self.phase = Phase::Opening { reconnection };
    }

    pub(super) fn opened(&mut self, now: Instant) {
        if let Phase::Opening { reconnection } = self.phase {
            self.phase = Phase::Joining {
                deadline: now + self.settings.join_timeout,
                reconnection,
            };
        }
    }

    pub(super) fn open_failed(&mut self, error: OpenError, now: Instant) {
        let Phase::Opening { reconnection } = self.phase else {
            return;
        };
        let is_final = match error.retry() {
            Retry::Never => true,
            Retry::OnceJoined => self.place.is_none(),
            Retry::Always => false,
        };
        match reconnection {
            // The session may be gone, or its token: a new one needs neither.
            Reconnection::Resume if is_final => {
                self.lose(Reconnection::Full, error.to_string(), now);
            }
            Reconnection::Full if is_final => self.end(EndReason::Refused(error), now),
            _ => self.lose(reconnection, error.to_string(), now),
        }
    }

    pub(super) fn join_timed_out(&mut self, now: Instant) {
        if let Phase::Joining { reconnection, .. } = self.phase {
            let cause = "the server accepted the connection, but did not answer the join";
            self.lose(reconnection, cause.to_owned(), now);
        }
    }

    pub(super) fn socket_closed(&mut self, reason: &str, now: Instant) {
        let reconnection = match self.phase {
            Phase::Active(_) => Reconnection::Resume,
            Phase::Joining { reconnection, .. } => reconnection,
            _ => return,
        };
        // Nobody is left to hear a farewell.
        self.phase = Phase::Waiting {
            until: now,
            reconnection,
        };
        let cause = format!("the signal connection broke: {reason}");
        self.lose(reconnection, cause, now);
    }

    /// The welcome of a new session.
    pub(super) fn joined(&mut self, join: Join, now: Instant) {
        if self.place.is_some() {
            self.outputs.push_back(Output::RestartPeer);
        }
        self.peer = Peer::new();
        self.peer.expect(self.settings.peer_timeout, now);
        self.negotiation = Negotiation::default();
        // It names the participant of the session before.
        self.token = None;
        self.reconnect.joined();
        self.phase = Phase::Active(Heartbeat::new(join.ping_interval, join.ping_timeout, now));
        let flush_at = now + self.settings.subscribe_delay;
        self.subscriptions.rejoined(flush_at);
        let place = Place {
            participant: join.participant,
            identity: join.identity,
            server: join.server,
            ping_interval: join.ping_interval,
            ping_timeout: join.ping_timeout,
        };
        self.enter(join.room, place, join.others);
    }

    /// Takes our place in a room, and compares everyone there with everyone we knew.
    pub(super) fn enter(&mut self, room: Room, place: Place, others: Vec<Participant>) {
        self.emit(Event::Joined(Joined {
            room,
            participant: place.participant.clone(),
            identity: place.identity.clone(),
            server: place.server.clone(),
        }));
        let changes = self.roster.replace(place.participant.clone(), others);
        self.place = Some(place);
        self.publish(changes);
    }

    /// The session goes on.
    pub(super) fn resumed(&mut self, place: &Place, now: Instant) {
        let heartbeat = Heartbeat::new(place.ping_interval, place.ping_timeout, now);
        self.phase = Phase::Active(heartbeat);
        self.peer.expect(self.settings.peer_timeout, now);
        self.send(ClientMessage::SyncState {
            answer: self.negotiation.last_answer().cloned(),
            subscribed: self.subscriptions.all(&self.roster),
        });
        let flush_at = now + self.settings.subscribe_delay;
        self.subscriptions.resumed(flush_at);
        self.check_recovered(now);
    }

    /// Says so if the connection is whole again.
    pub(super) fn check_recovered(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Active(_)) || !self.peer.is_connected() {
            return;
        }
        if let Some(reconnection) = self.reconnect.recover(now) {
            self.emit(Event::Reconnected(reconnection));
        }
    }

    /// Gives up the WebSocket, if there is one, and plans the next attempt.
    pub(super) fn lose(&mut self, wanted: Reconnection, cause: String, now: Instant) {
        self.negotiation.suspend();
        let window = match self.place {
            Some(_) => self.settings.outage_window,
            None => self.settings.join_window,
        };
        match self.reconnect.fail(wanted, window, now) {
            Next::Attempt {
                reconnection,
                delay,
            } => {
                self.hang_up(reconnection);
                self.phase = Phase::Waiting {
                    until: now + delay,
                    reconnection,
                };
                self.emit(Event::Reconnecting {
                    reconnection,
                    cause,
                    delay,
                });
            }
            Next::GiveUp { attempts, lasted } => {
                let reason = EndReason::GaveUp {
                    attempts,
                    lasted,
                    cause,
                };
                self.end(reason, now);
            }
        }
    }

    /// Ends the session for good, with a farewell if there is somebody to hear it.
    pub(super) fn end(&mut self, reason: EndReason, now: Instant) {
        let until = match self.phase {
            Phase::Joining { .. } | Phase::Active(_) => {
                self.send(ClientMessage::Leave);
                now + self.settings.leave_grace
            }
            _ => now,
        };
        let is_silent = until == now;
        self.phase = Phase::Leaving { until, reason };
        if is_silent {
            self.ended();
        }
    }

    /// All that counts after the farewell is that the server hangs up.
    pub(super) fn handle_farewell(&mut self, input: &Input) {
        if matches!(input, Input::SocketClosed { .. }) {
            self.ended();
        }
    }

    pub(super) fn ended(&mut self) {
        if let Phase::Leaving { reason, .. } = std::mem::replace(&mut self.phase, Phase::Ended) {
            self.outputs.push_back(Output::CloseSocket);
            self.emit(Event::Ended(reason));
        }
    }

    /// Closes the WebSocket. Without a `Leave` the server keeps the session for a resume.
    fn hang_up(&mut self, reconnection: Reconnection) {
        if !matches!(self.phase, Phase::Joining { .. } | Phase::Active(_)) {
            return;
        }
        if reconnection == Reconnection::Full {
            self.send(ClientMessage::Leave);
        }
        self.outputs.push_back(Output::CloseSocket);
    }
}
