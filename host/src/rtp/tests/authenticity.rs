use std::time::Duration;

use proptest::prelude::*;

use super::reports::sender_report;
use super::*;
use crate::rtp::Dropped;

#[test]
fn no_forged_bit_and_no_truncation_changes_anything() {
    let mut session = Session::new();
    session.media(1_000);
    let header = header(MEDIA, 96, SeqNo(1_001), false);
    let mut genuine = session.seal(SeqNo(1_001), &header, b"media");
    let before = state(&session.receiver);

    for silence in [0, 3] {
        session.now += Duration::from_secs(silence);
        for bit in 0..8 * genuine.len() {
            let mut forged = genuine.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let packet = session.receiver.handle_rtp(session.now, &mut forged);
            assert_eq!(packet, None, "bit {bit}");
        }
        for length in 0..genuine.len() {
            let mut cut = genuine[..length].to_vec();
            let packet = session.receiver.handle_rtp(session.now, &mut cut);
            assert_eq!(packet, None, "{length} bytes");
        }
    }

    assert_eq!(state(&session.receiver), before);
    assert!(session.asked().is_empty());
    let packet = session.receiver.handle_rtp(session.now, &mut genuine);
    assert_eq!(packet.unwrap().payload, "media");
}

#[test]
fn no_forged_bit_and_no_truncation_of_a_sender_report_is_believed() {
    let mut session = Session::new();
    let mut genuine = sender_report(MEDIA, 1 << 32, 0);
    session.sender.outbound.seal_rtcp(&mut genuine).unwrap();

    for bit in 0..8 * genuine.len() {
        let mut forged = genuine.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        session.receiver.handle_rtcp(session.now, &mut forged);
    }
    for length in 0..genuine.len() {
        let mut cut = genuine[..length].to_vec();
        session.receiver.handle_rtcp(session.now, &mut cut);
    }

    assert_eq!(session.receiver.poll_sender_report(), None);
    session.receiver.handle_rtcp(session.now, &mut genuine);
    assert!(session.receiver.poll_sender_report().is_some());
}

#[test]
fn every_reason_is_counted() {
    let mut session = Session::new();
    let mut keyless = Receiver::new(LOCAL, String::new());
    assert_eq!(keyless.handle_rtp(session.now, &mut [0x80; 40]), None);
    assert_eq!(keyless.dropped().no_keys, 1);

    session.media(5);
    session.media(5);
    session.receiver.handle_rtp(session.now, &mut [0; 40]);
    session.rtp(SeqNo(0), &header(Ssrc(9), 96, SeqNo(0), false), b"");
    session.rtp(SeqNo(6), &header(MEDIA, 63, SeqNo(6), false), b"");
    session.rtp(SeqNo(8), &header(MEDIA, 96, SeqNo(7), false), b"");
    session.repair(5);
    session.repair(9);

    let expected = Dropped {
        malformed: 1,
        unknown_ssrc: 1,
        unknown_payload_type: 1,
        replayed: 1,
        not_authentic: 1,
        rtx_duplicates: 1,
        rtx_unplaced: 1,
        ..Dropped::default()
    };
    assert_eq!(session.receiver.dropped(), expected);
}

#[test]
fn strangers_cannot_make_a_receiver_grow() {
    let mut session = Session::new();
    let before = state(&session.receiver);
    for ssrc in 300..2_000 {
        let mut report = sender_report(Ssrc(ssrc), 1 << 32, 0);
        session.sender.outbound.seal_rtcp(&mut report).unwrap();
        session.receiver.handle_rtcp(session.now, &mut report);
    }

    assert_eq!(state(&session.receiver), before);
    assert_eq!(session.receiver.dropped().unknown_ssrc, 1_700);
}

#[test]
fn a_replayed_sender_report_is_refused() {
    let mut session = Session::new();
    let mut report = sender_report(MEDIA, 1 << 32, 0);
    session.sender.outbound.seal_rtcp(&mut report).unwrap();

    session
        .receiver
        .handle_rtcp(session.now, &mut report.clone());
    session.receiver.poll_sender_report().unwrap();
    session.receiver.handle_rtcp(session.now, &mut report);

    assert_eq!(session.receiver.poll_sender_report(), None);
    assert_eq!(session.receiver.dropped().replayed, 1);
}

#[test]
fn new_keys_start_anew() {
    let mut session = Session::new();
    assert!(session.media(7).is_some());
    assert!(session.media(7).is_none());

    session.receiver.set_keys(keys(DtlsRole::Server));

    assert!(session.media(7).is_some());
}

proptest! {
    #[test]
    fn no_datagram_panics(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
        ssrc in prop::sample::select(vec![MEDIA, RTX, SOUND]),
    ) {
        let mut session = Session::new();
        for mut datagram in datagrams {
            session.wait(700);
            if let Some(field) = datagram.get_mut(8..12) {
                field.copy_from_slice(&ssrc.0.to_be_bytes());
            }
            session.receiver.handle_rtp(session.now, &mut datagram.clone());
            session.receiver.handle_rtcp(session.now, &mut datagram);
            session.sent();
        }
    }

    #[test]
    fn no_authentic_nonsense_panics(
        packets in prop::collection::vec(
            (any::<u64>(), any::<u8>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)),
            0..40,
        ),
    ) {
        let mut session = Session::new();
        for (index, flags, kind, payload) in packets {
            session.wait(700);
            let index = SeqNo(index >> 16);
            let ssrc = [MEDIA, RTX, SOUND][usize::from(kind) % 3];
            let mut head = header(ssrc, kind, index, flags & 1 == 1);
            head[4..6].copy_from_slice(&[flags, kind]);
            session.rtp(index, &head, &payload);
            let control = [&[0x80 | flags & 0x3f, 200 + kind % 8, 0, flags][..], &head[8..], &payload];
            session.rtcp(&control.concat());
            while session.receiver.poll_sender_report().is_some() {}
            session.receiver.request_keyframe(ssrc);
            session.sent();
        }
    }
}

/// Everything but the counters of what was dropped, and the scratch buffer behind them.
fn state(receiver: &Receiver) -> String {
    let shown = format!("{receiver:?}");
    let (state, _dropped) = shown.split_once("dropped: ").expect("the counters");
    state.to_owned()
}
