use bytes::Bytes;

use super::*;

#[test]
fn s7_a_ping_goes_out_each_fifteen_seconds() {
    let mut desk = Desk::connected(Settings::default());
    let mut pings = Vec::new();

    for second in 1..=60 {
        desk.pass_seconds(1);
        for sent in desk.sent() {
            let number: u64 = sent.strip_prefix("ping ").unwrap().parse().unwrap();
            pings.push((second, number));
            desk.input(Input::Pong(number.to_be_bytes().to_vec().into()));
        }
    }

    assert_eq!(pings, [(15, 1), (30, 2), (45, 3), (60, 4)]);
    assert_eq!(desk.session.counters().reconnects(), 0);
}

#[test]
fn s7_two_missed_pongs_make_the_connection_again() {
    let mut desk = Desk::connected(Settings::default());
    desk.take_outputs();

    for second in 1..=45 {
        assert!(desk.take_outputs().is_empty(), "{second}");
        desk.pass_seconds(1);
        desk.sent();
    }

    let outputs = desk.take_outputs();
    assert_eq!(outputs[0], Output::HangUp);
    let Output::Event(Event::Reconnecting { cause, .. }) = &outputs[1] else {
        panic!("{outputs:?}");
    };
    assert!(cause.contains("2 pings"), "{cause}");
}

#[test]
fn s7_one_missed_pong_is_forgiven() {
    let mut desk = Desk::connected(Settings::default());
    for _ in 0..10 {
        desk.pass_seconds(30);
        desk.sent();
        desk.input(Input::Pong(Bytes::from_static(b"pong")));
    }

    assert!(matches!(desk.session.phase, Phase::Open(_)));
}

#[test]
fn s7_a_ping_that_the_socket_does_not_take_is_missed_too() {
    let mut desk = Desk::connected(Settings::default());

    desk.pass_seconds(45);

    assert!(desk.take_outputs().contains(&Output::HangUp));
}

#[test]
fn only_what_was_handed_over_after_the_last_answered_ping_is_unconfirmed() {
    let mut desk = Desk::connected(Settings::default());
    desk.sound(100);
    desk.sent();
    desk.pass_seconds(13);
    assert_eq!(desk.sent(), ["ping 1"]);
    desk.sound(7);
    desk.sent();
    desk.input(Input::Pong(1_u64.to_be_bytes().to_vec().into()));

    desk.cut();

    assert_eq!(desk.session.counters().unconfirmed, 7 * FRAME);
}

#[test]
fn a_pong_that_answers_no_ping_of_ours_confirms_nothing() {
    for payload in [&b"pong"[..], &9_u64.to_be_bytes(), b""] {
        let mut desk = Desk::connected(Settings::default());
        desk.sound(10);
        desk.sent();
        desk.pass_seconds(15);
        desk.sent();

        desk.input(Input::Pong(Bytes::copy_from_slice(payload)));
        desk.cut();

        assert_eq!(
            desk.session.counters().unconfirmed,
            10 * FRAME,
            "{payload:?}"
        );
    }
}
