use super::*;

#[test]
fn an_offer_is_rewritten_for_a_receiver_and_its_streams_are_told() {
    let mut bench = Bench::in_room();

    let outputs = bench.message(offer_of(2, "ufrag1", &["TR_mic"]));

    let [Output::Offer(offer)] = outputs.as_slice() else {
        panic!("{outputs:?}");
    };
    assert!(offer.sdp.contains("a=sendonly") && !offer.sdp.contains("a=sendrecv"));
    assert!(!offer.sdp.contains("a=ssrc"));
    assert_eq!(offer.streams.len(), 1);
    assert_eq!(offer.streams[0].track, "TR_mic".into());
}

#[test]
fn candidates_wait_for_the_offer_they_belong_to() {
    let mut bench = Bench::new(Settings::default());
    bench.input(Input::Opened);
    bench.message(join("PA_rec1", vec![]));
    let candidate = |fragment: &str| ServerMessage::Candidate(candidate(fragment));

    let early = bench.message(candidate("one"));
    let first = bench.message(offer_of(1, "one", &[]));
    let late = bench.message(candidate("one"));
    let restart = bench.message(candidate("two"));
    bench.input(answer(1));
    let second = bench.message(offer_of(2, "two", &[]));
    let without_fragment = bench.message(ServerMessage::Candidate("candidate:1 1 udp".to_owned()));

    assert!(for_peer(&early).is_empty());
    assert_eq!(
        for_peer(&first),
        ["offer 1".to_owned(), self::candidate("one")]
    );
    assert_eq!(for_peer(&late), [self::candidate("one")]);
    assert!(for_peer(&restart).is_empty(), "it is of the next offer");
    assert_eq!(
        for_peer(&second),
        ["offer 2".to_owned(), self::candidate("two")]
    );
    assert_eq!(for_peer(&without_fragment), ["candidate:1 1 udp"]);
}

#[test]
fn a_flood_of_candidates_is_dropped_and_counted() {
    let mut bench = Bench::in_room();

    let mut flood: Vec<_> = (0..100)
        .flat_map(|_| bench.message(ServerMessage::Candidate(candidate("never"))))
        .collect();
    flood.extend(bench.message(ServerMessage::Candidate("x".repeat(100_000))));

    let dropped = events(&flood).len();
    assert_eq!(dropped, 100 - 64 + 1);
    assert!(for_peer(&flood).is_empty());
}

#[test]
fn only_one_offer_is_outstanding_and_only_the_newest_waits() {
    let mut bench = Bench::in_room();

    let first = bench.message(offer_of(2, "ufrag1", &[]));
    let overlapping = bench.message(offer_of(3, "ufrag1", &[]));
    let newest = bench.message(offer_of(4, "ufrag1", &[]));
    let stale = bench.input(answer(3));
    let answered = bench.input(answer(2));
    let last = bench.input(answer(4));

    assert_eq!(for_peer(&first), ["offer 2"]);
    assert!(overlapping.is_empty() && newest.is_empty() && stale.is_empty());
    assert_eq!(sent(&answered), [ClientMessage::Answer(answer_to(2))]);
    assert_eq!(for_peer(&answered), ["offer 4"]);
    assert_eq!(sent(&last), [ClientMessage::Answer(answer_to(4))]);
}

#[test]
fn an_offer_that_cannot_be_answered_costs_the_session() {
    let mut conflicting = Offer {
        id: 2,
        sdp: String::new(),
        tracks: [("1".to_owned(), "TR_other".into())].into(),
    };
    if let ServerMessage::Offer(offer) = offer_of(2, "ufrag1", &["TR_mic"]) {
        conflicting.sdp = offer.sdp;
    }
    let failed = || Input::AnswerFailed {
        offer: 2,
        reason: "a mid moved".to_owned(),
    };
    for (inputs, cause) in [
        (
            vec![Input::Message(ServerMessage::Offer(conflicting))],
            "mid \"1\" is track TR_mic",
        ),
        (
            vec![Input::Message(offer_of(2, "ufrag1", &[])), failed()],
            "a mid moved",
        ),
    ] {
        let mut bench = Bench::in_room();

        let outputs: Vec<_> = inputs
            .into_iter()
            .flat_map(|input| bench.input(input))
            .collect();

        assert_eq!(reconnections(&outputs), [Reconnection::Full]);
        assert!(format!("{outputs:?}").contains(&cause.replace('"', "\\\"")));
        assert_eq!(sent(&outputs), [ClientMessage::Leave]);
    }
}

#[test]
fn a_peer_connection_that_does_not_answer_costs_the_session() {
    let mut bench = Bench::in_room();
    bench.message(offer_of(2, "ufrag1", &[]));

    let outputs = bench.pass_with_pongs(Duration::from_secs(11));

    assert_eq!(reconnections(&outputs), [Reconnection::Full]);
}

#[test]
fn a_failure_to_answer_an_offer_of_a_lost_socket_changes_nothing() {
    let mut bench = Bench::in_room();
    bench.message(offer_of(2, "ufrag1", &[]));
    bench.close_socket();

    let outputs = bench.input(Input::AnswerFailed {
        offer: 2,
        reason: String::new(),
    });

    assert!(outputs.is_empty());
}

fn answer(offer: u32) -> Input {
    Input::Answer {
        offer,
        sdp: "answer".to_owned(),
    }
}

fn answer_to(offer: u32) -> Answer {
    Answer {
        offer,
        sdp: "answer".to_owned(),
    }
}

fn candidate(fragment: &str) -> String {
    format!("candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host ufrag {fragment}")
}
