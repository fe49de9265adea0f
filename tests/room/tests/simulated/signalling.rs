//! Who gets in, and what the server says.

use std::time::Duration;

use livekit_protocol as lk;
use livekit_token::{AccessToken, VideoGrants};
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use trackmill_room::publisher::TrackSid;
use trackmill_room::simulation::{Config, ConnectionId, Refusal, Simulation, Trickle};

use crate::fixtures::start;
use crate::visitor::{Visitor, upgrade};

#[test]
fn the_join_response_lists_the_tracks() {
    let (visitor, [opus, ..]) = Visitor::joined();

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
    let (mut visitor, [opus, vp8, _]) = Visitor::joined();

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
    let (mut visitor, [opus, vp8, h264]) = Visitor::joined();
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
fn an_unsubscribed_line_is_freed_and_used_again() {
    let (mut visitor, [opus, ..]) = Visitor::joined();
    visitor.subscribe(&[&opus], true);
    visitor.run(Duration::from_secs(1));

    visitor.subscribe(&[&opus], false);
    visitor.run(Duration::from_secs(1));
    let freed = visitor.last_offer();
    visitor.subscribe(&[&opus], true);
    visitor.run(Duration::from_secs(1));

    assert!(freed.ends_with("a=recvonly\r\n"));
    assert_eq!(visitor.last_offer().matches("m=audio").count(), 1);
    assert!(visitor.last_offer().ends_with("a=sendrecv\r\n"));
}

#[test]
fn an_unknown_track_is_refused() {
    let (mut visitor, _) = Visitor::joined();
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
    let (mut visitor, _) = Visitor::joined();

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
fn the_same_identity_twice_ends_the_older_session() {
    let (mut visitor, _) = Visitor::joined();

    visitor.open("auto_subscribe=0");
    visitor.run(Duration::from_millis(10));

    assert_eq!(visitor.left(), Some(lk::leave_request::Action::Disconnect));
    assert_eq!(visitor.simulation.subscribers().len(), 1);
}

#[test]
fn a_room_without_publishers_is_closed_after_the_departure_timeout() {
    let (mut visitor, _) = Visitor::joined();

    for identity in ["alice", "bob", "carol"] {
        visitor
            .simulation
            .leave("demo", identity, visitor.now)
            .unwrap();
    }
    visitor.run(Duration::from_secs(19));
    assert_eq!(visitor.left(), None);
    visitor.run(Duration::from_secs(2));

    assert_eq!(visitor.left(), Some(lk::leave_request::Action::Disconnect));
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

fn offers(visitor: &Visitor) -> usize {
    let messages = visitor.messages.iter();
    messages
        .filter(|(_, message)| matches!(message, Response::Offer(_)))
        .count()
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
