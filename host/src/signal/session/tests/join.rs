use super::*;

#[test]
fn joining_opens_a_socket_and_tells_of_the_room_and_its_tracks() {
    let mut bench = Bench::new(Settings::default());

    let first = bench.outputs();
    bench.input(Input::Opened);
    let outputs = bench.message(join("PA_rec1", vec![alice()]));

    let [open] = opens(&first).try_into().expect("one socket");
    assert_eq!((open.attempt, open.resume, open.token), (1, None, None));
    let events = events(&outputs);
    assert!(matches!(&events[0], Event::Joined(joined) if joined.participant == "PA_rec1".into()));
    let published: Vec<_> = events[1..]
        .iter()
        .map(|event| match event {
            Event::Published(publication) => publication.sid.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(published, ["TR_cam", "TR_mic"]);
}

#[test]
fn a_refused_token_ends_the_session_at_once_and_says_what_to_do() {
    let mut bench = Bench::new(Settings::default());

    let outputs = bench.input(refused(OpenFailure::Unauthorized));

    let text = end_of(&outputs).expect("an end").to_string();
    assert!(text.contains("check the API key and secret"), "{text}");
    assert!(bench.session.is_over());
    assert_eq!(bench.session.poll_timeout(), None);
}

#[test]
fn what_never_worked_is_not_tried_again_unless_it_may_be_over_in_a_moment() {
    for (failure, is_final) in [
        (OpenFailure::Unauthorized, true),
        (OpenFailure::Rejected, true),
        (OpenFailure::NotFound, true),
        (OpenFailure::NotLiveKit, true),
        (OpenFailure::Tls, true),
        (OpenFailure::Name, false),
        (OpenFailure::Unreachable, false),
        (OpenFailure::TimedOut, false),
        (OpenFailure::Unavailable, false),
    ] {
        let mut bench = Bench::new(Settings::default());

        let outputs = bench.input(refused(failure));

        assert_eq!(end_of(&outputs).is_some(), is_final, "{failure:?}");
    }
}

#[test]
fn a_server_that_is_away_is_tried_for_the_join_window() {
    let mut bench = Bench::new(Settings::default());
    let start = bench.now;
    bench.outputs();

    let mut outputs = bench.input(refused(OpenFailure::Unreachable));
    let mut attempts = 1;
    while end_of(&outputs).is_none() {
        attempts += 1;
        assert_eq!(bench.pass_until_open().attempt, attempts);
        outputs = bench.input(refused(OpenFailure::Unreachable));
    }

    assert_eq!(bench.now - start, Settings::default().join_window);
    let text = end_of(&outputs).expect("an end").to_string();
    assert!(text.starts_with("gave up after "), "{text}");
    assert!(text.contains("no connection to the server"), "{text}");
}

#[test]
fn a_server_that_does_not_welcome_us_is_tried_again() {
    let mut bench = Bench::new(Settings::default());
    bench.outputs();
    bench.input(Input::Opened);

    let outputs = bench.pass(Duration::from_secs(10));

    assert_eq!(sent(&outputs), [ClientMessage::Leave]);
    assert!(outputs.contains(&Output::CloseSocket));
    assert_eq!(reconnections(&outputs), [Reconnection::Full]);
}

#[test]
fn a_peer_connection_that_never_connects_costs_the_session() {
    let mut bench = Bench::new(Settings::default());
    bench.input(Input::Opened);
    bench.message(join("PA_rec1", vec![]));

    let before = bench.pass_with_pongs(Duration::from_millis(14_900));
    let after = bench.pass(Duration::from_millis(200));

    assert!(reconnections(&before).is_empty());
    assert_eq!(reconnections(&after), [Reconnection::Full]);
    assert_eq!(sent(&after), [ClientMessage::Leave]);
}

#[test]
fn a_redirection_is_followed_only_if_moves_are_allowed() {
    for (moves, url) in [
        (Moves::Refuse, None),
        (Moves::Follow, Some("wss://elsewhere")),
    ] {
        let mut bench = Bench::new(Settings {
            moves,
            ..Settings::default()
        });
        bench.input(Input::Opened);

        bench.message(ServerMessage::Redirect {
            url: "wss://elsewhere".to_owned(),
        });
        let open = bench.pass_until_open();

        let opened = open.url.map(|url| url.to_string());
        assert_eq!(opened.as_deref(), url, "{moves:?}");
    }
}
