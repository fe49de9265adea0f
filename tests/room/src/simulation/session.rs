//! Signalling: who joins, and what a subscriber asks for.

use std::time::{Duration, Instant};

use livekit_protocol as lk;
use livekit_token::AccessTokenError;
use lk::participant_info::State as ParticipantState;
use lk::signal_request::Message as Request;
use lk::signal_response::Message;
use prost::Message as _;

use super::admission::{Guest, Refusal, Upgrade, admit};
use super::fault::{Resume, Trickle};
use super::subscriber::Subscriber;
use super::{Closing, ConnectionId, Output, Simulation, Timer, message};
use crate::sfu::{SfuConfig, SfuPeer};
use crate::signal::{Grant, Server};

impl Simulation {
    /// Lets a WebSocket in; the join response follows as an output.
    ///
    /// # Errors
    ///
    /// The HTTP answer for a request without a valid token.
    pub fn accept(
        &mut self,
        connection: ConnectionId,
        upgrade: &Upgrade,
        now: Instant,
    ) -> Result<(), Refusal> {
        if let Some(refusal) = &self.faults.refusal {
            return Err(refusal.clone());
        }
        let guest = admit(upgrade, &self.config.api_key, &self.config.api_secret)?;
        match (&guest.resumes, self.faults.turn_away) {
            (Some(sid), _) => self.resume(connection, sid, now),
            (None, Some((action, reason))) => self.turn_away(connection, action, reason),
            (None, None) => self.join(connection, &guest, now),
        }
        Ok(())
    }

    /// Takes one binary WebSocket message. One that is no `SignalRequest` is ignored.
    pub fn handle_message(&mut self, connection: ConnectionId, bytes: &[u8], now: Instant) {
        let Some(sid) = self.connections.get(&connection).cloned() else {
            return;
        };
        if self.faults.vanished {
            return;
        }
        match lk::SignalRequest::decode(bytes) {
            Ok(request) => {
                if let Some(request) = request.message {
                    self.handle_request(&sid, request, now);
                }
            }
            Err(error) => tracing::warn!(%error, "Not a request."),
        }
    }

    /// Takes note that a WebSocket ended without a `Leave`. Media goes on for a while.
    pub fn disconnected(&mut self, connection: ConnectionId, now: Instant) {
        let Some(sid) = self.connections.remove(&connection) else {
            return;
        };
        if let Some(subscriber) = self.subscribers.get_mut(&sid) {
            subscriber.connection = None;
            self.set_timer(now + RESUMABLE, Timer::Forget(sid));
        }
    }

    /// Sends a message to everyone in the room.
    pub(super) fn broadcast(&mut self, room: &str, message: &Message) {
        let bytes = message::encode(message.clone());
        let members = self.subscribers.values();
        let members = members.filter(|subscriber| subscriber.room == room);
        for connection in members.filter_map(|subscriber| subscriber.connection) {
            self.outputs
                .push_back(Output::Message(connection, bytes.clone()));
        }
    }

    /// Ends a session and its WebSocket.
    pub(super) fn end_session(&mut self, sid: &str) {
        let connection = self.subscribers.get(sid).and_then(|s| s.connection);
        if let Some(connection) = connection {
            self.connections.remove(&connection);
            self.outputs
                .push_back(Output::Close(connection, Closing::Handshake));
        }
        self.forget(sid);
    }

    /// Forgets a session and where its media went.
    pub(super) fn forget(&mut self, sid: &str) {
        self.subscribers.remove(sid);
        self.addresses.retain(|_, owner| owner != sid);
    }

    /// Sends the offers that are due.
    pub(super) fn negotiate(&mut self, now: Instant) {
        let due: Vec<_> = self
            .subscribers
            .iter_mut()
            .filter_map(|(sid, subscriber)| {
                let connection = subscriber.connection?;
                Some((sid.clone(), connection, subscriber.due_offer(now)?))
            })
            .collect();
        for (sid, connection, offer) in due {
            self.expect_answer(sid, offer.id, now);
            self.send(connection, message::offer(offer));
        }
    }

    fn join(&mut self, connection: ConnectionId, guest: &Guest, now: Instant) {
        self.kick_namesake(guest);
        if !self.rooms.contains_key(&guest.room) {
            self.open_room(&guest.room);
        }
        let sid = self.new_sid("PA_");
        let mut peer = SfuPeer::new(
            SfuConfig {
                udp: self.config.udp,
                tcp: self.config.tcp,
                seed: self.random.next(),
            },
            now,
        );
        peer.set_repair(self.faults.repair);
        let (room, identity) = (guest.room.clone(), guest.identity.clone());
        let subscriber = Subscriber::new(room, identity, connection, peer);
        self.subscribers.insert(sid.clone(), subscriber);
        self.connections.insert(connection, sid.clone());
        self.greet(connection, guest, &sid);
        self.begin_media(connection, &sid, now);
        if guest.subscribes_to_all {
            self.subscribe(&sid, self.live_tracks(&guest.room), now);
        }
    }

    /// Sends the join response and the first token.
    fn greet(&mut self, connection: ConnectionId, guest: &Guest, sid: &str) {
        let others = self.others(&guest.room);
        let me = message::recorder(sid, &guest.identity, guest.is_hidden);
        let room = self.room(&guest.room);
        let ping = (self.config.ping_interval, self.config.ping_timeout);
        self.send(connection, message::join(room, me, others, ping));
        if let Ok(token) = self.refreshed(guest) {
            self.send(connection, Message::RefreshToken(token));
        }
    }

    /// Signs a token with which a subscriber may come back.
    fn refreshed(&self, guest: &Guest) -> Result<String, AccessTokenError> {
        let server = Server {
            url: String::new(),
            api_key: self.config.api_key.clone(),
            api_secret: self.config.api_secret.clone(),
        };
        server.token(&guest.room, &guest.identity, Grant::Record)
    }

    /// Sends candidates and the first offer, in the configured order.
    fn begin_media(&mut self, connection: ConnectionId, sid: &str, now: Instant) {
        let Some(subscriber) = self.subscribers.get_mut(sid) else {
            return;
        };
        let candidates = subscriber.peer.candidates();
        let offer = subscriber.offer(now);
        self.expect_answer(sid.to_owned(), offer.id, now);
        self.expect_connection(sid.to_owned(), now);
        let offer = message::offer(offer);
        let trickle = candidates.iter().map(|text| message::trickle(text));
        let messages: Vec<_> = match self.config.trickle {
            Trickle::AfterOffer => std::iter::once(offer).chain(trickle).collect(),
            Trickle::BeforeOffer => trickle.chain(std::iter::once(offer)).collect(),
        };
        for message in messages {
            self.send(connection, message);
        }
    }

    /// Goes on with a session on a new WebSocket, or asks for a new session.
    fn resume(&mut self, connection: ConnectionId, sid: &str, now: Instant) {
        let known = self.subscribers.get_mut(sid);
        let known = known.filter(|_| self.faults.resume == Resume::Granted);
        let Some(subscriber) = known else {
            let action = lk::leave_request::Action::Reconnect;
            return self.turn_away(connection, action, lk::DisconnectReason::StateMismatch);
        };
        let room = subscriber.room.clone();
        if let Some(old) = subscriber.connection.take() {
            self.connections.remove(&old);
        }
        subscriber.resume(connection);
        self.expect_connection(sid.to_owned(), now);
        self.connections.insert(connection, sid.to_owned());
        self.send(connection, message::reconnect());
        self.send(connection, message::update(self.others(&room)));
        self.send(connection, message::room_update(self.room(&room)));
    }

    /// Says goodbye in place of a welcome.
    fn turn_away(
        &mut self,
        connection: ConnectionId,
        action: lk::leave_request::Action,
        reason: lk::DisconnectReason,
    ) {
        self.send(connection, message::leave(action, reason));
        self.outputs
            .push_back(Output::Close(connection, Closing::Handshake));
    }

    fn handle_request(&mut self, sid: &str, request: Request, now: Instant) {
        let Some(subscriber) = self.subscribers.get_mut(sid) else {
            return;
        };
        let connection = subscriber.connection;
        subscriber.requests.push(request.clone());
        match request {
            Request::Answer(answer) => subscriber.answer(&answer, now),
            Request::Trickle(trickle) => {
                if let Some(candidate) = candidate(&trickle) {
                    subscriber.peer.add_remote_candidate(&candidate);
                }
            }
            Request::TrackSetting(settings) => subscriber.apply(&settings),
            Request::SyncState(_) => {
                let candidates = subscriber.peer.candidates();
                let offer = subscriber.offer(now);
                self.expect_answer(sid.to_owned(), offer.id, now);
                let offer = message::offer(offer);
                let trickle = candidates.iter().map(|text| message::trickle(text));
                let messages: Vec<_> = std::iter::once(offer).chain(trickle).collect();
                self.send_all(connection, messages);
            }
            Request::Subscription(update) => self.update_subscription(sid, &update, now),
            Request::Leave(_) => self.end_session(sid),
            Request::PingReq(ping) => {
                let pong = lk::Pong {
                    last_ping_timestamp: ping.timestamp,
                    timestamp: self.millis(now),
                };
                self.send_all(connection, vec![Message::PongResp(pong)]);
            }
            Request::Ping(_) => {
                let pong = Message::Pong(self.millis(now));
                self.send_all(connection, vec![pong]);
            }
            other => tracing::debug!(?other, "A request that a subscriber has no use for."),
        }
    }

    /// The same identity twice: the older session has to go.
    fn kick_namesake(&mut self, guest: &Guest) {
        let namesake = self.subscribers.iter().find(|(_, subscriber)| {
            subscriber.room == guest.room && subscriber.identity == guest.identity
        });
        let Some((sid, subscriber)) = namesake else {
            return;
        };
        let (sid, connection) = (sid.clone(), subscriber.connection);
        let action = lk::leave_request::Action::Disconnect;
        let reason = lk::DisconnectReason::DuplicateIdentity;
        self.send_all(connection, vec![message::leave(action, reason)]);
        self.end_session(&sid);
    }

    fn others(&self, room: &str) -> Vec<lk::ParticipantInfo> {
        let members = self.participants.values();
        let members = members.filter(|participant| participant.room == room);
        members
            .map(|participant| self.describe(participant, ParticipantState::Active))
            .collect()
    }

    fn room(&self, name: &str) -> lk::Room {
        let publishers = self.participants.values();
        let publishers = publishers.filter(|participant| participant.room == name);
        let sid = self.rooms.get(name).map_or("", |room| &room.sid);
        message::room(name, sid, publishers.count())
    }

    fn millis(&self, now: Instant) -> i64 {
        let since = self.wall(now).duration_since(std::time::UNIX_EPOCH);
        let millis = since.unwrap_or_default().as_millis();
        i64::try_from(millis).unwrap_or(i64::MAX)
    }

    pub(super) fn send_all(&mut self, connection: Option<ConnectionId>, messages: Vec<Message>) {
        for message in messages {
            if let Some(connection) = connection {
                self.send(connection, message);
            }
        }
    }

    fn send(&mut self, connection: ConnectionId, message: Message) {
        let bytes = message::encode(message);
        self.outputs.push_back(Output::Message(connection, bytes));
    }
}

/// Takes the candidate out of a subscriber's trickle message.
fn candidate(trickle: &lk::TrickleRequest) -> Option<String> {
    if trickle.target != i32::from(lk::SignalTarget::Subscriber) {
        return None;
    }
    let init: serde_json::Value = serde_json::from_str(&trickle.candidate_init).ok()?;
    let candidate = init.get("candidate")?.as_str()?;
    (!candidate.is_empty()).then(|| candidate.to_owned())
}

/// How long media goes on without a WebSocket.
const RESUMABLE: Duration = Duration::from_secs(30);
