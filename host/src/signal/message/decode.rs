use std::sync::Arc;
use std::time::Duration;

use livekit_protocol as proto;
use prost::Message as _;
use proto::signal_response::Message;

use super::{
    Join, Leave, LeaveAction, LeaveReason, Offer, Participant, ParticipantKind, Publication,
    Publisher, Room, RoomMoved, Server, ServerMessage, StreamState, SubscriptionError,
};
use crate::media::{Codec, TrackKind, TrackSource};

/// Why bytes are not a message of a LiveKit server.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// Not the protobuf it should be.
    #[error("not a LiveKit signal message of {length} bytes")]
    Protobuf {
        /// How long it was.
        length: usize,
        /// What the decoder found.
        source: prost::DecodeError,
    },
    /// Not the protobuf that data channels carry.
    #[error("not a LiveKit data packet of {length} bytes")]
    Data {
        /// How long it was.
        length: usize,
        /// What the decoder found.
        source: prost::DecodeError,
    },
    /// A field that every server sends is not there.
    #[error("{message} without {field}")]
    Missing {
        /// Name of the protobuf message.
        message: &'static str,
        /// Name of its field.
        field: &'static str,
    },
    /// `candidateInit` is not the JSON of an `RTCIceCandidateInit`.
    #[error("TrickleRequest.candidateInit is not an ICE candidate: {0}")]
    Candidate(String),
}

impl ServerMessage {
    /// Reads one binary WebSocket message.
    ///
    /// # Errors
    /// If it is not a `SignalResponse`, or lacks what cannot be missing.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let response =
            proto::SignalResponse::decode(bytes).map_err(|source| DecodeError::Protobuf {
                length: bytes.len(),
                source,
            })?;
        response
            .message
            .map_or(Ok(Self::Other), Self::from_response)
    }

    fn from_response(message: Message) -> Result<Self, DecodeError> {
        Ok(match message {
            Message::Join(join) => return welcome(join),
            Message::Reconnect(_) => Self::Reconnect,
            Message::Offer(offer) => Self::Offer(offer.into()),
            Message::Trickle(trickle) => return candidate(&trickle),
            Message::Update(update) => Self::ParticipantUpdate(participants(update.participants)),
            Message::RoomUpdate(update) => update
                .room
                .map_or(Self::Other, |room| Self::RoomUpdate(room.into())),
            Message::RoomMoved(moved) => Self::RoomMoved(Box::new(moved.try_into()?)),
            Message::Leave(leave) => Self::Leave(leave.into()),
            Message::RefreshToken(token) => Self::RefreshToken(token.into()),
            Message::StreamStateUpdate(update) => Self::StreamState(
                update
                    .stream_states
                    .into_iter()
                    .map(StreamState::from)
                    .collect(),
            ),
            Message::SubscriptionResponse(response) => Self::SubscriptionFailed {
                error: response.err().into(),
                track: response.track_sid.into(),
            },
            Message::SubscriptionPermissionUpdate(update) => Self::SubscriptionPermission {
                track: update.track_sid.into(),
                is_allowed: update.allowed,
            },
            Message::PongResp(pong) => Self::Pong {
                timestamp: pong.last_ping_timestamp,
            },
            _ => Self::Other,
        })
    }
}

fn welcome(join: proto::JoinResponse) -> Result<ServerMessage, DecodeError> {
    // Servers leave the rest empty then.
    if !join.alternative_url.is_empty() {
        return Ok(ServerMessage::Redirect {
            url: join.alternative_url,
        });
    }
    let missing = |field| DecodeError::Missing {
        message: "JoinResponse",
        field,
    };
    let room = join.room.ok_or_else(|| missing("room"))?;
    let us = join.participant.ok_or_else(|| missing("participant"))?;
    let server = join.server_info.unwrap_or_default();
    Ok(ServerMessage::Join(Box::new(Join {
        room: room.into(),
        participant: us.sid.into(),
        identity: us.identity.into(),
        others: participants(join.other_participants),
        ping_interval: seconds(join.ping_interval, PING_INTERVAL),
        ping_timeout: seconds(join.ping_timeout, PING_TIMEOUT),
        server: Server {
            version: first_said(server.version, join.server_version),
            region: first_said(server.region, join.server_region),
        },
    })))
}

fn candidate(trickle: &proto::TrickleRequest) -> Result<ServerMessage, DecodeError> {
    #[derive(serde::Deserialize)]
    struct CandidateInit {
        candidate: String,
    }
    if trickle.target() != proto::SignalTarget::Subscriber || trickle.candidate_init.is_empty() {
        return Ok(ServerMessage::Other);
    }
    let init: CandidateInit = serde_json::from_str(&trickle.candidate_init)
        .map_err(|error| DecodeError::Candidate(error.to_string()))?;
    // An empty candidate marks the end of them (W3C WebRTC §4.8.1).
    if init.candidate.is_empty() {
        return Ok(ServerMessage::Other);
    }
    Ok(ServerMessage::Candidate(init.candidate))
}

fn participants(infos: Vec<proto::ParticipantInfo>) -> Vec<Participant> {
    infos.into_iter().map(Participant::from).collect()
}

impl TryFrom<proto::RoomMovedResponse> for RoomMoved {
    type Error = DecodeError;

    fn try_from(moved: proto::RoomMovedResponse) -> Result<Self, DecodeError> {
        let missing = |field| DecodeError::Missing {
            message: "RoomMovedResponse",
            field,
        };
        Ok(Self {
            room: moved.room.ok_or_else(|| missing("room"))?.into(),
            participant: moved
                .participant
                .ok_or_else(|| missing("participant"))?
                .sid
                .into(),
            token: moved.token.into(),
            others: participants(moved.other_participants),
        })
    }
}

impl From<proto::SessionDescription> for Offer {
    fn from(offer: proto::SessionDescription) -> Self {
        Self {
            id: offer.id,
            sdp: offer.sdp,
            tracks: offer
                .mid_to_track_id
                .into_iter()
                .map(|(mid, track)| (mid, track.into()))
                .collect(),
        }
    }
}

impl From<proto::Room> for Room {
    fn from(room: proto::Room) -> Self {
        Self {
            sid: room.sid.into(),
            name: room.name.into(),
        }
    }
}

impl From<proto::ParticipantInfo> for Participant {
    fn from(info: proto::ParticipantInfo) -> Self {
        let has_left = info.state() == proto::participant_info::State::Disconnected;
        let publisher = Arc::new(Publisher {
            kind: info.kind().into(),
            identity: info.identity.into(),
            sid: info.sid.into(),
            name: info.name,
            attributes: Arc::new(info.attributes.into_iter().collect()),
        });
        let tracks = info
            .tracks
            .into_iter()
            .filter_map(|track| publication(track, &publisher))
            .collect();
        Self {
            publisher,
            has_left,
            version: info.version,
            tracks,
        }
    }
}

/// `None` for a data track.
fn publication(track: proto::TrackInfo, publisher: &Arc<Publisher>) -> Option<Publication> {
    let kind = match track.r#type() {
        proto::TrackType::Audio => TrackKind::Audio,
        proto::TrackType::Video => TrackKind::Video,
        proto::TrackType::Data => return None,
    };
    let announced = track.codecs.first().map(|codec| codec.mime_type.as_str());
    Some(Publication {
        kind,
        source: track.source().into(),
        codec: codec(&track.mime_type).or_else(|| announced.and_then(codec)),
        is_muted: track.muted,
        width: track.width,
        height: track.height,
        is_encrypted: track.encryption() != proto::encryption::Type::None,
        sid: track.sid.into(),
        name: track.name,
        publisher: Arc::clone(publisher),
    })
}

/// The codec of a MIME type. `audio/red` is what a microphone with redundancy announces: Opus
/// inside, and the server unwraps it for whoever does not accept RED.
fn codec(mime: &str) -> Option<Codec> {
    let (_, name) = mime.split_once('/')?;
    if name.eq_ignore_ascii_case("red") {
        return Some(Codec::Opus);
    }
    Codec::from_name(name)
}

impl From<proto::participant_info::Kind> for ParticipantKind {
    fn from(kind: proto::participant_info::Kind) -> Self {
        use proto::participant_info::Kind;
        match kind {
            Kind::Standard => Self::Standard,
            Kind::Ingress => Self::Ingress,
            Kind::Egress => Self::Egress,
            Kind::Sip => Self::Sip,
            Kind::Agent => Self::Agent,
            _ => Self::Other,
        }
    }
}

impl From<proto::TrackSource> for TrackSource {
    fn from(source: proto::TrackSource) -> Self {
        match source {
            proto::TrackSource::Unknown => Self::Unknown,
            proto::TrackSource::Camera => Self::Camera,
            proto::TrackSource::Microphone => Self::Microphone,
            proto::TrackSource::ScreenShare => Self::ScreenShare,
            proto::TrackSource::ScreenShareAudio => Self::ScreenShareAudio,
        }
    }
}

impl From<proto::LeaveRequest> for Leave {
    fn from(leave: proto::LeaveRequest) -> Self {
        use proto::leave_request::Action;
        Self {
            action: match leave.action() {
                Action::Disconnect => LeaveAction::Disconnect,
                Action::Resume => LeaveAction::Resume,
                Action::Reconnect => LeaveAction::Reconnect,
            },
            reason: LeaveReason::from_number(leave.reason),
            urls: leave
                .regions
                .unwrap_or_default()
                .regions
                .into_iter()
                .map(|region| region.url)
                .collect(),
        }
    }
}

impl LeaveReason {
    fn from_number(number: i32) -> Self {
        use proto::DisconnectReason as Reason;
        match Reason::try_from(number) {
            Ok(Reason::UnknownReason) => Self::Unknown,
            Ok(Reason::ClientInitiated) => Self::ClientInitiated,
            Ok(Reason::DuplicateIdentity) => Self::DuplicateIdentity,
            Ok(Reason::ServerShutdown) => Self::ServerShutdown,
            Ok(Reason::ParticipantRemoved) => Self::ParticipantRemoved,
            Ok(Reason::RoomDeleted) => Self::RoomDeleted,
            Ok(Reason::StateMismatch) => Self::StateMismatch,
            Ok(Reason::JoinFailure) => Self::JoinFailure,
            Ok(Reason::Migration) => Self::Migration,
            Ok(Reason::SignalClose) => Self::SignalClose,
            Ok(Reason::RoomClosed) => Self::RoomClosed,
            Ok(Reason::ConnectionTimeout) => Self::ConnectionTimeout,
            Ok(Reason::MediaFailure) => Self::MediaFailure,
            _ => Self::Other(number),
        }
    }
}

impl From<proto::StreamStateInfo> for StreamState {
    fn from(info: proto::StreamStateInfo) -> Self {
        Self {
            is_paused: info.state() == proto::StreamState::Paused,
            track: info.track_sid.into(),
        }
    }
}

impl From<proto::SubscriptionError> for SubscriptionError {
    fn from(error: proto::SubscriptionError) -> Self {
        match error {
            proto::SubscriptionError::SeCodecUnsupported => Self::CodecUnsupported,
            proto::SubscriptionError::SeTrackNotfound => Self::TrackNotFound,
            proto::SubscriptionError::SeUnknown => Self::Unknown,
        }
    }
}

fn first_said(one: String, other: String) -> String {
    if one.is_empty() { other } else { one }
}

/// A period of the server, within reason.
fn seconds(said: i32, default: Duration) -> Duration {
    match u64::try_from(said) {
        Ok(seconds) if seconds > 0 => Duration::from_secs(seconds.min(LONGEST_PERIOD)),
        _ => default,
    }
}

const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(15);
const LONGEST_PERIOD: u64 = 120;
