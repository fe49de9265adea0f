use super::*;

#[test]
fn an_ssrc_that_stays_keeps_its_state() {
    let mut session = Session::new();
    session.media(70_000);
    session.repair(70_000);

    session.receiver.set_streams(&[sound(), video()]);

    assert_eq!(session.media(70_000), None, "replayed");
    assert_eq!(
        session.media(70_001).unwrap().sequence_number,
        SeqNo(70_001)
    );
    assert_eq!(session.receiver.statistics(MEDIA).unwrap().received, 2);
    session.rtx_count = 0;
    assert_eq!(session.repair(70_000), None);
    assert_eq!(session.receiver.dropped().replayed, 2);
}

#[test]
fn an_m_line_that_is_used_again_has_a_new_ssrc() {
    let mut session = Session::new();
    session.media(70_000);
    let reused = StreamDescription {
        ssrc: Ssrc(500),
        rtx: Some(Ssrc(501)),
        ..video()
    };

    session.receiver.set_streams(&[reused, sound()]);
    let old = session.media(70_001);
    let new = session.rtp(SeqNo(3), &header(Ssrc(500), 96, SeqNo(3), false), b"");

    assert_eq!(old, None);
    assert_eq!(new.unwrap().sequence_number, SeqNo(3));
    assert_eq!(session.receiver.statistics(MEDIA), None);
    assert_eq!(session.receiver.statistics(Ssrc(500)).unwrap().received, 1);
}

#[test]
fn an_ssrc_that_comes_back_cannot_be_fed_what_was_recorded_off_the_wire() {
    let mut session = Session::new();
    session.media(70_000);
    session.receiver.set_streams(&[sound()]);

    session.receiver.set_streams(&[sound(), video()]);

    assert_eq!(session.media(70_000), None);
    assert_eq!(
        session.media(70_001).unwrap().sequence_number,
        SeqNo(70_001)
    );
}

#[test]
fn what_is_missing_is_forgotten_with_its_stream() {
    let mut session = Session::new();
    session.media(10);
    session.media(12);

    session.receiver.set_streams(&[sound()]);
    session.wait(8);

    assert!(session.asked().is_empty());
}

#[test]
fn a_codec_may_change_within_a_stream() {
    let mut session = Session::new();
    let vp8 = session.media(1).unwrap();
    let h264 = session.rtp(SeqNo(2), &header(MEDIA, 125, SeqNo(2), false), b"");
    let vp8_again = session.media(3).unwrap();

    let codecs = [vp8.codec, h264.unwrap().codec, vp8_again.codec];

    assert_eq!(codecs, [Codec::Vp8, Codec::H264, Codec::Vp8]);
}

#[test]
fn of_two_m_lines_with_one_ssrc_the_first_has_it() {
    let mut session = Session::new();
    let thief = StreamDescription {
        formats: vec![(96, Codec::Av1)],
        ..video()
    };
    let rtx_thief = StreamDescription {
        ssrc: Ssrc(300),
        rtx: Some(SOUND),
        ..video()
    };

    session
        .receiver
        .set_streams(&[video(), sound(), thief, rtx_thief]);

    assert_eq!(session.media(1).unwrap().codec, Codec::Vp8);
    assert_eq!(session.sound(1).unwrap().codec, Codec::Opus);
}

#[test]
fn sequence_numbers_and_timestamps_wrap_each_for_itself() {
    let mut session = Session::new();
    let first = session.media(65_000).unwrap();
    for index in 65_001..66_000 {
        let packet = session.media(index).unwrap();

        let ticks = packet.timestamp.since(first.timestamp);
        assert_eq!(packet.sequence_number, SeqNo(index));
        assert_eq!(ticks.cast_unsigned(), (index - 65_000) * 3_000);
    }
}
