use super::*;
use crate::signal::message::ParticipantTracks;
use crate::signal::open::ResumeReason;

#[test]
fn a_broken_socket_is_resumed_with_the_newest_token_and_nothing_is_lost() {
    let mut bench = Bench::in_room();
    bench.subscribe("TR_mic");
    bench.pass(Duration::from_millis(20));
    bench.message(offer_of(2, "ufrag1", &["TR_mic"]));
    bench.input(Input::Answer {
        offer: 2,
        sdp: "second".to_owned(),
    });
    bench.message(ServerMessage::RefreshToken("fresh".into()));

    let lost = bench.close_socket();
    let open = bench.pass_until_open();
    bench.input(Input::Opened);
    let resumed = bench.message(ServerMessage::Reconnect);

    assert_eq!(reconnections(&lost), [Reconnection::Resume]);
    assert!(sent(&lost).is_empty(), "a farewell would end the session");
    assert_eq!((open.attempt, open.token), (1, Some("fresh".into())));
    let resume = open.resume.expect("a resume");
    assert_eq!(resume.participant, "PA_rec1".into());
    assert_eq!(resume.reason, ResumeReason::SignalDisconnected);
    let sync = ClientMessage::SyncState {
        answer: Some(Answer {
            offer: 2,
            sdp: "second".to_owned(),
        }),
        subscribed: vec![ParticipantTracks {
            participant: "PA_alice".into(),
            tracks: vec!["TR_mic".into()],
        }],
    };
    assert_eq!(sent(&resumed), [sync]);
    assert_eq!(events(&resumed), [Event::Reconnected(Reconnection::Resume)]);
    assert!(for_peer(&resumed).is_empty());
    assert!(sent(&bench.pass(Duration::from_secs(1))).is_empty());
}

#[test]
fn a_resume_is_tried_three_times_with_growing_pauses_and_then_a_full_reconnect() {
    let mut bench = Bench::in_room();
    let mut outputs = bench.close_socket();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let before = bench.now;
        let open = bench.pass_until_open();
        let kind = match open.resume {
            Some(_) => Reconnection::Resume,
            None => Reconnection::Full,
        };
        assert_eq!(reconnections(&outputs), [kind]);
        pauses.push((kind, open.attempt, bench.now - before));
        outputs = bench.input(refused(OpenFailure::Unreachable));
    }

    let expected = [300, 600, 1200, 500, 1000, 2000, 4000, 5000];
    for (index, (kind, attempt, pause)) in pauses.iter().enumerate() {
        let is_resume = *kind == Reconnection::Resume;
        assert_eq!(is_resume, index < 3);
        assert_eq!(
            usize::try_from(*attempt).unwrap(),
            1 + index.saturating_sub(2)
        );
        let shortest = Duration::from_millis(expected[index]);
        let range = shortest..=shortest.mul_f64(1.25);
        assert!(range.contains(pause), "attempt {index}: {pause:?}");
    }
}

#[test]
fn an_outage_is_given_up_at_the_end_of_its_window() {
    let mut bench = Bench::in_room();
    let start = bench.now;

    let mut outputs = bench.close_socket();
    while end_of(&outputs).is_none() {
        bench.pass_until_open();
        outputs = bench.input(refused(OpenFailure::Unreachable));
    }

    assert_eq!(bench.now - start, Duration::from_secs(120));
    let Some(EndReason::GaveUp { attempts, .. }) = end_of(&outputs) else {
        panic!("{outputs:?}");
    };
    assert!((25..35).contains(&attempts), "{attempts}");
}

#[test]
fn a_full_reconnect_restarts_the_peer_and_asks_again_for_every_track() {
    let mut bench = Bench::in_room();
    bench.subscribe("TR_mic");
    bench.pass(Duration::from_millis(20));
    bench.message(ServerMessage::RefreshToken("of the old session".into()));
    bench.message(leave(LeaveAction::Reconnect, LeaveReason::StateMismatch));

    let open = bench.pass_until_open();
    bench.input(Input::Opened);
    let rejoined = bench.message(join("PA_rec2", vec![alice()]));
    bench.input(Input::PeerConnected);
    let asked = bench.pass(Duration::from_millis(20));
    bench.close_socket();
    let resume = bench.pass_until_open();

    assert_eq!((open.attempt, open.resume), (2, None));
    assert_eq!(for_peer(&rejoined), ["restart"]);
    let events = events(&rejoined);
    assert!(
        matches!(events.as_slice(), [Event::Joined(_)]),
        "{events:?}"
    );
    let [ClientMessage::Subscribe(tracks)] = &sent(&asked)[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(tracks[0].tracks, ["TR_mic".into()]);
    assert_eq!(
        resume.resume.expect("a resume").participant,
        "PA_rec2".into()
    );
    assert_eq!(resume.token, None, "the old one names another participant");
}

#[test]
fn a_full_reconnect_is_complete_when_the_peer_connects() {
    let mut bench = Bench::in_room();
    bench.message(leave(LeaveAction::Reconnect, LeaveReason::Unknown));
    bench.pass_until_open();
    bench.input(Input::Opened);

    let rejoined = bench.message(join("PA_rec2", vec![alice()]));
    let connected = bench.input(Input::PeerConnected);

    assert!(!format!("{rejoined:?}").contains("Reconnected"));
    assert_eq!(events(&connected), [Event::Reconnected(Reconnection::Full)]);
}

#[test]
fn a_full_reconnect_tells_what_changed_in_a_stable_order() {
    let mut bench = Bench::in_room();
    let bob = participant("bob", "PA_bob", &["TR_bob"]);
    bench.message(ServerMessage::ParticipantUpdate(vec![bob]));
    bench.message(leave(LeaveAction::Reconnect, LeaveReason::Unknown));
    bench.pass_until_open();
    bench.input(Input::Opened);

    // Alice came back with another connection; Bob stayed, with another track; Carol is new.
    let rejoined = bench.message(join(
        "PA_rec2",
        vec![
            participant("carol", "PA_carol", &["TR_carol"]),
            participant("bob", "PA_bob", &["TR_bob2"]),
            participant("alice", "PA_alice2", &["TR_mic2"]),
            participant("rec", "PA_rec2", &["TR_ours"]),
        ],
    ));

    let told: Vec<_> = events(&rejoined).iter().skip(1).map(tell).collect();
    assert_eq!(
        told,
        [
            "- TR_cam",
            "- TR_mic",
            "- alice",
            "+ TR_mic2",
            "- TR_bob",
            "+ TR_bob2",
            "+ TR_carol",
        ]
    );
}

#[test]
fn a_session_that_the_server_forgot_is_joined_anew() {
    let mut bench = Bench::in_room();
    bench.close_socket();
    bench.pass_until_open();
    bench.input(Input::Opened);

    let outputs = bench.message(leave(LeaveAction::Reconnect, LeaveReason::StateMismatch));

    assert_eq!(reconnections(&outputs), [Reconnection::Full]);
}

#[test]
fn a_welcome_in_place_of_a_resume_is_a_new_session() {
    let mut bench = Bench::in_room();
    bench.close_socket();
    bench.pass_until_open();
    bench.input(Input::Opened);

    let outputs = bench.message(join("PA_rec2", vec![alice()]));

    assert_eq!(for_peer(&outputs), ["restart"]);
}

#[test]
fn an_expired_token_turns_a_resume_into_a_full_reconnect_and_ends_that() {
    let mut bench = Bench::in_room();
    bench.close_socket();
    bench.pass_until_open();

    let resume = bench.input(refused(OpenFailure::Unauthorized));
    let open = bench.pass_until_open();
    let full = bench.input(refused(OpenFailure::Unauthorized));

    assert_eq!(reconnections(&resume), [Reconnection::Full]);
    assert_eq!(open.attempt, 2);
    assert!(matches!(end_of(&full), Some(EndReason::Refused(_))));
}

#[test]
fn a_room_that_is_not_there_after_a_restart_of_the_server_is_waited_for() {
    let mut bench = Bench::in_room();
    bench.close_socket();
    bench.pass_until_open();
    for _ in 0..5 {
        let outputs = bench.input(refused(OpenFailure::NotFound));

        assert_eq!(end_of(&outputs), None);
        bench.pass_until_open();
    }
}

#[test]
fn a_silent_server_is_resumed_after_the_ping_timeout() {
    let mut bench = Bench::in_room();

    let outputs = bench.pass(Duration::from_millis(14_999));
    let dead = bench.pass(Duration::from_millis(1));

    let pings: Vec<_> = sent(&outputs);
    assert_eq!(pings.len(), 4, "{pings:?}");
    assert!(matches!(
        pings[0],
        ClientMessage::Ping {
            timestamp: 5_000,
            ..
        }
    ));
    assert!(matches!(
        pings[1],
        ClientMessage::LegacyPing { timestamp: 5_000 }
    ));
    assert_eq!(reconnections(&dead), [Reconnection::Resume]);
    assert!(dead.contains(&Output::CloseSocket));
}

#[test]
fn pongs_keep_the_session_alive_and_tell_the_round_trip() {
    let mut bench = Bench::in_room();
    bench.pass(Duration::from_millis(5_040));

    bench.message(ServerMessage::Pong { timestamp: 5_000 });
    let outputs = bench.pass_with_pongs(Duration::from_secs(60));

    assert!(reconnections(&outputs).is_empty());
    assert_eq!(
        sent(&outputs)[0],
        ClientMessage::Ping {
            timestamp: 10_000,
            round_trip: 40
        }
    );
}

#[test]
fn a_failed_peer_is_resumed_without_provoking_the_fallback_to_tcp() {
    for (lasted, reason) in [
        (Duration::from_secs(60), ResumeReason::SignalDisconnected),
        (Duration::from_secs(100), ResumeReason::SubscriberFailed),
    ] {
        let mut bench = Bench::in_room();
        bench.pass_with_pongs(lasted);

        let failed = bench.input(Input::PeerFailed {
            reason: "ICE".to_owned(),
        });
        let open = bench.pass_until_open();

        assert_eq!(failed[0], Output::CloseSocket);
        assert_eq!(open.resume.expect("a resume").reason, reason, "{lasted:?}");
    }
}

#[test]
fn a_failed_peer_that_stays_down_after_the_resume_costs_the_session() {
    let mut bench = Bench::in_room();
    bench.input(Input::PeerFailed {
        reason: "ICE".to_owned(),
    });
    bench.pass_until_open();
    bench.input(Input::Opened);

    let resumed = bench.message(ServerMessage::Reconnect);
    let outputs = bench.pass_with_pongs(Duration::from_secs(16));

    assert!(events(&resumed).is_empty());
    assert_eq!(reconnections(&outputs), [Reconnection::Full]);
}

#[test]
fn the_attempts_of_an_outage_are_forgotten_once_the_connection_has_held() {
    let mut bench = Bench::in_room();
    for _ in 0..20 {
        let lost = bench.close_socket();
        assert_eq!(reconnections(&lost), [Reconnection::Resume]);
        bench.pass_until_open();
        bench.input(Input::Opened);
        bench.message(ServerMessage::Reconnect);
        bench.pass_with_pongs(Duration::from_secs(6));
    }
}

#[test]
fn the_jitter_depends_on_the_seed_alone() {
    let pause = |seed| {
        let mut bench = Bench::in_room_with(Settings {
            seed,
            ..Settings::default()
        });
        bench.close_socket();
        bench.session.poll_timeout().expect("a pause") - bench.now
    };

    assert_eq!(pause(1), pause(1));
    assert_ne!(pause(1), pause(2));
}

fn tell(event: &Event) -> String {
    match event {
        Event::Published(publication) => format!("+ {}", publication.sid),
        Event::Unpublished { track, .. } => format!("- {track}"),
        Event::ParticipantLeft { identity, .. } => format!("- {identity}"),
        other => panic!("{other:?}"),
    }
}
