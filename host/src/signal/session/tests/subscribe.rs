use super::*;
use crate::signal::message::{ParticipantTracks, SubscriptionError};

#[test]
fn subscriptions_of_a_moment_go_in_one_message_after_the_quality_of_video() {
    let mut bench = Bench::in_room();
    let bob = participant("bob", "PA_bob", &["TR_bob"]);
    bench.message(ServerMessage::ParticipantUpdate(vec![bob]));

    let at_once: Vec<_> = ["TR_mic", "TR_bob", "TR_cam"]
        .into_iter()
        .flat_map(|track| bench.subscribe(track))
        .collect();
    let outputs = bench.pass(Duration::from_millis(20));

    assert!(at_once.is_empty());
    assert_eq!(
        sent(&outputs),
        [
            ClientMessage::BestQuality(vec!["TR_cam".into()]),
            ClientMessage::Subscribe(vec![
                tracks_of("PA_alice", &["TR_cam", "TR_mic"]),
                tracks_of("PA_bob", &["TR_bob"]),
            ]),
        ]
    );
}

#[test]
fn an_unsubscription_that_overtakes_its_subscription_leaves_nothing_to_ask() {
    let mut bench = Bench::in_room();
    bench.subscribe("TR_mic");
    bench.input(Input::Unsubscribe {
        track: "TR_mic".into(),
    });

    let outputs = bench.pass(Duration::from_millis(20));

    let unsubscribe = ClientMessage::Unsubscribe(vec![tracks_of("PA_alice", &["TR_mic"])]);
    assert_eq!(sent(&outputs), [unsubscribe]);
}

#[test]
fn a_track_that_no_offer_brings_is_asked_for_twice_and_then_reported() {
    let mut bench = Bench::in_room();
    bench.subscribe("TR_mic");
    let subscribe = ClientMessage::Subscribe(vec![tracks_of("PA_alice", &["TR_mic"])]);

    let first = bench.pass(Duration::from_millis(20));
    let second = bench.pass_with_pongs(Duration::from_millis(10_000));
    let failed = bench.pass_with_pongs(Duration::from_millis(10_000));
    let late = bench.pass_with_pongs(Duration::from_secs(60));

    assert_eq!(sent(&first), std::slice::from_ref(&subscribe));
    assert!(sent(&second).contains(&subscribe));
    let reason = SubscriptionFailure::NotOffered(Duration::from_secs(10));
    let track = "TR_mic".into();
    assert_eq!(
        events(&failed),
        [Event::SubscriptionFailed { track, reason }]
    );
    assert!(events(&late).is_empty());
    assert!(!sent(&late).contains(&subscribe));
}

#[test]
fn a_track_that_an_offer_brings_is_not_asked_for_again() {
    let mut bench = Bench::in_room();
    bench.subscribe("TR_mic");
    bench.pass(Duration::from_millis(20));

    bench.message(offer_of(2, "ufrag1", &["TR_mic"]));
    bench.input(Input::Answer {
        offer: 2,
        sdp: String::new(),
    });
    let outputs = bench.pass_with_pongs(Duration::from_secs(30));

    assert!(events(&outputs).is_empty());
    assert!(!format!("{outputs:?}").contains("Subscribe"));
}

#[test]
fn refusals_are_reported_with_their_reason_and_only_for_what_is_wanted() {
    let refused = |error| ServerMessage::SubscriptionFailed {
        track: "TR_mic".into(),
        error,
    };
    let denied = ServerMessage::SubscriptionPermission {
        track: "TR_mic".into(),
        is_allowed: false,
    };
    for (message, text) in [
        (refused(SubscriptionError::CodecUnsupported), "codec"),
        (refused(SubscriptionError::TrackNotFound), "not find"),
        (refused(SubscriptionError::Unknown), "without a reason"),
        (denied, "permission"),
    ] {
        let mut bench = Bench::in_room();

        let unwanted = bench.message(message.clone());
        bench.subscribe("TR_mic");
        let wanted = bench.message(message);

        assert!(unwanted.is_empty());
        let [Event::SubscriptionFailed { reason, .. }] = &events(&wanted)[..] else {
            panic!("{wanted:?}");
        };
        assert!(reason.to_string().contains(text), "{reason}");
    }
}

#[test]
fn a_permission_that_is_given_back_is_used() {
    let mut bench = Bench::in_room();
    let permission = |is_allowed| ServerMessage::SubscriptionPermission {
        track: "TR_mic".into(),
        is_allowed,
    };
    bench.subscribe("TR_mic");
    bench.pass(Duration::from_millis(20));
    bench.message(permission(false));

    bench.message(permission(true));
    let outputs = bench.pass(Duration::from_millis(20));

    assert!(matches!(sent(&outputs)[..], [ClientMessage::Subscribe(_)]));
}

#[test]
fn a_track_that_nobody_publishes_fails_at_once() {
    let mut bench = Bench::in_room();

    let outputs = bench.subscribe("TR_nobody");

    let reason = SubscriptionFailure::NotPublished;
    let track = "TR_nobody".into();
    assert_eq!(
        events(&outputs),
        [Event::SubscriptionFailed { track, reason }]
    );
}

#[test]
fn a_track_that_is_unpublished_is_not_asked_for_after_a_rejoin() {
    let mut bench = Bench::in_room();
    bench.subscribe("TR_mic");
    bench.message(leave(LeaveAction::Reconnect, LeaveReason::Unknown));
    bench.pass_until_open();
    bench.input(Input::Opened);
    bench.message(join(
        "PA_rec2",
        vec![participant("alice", "PA_alice", &["TR_cam"])],
    ));

    let outputs = bench.pass(Duration::from_secs(1));

    assert!(sent(&outputs).is_empty(), "{outputs:?}");
}

#[test]
fn a_subscription_while_the_socket_is_away_is_made_after_the_resume() {
    let mut bench = Bench::in_room();
    bench.close_socket();
    bench.subscribe("TR_mic");
    bench.pass_until_open();
    bench.input(Input::Opened);

    bench.message(ServerMessage::Reconnect);
    let outputs = bench.pass(Duration::from_millis(20));

    assert!(matches!(sent(&outputs)[..], [ClientMessage::Subscribe(_)]));
}

fn tracks_of(participant: &str, tracks: &[&str]) -> ParticipantTracks {
    ParticipantTracks {
        participant: participant.into(),
        tracks: tracks.iter().map(|track| (*track).into()).collect(),
    }
}
