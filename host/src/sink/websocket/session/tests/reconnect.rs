use super::*;

#[test]
fn s6_what_waits_survives_a_reconnect_in_order_and_what_was_handed_over_is_not_sent_again() {
    let mut desk = Desk::connected(Settings::default());
    desk.sound(3);
    desk.sent();
    desk.sound(2);
    desk.cut();
    desk.sound(2);
    desk.mute(true);

    desk.pass_seconds(1);
    desk.connect();

    assert_eq!(desk.sent(), ["3", "4", "5", "6", MUTED]);
    let counters = desk.session.counters();
    assert_eq!((counters.connections, counters.reconnects()), (2, 1));
    assert_eq!(counters.dropped(), Duration::ZERO);
    assert_eq!(counters.unconfirmed, 3 * FRAME);
}

#[test]
fn s3_a_new_connection_hears_the_last_mute_text_again() {
    let mut desk = Desk::connected(Settings::default());
    desk.mute(true);
    desk.sound(1);
    desk.sent();

    desk.cut();
    desk.pass_seconds(1);
    desk.connect();
    desk.sound(1);

    assert_eq!(desk.sent(), [MUTED, "1"]);
}

#[test]
fn s3_a_new_start_tells_where_the_sound_goes_on_and_what_may_be_missing() {
    let mut desk = Desk::telling_all();
    desk.sound(10);
    desk.sent();
    desk.cut();
    desk.pass_seconds(1);
    desk.connect();
    desk.sound(1);

    let start = json(&desk.sent()[0]);

    assert_eq!(field(&start, "connection"), 2);
    assert_eq!(field(&start, "pts_us"), 200_000);
    assert_eq!(field(&start, "unconfirmed_us"), 200_000);
}

#[test]
fn s6_while_there_is_no_connection_the_newest_ten_seconds_wait() {
    let mut desk = Desk::telling_all();
    desk.sound(1);
    desk.sent();
    desk.cut();
    // A server that is away for 15 s.
    for _ in 0..15 {
        desk.sound(50);
        if desk.take_outputs().contains(&Output::Dial) {
            desk.refuse(DialFailure::Unreachable);
        }
    }
    desk.pass_seconds(5);
    desk.connect();

    let sent = desk.sent();

    assert_eq!(
        json(&sent[0])["pts_us"],
        20_000,
        "the start tells where the hole begins"
    );
    assert_eq!(
        json(&sent[1]),
        serde_json::json!({
            "event": "dropped", "pts_us": 20_000, "duration_us": 5_000_000, "reason": "disconnected",
        })
    );
    assert_eq!(sent[2..], numbers(251..751));
    assert_eq!(
        desk.session.counters().dropped_disconnected,
        Duration::from_secs(5)
    );
}

#[test]
fn s6_pauses_grow_from_a_tenth_to_five_seconds_and_the_window_is_sixty() {
    let mut desk = Desk::connected(Settings::default());
    desk.pass_seconds(10);
    desk.take_outputs();
    let broken_at = desk.elapsed();

    desk.cut();
    let mut delays = Vec::new();
    let outcome = loop {
        let outputs = desk.take_outputs();
        delays.extend(outputs.iter().filter_map(|output| match output {
            Output::Event(Event::Reconnecting { delay, .. }) => Some(*delay),
            _ => None,
        }));
        if let Some(Output::Ended(outcome)) = outputs.into_iter().last() {
            break outcome;
        }
        desk.pass(delays[delays.len() - 1]);
        desk.refuse(DialFailure::Unreachable);
    };

    let bounds = [100, 200, 400, 800, 1_600, 3_200, 4_000, 4_000];
    for (delay, least) in delays.iter().zip(bounds.map(Duration::from_millis)) {
        assert!(
            *delay >= least && *delay <= least.mul_f64(1.25),
            "{delays:?}"
        );
    }
    assert!(
        delays.iter().all(|delay| *delay <= Duration::from_secs(5)),
        "{delays:?}"
    );
    assert_eq!(desk.elapsed() - broken_at, Duration::from_secs(60));
    let Ending::Failed(Failure::Lost {
        attempts, lasted, ..
    }) = outcome.ending
    else {
        panic!("{:?}", outcome.ending);
    };
    assert_eq!((attempts as usize, lasted.as_secs()), (delays.len(), 60));
}

#[test]
fn s6_a_thousand_sessions_do_not_come_back_at_once() {
    let delay = |seed| {
        let mut desk = Desk::connected(Settings {
            seed,
            ..Settings::default()
        });
        desk.pass_seconds(10);
        desk.cut();
        desk.session.poll_timeout().unwrap() - desk.now
    };

    let delays: std::collections::BTreeSet<_> = (0..100).map(delay).collect();

    assert!(delays.len() > 50, "{}", delays.len());
}

#[test]
fn s6_a_server_that_accepts_and_hangs_up_is_not_tried_for_ever() {
    let mut desk = Desk::connected(Settings::default());
    desk.pass_seconds(10);
    let broken_at = desk.elapsed();

    let outcome = loop {
        desk.close(1009, "too big");
        if let Some(outcome) = desk.outcome() {
            break outcome;
        }
        desk.pass(desk.session.poll_timeout().unwrap() - desk.now);
        desk.connect();
    };

    assert_eq!(desk.elapsed() - broken_at, Duration::from_secs(60));
    let text = outcome.ending.to_string();
    assert!(text.contains("code 1009: too big"), "{text}");
}

#[test]
fn s6_a_connection_that_stood_for_five_seconds_begins_the_window_anew() {
    let mut desk = Desk::connected(Settings::default());

    for _ in 0..30 {
        desk.pass_seconds(6);
        desk.cut();
        desk.pass(desk.session.poll_timeout().unwrap() - desk.now);
        desk.connect();
    }

    assert_eq!(desk.session.counters().reconnects(), 30);
    assert_eq!(desk.outcome(), None);
}

#[test]
fn s6_close_codes_say_whether_the_server_is_satisfied_refuses_or_comes_back() {
    for (code, wanted) in [
        (1000, "satisfied"),
        (1001, "back"),
        (1002, "back"),
        (1003, "back"),
        (1006, "back"),
        (1007, "back"),
        (1008, "refused"),
        (1009, "back"),
        (1011, "back"),
        (1012, "back"),
        (1013, "back"),
        (3000, "back"),
        (3999, "back"),
        (4000, "refused"),
        (4401, "refused"),
        (4999, "refused"),
    ] {
        let mut desk = Desk::connected(Settings::default());
        desk.sound(1);

        desk.close(code, "why");

        let ending = desk
            .outcome()
            .map(|outcome| (outcome.ending, outcome.counters));
        let what = match &ending {
            Some((Ending::Satisfied(reason), _)) if reason == "why" => "satisfied",
            Some((
                Ending::Failed(Failure::Refused {
                    code: shown,
                    reason,
                }),
                _,
            )) if *shown == code && reason == "why" => "refused",
            None if desk.session.poll_timeout().is_some() => "back",
            _ => "neither",
        };
        assert_eq!(what, wanted, "{code}: {ending:?}");
        if let Some((_, counters)) = ending {
            assert_eq!(counters.dropped_unsent, FRAME, "what is left is counted");
        }
    }
}

#[test]
fn s6_a_close_without_a_code_is_no_farewell() {
    let mut desk = Desk::connected(Settings::default());

    desk.input(Input::Disconnected(Disconnect::Closed {
        code: None,
        reason: String::new(),
    }));

    assert_eq!(desk.outcome(), None);
    desk.pass_seconds(1);
    assert!(desk.take_outputs().contains(&Output::Dial));
}

#[test]
fn s1_what_no_second_attempt_heals_ends_the_first_at_once() {
    for failure in [
        DialFailure::Name,
        DialFailure::Tls,
        DialFailure::NotWebSocket,
        DialFailure::Request,
        DialFailure::Refused(400),
        DialFailure::Refused(401),
        DialFailure::Refused(403),
        DialFailure::Refused(404),
    ] {
        let mut desk = Desk::new(Settings::default());

        desk.refuse(failure);

        let ending = desk.outcome().map(|outcome| outcome.ending);
        let error = DialError::new(failure, "no");
        assert_eq!(ending, Some(Ending::Failed(Failure::Dial(error))));
    }
}

#[test]
fn s1_a_server_that_is_just_starting_has_ten_seconds_and_hears_everything() {
    let mut desk = Desk::new(Settings::default());
    desk.sound(100);
    desk.refuse(DialFailure::Unreachable);
    desk.sound(100);
    assert!(desk.take_outputs().contains(&Output::Dial));
    desk.refuse(DialFailure::Refused(503));
    desk.sound(100);
    desk.connect();

    assert_eq!(desk.sent(), numbers(0..300));
}

#[test]
fn s1_a_server_that_does_not_start_in_time_is_named_with_its_last_error() {
    let mut desk = Desk::new(Settings::default());

    while desk
        .outputs
        .iter()
        .all(|output| !matches!(output, Output::Ended(_)))
    {
        desk.refuse(DialFailure::Unreachable);
        if let Some(due) = desk.session.poll_timeout() {
            desk.pass(due - desk.now);
        }
    }

    assert_eq!(desk.elapsed(), Duration::from_secs(10));
    let text = desk.outcome().unwrap().ending.to_string();
    assert!(text.contains("no connection to the server (no)"), "{text}");
}

#[test]
fn s6_after_a_connection_a_refusal_is_final_but_a_missing_path_is_not() {
    for (failure, is_final) in [
        (DialFailure::Refused(401), true),
        (DialFailure::Refused(404), false),
        (DialFailure::Tls, false),
        (DialFailure::Name, false),
    ] {
        let mut desk = Desk::connected(Settings::default());
        desk.cut();
        desk.pass_seconds(1);

        desk.refuse(failure);

        assert_eq!(desk.outcome().is_some(), is_final, "{failure:?}");
    }
}

#[test]
fn inputs_that_come_too_late_are_ignored() {
    let mut desk = Desk::connected(Settings::default());
    desk.cut();
    desk.take_outputs();

    desk.cut();
    desk.connect();
    desk.refuse(DialFailure::Tls);
    desk.input(Input::Pong(vec![1].into()));

    assert_eq!(desk.take_outputs(), []);
    assert_eq!(desk.session.counters().connections, 1);
}
