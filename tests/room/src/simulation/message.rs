//! The messages that a server sends.

use std::time::Duration;

use livekit_protocol as lk;
use lk::participant_info::State;
use lk::signal_response::Message;
use prost::Message as _;

use super::publication::Participant;
use crate::sfu::Offer;

/// Encodes a message for the WebSocket.
pub(super) fn encode(message: Message) -> Vec<u8> {
    let response = lk::SignalResponse {
        message: Some(message),
    };
    response.encode_to_vec()
}

pub(super) fn room(name: &str, sid: &str, publishers: usize) -> lk::Room {
    let count = u32::try_from(publishers).unwrap_or(u32::MAX);
    lk::Room {
        sid: sid.to_owned(),
        name: name.to_owned(),
        empty_timeout: 300,
        departure_timeout: 20,
        num_participants: count,
        num_publishers: count,
        active_recording: true,
        ..lk::Room::default()
    }
}

/// Describes a publisher with these tracks.
pub(super) fn participant(
    participant: &Participant,
    state: State,
    tracks: Vec<lk::TrackInfo>,
) -> lk::ParticipantInfo {
    lk::ParticipantInfo {
        sid: participant.sid.clone(),
        identity: participant.identity.clone(),
        state: state.into(),
        is_publisher: !tracks.is_empty(),
        tracks,
        attributes: participant.attributes.clone().into_iter().collect(),
        ..lk::ParticipantInfo::default()
    }
}

/// A message of a participant, or of the server.
pub(super) fn data(sender: Option<&Participant>, topic: &str, payload: &[u8]) -> Vec<u8> {
    let (identity, sid) = sender.map_or_else(Default::default, |sender| {
        (sender.identity.clone(), sender.sid.clone())
    });
    let packet = lk::DataPacket {
        participant_identity: identity,
        participant_sid: sid,
        value: Some(lk::data_packet::Value::User(lk::UserPacket {
            payload: payload.to_vec(),
            topic: Some(topic.to_owned()),
            ..lk::UserPacket::default()
        })),
        ..lk::DataPacket::default()
    };
    packet.encode_to_vec()
}

/// Describes the subscriber to itself.
pub(super) fn recorder(sid: &str, identity: &str, is_hidden: bool) -> lk::ParticipantInfo {
    lk::ParticipantInfo {
        sid: sid.to_owned(),
        identity: identity.to_owned(),
        state: State::Joined.into(),
        kind: lk::participant_info::Kind::Egress.into(),
        permission: Some(lk::ParticipantPermission {
            can_subscribe: true,
            hidden: is_hidden,
            ..lk::ParticipantPermission::default()
        }),
        ..lk::ParticipantInfo::default()
    }
}

pub(super) fn join(
    room: lk::Room,
    participant: lk::ParticipantInfo,
    others: Vec<lk::ParticipantInfo>,
    (ping_interval, ping_timeout): (Duration, Duration),
) -> Message {
    let seconds = |duration: Duration| i32::try_from(duration.as_secs()).unwrap_or(i32::MAX);
    Message::Join(lk::JoinResponse {
        room: Some(room),
        participant: Some(participant),
        other_participants: others,
        server_version: SERVER_VERSION.into(),
        server_info: Some(server()),
        subscriber_primary: true,
        ping_interval: seconds(ping_interval),
        ping_timeout: seconds(ping_timeout),
        sif_trailer: b"trackmill-simulation".to_vec(),
        ..lk::JoinResponse::default()
    })
}

pub(super) fn reconnect() -> Message {
    Message::Reconnect(lk::ReconnectResponse {
        server_info: Some(server()),
        ..lk::ReconnectResponse::default()
    })
}

pub(super) fn offer(offer: Offer) -> Message {
    Message::Offer(lk::SessionDescription {
        r#type: "offer".into(),
        sdp: offer.sdp,
        id: offer.id,
        mid_to_track_id: offer.mids.into_iter().collect(),
    })
}

/// A candidate in the form of a browser's `RTCIceCandidateInit`.
pub(super) fn trickle(candidate: &str) -> Message {
    let init = serde_json::json!({
        "candidate": candidate,
        "sdpMid": "",
        "sdpMLineIndex": 0,
        "usernameFragment": null,
    });
    Message::Trickle(lk::TrickleRequest {
        candidate_init: init.to_string(),
        target: lk::SignalTarget::Subscriber.into(),
        r#final: false,
    })
}

pub(super) fn update(participants: Vec<lk::ParticipantInfo>) -> Message {
    Message::Update(lk::ParticipantUpdate { participants })
}

pub(super) fn room_update(room: lk::Room) -> Message {
    Message::RoomUpdate(lk::RoomUpdate { room: Some(room) })
}

pub(super) fn leave(action: lk::leave_request::Action, reason: lk::DisconnectReason) -> Message {
    Message::Leave(lk::LeaveRequest {
        action: action.into(),
        reason: reason.into(),
        can_reconnect: action != lk::leave_request::Action::Disconnect,
        ..lk::LeaveRequest::default()
    })
}

pub(super) fn refused(track_sid: String, error: lk::SubscriptionError) -> Message {
    Message::SubscriptionResponse(lk::SubscriptionResponse {
        track_sid,
        err: error.into(),
    })
}

pub(super) fn hostile_offer(sdp: String) -> Message {
    Message::Offer(lk::SessionDescription {
        r#type: "offer".into(),
        sdp,
        id: HOSTILE_OFFER_ID,
        ..lk::SessionDescription::default()
    })
}

fn server() -> lk::ServerInfo {
    lk::ServerInfo {
        version: SERVER_VERSION.into(),
        protocol: 17,
        node_id: "ND_simulation".into(),
        ..lk::ServerInfo::default()
    }
}

/// The version that the simulation follows.
const SERVER_VERSION: &str = "1.13.5";
/// Far from the ids of real offers.
pub(super) const HOSTILE_OFFER_ID: u32 = u32::MAX;
