use super::*;

#[test]
fn leaving_says_farewell_and_waits_a_moment_for_the_server_to_hang_up() {
    let mut bench = Bench::in_room();

    let farewell = bench.input(Input::Leave);
    let early = bench.pass(Duration::from_millis(299));
    let late = bench.pass(Duration::from_millis(1));

    assert_eq!(farewell, [Output::Send(ClientMessage::Leave)]);
    assert!(early.is_empty());
    let ended = Output::Event(Event::Ended(EndReason::Requested));
    assert_eq!(late, [Output::CloseSocket, ended]);
    assert!(bench.session.is_over());
}

#[test]
fn leaving_is_over_as_soon_as_the_server_hangs_up() {
    let mut bench = Bench::in_room();
    bench.input(Input::Leave);

    let outputs = bench.close_socket();

    assert_eq!(end_of(&outputs), Some(EndReason::Requested));
}

#[test]
fn leaving_without_a_socket_is_over_at_once() {
    let mut bench = Bench::new(Settings::default());

    let outputs = bench.input(Input::Leave);

    assert!(outputs.contains(&Output::CloseSocket), "it is being opened");
    assert_eq!(end_of(&outputs), Some(EndReason::Requested));
}

#[test]
fn nothing_happens_after_the_end() {
    let mut bench = Bench::in_room();
    bench.input(Input::Leave);
    bench.pass(Duration::from_secs(1));

    for input in [
        Input::Opened,
        Input::Message(offer_of(9, "u", &[])),
        Input::PeerFailed {
            reason: String::new(),
        },
        Input::Leave,
    ] {
        assert!(bench.input(input).is_empty());
    }
    assert_eq!(bench.session.poll_timeout(), None);
}

#[test]
fn a_leave_of_the_server_does_what_its_action_and_reason_say() {
    use LeaveAction::{Disconnect, Reconnect, Resume};
    use LeaveReason as Why;
    let resume = Err(Reconnection::Resume);
    let full = Err(Reconnection::Full);
    for (action, reason, expected) in [
        (Resume, Why::ConnectionTimeout, resume.clone()),
        (Resume, Why::Unknown, resume),
        (Reconnect, Why::StateMismatch, full.clone()),
        (Reconnect, Why::ServerShutdown, full.clone()),
        (Reconnect, Why::Other(99), full.clone()),
        (Disconnect, Why::ServerShutdown, full.clone()),
        (Disconnect, Why::JoinFailure, full.clone()),
        (Disconnect, Why::Migration, full),
        (Disconnect, Why::RoomClosed, Ok(EndReason::RoomClosed)),
        (Disconnect, Why::RoomDeleted, Ok(EndReason::RoomDeleted)),
        (Disconnect, Why::ParticipantRemoved, Ok(EndReason::Removed)),
        (
            Disconnect,
            Why::DuplicateIdentity,
            Ok(EndReason::DuplicateIdentity),
        ),
        (
            Disconnect,
            Why::Unknown,
            Ok(EndReason::Disconnected {
                reason: Why::Unknown,
            }),
        ),
    ] {
        let mut bench = Bench::in_room();

        let mut outputs = bench.message(leave(action, reason));
        outputs.extend(bench.pass(Duration::from_millis(300)));

        match expected {
            Err(reconnection) => assert_eq!(
                reconnections(&outputs),
                [reconnection],
                "{action:?} {reason:?}"
            ),
            Ok(end) => {
                assert_eq!(end_of(&outputs), Some(end), "{action:?} {reason:?}");
                assert_eq!(sent(&outputs), [ClientMessage::Leave]);
            }
        }
        assert!(outputs.contains(&Output::CloseSocket));
    }
}

#[test]
fn the_regions_of_a_leave_are_followed_only_if_moves_are_allowed() {
    for (moves, url) in [
        (Moves::Refuse, None),
        (Moves::Follow, Some("wss://elsewhere")),
    ] {
        let mut bench = Bench::in_room_with(Settings {
            moves,
            ..Settings::default()
        });

        bench.message(leave(LeaveAction::Reconnect, LeaveReason::Migration));
        let open = bench.pass_until_open();

        let opened = open.url.map(|url| url.to_string());
        assert_eq!(opened.as_deref(), url, "{moves:?}");
    }
}

#[test]
fn a_move_to_another_room_ends_the_session_unless_moves_are_allowed() {
    let moved = || {
        ServerMessage::RoomMoved(Box::new(crate::signal::message::RoomMoved {
            room: room("other"),
            participant: "PA_rec2".into(),
            token: "other".into(),
            others: vec![participant("bob", "PA_bob", &["TR_bob"])],
        }))
    };
    let mut refusing = Bench::in_room();
    let mut following = Bench::in_room_with(Settings {
        moves: Moves::Follow,
        ..Settings::default()
    });

    refusing.message(moved());
    let refused = refusing.pass(Duration::from_millis(300));
    let followed = following.message(moved());
    following.close_socket();
    let open = following.pass_until_open();

    let room = RoomName::from("other");
    assert_eq!(end_of(&refused), Some(EndReason::RoomMoved { room }));
    let names: Vec<_> = events(&followed).iter().map(name_of).collect();
    assert_eq!(
        names,
        ["joined", "unpublished", "unpublished", "left", "published"]
    );
    assert_eq!(open.token, Some("other".into()));
    let participant = open.resume.expect("a resume").participant;
    assert_eq!(participant, "PA_rec2".into());
}

fn name_of(event: &Event) -> &'static str {
    match event {
        Event::Joined(_) => "joined",
        Event::Published(_) => "published",
        Event::Unpublished { .. } => "unpublished",
        Event::ParticipantLeft { .. } => "left",
        _ => "other",
    }
}
