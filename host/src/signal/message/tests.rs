use livekit_protocol as proto;
use proptest::prelude::*;
use prost::Message as _;
use proto::{signal_request, signal_response};

use super::*;
use crate::media::DataMessage;

#[test]
fn a_welcome_tells_the_room_the_server_and_everyone_in_it() {
    let bytes = response(signal_response::Message::Join(welcome()));

    let Ok(ServerMessage::Join(join)) = ServerMessage::decode(&bytes) else {
        panic!("no welcome");
    };

    assert_eq!(
        (join.room.sid, join.room.name),
        ("RM_1".into(), "demo".into())
    );
    assert_eq!(join.participant, "PA_rec".into());
    assert_eq!(join.ping_interval, Duration::from_secs(7));
    assert_eq!(join.ping_timeout, Duration::from_secs(15), "not said");
    assert_eq!(join.server.version, "1.13.5");
    let alice = &join.others[0];
    assert_eq!(alice.publisher.identity, "alice".into());
    assert_eq!(alice.publisher.kind, ParticipantKind::Agent);
    let kinds: Vec<_> = alice
        .tracks
        .iter()
        .map(|track| (track.kind, track.codec))
        .collect();
    assert_eq!(
        kinds,
        [
            (TrackKind::Audio, Some(Codec::Opus)),
            (TrackKind::Video, Some(Codec::Vp8)),
        ],
        "the data track is left out"
    );
    assert!(alice.tracks[1].is_encrypted && !alice.tracks[0].is_encrypted);
}

#[test]
fn the_codec_of_a_publication_is_read_from_its_mime_type() {
    for (mime, announced, codec) in [
        ("audio/opus", "", Some(Codec::Opus)),
        ("audio/red", "", Some(Codec::Opus)),
        ("audio/PCMU", "", Some(Codec::Pcmu)),
        ("video/H264", "", Some(Codec::H264)),
        ("video/VP9", "", Some(Codec::Vp9)),
        ("VIDEO/AV1", "", Some(Codec::Av1)),
        ("", "video/h265", Some(Codec::H265)),
        ("", "", None),
        ("video", "", None),
        ("audio/G722", "", None),
    ] {
        let mut join = welcome();
        let track = &mut join.other_participants[0].tracks[0];
        track.mime_type = mime.to_owned();
        track.codecs[0].mime_type = announced.to_owned();

        let message = decode(signal_response::Message::Join(join));

        let ServerMessage::Join(join) = message else {
            panic!("{message:?}");
        };
        assert_eq!(join.others[0].tracks[0].codec, codec, "{mime} {announced}");
    }
}

#[test]
fn what_every_server_sends_must_not_be_missing() {
    for (join, complaint) in [
        (
            proto::JoinResponse {
                room: None,
                ..welcome()
            },
            "JoinResponse without room",
        ),
        (
            proto::JoinResponse {
                participant: None,
                ..welcome()
            },
            "JoinResponse without participant",
        ),
    ] {
        let bytes = response(signal_response::Message::Join(join));

        let error = ServerMessage::decode(&bytes).unwrap_err();

        assert_eq!(error.to_string(), complaint);
    }
}

#[test]
fn messages_of_users_are_read_and_other_packets_are_none() {
    use proto::data_packet::Value;
    let user = proto::UserPacket {
        payload: vec![1, 2, 3],
        topic: Some("redact".to_owned()),
        ..Default::default()
    };
    let packet = |sender: &str, value| {
        let packet = proto::DataPacket {
            participant_identity: sender.to_owned(),
            value,
            ..Default::default()
        };
        data_message(&packet.encode_to_vec())
    };

    let of_host = packet("host", Some(Value::User(user.clone())));
    let of_server = packet("", Some(Value::User(user)));
    let call = packet(
        "host",
        Some(Value::RpcRequest(proto::RpcRequest::default())),
    );
    let encrypted = packet(
        "host",
        Some(Value::EncryptedPacket(proto::EncryptedPacket::default())),
    );
    let garbage = data_message(&[0xff; 9]);

    let message = DataMessage {
        topic: "redact".to_owned(),
        sender: Some("host".into()),
        payload: vec![1, 2, 3].into(),
    };
    assert_eq!(of_host, Ok(Some(message.clone())));
    let from_nobody = DataMessage {
        sender: None,
        ..message
    };
    assert_eq!(of_server, Ok(Some(from_nobody)));
    assert_eq!((call, encrypted), (Ok(None), Ok(None)));
    let complaint = garbage.unwrap_err().to_string();
    assert_eq!(complaint, "not a LiveKit data packet of 9 bytes");
}

#[test]
fn a_welcome_that_names_another_server_is_a_redirection() {
    let join = proto::JoinResponse {
        alternative_url: "wss://other".to_owned(),
        ..Default::default()
    };

    let message = decode(signal_response::Message::Join(join));

    let url = "wss://other".to_owned();
    assert_eq!(message, ServerMessage::Redirect { url });
}

#[test]
fn only_candidates_of_the_receiving_peer_connection_count() {
    use proto::SignalTarget::{Publisher, Subscriber};
    let candidate = |line: &str| Ok(ServerMessage::Candidate(line.to_owned()));
    for (target, init, expected) in [
        (
            Subscriber,
            r#"{"candidate":"candidate:1 1 udp","sdpMid":"0"}"#,
            candidate("candidate:1 1 udp"),
        ),
        (Subscriber, r#"{"candidate":""}"#, Ok(ServerMessage::Other)),
        (Subscriber, "", Ok(ServerMessage::Other)),
        (
            Publisher,
            r#"{"candidate":"candidate:1 1 udp"}"#,
            Ok(ServerMessage::Other),
        ),
        (
            Subscriber,
            "{}",
            Err(DecodeError::Candidate(
                "missing field `candidate` at line 1 column 2".to_owned(),
            )),
        ),
    ] {
        let bytes = response(signal_response::Message::Trickle(proto::TrickleRequest {
            candidate_init: init.to_owned(),
            target: target.into(),
            r#final: false,
        }));

        assert_eq!(ServerMessage::decode(&bytes), expected, "{init}");
    }
}

#[test]
fn an_offer_keeps_its_id_and_its_map() {
    let message = decode(signal_response::Message::Offer(proto::SessionDescription {
        r#type: "offer".to_owned(),
        sdp: "v=0".to_owned(),
        id: 77,
        mid_to_track_id: [("1".to_owned(), "TR_1".to_owned())].into(),
    }));

    let offer = Offer {
        id: 77,
        sdp: "v=0".to_owned(),
        tracks: [("1".to_owned(), "TR_1".into())].into(),
    };
    assert_eq!(message, ServerMessage::Offer(offer));
}

#[test]
fn a_leave_keeps_a_reason_that_is_newer_than_we_are() {
    for (number, reason) in [
        (5, LeaveReason::RoomDeleted),
        (10, LeaveReason::RoomClosed),
        (14, LeaveReason::ConnectionTimeout),
        (11, LeaveReason::Other(11)),
        (1000, LeaveReason::Other(1000)),
    ] {
        let message = decode(signal_response::Message::Leave(proto::LeaveRequest {
            reason: number,
            action: 1,
            ..Default::default()
        }));

        let leave = Leave {
            action: LeaveAction::Resume,
            reason,
            urls: vec![],
        };
        assert_eq!(message, ServerMessage::Leave(leave));
    }
}

#[test]
fn what_does_not_concern_us_is_other() {
    for bytes in [
        response(signal_response::Message::SpeakersChanged(Default::default())),
        response(signal_response::Message::ConnectionQuality(
            Default::default(),
        )),
        response(signal_response::Message::Pong(7)),
        // A message of a server from the future, and none at all.
        vec![0xfa, 0x7f, 0x01, 0x00],
        vec![],
    ] {
        assert_eq!(ServerMessage::decode(&bytes), Ok(ServerMessage::Other));
    }
}

#[test]
fn a_truncated_message_is_an_error_that_tells_its_length() {
    let whole = response(signal_response::Message::Join(welcome()));

    for length in 1..whole.len() {
        let error = ServerMessage::decode(&whole[..length]).unwrap_err();
        let text = format!("not a LiveKit signal message of {length} bytes");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_subscription_names_each_track_bare_and_by_participant() {
    let tracks = ParticipantTracks {
        participant: "PA_alice".into(),
        tracks: vec!["TR_1".into(), "TR_2".into()],
    };

    let Some(signal_request::Message::Subscription(update)) =
        encode(ClientMessage::Subscribe(vec![tracks]))
    else {
        panic!("no subscription");
    };

    assert!(update.subscribe);
    assert_eq!(update.track_sids, ["TR_1", "TR_2"]);
    assert_eq!(update.participant_tracks[0].participant_sid, "PA_alice");
    assert_eq!(update.participant_tracks[0].track_sids, ["TR_1", "TR_2"]);
}

#[test]
fn an_answer_repeats_the_id_of_its_offer() {
    let answer = Answer {
        offer: 77,
        sdp: "v=0".to_owned(),
    };

    let Some(signal_request::Message::Answer(sent)) = encode(ClientMessage::Answer(answer)) else {
        panic!("no answer");
    };

    assert_eq!(
        (sent.r#type.as_str(), sent.id, sent.sdp.as_str()),
        ("answer", 77, "v=0")
    );
}

#[test]
fn the_best_quality_is_asked_for_and_the_track_is_not_paused() {
    let message = encode(ClientMessage::BestQuality(vec!["TR_cam".into()]));

    let Some(signal_request::Message::TrackSetting(settings)) = message else {
        panic!("no settings");
    };
    assert_eq!(settings.quality(), proto::VideoQuality::High);
    assert!(!settings.disabled);
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // That it returns is the claim.
        ServerMessage::decode(&bytes).ok();
    }

    #[test]
    fn no_damage_makes_the_decoder_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = response(signal_response::Message::Join(welcome()));
        let at = at.index(bytes.len());
        bytes[at] = byte;

        ServerMessage::decode(&bytes).ok();
    }
}

fn welcome() -> proto::JoinResponse {
    let track = |sid: &str, kind: proto::TrackType| proto::TrackInfo {
        sid: sid.to_owned(),
        r#type: kind.into(),
        codecs: vec![proto::SimulcastCodecInfo::default()],
        ..Default::default()
    };
    proto::JoinResponse {
        room: Some(proto::Room {
            sid: "RM_1".to_owned(),
            name: "demo".to_owned(),
            ..Default::default()
        }),
        participant: Some(proto::ParticipantInfo {
            sid: "PA_rec".to_owned(),
            ..Default::default()
        }),
        other_participants: vec![proto::ParticipantInfo {
            sid: "PA_alice".to_owned(),
            identity: "alice".to_owned(),
            kind: proto::participant_info::Kind::Agent.into(),
            tracks: vec![
                proto::TrackInfo {
                    mime_type: "audio/red".to_owned(),
                    ..track("TR_mic", proto::TrackType::Audio)
                },
                proto::TrackInfo {
                    mime_type: "video/VP8".to_owned(),
                    encryption: proto::encryption::Type::Gcm.into(),
                    ..track("TR_cam", proto::TrackType::Video)
                },
                track("TR_data", proto::TrackType::Data),
            ],
            ..Default::default()
        }],
        ping_interval: 7,
        server_version: "1.13.5".to_owned(),
        ..Default::default()
    }
}

fn decode(message: signal_response::Message) -> ServerMessage {
    ServerMessage::decode(&response(message)).expect("a valid message")
}

fn response(message: signal_response::Message) -> Vec<u8> {
    let message = Some(message);
    proto::SignalResponse { message }.encode_to_vec()
}

fn encode(message: ClientMessage) -> Option<signal_request::Message> {
    let bytes = message.encode();
    proto::SignalRequest::decode(bytes.as_slice())
        .expect("our own message")
        .message
}
