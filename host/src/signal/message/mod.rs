//! What is said on the WebSocket, as types of our own: one we receive, one we send. Only this
//! folder knows the generated `livekit_protocol` types.

mod data;
mod decode;
mod encode;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::token::AccessToken;
use crate::media::{
    Attributes, Codec, ParticipantIdentity, ParticipantSid, RoomName, RoomSid, TrackKind, TrackSid,
    TrackSource,
};

pub use data::data_message;
pub use decode::DecodeError;

/// One message of the server; what a receiving participant has no use for is [`Other`].
///
/// [`Other`]: ServerMessage::Other
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage {
    /// The room lets us in: the first message of a new session.
    Join(Box<Join>),
    /// The server lives elsewhere for us; the session has not begun.
    Redirect {
        /// Where to connect instead.
        url: String,
    },
    /// The session goes on: the first message after a resume.
    Reconnect,
    /// An offer for the peer connection that receives.
    Offer(Offer),
    /// A candidate of the peer connection that receives: the `candidate:` line.
    Candidate(String),
    /// The participants among these changed; the others did not.
    ParticipantUpdate(Vec<Participant>),
    /// The room itself changed.
    RoomUpdate(Room),
    /// We are in another room, without having left the connection.
    RoomMoved(Box<RoomMoved>),
    /// The session ends, or wants a new connection.
    Leave(Leave),
    /// A fresher token for the same participant, to reconnect with.
    RefreshToken(AccessToken),
    /// The server pauses or goes on with these tracks for lack of bandwidth.
    StreamState(Vec<StreamState>),
    /// A subscription failed. There is no message for success: the track's m-line is the proof.
    SubscriptionFailed {
        /// Which one.
        track: TrackSid,
        /// Why.
        error: SubscriptionError,
    },
    /// The publisher gave or took away our permission to subscribe.
    SubscriptionPermission {
        /// To which track.
        track: TrackSid,
        /// Whether we may.
        is_allowed: bool,
    },
    /// The answer to a ping.
    Pong {
        /// The time that the ping carried.
        timestamp: i64,
    },
    /// Valid, and of no concern to us.
    Other,
    /// Not a message at all. The session reports it and goes on.
    Unreadable(DecodeError),
}

/// The welcome of a new session.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// The room.
    pub room: Room,
    /// Our own participant, for this session.
    pub participant: ParticipantSid,
    /// Who we are, from the token.
    pub identity: ParticipantIdentity,
    /// Everyone else, with what they publish.
    pub others: Vec<Participant>,
    /// Time between two pings.
    pub ping_interval: Duration,
    /// How long silence may last.
    pub ping_timeout: Duration,
    /// Who is talking to us.
    pub server: Server,
}

/// A room, as far as it has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The server's id of it.
    pub sid: RoomSid,
    /// The name its user chose.
    pub name: RoomName,
}

/// The server behind the WebSocket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Its version, e.g. `1.13.5`.
    pub version: String,
    /// Its region; empty where there are none.
    pub region: String,
}

/// An offer and what the server says about its m-lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// To be repeated in the answer.
    pub id: u32,
    /// As it came.
    pub sdp: String,
    /// MID → track.
    pub tracks: BTreeMap<String, TrackSid>,
}

/// A participant other than us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Who it is.
    pub publisher: Arc<Publisher>,
    /// Whether it left.
    pub has_left: bool,
    /// Counts its changes: a lower one than seen before is out of date.
    pub version: u32,
    /// Everything it publishes, data tracks excepted.
    pub tracks: Vec<Publication>,
}

/// Who publishes a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// Stable over reconnects.
    pub identity: ParticipantIdentity,
    /// One connection of that identity.
    pub sid: ParticipantSid,
    /// The display name; may be empty.
    pub name: String,
    /// What it is.
    pub kind: ParticipantKind,
    /// What the application says of it.
    pub attributes: Arc<Attributes>,
}

/// What a participant is (`livekit.ParticipantInfo.Kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ParticipantKind {
    /// A user.
    Standard,
    /// A stream that is fed into the room.
    Ingress,
    /// A recorder.
    Egress,
    /// A telephone call.
    Sip,
    /// An agent.
    Agent,
    /// Any other.
    Other,
}

/// A published track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The server's id of it.
    pub sid: TrackSid,
    /// The name the publisher gave it; may be empty.
    pub name: String,
    /// Sound or pictures.
    pub kind: TrackKind,
    /// What it shows.
    pub source: TrackSource,
    /// What its publisher announced. Only a hint: the payload type of the packets decides, and a
    /// publisher may fall back to another codec.
    pub codec: Option<Codec>,
    /// Whether it is muted.
    pub is_muted: bool,
    /// Pixels across at its largest; 0 for sound or when not said.
    pub width: u32,
    /// Pixels down at its largest; 0 for sound or when not said.
    pub height: u32,
    /// Whether its frames are encrypted end to end, so that nobody but the participants can play
    /// them.
    pub is_encrypted: bool,
    /// Who publishes it.
    pub publisher: Arc<Publisher>,
}

/// We were moved to another room.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomMoved {
    /// The new room.
    pub room: Room,
    /// Our participant there.
    pub participant: ParticipantSid,
    /// To reconnect with from here on.
    pub token: AccessToken,
    /// Everyone there.
    pub others: Vec<Participant>,
}

/// The server's farewell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// What we shall do.
    pub action: LeaveAction,
    /// Why.
    pub reason: LeaveReason,
    /// Other servers to turn to, the best first.
    pub urls: Vec<String>,
}

/// What the server wants of a client that it sends away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveAction {
    /// Go, and do not come back.
    Disconnect,
    /// Come back to the same session.
    Resume,
    /// Come back with a new session.
    Reconnect,
}

/// Why the server ends a session (`livekit.DisconnectReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// Not said.
    Unknown,
    /// Our own doing.
    ClientInitiated,
    /// Somebody joined with our identity.
    DuplicateIdentity,
    /// The server shuts down.
    ServerShutdown,
    /// The API removed us.
    ParticipantRemoved,
    /// The API deleted the room.
    RoomDeleted,
    /// The server does not know the session that we resume.
    StateMismatch,
    /// Our peer connection never connected.
    JoinFailure,
    /// The server wants us elsewhere.
    Migration,
    /// Our WebSocket broke.
    SignalClose,
    /// Everyone else left.
    RoomClosed,
    /// Our peer connection timed out.
    ConnectionTimeout,
    /// Media failed or stopped.
    MediaFailure,
    /// Any other, by its number.
    Other(i32),
}

/// Whether a track is paused for lack of bandwidth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Which track.
    pub track: TrackSid,
    /// Whether nothing is sent.
    pub is_paused: bool,
}

/// Why the server does not send a track (`livekit.SubscriptionError`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionError {
    /// Our answer accepted none of its codecs.
    CodecUnsupported,
    /// The server knows no such track.
    TrackNotFound,
    /// Not said.
    Unknown,
}

/// One message to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// Answers an offer.
    Answer(Answer),
    /// Asks for tracks.
    Subscribe(Vec<ParticipantTracks>),
    /// Asks for tracks no longer.
    Unsubscribe(Vec<ParticipantTracks>),
    /// Asks for the best layer of these video tracks.
    BestQuality(Vec<TrackSid>),
    /// Repeats after a resume what the server should know of us.
    SyncState {
        /// The last answer that we gave.
        answer: Option<Answer>,
        /// Every track that we want.
        subscribed: Vec<ParticipantTracks>,
    },
    /// A sign of life, in the form that the server answers with its time.
    Ping {
        /// Comes back in the answer; milliseconds of any clock.
        timestamp: i64,
        /// The last measured round trip in milliseconds; 0 if none was.
        round_trip: i64,
    },
    /// A sign of life, in the form that older servers know.
    LegacyPing {
        /// Milliseconds of any clock.
        timestamp: i64,
    },
    /// Ends the session.
    Leave,
}

/// The answer to one offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which offer.
    pub offer: u32,
    /// The answer.
    pub sdp: String,
}

/// Tracks of one participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantTracks {
    /// Whose.
    pub participant: ParticipantSid,
    /// Which.
    pub tracks: Vec<TrackSid>,
}
