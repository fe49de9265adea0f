//! The simulated server, from the first message to the last.

use std::time::Duration;

use livekit_protocol as lk;
use livekit_token::{AccessToken, VideoGrants};
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use trackmill_room::media::{Codec, Media};
use trackmill_room::network::Conditions;
use trackmill_room::publisher::TrackSid;
use trackmill_room::sfu::SfuEvent;
use trackmill_room::simulation::{
    Closing, Config, ConnectionId, Fault, Refusal, Resume, Simulation, Trickle, hostile_offers,
};
use trackmill_room::subscriber::Received;

use crate::fixtures::{is_contiguous, payloads, sent_payloads, spec, start};
use crate::visitor::{Visitor, upgrade};

#[test]
fn a_subscriber_gets_what_the_publisher_sends() {
    let (mut visitor, [opus, vp8, h264]) = joined();

    visitor.subscribe(&[&opus, &vp8, &h264], true);
    visitor.run(Duration::from_secs(5));

    for sid in [&opus, &vp8, &h264] {
        let received = payloads(&visitor.subscriber.received(sid));
        let sent = sent_payloads(&visitor.simulation.sent(sid).unwrap());
        assert!(received.len() > 80, "{sid}");
        assert!(sent.ends_with(&received), "{sid}");
    }
}

#[test]
fn the_join_response_lists_the_tracks() {
    let (visitor, [opus, ..]) = joined();

    let join = visitor.last(|message| match message {
        Response::Join(join) => Some(join.clone()),
        _ => None,
    });

    let join = join.unwrap();
    assert!(join.subscriber_primary);
    assert_eq!(join.other_participants.len(), 3);
    let alice = &join.other_participants[0];
    assert_eq!((&*alice.identity, &alice.tracks[0].sid), ("alice", &opus.0));
    assert_eq!(alice.tracks[0].mime_type, "audio/opus");
}

#[test]
fn an_offer_maps_its_lines_to_tracks() {
    let (mut visitor, [opus, vp8, _]) = joined();

    visitor.subscribe(&[&opus, &vp8], true);
    visitor.run(Duration::from_millis(200));

    let offer = visitor.last(|message| match message {
        Response::Offer(offer) => Some(offer.clone()),
        _ => None,
    });
    let offer = offer.unwrap();
    assert_eq!(offer.mid_to_track_id["1"], opus.0);
    assert_eq!(offer.mid_to_track_id["2"], vp8.0);
}

#[test]
fn changes_in_a_burst_share_an_offer() {
    let (mut visitor, [opus, vp8, h264]) = joined();
    let before = offers(&visitor);

    visitor.subscribe(&[&opus], true);
    visitor.run(Duration::from_millis(50));
    visitor.subscribe(&[&vp8], true);
    visitor.run(Duration::from_millis(50));
    visitor.subscribe(&[&h264], true);
    visitor.run(Duration::from_secs(1));

    assert_eq!(offers(&visitor) - before, 2);
}

#[test]
fn a_mute_ends_in_fifty_one_packets_of_silence() {
    let (mut visitor, [opus, ..]) = joined();
    visitor.subscribe(&[&opus], true);
    visitor.run(Duration::from_secs(2));

    visitor.simulation.mute(&opus, visitor.now).unwrap();
    visitor.run(Duration::from_secs(3));
    visitor.simulation.unmute(&opus).unwrap();
    visitor.run(Duration::from_secs(1));

    let received = visitor.subscriber.received(&opus);
    let first = received.iter().position(is_silence).unwrap();
    let silence: Vec<_> = received
        .iter()
        .filter(|packet| is_silence(packet))
        .collect();
    assert_eq!(silence.len(), 51);
    assert!(silence.iter().all(|packet| packet.marker));
    assert_eq!(silence[0].timestamp, received[first - 1].timestamp);
    let jump = received[first + 51].timestamp - silence[50].timestamp;
    assert!((90_000..100_000).contains(&jump), "{jump}");
    assert!(is_contiguous(&received));
}

#[test]
fn a_layer_switch_of_a_capture_reaches_the_subscriber() {
    let (mut visitor, [_, vp8, _]) = joined();
    visitor.subscribe(&[&vp8], true);
    visitor.run(Duration::from_secs(2));

    let switched = capture("vp8-libwebrtc-layers-pause");
    let first = switched.packets[0].payload.clone();
    visitor.simulation.switch(&vp8, switched).unwrap();
    visitor.run(Duration::from_secs(3));

    let received = visitor.subscriber.received(&vp8);
    assert!(received.iter().any(|packet| packet.payload == first));
    assert!(is_contiguous(&received));
}

#[test]
fn others_learn_of_a_mute() {
    let (mut visitor, [opus, ..]) = joined();

    visitor.simulation.mute(&opus, visitor.now).unwrap();
    visitor.run(Duration::from_millis(10));

    assert_eq!(muted(&visitor, &opus), Some(true));
}

#[test]
fn an_unpublished_track_ends_in_made_up_frames_and_then_the_update() {
    let (mut visitor, tracks) = joined();
    visitor.subscribe(&tracks.each_ref(), true);
    visitor.run(Duration::from_secs(3));

    for sid in &tracks {
        visitor.simulation.unpublish(sid, visitor.now).unwrap();
    }
    visitor.run(Duration::from_secs(1));

    for (sid, capture, count) in [
        (&tracks[0], "opus-pion-unsubscribe", 11),
        (&tracks[1], "vp8-pion-unpublish", 6),
        (&tracks[2], "h264-pion-unsubscribe", 6),
    ] {
        let received = visitor.subscriber.received(sid);
        let (media, made_up) = received.split_at(received.len() - count);
        let sent = sent_payloads(&visitor.simulation.sent(sid).unwrap());
        assert!(sent.ends_with(&payloads(media)), "{sid}");
        let wanted = last_payload(capture);
        assert!(
            made_up
                .iter()
                .all(|packet| wanted.ends_with(&packet.payload[1..])),
            "{sid}"
        );
        let told = told_of_end(&visitor, sid).unwrap();
        assert!(told > made_up[count - 1].at, "{sid}");
    }
}

#[test]
fn an_unsubscribed_line_is_freed_and_used_again() {
    let (mut visitor, [opus, ..]) = joined();
    visitor.subscribe(&[&opus], true);
    visitor.run(Duration::from_secs(1));

    visitor.subscribe(&[&opus], false);
    visitor.run(Duration::from_secs(1));
    let freed = last_offer(&visitor);
    visitor.subscribe(&[&opus], true);
    visitor.run(Duration::from_secs(1));

    assert!(freed.ends_with("a=recvonly\r\n"));
    assert_eq!(last_offer(&visitor).matches("m=audio").count(), 1);
    assert!(last_offer(&visitor).ends_with("a=sendrecv\r\n"));
}

#[test]
fn an_unknown_track_is_refused() {
    let (mut visitor, _) = joined();
    let unknown = TrackSid("TR_nobody".into());

    visitor.subscribe(&[&unknown], true);
    visitor.run(Duration::from_millis(10));

    let refusal = visitor.last(|message| match message {
        Response::SubscriptionResponse(refusal) => Some(refusal.clone()),
        _ => None,
    });
    let wanted = lk::SubscriptionError::SeTrackNotfound;
    assert_eq!(refusal.unwrap().err(), wanted);
}

#[test]
fn a_ping_is_answered_in_both_forms() {
    let (mut visitor, _) = joined();

    visitor.send(Request::PingReq(lk::Ping {
        timestamp: 7,
        rtt: 0,
    }));
    visitor.send(Request::Ping(1));
    visitor.run(Duration::from_millis(1));

    let answered = visitor.last(|message| match message {
        Response::PongResp(pong) => Some(pong.last_ping_timestamp),
        _ => None,
    });
    assert_eq!(answered, Some(7));
    let answered = visitor.last(|message| match message {
        Response::Pong(millis) => Some(*millis),
        _ => None,
    });
    assert!(answered.is_some());
}

#[test]
fn a_resumed_session_loses_nothing() {
    let (mut visitor, [opus, vp8, _]) = joined();
    visitor.subscribe(&[&opus, &vp8], true);
    visitor.run(Duration::from_secs(2));
    let sid = visitor.simulation.subscribers()[0].sid.clone();

    visitor.simulation.fault(Fault::DropSignal, visitor.now);
    visitor.run(Duration::from_secs(4));
    visitor.open(&format!("auto_subscribe=0&reconnect=1&sid={sid}"));
    visitor.send(Request::SyncState(lk::SyncState::default()));
    visitor.run(Duration::from_secs(20));

    assert_eq!(visitor.closed, [Closing::Abrupt]);
    assert!(
        visitor
            .last(|message| matches!(message, Response::Reconnect(_)).then_some(()))
            .is_some()
    );
    for track in [&opus, &vp8] {
        let received = visitor.subscriber.received(track);
        assert!(is_contiguous(&received), "{track}");
        assert!(received.len() > 500, "{track}");
    }
}

#[test]
fn a_refused_resume_asks_for_a_new_session() {
    let (mut visitor, _) = joined();
    let sid = visitor.simulation.subscribers()[0].sid.clone();
    visitor
        .simulation
        .fault(Fault::Resume(Resume::Refused), visitor.now);
    visitor.simulation.fault(Fault::DropSignal, visitor.now);

    visitor.open(&format!("reconnect=1&sid={sid}"));
    visitor.run(Duration::from_millis(10));

    assert_eq!(left(&visitor), Some(lk::leave_request::Action::Reconnect));
    assert_eq!(visitor.closed, [Closing::Abrupt, Closing::Handshake]);
}

#[test]
fn each_way_to_leave_reaches_the_subscriber() {
    use lk::leave_request::Action;
    for action in [Action::Resume, Action::Reconnect, Action::Disconnect] {
        let (mut visitor, _) = joined();
        let reason = lk::DisconnectReason::ServerShutdown;

        visitor
            .simulation
            .fault(Fault::Leave(action, reason), visitor.now);
        visitor.run(Duration::from_millis(10));

        assert_eq!(left(&visitor), Some(action));
        let survives = !visitor.simulation.subscribers().is_empty();
        assert_eq!(survives, action == Action::Resume, "{action:?}");
    }
}

#[test]
fn a_room_without_publishers_is_closed_after_the_departure_timeout() {
    let (mut visitor, _) = joined();

    for identity in ["alice", "bob", "carol"] {
        visitor
            .simulation
            .leave("demo", identity, visitor.now)
            .unwrap();
    }
    visitor.run(Duration::from_secs(19));
    assert_eq!(left(&visitor), None);
    visitor.run(Duration::from_secs(2));

    assert_eq!(left(&visitor), Some(lk::leave_request::Action::Disconnect));
}

#[test]
fn a_server_that_vanished_goes_on_when_it_returns() {
    let (mut visitor, [opus, ..]) = joined();
    visitor.subscribe(&[&opus], true);
    visitor.run(Duration::from_secs(1));
    let before = visitor.subscriber.received(&opus).len();

    visitor.simulation.fault(Fault::Vanish, visitor.now);
    visitor.run(Duration::from_secs(4));
    let during = visitor.subscriber.received(&opus).len();
    visitor.simulation.fault(Fault::Return, visitor.now);
    visitor.run(Duration::from_secs(4));

    assert_eq!(before, during);
    assert!(visitor.subscriber.received(&opus).len() > before + 150);
}

#[test]
fn losses_on_the_way_are_asked_for_and_repaired() {
    let (mut visitor, [opus, vp8, _]) = joined();
    visitor.subscribe(&[&opus, &vp8], true);
    visitor.run(Duration::from_secs(1));

    let loss = Conditions {
        loss: 0.05,
        ..Conditions::default()
    };
    visitor.simulation.fault(Fault::Network(loss), visitor.now);
    visitor.run(Duration::from_secs(8));
    let healed = Fault::Network(Conditions::default());
    visitor.simulation.fault(healed, visitor.now);
    visitor.run(Duration::from_secs(1));

    let events = &visitor.simulation.subscribers()[0].events;
    let nacked = |event: &SfuEvent| matches!(event, SfuEvent::Nacked(..));
    assert!(events.iter().any(nacked));
    for sid in [&opus, &vp8] {
        assert!(is_contiguous(&visitor.subscriber.received(sid)), "{sid}");
    }
}

#[test]
fn candidates_can_come_before_their_offer() {
    let mut visitor = Visitor::new(Config {
        trickle: Trickle::BeforeOffer,
        ..Config::default()
    });

    visitor.join();

    let kinds: Vec<bool> = visitor
        .messages
        .iter()
        .filter(|(_, message)| matches!(message, Response::Trickle(_) | Response::Offer(_)))
        .map(|(_, message)| matches!(message, Response::Trickle(_)))
        .collect();
    assert_eq!(kinds, [true, false]);
}

#[test]
fn garbage_and_hostile_offers_arrive_as_asked() {
    let (mut visitor, _) = joined();
    let good = last_offer(&visitor);

    visitor.simulation.fault(Fault::Garbage, visitor.now);
    visitor.simulation.fault(Fault::Truncated, visitor.now);
    for (_, sdp) in hostile_offers(&good) {
        visitor
            .simulation
            .fault(Fault::HostileOffer(sdp), visitor.now);
    }
    visitor.run(Duration::from_secs(1));

    assert_eq!(visitor.damaged, 2);
    assert_eq!(visitor.simulation.subscribers().len(), 1);
}

#[test]
fn the_same_identity_twice_ends_the_older_session() {
    let (mut visitor, _) = joined();

    visitor.open("auto_subscribe=0");
    visitor.run(Duration::from_millis(10));

    assert_eq!(left(&visitor), Some(lk::leave_request::Action::Disconnect));
    assert_eq!(visitor.simulation.subscribers().len(), 1);
}

#[test]
fn a_bad_token_is_refused_in_the_words_of_livekit() {
    let Config {
        api_key: key,
        api_secret: secret,
        ..
    } = Config::default();
    let join = VideoGrants {
        room_join: true,
        room: "demo".into(),
        ..VideoGrants::default()
    };
    let no_join = VideoGrants {
        room_join: false,
        ..join.clone()
    };
    let sign = |key: &str, secret: &str, grants: &VideoGrants| {
        let token = AccessToken::with_api_key(key, secret).with_identity("recorder");
        token.with_grants(grants.clone()).to_jwt().unwrap()
    };
    let cases = [
        (sign("nokey", &secret, &join), 401, "invalid API key: nokey"),
        (sign(&key, "wrong", &join), 401, "signature is invalid"),
        ("nonsense".into(), 401, "invalid authorization token"),
        (sign(&key, &secret, &no_join), 401, "permissions denied"),
        (NO_ROOM.into(), 400, "no room name"),
        (EXPIRED.into(), 401, "token is expired"),
    ];
    for (token, status, text) in cases {
        let refusal = refusal(&token);
        assert_eq!(refusal.status, status, "{text}");
        assert!(refusal.body.contains(text), "{text}: {}", refusal.body);
    }
}

fn refusal(token: &str) -> Refusal {
    let now = start();
    let mut simulation = Simulation::new(Config::default(), now);
    let upgrade = upgrade(token, "protocol=16");
    let accepted = simulation.accept(ConnectionId(1), &upgrade, now);
    accepted.expect_err("the token is bad")
}

/// A visitor in a room with an Opus, a VP8 and an H.264 publisher.
fn joined() -> (Visitor, [TrackSid; 3]) {
    let mut visitor = Visitor::new(Config::default());
    let now = visitor.now;
    let mut publish = |identity, codec| {
        let simulation = &mut visitor.simulation;
        simulation.publish("demo", identity, spec(codec), now)
    };
    let tracks = [
        publish("alice", Codec::Opus),
        publish("bob", Codec::Vp8),
        publish("carol", Codec::H264),
    ];
    visitor.join();
    (visitor, tracks)
}

fn offers(visitor: &Visitor) -> usize {
    let messages = visitor.messages.iter();
    messages
        .filter(|(_, message)| matches!(message, Response::Offer(_)))
        .count()
}

fn last_offer(visitor: &Visitor) -> String {
    let offer = visitor.last(|message| match message {
        Response::Offer(offer) => Some(offer.sdp.clone()),
        _ => None,
    });
    offer.expect("there was an offer")
}

fn left(visitor: &Visitor) -> Option<lk::leave_request::Action> {
    visitor.last(|message| match message {
        Response::Leave(leave) => Some(leave.action()),
        _ => None,
    })
}

fn muted(visitor: &Visitor, sid: &TrackSid) -> Option<bool> {
    visitor.last(|message| match message {
        Response::Update(update) => {
            let tracks = update.participants.iter().flat_map(|info| &info.tracks);
            let mut tracks = tracks.filter(|track| track.sid == sid.0);
            tracks.next().map(|track| track.muted)
        }
        _ => None,
    })
}

/// When the first update without the track came, after those with it.
fn told_of_end(visitor: &Visitor, sid: &TrackSid) -> Option<std::time::Instant> {
    let name = visitor.simulation.sent(sid).ok().map(|_| sid.0.clone())?;
    let mut updates = visitor.messages.iter().rev().filter_map(|(at, message)| {
        let Response::Update(update) = message else {
            return None;
        };
        let mut tracks = update.participants.iter().flat_map(|info| &info.tracks);
        (!tracks.any(|track| track.sid == name)).then_some(*at)
    });
    updates.next()
}

fn is_silence(packet: &Received) -> bool {
    packet.payload.len() == 80 && packet.payload.starts_with(&[0xf8, 0xff, 0xfe])
}

/// The payload of a capture's last packet.
fn last_payload(name: &str) -> Vec<u8> {
    let media = capture(name);
    let last = media.packets.last().expect("the capture has packets");
    last.payload.to_vec()
}

fn capture(name: &str) -> Media {
    let folder = format!("{}/../data/rtp", env!("CARGO_MANIFEST_DIR"));
    let path = format!("{folder}/{name}.rtp");
    Media::open(path).expect("the capture is readable")
}

/// Signed with the default key pair; ended on 1 January 2020.
const EXPIRED: &str = concat!(
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
    "eyJpc3MiOiJkZXZrZXkiLCJzdWIiOiJyZWNvcmRlciIsIm5iZiI6MTU3NzgzNjgwMCwiZXhwIjoxNTc3",
    "ODQwNDAwLCJ2aWRlbyI6eyJyb29tSm9pbiI6dHJ1ZSwicm9vbSI6ImRlbW8ifX0.",
    "vfteu2HUbFyzI3OSf53NAXueN1Ygzj3w3knApiOSoMA"
);

/// Signed with the default key pair, valid until 2100; the library signs no such token.
const NO_ROOM: &str = concat!(
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
    "eyJpc3MiOiJkZXZrZXkiLCJzdWIiOiJyZWNvcmRlciIsIm5iZiI6MTU3NzgzNjgwMCwiZXhwIjo0MTAy",
    "NDQ0ODAwLCJ2aWRlbyI6eyJyb29tSm9pbiI6dHJ1ZX19.",
    "ZhUtAyAM5U5zAIB2qSYUAdc2DvakfZmRYHoRUvrXqOI"
);
