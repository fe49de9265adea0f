use super::*;

#[test]
fn the_end_comes_after_everything_that_waits() {
    let mut desk = Desk::telling_all();
    desk.sound(2);
    desk.input(Input::Message(Message::End(
        "the track was unpublished".to_owned(),
    )));

    let sent = desk.sent();

    assert_eq!(sent[1..3], ["0", "1"]);
    assert_eq!(
        json(&sent[3]),
        serde_json::json!({
            "event": "end", "reason": "the track was unpublished", "audio_messages": 2,
            "audio_us": 40_000, "dropped_us": 0,
        })
    );
    assert_eq!(sent[4..], ["close"]);
    assert_eq!(desk.outcome(), None, "the server's farewell is awaited");
}

#[test]
fn a_farewell_that_is_answered_confirms_everything() {
    let mut desk = Desk::connected(Settings::default());
    desk.sound(2);
    desk.input(Input::Finish);
    desk.sent();

    desk.close(1000, "");

    let outcome = desk.outcome().unwrap();
    assert_eq!(
        outcome.ending,
        Ending::Finished("the recording was stopped".to_owned())
    );
    assert_eq!(
        (outcome.counters.unconfirmed, outcome.counters.audio),
        (Duration::ZERO, 2 * FRAME)
    );
}

#[test]
fn a_server_that_hangs_up_at_our_farewell_got_everything_as_far_as_we_know() {
    let mut desk = Desk::connected(Settings::default());
    desk.sound(2);
    desk.input(Input::Finish);
    desk.sent();

    desk.cut();

    let outcome = desk.outcome().unwrap();
    assert!(
        matches!(outcome.ending, Ending::Finished(_)),
        "{:?}",
        outcome.ending
    );
    assert_eq!(outcome.counters.unconfirmed, 2 * FRAME);
}

#[test]
fn a_server_that_never_answers_a_farewell_is_left_after_ten_seconds() {
    let mut desk = Desk::connected(Settings::default());
    desk.sound(2);
    desk.input(Input::Finish);
    desk.sent();

    desk.pass_seconds(9);
    assert_eq!(desk.outcome(), None);
    desk.pass_seconds(1);

    assert_eq!(desk.outputs[0], Output::HangUp);
    let outcome = desk.outcome().unwrap();
    assert!(
        matches!(outcome.ending, Ending::Finished(_)),
        "{:?}",
        outcome.ending
    );
    assert_eq!(outcome.counters.unconfirmed, 2 * FRAME);
}

#[test]
fn what_the_server_does_not_take_in_time_is_counted_and_the_delivery_has_failed() {
    let mut desk = Desk::connected(Settings::default());
    desk.sound(100);
    desk.sent_one();
    desk.input(Input::Finish);

    desk.pass_seconds(10);

    let outcome = desk.outcome().unwrap();
    assert_eq!(outcome.counters.dropped_unsent, 99 * FRAME);
    assert_eq!(outcome.counters.unconfirmed, FRAME);
    let text = outcome.ending.to_string();
    assert!(
        text.contains("did not take the last 2.0 s within 10 s"),
        "{text}"
    );
}

#[test]
fn a_connection_that_is_away_at_the_end_has_the_same_time_to_come_back() {
    let mut desk = Desk::connected(Settings::default());
    desk.cut();
    desk.sound(2);
    desk.input(Input::Finish);
    desk.pass_seconds(1);
    desk.connect();

    assert_eq!(desk.sent(), ["0", "1", "close"]);
    desk.close(1000, "");
    assert!(matches!(
        desk.outcome().unwrap().ending,
        Ending::Finished(_)
    ));
}

#[test]
fn a_server_that_closes_in_the_middle_of_the_rest_is_believed() {
    let mut desk = Desk::connected(Settings::default());
    desk.sound(2);
    desk.input(Input::Finish);
    desk.sent_one();

    desk.close(4000, "no");

    assert!(matches!(
        desk.outcome().unwrap().ending,
        Ending::Failed(Failure::Refused { .. })
    ));
}

#[test]
fn nothing_is_taken_in_after_the_end() {
    let mut desk = Desk::connected(Settings::default());
    desk.sound(1);
    desk.input(Input::Message(Message::End("over".to_owned())));
    desk.input(Input::Finish);
    desk.sound(1);
    desk.mute(true);

    assert_eq!(desk.sent(), ["0", "close"]);
    desk.close(1000, "");
    assert_eq!(
        desk.outcome().unwrap().ending,
        Ending::Finished("over".to_owned())
    );
    assert_eq!(desk.session.poll_timeout(), None);
}
