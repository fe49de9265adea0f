use super::*;
use crate::media::NtpTimestamp;

#[test]
fn a_receiver_report_counts_loss_from_the_first_packet() {
    let mut session = Session::new();
    for index in (65_500..65_600).filter(|index| index % 4 != 3) {
        session.media(index);
    }

    session.wait(500);
    let first = block(&session.sent());
    session.wait(1_125);
    session.media(65_600);
    let second = block(&session.sent());

    // 99 of 65,500..=65,598 were expected; 75 of 100 came.
    assert_eq!(first[0], MEDIA.0);
    assert_eq!(first[1] >> 24, 24 * 256 / 99);
    assert_eq!(first[1] & 0xff_ffff, 24);
    assert_eq!(first[2], 65_598);
    assert_eq!(second[1] >> 24, 128, "one of two since the last report");
    assert_eq!(second[1] & 0xff_ffff, 25);
    assert_eq!(second[2], 65_600);
}

#[test]
fn retransmissions_do_not_hide_loss_from_the_report() {
    let mut session = Session::new();
    session.media(10);
    session.media(12);
    session.repair(11).unwrap();

    session.wait(500);

    assert_eq!(block(&session.sent())[1] & 0xff_ffff, 1);
}

#[test]
fn a_report_echoes_the_last_sender_report() {
    let mut session = Session::new();
    session.media(10);
    session.rtcp(&sender_report(MEDIA, 0x1122_3344_5566_7788, 30_000));

    session.wait(500);
    let block = block(&session.sent());

    assert_eq!(block[4], 0x3344_5566);
    assert_eq!(block[5], 32_768, "half a second in 1/65,536 s");
}

#[test]
fn without_a_sender_report_there_is_nothing_to_echo() {
    let mut session = Session::new();
    session.media(10);

    session.wait(500);

    assert_eq!(block(&session.sent())[4..], [0, 0]);
}

#[test]
fn jitter_is_that_of_rfc_3550() {
    let mut session = Session::new();
    // Frames 33 ms apart on the media clock arrive 43 ms apart: each deviates by 10 ms.
    for index in 0..200 {
        let header = header(MEDIA, 96, SeqNo(index), false);
        let mut header = header;
        let ticks = u32::try_from(index).unwrap() * 33 * 90;
        header[4..8].copy_from_slice(&ticks.to_be_bytes());
        session.rtp(SeqNo(index), &header, b"");
        session.wait(43);
    }

    let jitter = session.receiver.statistics(MEDIA).unwrap().jitter;

    assert!(
        jitter.abs_diff(Duration::from_millis(10)) < Duration::from_micros(100),
        "{jitter:?}"
    );
}

#[test]
fn a_report_carries_the_cname() {
    let mut session = Session::new();
    session.media(10);
    session.wait(500);

    let sent = session.sent();

    let (kind, count, part) = &sent[1];
    assert_eq!((*kind, *count), (202, 1));
    assert_eq!(part[8..10], [1, 8]);
    assert_eq!(&part[10..18], b"recorder");
}

#[test]
fn a_cname_of_any_length_makes_whole_words() {
    for length in (0..10).chain([254, 255, 256, 1_000]) {
        let mut session = Session::new();
        session.receiver = Receiver::new(LOCAL, "x".repeat(length));
        session.receiver.set_keys(keys(DtlsRole::Server));
        session.receiver.set_streams(&[sound()]);
        session.sound(1);
        session.wait(500);

        let (_, _, part) = session.sent().remove(1);

        let kept = length.min(255);
        assert_eq!(usize::from(part[9]), kept);
        assert_eq!(part.len() % 4, 0);
        assert!(part[10 + kept..].iter().all(|octet| *octet == 0));
        assert!((1..=4).contains(&(part.len() - 10 - kept)), "{length}");
    }
}

#[test]
fn more_than_31_streams_take_several_reports() {
    let mut session = Session::new();
    let descriptions: Vec<_> = (1_000..1_070)
        .map(|ssrc| StreamDescription {
            ssrc: Ssrc(ssrc),
            ..sound()
        })
        .collect();
    session.receiver.set_streams(&descriptions);
    for description in &descriptions {
        let header = header(description.ssrc, 111, SeqNo(0), false);
        session.rtp(SeqNo(0), &header, b"").unwrap();
    }

    session.wait(500);
    let sent = session.sent();

    let blocks: Vec<_> = sent
        .iter()
        .filter(|part| part.0 == 201)
        .map(|part| part.1)
        .collect();
    assert_eq!(blocks, [31, 31, 8]);
}

#[test]
fn reports_go_each_second_with_video_and_each_three_without() {
    for (description, seconds) in [(video(), 1.0), (sound(), 3.0)] {
        let mut session = Session::new();
        session.receiver.set_streams(&[description]);
        session.media(1);
        session.sound(1);
        let start = session.now;
        let mut at = Vec::new();
        for _ in 0..50 {
            session.now = session.receiver.poll_timeout(session.now).unwrap();
            assert!(!session.sent().is_empty());
            at.push((session.now - start).as_secs_f64());
        }

        let mean = (at[49] - at[0]) / 49.0 / seconds;
        let is_spread = at
            .windows(2)
            .all(|pair| (0.87..1.13).contains(&((pair[1] - pair[0]) / seconds)));

        assert!((at[0] - 0.5).abs() < 1e-6, "{at:?}");
        assert!((0.95..1.05).contains(&mean), "{mean}");
        assert!(is_spread, "{at:?}");
    }
}

#[test]
fn a_sender_report_is_on_the_clock_of_the_packets() {
    let mut session = Session::new();
    let packet = session.media(65_690).unwrap();
    let wire = packet.timestamp.wire();

    session.rtcp(&sender_report(MEDIA, 5 << 32, wire.wrapping_add(90_000)));
    let report = session.receiver.poll_sender_report().unwrap();

    assert!(wire > u32::MAX - 90_000, "the clock wraps in between");
    assert_eq!(report.timestamp.since(packet.timestamp), 90_000);
    assert_eq!(report.ntp, NtpTimestamp(5 << 32));
    assert_eq!((report.ssrc, report.arrival), (MEDIA, session.now));
    assert_eq!(session.receiver.poll_sender_report(), None);
}

#[test]
fn a_sender_report_before_the_first_packet_is_on_its_clock() {
    let mut session = Session::new();

    session.rtcp(&sender_report(MEDIA, 5 << 32, wire_timestamp(SeqNo(2))));
    let report = session.receiver.poll_sender_report().unwrap();
    let packet = session.media(1).unwrap();

    assert_eq!(report.timestamp.since(packet.timestamp), 3_000);
}

#[test]
fn every_sender_report_of_a_compound_packet_is_read() {
    let mut session = Session::new();
    let unknown = sender_report(Ssrc(9), 1 << 32, 0);
    let compound = [
        sender_report(MEDIA, 1 << 32, 0),
        unknown,
        sender_report(SOUND, 2 << 32, 0),
    ];

    session.rtcp(&compound.concat());
    let ssrcs: Vec<_> = std::iter::from_fn(|| session.receiver.poll_sender_report())
        .map(|report| report.ssrc)
        .collect();

    assert_eq!(ssrcs, [MEDIA, SOUND]);
}

#[test]
fn nothing_is_due_without_keys() {
    let now = any_instant();
    let mut receiver = Receiver::new(LOCAL, String::new());
    receiver.set_streams(&[video()]);

    receiver.request_keyframe(MEDIA);

    assert_eq!(receiver.poll_timeout(now), None);
    assert_eq!(receiver.poll_transmit(now), None);
    receiver.set_keys(keys(DtlsRole::Server));
    assert_eq!(receiver.poll_timeout(now), Some(now));
    assert!(receiver.poll_transmit(now).is_some());
}

/// The six words of the first block of the first receiver report.
fn block(sent: &[(u8, u8, Vec<u8>)]) -> Vec<u32> {
    let report = sent.iter().find(|part| part.0 == 201).expect("a report");
    let words = report.2[8..32].chunks(4);
    words
        .map(|word| u32::from_be_bytes(word.try_into().expect("four octets")))
        .collect()
}

pub(super) fn sender_report(ssrc: Ssrc, ntp: u64, timestamp: u32) -> Vec<u8> {
    let mut report = vec![0x80, 200, 0, 6];
    report.extend(ssrc.0.to_be_bytes());
    report.extend(ntp.to_be_bytes());
    report.extend(timestamp.to_be_bytes());
    report.extend([0; 8]);
    report
}
