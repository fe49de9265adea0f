use super::super::buffer::{MAX_TEXT_BYTES, MAX_TEXTS};
use super::*;

#[test]
fn s6_the_oldest_sound_is_dropped_and_a_text_says_so_where_it_was() {
    let mut desk = Desk::telling_all();
    desk.sound(1);
    assert_eq!(desk.sent().len(), 2, "start and sound");

    // Ten seconds wait; 25 messages more push out as many.
    desk.sound(525);

    let sent = desk.sent();
    assert_eq!(
        json(&sent[0]),
        serde_json::json!({
            "event": "dropped", "pts_us": 20_000, "duration_us": 500_000, "reason": "slow_server",
        })
    );
    assert_eq!(sent[1..], numbers(26..526));
    let counters = desk.session.counters();
    assert_eq!(counters.dropped_slow, 25 * FRAME);
    assert_eq!(counters.audio, 501 * FRAME);
}

#[test]
fn s6_a_server_that_asked_for_no_such_texts_misses_the_sound_but_keeps_the_mutes() {
    let mut desk = Desk::connected(Settings::default());

    desk.mute(true);
    desk.sound(10);
    desk.mute(false);
    desk.sound(510);

    let sent = desk.sent();
    assert_eq!(sent[..3], [MUTED, UNMUTED, "20"]);
    assert_eq!(sent.len(), 502);
}

#[test]
fn s6_drops_on_both_sides_of_a_text_are_told_apart() {
    let mut desk = Desk::telling_all();
    desk.sound(5);
    desk.mute(true);
    desk.sound(505);

    let sent = desk.sent();
    let kinds: Vec<_> = sent[..5].iter().map(|text| json(text)).collect();
    assert_eq!(kinds[0]["event"], "start");
    assert_eq!(
        (&kinds[1]["event"], &kinds[1]["pts_us"]),
        (&"dropped".into(), &0.into())
    );
    assert_eq!(kinds[2], json(MUTED));
    assert_eq!(kinds[3]["pts_us"], 100_000);
    assert_eq!(sent[4], "10");
}

#[test]
fn s6_a_burst_of_drops_is_reported_once_and_again_when_it_is_over() {
    let mut desk = Desk::connected(Settings::default());
    desk.take_outputs();

    desk.sound(600);
    assert_eq!(desk.take_outputs(), [Output::Event(Event::Dropping)]);
    desk.sent();

    let dropped = 100 * FRAME;
    assert_eq!(
        desk.take_outputs(),
        [Output::Event(Event::KeptUp { dropped })]
    );
}

#[test]
fn s6_sound_without_a_duration_does_not_fill_the_buffer_without_end() {
    let mut desk = Desk::connected(Settings::default());

    for _ in 0..10_000 {
        desk.input(Input::Message(Message::Audio(Audio {
            bytes: vec![0; 4].into(),
            pts: Pts(0),
            duration: Duration::ZERO,
            made_at: desk.now,
        })));
    }

    assert_eq!(desk.sent().len(), 4_000);
}

#[test]
fn texts_are_bounded_in_number_and_mute_texts_go_last() {
    let mut desk = Desk::connected(Settings::default());
    desk.mute(true);
    for number in 0..MAX_TEXTS + 9 {
        desk.say(&format!("[{number}]"));
    }

    let sent = desk.sent();

    assert_eq!(sent.len(), MAX_TEXTS);
    assert_eq!(sent[0], MUTED);
    assert_eq!(json(&sent[1])["data"], serde_json::json!([10]));
    assert_eq!(desk.session.counters().dropped_texts, 10);
}

#[test]
fn texts_are_bounded_in_bytes() {
    let mut desk = Desk::connected(Settings::default());
    let words = "x".repeat(16 << 10);
    for _ in 0..200 {
        desk.say(&words);
    }

    let bytes: usize = desk.sent().iter().map(String::len).sum();

    assert!(bytes <= MAX_TEXT_BYTES, "{bytes}");
    assert!(bytes > MAX_TEXT_BYTES - (20 << 10), "{bytes}");
}

#[test]
fn mute_texts_alone_are_bounded_too() {
    let mut desk = Desk::connected(Settings::default());
    for number in 0..=MAX_TEXTS {
        desk.mute(number % 2 == 0);
    }

    let sent = desk.sent();

    assert_eq!((sent.len(), &*sent[MAX_TEXTS - 1]), (MAX_TEXTS, MUTED));
}
