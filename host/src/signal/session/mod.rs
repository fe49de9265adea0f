//! One participant in one room, from the first connection to the last farewell: the state machine
//! of signalling. Pure: what happens comes in as [`Input`] with the time, what is to be done comes
//! out as [`Output`].
//!
//! ```text
//!              Open            Opened            Join, Reconnect
//!   ┌─► Opening ──────► Joining ──────────► Active ──────────┐
//!   │      │               │                  │              │ Leave, or no way back
//!   │      └───────────────┴──────┬───────────┘              ▼
//!   │  pause over                 ▼ failure              Leaving ─► Ended
//!   └───────────────────────── Waiting
//! ```
//!
//! `connection.rs` moves along these arrows, `exchange.rs` talks to the server while active; the
//! other files are parts that know nothing of each other.

mod input;
mod output;
mod connection;
mod exchange;
mod heartbeat;
mod negotiation;
mod peer;
mod reconnect;
mod roster;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use heartbeat::Heartbeat;
use negotiation::Negotiation;
use peer::Peer;
use reconnect::Reconnect;
use roster::Roster;
use subscriptions::Subscriptions;

use super::end_reason::EndReason;
use super::message::{Answer, ClientMessage, Server};
use super::server_url::ServerUrl;
use super::token::AccessToken;
use crate::media::{ParticipantIdentity, ParticipantSid, TrackSid};

pub use input::Input;
pub use output::{
    Event, Joined, Output, PeerOffer, Reconnection, SubscriptionFailure, UnpublishReason,
};

/// How long a [`Session`] waits for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For the server's welcome after the WebSocket is up. 10 s.
    pub join_timeout: Duration,
    /// For the peer connection, after the welcome. 15 s.
    pub peer_timeout: Duration,
    /// For the offer that brings a track, twice. 10 s.
    pub subscribe_timeout: Duration,
    /// For more subscriptions to go with the first in one message. 20 ms.
    pub subscribe_delay: Duration,
    /// For the server to hang up after our farewell. 300 ms.
    pub leave_grace: Duration,
    /// How long to try to join for the first time. 20 s.
    pub join_window: Duration,
    /// How long to try to come back. 120 s.
    pub outage_window: Duration,
    /// Whether the server may send us to other servers and rooms. Refused by default: a recording
    /// may have to stay in one place.
    pub moves: Moves,
    /// For the jitter of the pauses between attempts; each session should have another.
    pub seed: u64,
}

/// Whether the server may send us elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// Other servers are ignored, and another room ends the session.
    Refuse,
    /// Go wherever the server says.
    Follow,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            join_timeout: Duration::from_secs(10),
            peer_timeout: Duration::from_secs(15),
            subscribe_timeout: Duration::from_secs(10),
            subscribe_delay: Duration::from_millis(20),
            leave_grace: Duration::from_millis(300),
            join_window: Duration::from_secs(20),
            outage_window: Duration::from_secs(120),
            moves: Moves::Refuse,
            seed: 0,
        }
    }
}

/// A participant that receives: joins, subscribes, negotiates, and comes back when it is cut off.
///
/// After each [`Session::handle_input`] and [`Session::handle_timeout`], take all outputs, then wait
/// for the next input or for [`Session::poll_timeout`], whichever comes first.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    phase: Phase,
    outputs: VecDeque<Output>,
    /// Our place in the room; `None` before the first welcome.
    place: Option<Place>,
    /// Sessions that were tried.
    attempts: u32,
    /// The newest token that the server gave us.
    token: Option<AccessToken>,
    /// Where the server sent us.
    url: Option<ServerUrl>,
    reconnect: Reconnect,
    peer: Peer,
    roster: Roster,
    negotiation: Negotiation,
    subscriptions: Subscriptions,
}

/// Where the connection stands.
#[derive(Debug)]
enum Phase {
    /// No WebSocket; a pause before the next attempt.
    Waiting {
        until: Instant,
        reconnection: Reconnection,
    },
    /// The WebSocket is being opened.
    Opening { reconnection: Reconnection },
    /// The WebSocket is up; the server has yet to welcome us.
    Joining {
        deadline: Instant,
        reconnection: Reconnection,
    },
    /// In the room.
    Active(Heartbeat),
    /// Our farewell is on its way.
    Leaving { until: Instant, reason: EndReason },
    /// Nothing happens any more.
    Ended,
}

/// Who we are in which room.
#[derive(Clone, Debug)]
struct Place {
    participant: ParticipantSid,
    identity: ParticipantIdentity,
    server: Server,
    ping_interval: Duration,
    ping_timeout: Duration,
}

impl Session {
    /// Begins to join: the first output opens the WebSocket.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let mut session = Self {
            reconnect: Reconnect::new(&settings),
            settings,
            phase: Phase::Ended,
            outputs: VecDeque::new(),
            place: None,
            attempts: 0,
            token: None,
            url: None,
            peer: Peer::new(),
            roster: Roster::default(),
            negotiation: Negotiation::default(),
            subscriptions: Subscriptions::default(),
        };
        session.open(Reconnection::Full, now);
        session
    }

    /// Takes in what happened at `now`.
    pub fn handle_input(&mut self, input: Input, now: Instant) {
        if matches!(self.phase, Phase::Leaving { .. } | Phase::Ended) {
            return self.handle_farewell(&input);
        }
        match input {
            Input::Opened => self.opened(now),
            Input::OpenFailed(error) => self.open_failed(error, now),
            Input::Message(message) => self.message(message, now),
            Input::SocketClosed { reason } => self.socket_closed(&reason, now),
            Input::Answer { offer, sdp } => self.answered(Answer { offer, sdp }, now),
            Input::AnswerFailed { offer, reason } => self.answer_failed(offer, &reason, now),
            Input::PeerConnected => self.peer_connected(now),
            Input::PeerFailed { reason } => self.peer_failed(&reason, now),
            Input::Subscribe { track } => self.subscribe(track, now),
            Input::Unsubscribe { track } => self.unsubscribe(track, now),
            Input::Leave => self.end(EndReason::Requested, now),
        }
    }

    /// Does what is due at `now`: call it at [`Session::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        match &self.phase {
            Phase::Waiting {
                until,
                reconnection,
            } if now >= *until => self.open(*reconnection, now),
            Phase::Joining { deadline, .. } if now >= *deadline => self.join_timed_out(now),
            Phase::Leaving { until, .. } if now >= *until => self.ended(),
            Phase::Active(_) => self.active_timeout(now),
            _ => {}
        }
    }

    /// The next thing to be done; `None` until something happens again.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Session::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Waiting { until, .. } | Phase::Leaving { until, .. } => Some(*until),
            Phase::Joining { deadline, .. } => Some(*deadline),
            Phase::Opening { .. } | Phase::Ended => None,
            Phase::Active(heartbeat) => [
                Some(heartbeat.poll_timeout()),
                self.peer.deadline(),
                self.negotiation.deadline(),
                self.subscriptions.poll_timeout(),
                self.reconnect.poll_timeout(),
            ]
            .into_iter()
            .flatten()
            .min(),
        }
    }

    /// Whether [`Event::Ended`] has been put out.
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    fn subscribe(&mut self, track: TrackSid, now: Instant) {
        if self.roster.publication(&track).is_none() {
            let reason = SubscriptionFailure::NotPublished;
            return self.emit(Event::SubscriptionFailed { track, reason });
        }
        let flush_at = now + self.settings.subscribe_delay;
        self.subscriptions.want(track, flush_at);
    }

    fn unsubscribe(&mut self, track: TrackSid, now: Instant) {
        let Some(publication) = self.roster.publication(&track) else {
            return self.subscriptions.forget(&track);
        };
        let publisher = publication.publisher.sid.clone();
        let flush_at = now + self.settings.subscribe_delay;
        self.subscriptions.release(track, publisher, flush_at);
    }

    fn send(&mut self, message: ClientMessage) {
        self.outputs.push_back(Output::Send(message));
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}
