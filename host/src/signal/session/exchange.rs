//! What is said while the WebSocket is up.

use std::time::Instant;

use super::negotiation::ANSWER_TIMEOUT;
use super::{Event, Moves, Phase, Place, Reconnection, Session, SubscriptionFailure};
use crate::media::TrackSid;
use crate::signal::end_reason::EndReason;
use crate::signal::message::{
    Answer, Leave, LeaveAction, Offer, RoomMoved, ServerMessage, StreamState,
};
use crate::signal::sdp::SdpError;
use crate::signal::server_url::ServerUrl;

impl Session {
    pub(super) fn message(&mut self, message: ServerMessage, now: Instant) {
        match &mut self.phase {
            Phase::Joining { reconnection, .. } => {
                let reconnection = *reconnection;
                self.first_message(message, reconnection, now);
            }
            Phase::Active(heartbeat) => {
                heartbeat.heard(now);
                self.active_message(message, now);
            }
            _ => {}
        }
    }

    /// A new session begins with `Join`, a resumed one with `Reconnect`; a server that cannot
    /// resume may welcome us anew.
    fn first_message(&mut self, message: ServerMessage, reconnection: Reconnection, now: Instant) {
        match (message, self.place.clone()) {
            (ServerMessage::Join(join), _) => self.joined(*join, now),
            (ServerMessage::Reconnect, Some(place)) if reconnection == Reconnection::Resume => {
                self.resumed(&place, now);
            }
            (ServerMessage::Leave(leave), _) => self.sent_away(&leave, now),
            (ServerMessage::Redirect { url }, _) => {
                self.follow(&url);
                self.lose(reconnection, format!("the server redirects to {url}"), now);
            }
            (ServerMessage::RefreshToken(token), _) => self.token = Some(token),
            (ServerMessage::Unreadable(error), _) => self.ignore(error.to_string()),
            _ => {}
        }
    }

    fn active_message(&mut self, message: ServerMessage, now: Instant) {
        match message {
            ServerMessage::Offer(offer) => self.offer(offer, now),
            ServerMessage::Candidate(candidate) => {
                self.negotiation.candidate(candidate, &mut self.outputs);
            }
            ServerMessage::ParticipantUpdate(participants) => {
                let changes = self.roster.update(participants);
                self.publish(changes);
            }
            ServerMessage::RoomMoved(moved) => self.moved(*moved, now),
            ServerMessage::Leave(leave) => self.sent_away(&leave, now),
            ServerMessage::RefreshToken(token) => self.token = Some(token),
            ServerMessage::StreamState(states) => self.paused(states),
            ServerMessage::SubscriptionFailed { track, error } => self.refused(track, error.into()),
            ServerMessage::SubscriptionPermission { track, is_allowed } => {
                self.permission(track, is_allowed, now);
            }
            ServerMessage::Pong { timestamp } => self.pong(timestamp, now),
            ServerMessage::Unreadable(error) => self.ignore(error.to_string()),
            ServerMessage::Join(_) | ServerMessage::Redirect { .. } | ServerMessage::Reconnect => {
                self.ignore("a second welcome".to_owned());
            }
            ServerMessage::RoomUpdate(_) | ServerMessage::Other => {}
        }
    }

    /// Everything that time brings while we are in the room. Each step may end that.
    pub(super) fn active_timeout(&mut self, now: Instant) {
        self.reconnect.settle(now);
        if self.peer.deadline().is_some_and(|at| now >= at) {
            let timeout = self.settings.peer_timeout.as_secs();
            let cause = format!("the peer connection did not connect within {timeout} s");
            return self.lose(Reconnection::Full, cause, now);
        }
        if self.negotiation.deadline().is_some_and(|at| now >= at) {
            let cause = "the peer connection did not answer an offer".to_owned();
            return self.lose(Reconnection::Full, cause, now);
        }
        self.beat(now);
        if matches!(self.phase, Phase::Active(_)) {
            self.update_subscriptions(now);
        }
    }

    pub(super) fn answered(&mut self, answer: Answer, now: Instant) {
        if matches!(self.phase, Phase::Active(_)) {
            let deadline = now + ANSWER_TIMEOUT;
            let result = self.negotiation.answer(answer, deadline, &mut self.outputs);
            self.negotiated(result, now);
        }
    }

    pub(super) fn answer_failed(&mut self, offer: u32, reason: &str, now: Instant) {
        if self.negotiation.is_outstanding(offer) {
            let cause = format!("the peer connection cannot answer an offer: {reason}");
            self.lose(Reconnection::Full, cause, now);
        }
    }

    pub(super) fn peer_connected(&mut self, now: Instant) {
        self.peer.connected(now);
        self.check_recovered(now);
    }

    pub(super) fn peer_failed(&mut self, reason: &str, now: Instant) {
        self.peer.down();
        if matches!(self.phase, Phase::Active(_)) {
            let cause = format!("the peer connection failed: {reason}");
            self.lose(Reconnection::Resume, cause, now);
        }
    }

    /// Passes on changes of the roster; what is not published any more is not wanted any more.
    pub(super) fn publish(&mut self, changes: Vec<Event>) {
        for change in changes {
            if let Event::Unpublished { track, .. } = &change {
                self.subscriptions.forget(track);
            }
            self.emit(change);
        }
    }

    fn offer(&mut self, offer: Offer, now: Instant) {
        let deadline = now + ANSWER_TIMEOUT;
        let result = self.negotiation.offer(offer, deadline, &mut self.outputs);
        self.negotiated(result, now);
    }

    fn negotiated(&mut self, result: Result<(), SdpError>, now: Instant) {
        match result {
            Ok(()) => self.subscriptions.offered(self.negotiation.tracks()),
            Err(error) => {
                let cause = format!("the server's offer cannot be used: {error}");
                self.lose(Reconnection::Full, cause, now);
            }
        }
    }

    fn beat(&mut self, now: Instant) {
        let Phase::Active(heartbeat) = &mut self.phase else {
            return;
        };
        if heartbeat.is_dead(now) {
            let silence = heartbeat.silence().as_secs();
            let cause = format!("the server has been silent for {silence} s");
            return self.lose(Reconnection::Resume, cause, now);
        }
        for ping in heartbeat.beat(now).into_iter().flatten() {
            self.send(ping);
        }
    }

    fn update_subscriptions(&mut self, now: Instant) {
        let waited = self.settings.subscribe_timeout;
        for track in self.subscriptions.expire(now) {
            let reason = SubscriptionFailure::NotOffered(waited);
            self.emit(Event::SubscriptionFailed { track, reason });
        }
        for message in self.subscriptions.flush(&self.roster, now + waited, now) {
            self.send(message);
        }
    }

    fn paused(&mut self, states: Vec<StreamState>) {
        for StreamState { track, is_paused } in states {
            self.emit(Event::Paused { track, is_paused });
        }
    }

    fn refused(&mut self, track: TrackSid, reason: SubscriptionFailure) {
        if self.subscriptions.refuse(&track) {
            self.emit(Event::SubscriptionFailed { track, reason });
        }
    }

    fn permission(&mut self, track: TrackSid, is_allowed: bool, now: Instant) {
        if is_allowed {
            let flush_at = now + self.settings.subscribe_delay;
            self.subscriptions.retry(&track, flush_at);
        } else {
            self.refused(track, SubscriptionFailure::NotAllowed);
        }
    }

    fn pong(&mut self, timestamp: i64, now: Instant) {
        if let Phase::Active(heartbeat) = &mut self.phase {
            heartbeat.pong(timestamp, now);
        }
    }

    fn sent_away(&mut self, leave: &Leave, now: Instant) {
        if let Some(url) = leave.urls.first() {
            self.follow(url);
        }
        let cause = format!("the server asked for it ({:?})", leave.reason);
        match leave.action {
            LeaveAction::Resume => self.lose(Reconnection::Resume, cause, now),
            LeaveAction::Reconnect => self.lose(Reconnection::Full, cause, now),
            LeaveAction::Disconnect => match EndReason::of_leave(leave.reason) {
                Some(reason) => self.end(reason, now),
                None => self.lose(Reconnection::Full, cause, now),
            },
        }
    }

    fn moved(&mut self, moved: RoomMoved, now: Instant) {
        let (Moves::Follow, Some(place)) = (self.settings.moves, self.place.clone()) else {
            let room = moved.room.name;
            return self.end(EndReason::RoomMoved { room }, now);
        };
        self.token = Some(moved.token);
        let place = Place {
            participant: moved.participant,
            ..place
        };
        self.enter(moved.room, place, moved.others);
    }

    /// Remembers where the server wants us, if we may go there.
    fn follow(&mut self, url: &str) {
        match (self.settings.moves, ServerUrl::parse(url)) {
            (Moves::Refuse, _) => self.ignore(format!("a move to {url}: moves are not allowed")),
            (Moves::Follow, Ok(url)) => self.url = Some(url),
            (Moves::Follow, Err(error)) => self.ignore(error.to_string()),
        }
    }

    fn ignore(&mut self, what: String) {
        self.emit(Event::Ignored { what });
    }
}
