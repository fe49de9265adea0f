use super::*;

#[test]
fn s3_mute_texts_stand_in_order_with_the_sound_they_describe() {
    let mut desk = Desk::connected(Settings::default());

    desk.sound(2);
    desk.mute(true);
    desk.sound(1);
    desk.mute(false);
    desk.sound(1);

    assert_eq!(desk.sent(), ["0", "1", MUTED, "2", UNMUTED, "3"]);
}

#[test]
fn s3_mute_texts_stay_in_order_when_the_server_reads_one_message_at_a_time() {
    let mut desk = Desk::connected(Settings::default());
    desk.sound(1);
    desk.mute(true);
    desk.sound(1);

    assert_eq!(desk.sent_one().unwrap(), "0");
    desk.mute(false);
    assert_eq!(desk.sent(), [MUTED, "1", UNMUTED]);
    assert_eq!(desk.sent_one(), None);
}

#[test]
fn s3_a_server_that_asked_for_all_hears_first_what_it_gets_and_when_that_was() {
    let mut desk = Desk::telling_all();
    let at = NtpTimestamp::from(std::time::UNIX_EPOCH + Duration::from_secs(1_790_000_000));
    assert_eq!(desk.sent_one(), None, "the start waits for the sound");

    desk.input(Input::Message(Message::Open(Opening {
        format: Format::LIVEKIT,
        anchor: Some(Anchor {
            at,
            origin: AnchorOrigin::SenderReport,
        }),
    })));
    desk.mute(false);
    desk.sound(2);

    let sent = desk.sent();
    assert_eq!(
        json(&sent[0]),
        serde_json::json!({
            "event": "start", "format": "pcm_s16le", "sample_rate": 48_000, "channels": 2,
            "frame_ms": 10, "room": "room", "room_sid": "RM_1", "participant": "alice",
            "participant_sid": "PA_1", "track": "TR_1", "egress_id": "EG_1", "connection": 1,
            "pts_us": 0, "wall_clock": "2026-09-21T14:13:20Z",
            "wall_clock_unix_ns": "1790000000000000000", "wall_clock_origin": "sender_report",
        })
    );
    assert_eq!(sent[1..], [UNMUTED, "0", "1"]);
}

#[test]
fn s3_the_livekit_mode_sends_nothing_but_sound_and_mute_texts() {
    let mut desk = Desk::connected(Settings {
        texts: Texts::LiveKit,
        ..Settings::default()
    });

    desk.say("unheard");
    desk.text(Text::Gap {
        pts: Pts(0),
        duration: FRAME,
        reason: "lost",
    });
    desk.mute(true);
    desk.sound(1);
    desk.input(Input::Message(Message::End("unpublished".to_owned())));

    assert_eq!(desk.sent(), [MUTED, "0", "close"]);
}

#[test]
fn s5_the_delay_counts_from_when_a_message_was_made() {
    let mut desk = Desk::connected(Settings::default());
    desk.sound(2);

    assert_eq!(desk.sent(), numbers(0..2));

    let delays = desk.session.delays.clone();
    assert_eq!(delays.count(), 2);
    assert_eq!(delays.max(), 2 * FRAME);
    assert!(delays.quantile(0.5) >= FRAME && delays.quantile(0.5) < 2 * FRAME);
}

#[test]
fn a_message_that_no_socket_takes_is_dropped_and_counted() {
    let mut desk = Desk::connected(Settings::default());

    desk.say(&"x".repeat(LONGEST_MESSAGE));
    desk.input(Input::Message(Message::Audio(Audio {
        bytes: vec![0; LONGEST_MESSAGE + 1].into(),
        pts: Pts(0),
        duration: FRAME,
        made_at: desk.now,
    })));
    desk.sound(1);

    assert_eq!(desk.sent(), ["0"]);
    assert_eq!(desk.session.counters().dropped_oversize, 2);
}
