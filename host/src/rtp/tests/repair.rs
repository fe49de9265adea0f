use super::*;

#[test]
fn a_missing_packet_is_asked_for_after_8_ms_and_six_times_in_all() {
    for ask_for_sound in [false, true] {
        let mut session = Session::new();
        let start = session.now;
        let ssrc = if ask_for_sound { SOUND } else { MEDIA };
        for index in [70_000, 70_003] {
            session.media(index);
            if ask_for_sound {
                session.sound(index);
            }
        }
        session
            .receiver
            .set_streams(&[if ask_for_sound { sound() } else { video() }]);

        let mut asked_at = Vec::new();
        while let Some(at) = session.receiver.poll_timeout(session.now) {
            session.now = at;
            let asked = session.asked();
            if !asked.is_empty() {
                assert_eq!(asked, [4_465, 4_466]);
                asked_at.push((session.now - start).as_millis());
            }
            if session.now - start > Duration::from_secs(5) {
                break;
            }
        }

        // Without an answer a round trip of 100 ms is assumed.
        assert_eq!(asked_at, [8, 133, 258, 383, 508, 633], "{ssrc}");
        let statistics = session.receiver.statistics(ssrc).unwrap();
        assert_eq!((statistics.given_up, statistics.missing), (2, 0));
    }
}

#[test]
fn reordering_is_not_asked_for() {
    let mut session = Session::new();
    for index in [10, 12, 13] {
        session.media(index);
    }
    session.wait(7);
    session.media(11).unwrap();
    session.wait(100);

    assert!(session.asked().is_empty());
    let statistics = session.receiver.statistics(MEDIA).unwrap();
    assert_eq!((statistics.received, statistics.recovered), (4, 0));
}

#[test]
fn an_answer_teaches_the_round_trip() {
    let mut session = Session::new();
    for index in [10, 12] {
        session.sound(index);
    }
    session.wait(8);
    assert_eq!(session.asked(), [11]);
    session.wait(16);
    session.sound(11).unwrap();

    session.sound(14);
    session.wait(8);
    assert_eq!(session.asked(), [13]);
    session.wait(39);
    assert!(session.asked().is_empty());
    session.wait(1);

    assert_eq!(session.asked(), [13], "after 2.5 round trips");
    let statistics = session.receiver.statistics(SOUND).unwrap();
    assert_eq!(statistics.round_trip, Some(Duration::from_millis(16)));
    assert_eq!((statistics.recovered, statistics.missing), (1, 1));
}

#[test]
fn one_answer_that_was_stuck_does_not_stop_the_repeats() {
    let mut session = Session::new();
    for index in [10, 12] {
        session.sound(index);
    }
    session.wait(8);
    assert_eq!(session.asked(), [11]);
    session.wait(60_000);
    session.sound(11).unwrap();

    let statistics = session.receiver.statistics(SOUND).unwrap();

    assert_eq!(statistics.round_trip, Some(Duration::from_millis(500)));
}

#[test]
fn rtx_fills_its_gap_under_the_original_header() {
    let mut session = Session::new();
    session.media(65_535);
    session.media(65_538);

    let packet = session.repair(65_536).unwrap();

    assert_eq!(packet.ssrc, MEDIA);
    assert_eq!(packet.sequence_number, SeqNo(65_536));
    assert_eq!(packet.codec, Codec::Vp8);
    assert_eq!(packet.timestamp.wire(), wire_timestamp(SeqNo(65_536)));
    assert_eq!(packet.payload, &65_536_u64.to_be_bytes()[..]);
    session.wait(8);
    assert_eq!(session.asked(), [1], "65,537");
}

#[test]
fn a_packet_comes_out_once_whether_rtx_or_the_original_is_first() {
    let mut session = Session::new();
    for index in [10, 12, 14] {
        session.media(index);
    }

    let first = [session.repair(11).is_some(), session.media(13).is_some()];
    let second = [session.media(11).is_some(), session.repair(13).is_some()];

    assert_eq!((first, second), ([true; 2], [false; 2]));
    assert_eq!(session.receiver.statistics(MEDIA).unwrap().duplicates, 1);
    assert_eq!(session.receiver.dropped().replayed, 1);
}

#[test]
fn a_padding_only_probe_on_the_rtx_stream_is_dropped() {
    let mut session = Session::new();
    session.media(10);
    let header = header(RTX, 97, SeqNo(0), true);

    let packet = session.rtp(SeqNo(0), &header, &[0, 0, 0, 4]);

    assert_eq!(packet, None);
    assert_eq!(session.receiver.dropped().rtx_probes, 1);
}

#[test]
fn a_padding_only_packet_fills_its_place_in_the_sequence() {
    let mut session = Session::new();
    session.media(10);
    let padding = header(MEDIA, 96, SeqNo(11), true);

    let packet = session.rtp(SeqNo(11), &padding, &[0, 0, 0, 4]).unwrap();
    session.media(12);
    session.wait(8);

    assert_eq!(packet.sequence_number, SeqNo(11));
    assert!(packet.payload.is_empty());
    assert!(session.asked().is_empty());
}

#[test]
fn padding_is_removed() {
    let mut session = Session::new();
    let padded = header(MEDIA, 96, SeqNo(11), true);

    let packet = session.rtp(SeqNo(11), &padded, b"media\0\0\x03").unwrap();

    assert_eq!(packet.payload, "media");
}

#[test]
fn rtx_before_the_first_packet_has_no_place() {
    let mut session = Session::new();

    assert_eq!(session.repair(10), None);
    assert_eq!(session.receiver.dropped().rtx_unplaced, 1);
}

#[test]
fn a_jump_of_the_sequence_is_not_asked_for() {
    for (jump, asked) in [(100, 99), (600, 512), (3_001, 512), (3_002, 0), (30_000, 0)] {
        let mut session = Session::new();
        session.media(10);
        session.media(10 + jump);
        session.wait(8);

        let numbers = session.asked();

        let statistics = session.receiver.statistics(MEDIA).unwrap();
        assert_eq!(numbers.len(), asked, "jump of {jump}");
        assert_eq!(statistics.given_up, jump - 1 - statistics.missing as u64);
        if let Some(last) = numbers.last() {
            assert_eq!(u64::from(*last), 10 + jump - 1);
        }
    }
}

#[test]
fn what_the_window_would_refuse_is_no_longer_asked_for() {
    let mut session = Session::new();
    session.media(10);
    for index in 12..1_100 {
        session.media(index);
    }
    session.wait(8);

    assert!(session.asked().is_empty());
    assert_eq!(session.receiver.statistics(MEDIA).unwrap().given_up, 1);
}

#[test]
fn nothing_is_asked_for_after_goodbye() {
    let mut session = Session::new();
    session.media(10);
    session.media(12);
    session.rtcp(&[0x81, 203, 0, 1, 0, 0, 0, 100]);
    session.wait(8);

    assert!(session.asked().is_empty());
}

#[test]
fn keyframes_are_asked_for_at_once_and_at_most_once_a_second() {
    let mut session = Session::new();

    session.receiver.request_keyframe(MEDIA);
    assert_eq!(
        session.receiver.poll_timeout(session.now),
        Some(session.now)
    );
    assert_eq!(session.keyframes(), 1);
    session.wait(10);
    session.receiver.request_keyframe(MEDIA);
    session.receiver.request_keyframe(MEDIA);
    let again = session.receiver.poll_timeout(session.now).unwrap();
    assert_eq!(session.keyframes(), 0);
    session.wait(990);

    assert_eq!(again, session.now);
    assert_eq!(session.keyframes(), 1);
    assert_eq!(session.receiver.poll_timeout(session.now), None);
}

#[test]
fn no_keyframe_is_asked_of_an_unknown_stream() {
    let mut session = Session::new();

    session.receiver.request_keyframe(Ssrc(9));
    session.receiver.request_keyframe(RTX);

    assert_eq!(session.receiver.poll_timeout(session.now), None);
}
