use livekit_protocol as proto;
use prost::Message as _;
use proto::signal_response::Message;

use super::Seed;

/// One message of each kind that a session acts on.
pub(super) fn all() -> Vec<Seed> {
    let kinds = [
        ("join", Message::Join(welcome())),
        ("offer", Message::Offer(offer())),
        ("trickle", Message::Trickle(trickle())),
        (
            "update",
            Message::Update(proto::ParticipantUpdate {
                participants: vec![alice()],
            }),
        ),
        ("leave", Message::Leave(leave())),
        ("refresh-token", Message::RefreshToken("a.b.c".to_owned())),
        (
            "pong",
            Message::PongResp(proto::Pong {
                last_ping_timestamp: 1,
                timestamp: 2,
            }),
        ),
        (
            "reconnect",
            Message::Reconnect(proto::ReconnectResponse::default()),
        ),
        ("moved", Message::RoomMoved(moved())),
        ("stream-state", Message::StreamStateUpdate(stream_state())),
        ("subscription", Message::SubscriptionResponse(failed())),
        (
            "permission",
            Message::SubscriptionPermissionUpdate(permission()),
        ),
        (
            "unpublished",
            Message::TrackUnpublished(proto::TrackUnpublishedResponse::default()),
        ),
    ];
    kinds.map(|(name, message)| seed(name, message)).into()
}

fn seed(name: &str, message: Message) -> Seed {
    let response = proto::SignalResponse {
        message: Some(message),
    };
    Seed::new("signal_message", name, response.encode_to_vec())
}

fn welcome() -> proto::JoinResponse {
    proto::JoinResponse {
        room: Some(room()),
        participant: Some(proto::ParticipantInfo {
            sid: "PA_recorder".to_owned(),
            identity: "EG_1".to_owned(),
            ..Default::default()
        }),
        other_participants: vec![alice()],
        ping_interval: 5,
        ping_timeout: 15,
        server_version: "1.13.5".to_owned(),
        ..Default::default()
    }
}

fn room() -> proto::Room {
    proto::Room {
        sid: "RM_1".to_owned(),
        name: "küche".to_owned(),
        ..Default::default()
    }
}

fn alice() -> proto::ParticipantInfo {
    let track = |sid: &str, kind: proto::TrackType, mime_type: &str| proto::TrackInfo {
        sid: sid.to_owned(),
        r#type: kind.into(),
        mime_type: mime_type.to_owned(),
        codecs: vec![proto::SimulcastCodecInfo::default()],
        ..Default::default()
    };
    proto::ParticipantInfo {
        sid: "PA_alice".to_owned(),
        identity: "alice".to_owned(),
        version: 3,
        tracks: vec![
            track("TR_mic", proto::TrackType::Audio, "audio/red"),
            track("TR_cam", proto::TrackType::Video, "video/VP8"),
            track("TR_data", proto::TrackType::Data, ""),
        ],
        ..Default::default()
    }
}

fn offer() -> proto::SessionDescription {
    let mut offer = proto::SessionDescription {
        r#type: "offer".to_owned(),
        sdp: include_str!("../../../data/sdp/02-audio-added.offer.sdp").to_owned(),
        id: 2,
        ..Default::default()
    };
    offer
        .mid_to_track_id
        .insert("1".to_owned(), "TR_mic".to_owned());
    offer
}

fn trickle() -> proto::TrickleRequest {
    let candidate = "candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host";
    proto::TrickleRequest {
        candidate_init: format!(r#"{{"candidate":"{candidate}","sdpMid":"0","sdpMLineIndex":0}}"#),
        target: proto::SignalTarget::Subscriber.into(),
        ..Default::default()
    }
}

fn leave() -> proto::LeaveRequest {
    let region = proto::RegionInfo {
        region: "eu".to_owned(),
        url: "wss://eu.example.com".to_owned(),
        distance: 1,
    };
    proto::LeaveRequest {
        action: proto::leave_request::Action::Reconnect.into(),
        reason: proto::DisconnectReason::Migration.into(),
        regions: Some(proto::RegionSettings {
            regions: vec![region],
        }),
        ..Default::default()
    }
}

fn moved() -> proto::RoomMovedResponse {
    proto::RoomMovedResponse {
        room: Some(room()),
        token: "a.b.c".to_owned(),
        participant: Some(proto::ParticipantInfo::default()),
        other_participants: vec![alice()],
    }
}

fn stream_state() -> proto::StreamStateUpdate {
    proto::StreamStateUpdate {
        stream_states: vec![proto::StreamStateInfo {
            participant_sid: "PA_alice".to_owned(),
            track_sid: "TR_cam".to_owned(),
            state: proto::StreamState::Paused.into(),
        }],
    }
}

fn failed() -> proto::SubscriptionResponse {
    proto::SubscriptionResponse {
        track_sid: "TR_cam".to_owned(),
        err: proto::SubscriptionError::SeTrackNotfound.into(),
    }
}

fn permission() -> proto::SubscriptionPermissionUpdate {
    proto::SubscriptionPermissionUpdate {
        participant_sid: "PA_alice".to_owned(),
        track_sid: "TR_mic".to_owned(),
        allowed: false,
    }
}
