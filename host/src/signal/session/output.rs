use std::sync::Arc;
use std::time::Duration;

use crate::media::{Attributes, ParticipantIdentity, ParticipantSid, TrackSid};
use crate::rtp::StreamDescription;
use crate::signal::end_reason::EndReason;
use crate::signal::message::{ClientMessage, Publication, Room, Server, SubscriptionError};
use crate::signal::open::Open;

/// What a [`Session`](super::Session) wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a WebSocket; answered by one `Opened` or `OpenFailed`, unless `CloseSocket` calls it
    /// off.
    Open(Open),
    /// Send this on the WebSocket.
    Send(ClientMessage),
    /// Close the WebSocket after what was sent, or stop opening it.
    CloseSocket,
    /// Replace the peer connection by a fresh one: a new session has begun.
    RestartPeer,
    /// Hand this offer to the peer connection; answered by one `Answer` or `AnswerFailed`.
    Offer(PeerOffer),
    /// Hand this candidate to the peer connection. It belongs to an offer that came before.
    Candidate(String),
    /// Tell whoever uses the room.
    Event(Event),
}

/// An offer made ready for a peer connection that only receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerOffer {
    /// To be repeated in the answer.
    pub id: u32,
    /// The rewritten offer.
    pub sdp: String,
    /// Everything that is sent to us from now on; what is not here has ended.
    pub streams: Vec<StreamDescription>,
}

/// What a [`Session`](super::Session) tells whoever uses the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// We are in the room. Comes again with each new session.
    Joined(Joined),
    /// A track is there.
    Published(Publication),
    /// A track is gone, and with it its subscription.
    Unpublished {
        /// Which one.
        track: TrackSid,
        /// Why.
        reason: UnpublishReason,
    },
    /// A track was muted or unmuted.
    Muted {
        /// Which one.
        track: TrackSid,
        /// Whether it is silent.
        is_muted: bool,
    },
    /// The attributes of the publisher of a track changed; all of them, as they are now.
    AttributesChanged {
        /// Which track.
        track: TrackSid,
        /// The attributes.
        attributes: Arc<Attributes>,
    },
    /// A participant is gone, after its tracks.
    ParticipantLeft {
        /// Who it was.
        identity: ParticipantIdentity,
        /// The connection that ended; the same identity may have another.
        participant: ParticipantSid,
    },
    /// A track that we subscribed to does not come. Not final: an offer may bring it yet, and a new
    /// session asks for it again.
    SubscriptionFailed {
        /// Which one.
        track: TrackSid,
        /// Why.
        reason: SubscriptionFailure,
    },
    /// The server stops sending a track for lack of bandwidth, or goes on.
    Paused {
        /// Which one.
        track: TrackSid,
        /// Whether nothing is sent.
        is_paused: bool,
    },
    /// The connection broke and is about to be made again. Comes once for each attempt.
    Reconnecting {
        /// How.
        reconnection: Reconnection,
        /// Why, for people.
        cause: String,
        /// When, from now.
        delay: Duration,
    },
    /// The connection is whole again.
    Reconnected(Reconnection),
    /// Something was dropped that should not have come.
    Ignored {
        /// What it was, for people.
        what: String,
    },
    /// The session is over; nothing follows.
    Ended(EndReason),
}

/// Our place in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The room.
    pub room: Room,
    /// Our participant in this session.
    pub participant: ParticipantSid,
    /// Who we are, from the token.
    pub identity: ParticipantIdentity,
    /// Who serves us.
    pub server: Server,
}

/// How a broken session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnection {
    /// The same session with a new WebSocket; media may never have stopped.
    Resume,
    /// A new session with a new peer connection. All streams begin anew.
    Full,
}

/// Why a publication is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpublishReason {
    /// Its publisher took it back.
    Unpublished,
    /// Its publisher left.
    ParticipantLeft,
    /// It, or its publisher, was no longer there when we had reconnected.
    GoneMeanwhile,
}

/// Why a track does not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionFailure {
    /// Nobody publishes it.
    #[error("nobody in the room publishes this track")]
    NotPublished,
    /// The publisher does not let us have it.
    #[error(
        "the publisher does not permit the recorder to subscribe; check its subscription permissions"
    )]
    NotAllowed,
    /// The server says no.
    #[error("{}", refusal(*.0))]
    Refused(SubscriptionError),
    /// The server says nothing, and does not send it.
    #[error("the server did not offer the track within {} s; is its publisher sending?", .0.as_secs())]
    NotOffered(Duration),
}

const fn refusal(error: SubscriptionError) -> &'static str {
    match error {
        SubscriptionError::CodecUnsupported => "the track has a codec that cannot be recorded",
        SubscriptionError::TrackNotFound => "the server does not find the track",
        SubscriptionError::Unknown => "the server refused the subscription without a reason",
    }
}
