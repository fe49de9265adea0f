//! What a subscriber has to do in time, or it is told to try again.

use std::time::Instant;

use livekit_protocol as lk;

use super::{Simulation, Timer, message};

impl Simulation {
    /// Gives a subscriber time to answer an offer.
    pub(super) fn expect_answer(&mut self, subscriber: String, offer: u32, now: Instant) {
        let at = now + self.config.connect_timeout;
        self.set_timer(at, Timer::Unanswered { subscriber, offer });
    }

    /// Gives a subscriber time to connect.
    pub(super) fn expect_connection(&mut self, subscriber: String, now: Instant) {
        let at = now + self.config.connect_timeout;
        self.set_timer(at, Timer::Unconnected(subscriber));
    }

    /// An offer was not answered in time: the session has to begin anew.
    pub(super) fn unanswered(&mut self, sid: &str, offer: u32) {
        let subscriber = self.subscribers.get(sid);
        if let Some(subscriber) = subscriber.filter(|subscriber| subscriber.awaits_answer(offer)) {
            let action = lk::leave_request::Action::Reconnect;
            let goodbye = message::leave(action, lk::DisconnectReason::ConnectionTimeout);
            self.send_all(subscriber.connection, vec![goodbye]);
            self.end_session(sid);
        }
    }

    /// A peer connection was not there in time: the session has to be resumed.
    pub(super) fn unconnected(&mut self, sid: &str) {
        let subscriber = self.subscribers.get(sid);
        if let Some(subscriber) = subscriber.filter(|subscriber| !subscriber.peer.is_connected()) {
            let action = lk::leave_request::Action::Resume;
            let goodbye = message::leave(action, lk::DisconnectReason::ConnectionTimeout);
            self.send_all(subscriber.connection, vec![goodbye]);
        }
    }
}
