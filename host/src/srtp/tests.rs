//! Against a second implementation (rtc-srtp) and against a model of the sender.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rtc_srtp::context::Context as OtherContext;
use rtc_srtp::crypto::providers::AwsLcRsCrypto;
use rtc_srtp::protection_profile::ProtectionProfile;

use super::*;
use crate::media::{SeqNo, Ssrc};

const PROFILES: [(Profile, ProtectionProfile); 2] = [
    (Profile::Aes128Gcm, ProtectionProfile::AeadAes128Gcm),
    (Profile::Aes256Gcm, ProtectionProfile::AeadAes256Gcm),
];

#[test]
fn rtp_that_another_implementation_sealed_opens_over_roll_overs() {
    for (profile, other) in PROFILES {
        let (keys, mut client, _) = session(profile, other);
        let mut source = Source::new(SSRC);
        let now = any_instant();
        for index in (65_000..200_000_u64).step_by(997) {
            let clear = [header(SeqNo(index)), index.to_be_bytes().to_vec()].concat();
            let mut sealed = client.encrypt_rtp(&clear).unwrap();

            // It starts to count with roll-over counter 0.
            let opened = open(&mut source, &keys, now, &mut sealed);

            assert_eq!(opened, Ok((SeqNo(index), index.to_be_bytes().to_vec())));
        }
    }
}

#[test]
fn rtcp_that_another_implementation_sealed_opens_once() {
    for (profile, other) in PROFILES {
        let (keys, mut client, _) = session(profile, other);
        let mut source = Source::new(SSRC);
        for _ in 0..3 {
            let mut sealed = client.encrypt_rtcp(&report()).unwrap();
            let mut again = sealed.clone();

            let length = source.open_rtcp(&keys.inbound, &mut sealed).unwrap();
            let replayed = source.open_rtcp(&keys.inbound, &mut again);

            assert_eq!(sealed[..length], report());
            assert_eq!(replayed, Err(OpenError::Replayed));
        }
    }
}

#[test]
fn another_implementation_opens_what_we_seal() {
    for (profile, other) in PROFILES {
        let (mut keys, _, mut server) = session(profile, other);
        for index in 0..3_u64 {
            let mut sealed = report();
            keys.outbound.seal_rtcp(&mut sealed).unwrap();
            assert_eq!(server.decrypt_rtcp(&sealed).unwrap(), report());

            let header = header(SeqNo(index));
            let sealed = keys.outbound.seal_rtp(SeqNo(index), &header, b"media");
            let clear = [&header[..], b"media"].concat();
            assert_eq!(server.decrypt_rtp(&sealed.unwrap()).unwrap(), clear);
        }
    }
}

#[test]
fn the_roles_of_dtls_are_each_others_mirror() {
    let material: Vec<u8> = (0..88).collect();
    let client = Keys::from_dtls(Profile::Aes256Gcm, &material, DtlsRole::Client).unwrap();
    let mut server = Keys::from_dtls(Profile::Aes256Gcm, &material, DtlsRole::Server).unwrap();

    let mut sealed = report();
    server.outbound.seal_rtcp(&mut sealed).unwrap();
    let opened = Source::new(SSRC).open_rtcp(&client.inbound, &mut sealed);

    assert_eq!(opened, Ok(report().len()));
}

#[test]
fn material_of_the_wrong_length_is_refused() {
    let refused = Keys::from_dtls(Profile::Aes256Gcm, &[0; 56], DtlsRole::Server);

    assert_eq!(
        refused.unwrap_err(),
        KeyError::MaterialLength {
            expected: 88,
            actual: 56
        }
    );
}

#[test]
fn debug_shows_no_key() {
    let material = [0xab; 88];
    let keys = Keys::from_dtls(Profile::Aes256Gcm, &material, DtlsRole::Server).unwrap();

    let shown = format!("{keys:?}");

    assert!(shown.contains("next_rtcp_index"), "{shown}");
    for trace in ["ab", "AB", "171"] {
        assert!(!shown.contains(trace), "{shown}");
    }
}

#[test]
fn unencrypted_srtcp_is_refused() {
    let (mut keys, _) = mirrored();
    let mut sealed = report();
    keys.outbound.seal_rtcp(&mut sealed).unwrap();
    let flag = sealed.len() - 4;
    sealed[flag] &= 0x7f;

    let opened = Source::new(SSRC).open_rtcp(&mirrored().1.inbound, &mut sealed);

    assert_eq!(opened, Err(OpenError::NotEncrypted));
}

#[test]
fn roll_overs_unseen_in_a_silence_are_recovered_up_to_three() {
    let (sender, receiver) = mirrored();
    let start = any_instant();
    for (rounds, is_recovered) in [(1, true), (2, true), (3, true), (4, false)] {
        let mut source = Source::new(SSRC);
        let first = seal(&sender, SeqNo(40_000));
        open(&mut source, &receiver, start, &mut first.clone()).unwrap();
        let far = SeqNo(40_010 + (rounds << 16));

        let soon = start + Duration::from_secs(1);
        let late = start + Duration::from_secs(3);
        let at_once = open(&mut source, &receiver, soon, &mut seal(&sender, far));
        let after_silence = open(&mut source, &receiver, late, &mut seal(&sender, far));

        assert_eq!(at_once, Err(OpenError::NotAuthentic));
        assert_eq!(after_silence.is_ok(), is_recovered, "{rounds} rounds");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The model: the sender counts 64 bits; the network loses, delays and repeats.
    #[test]
    fn every_packet_opens_at_its_place_over_several_wraps(
        start in 0_u64..70_000,
        steps in prop::collection::vec((1_u64..30_000, 0_u64..900, any::<bool>()), 1..60),
    ) {
        let (sender, receiver) = mirrored();
        let now = any_instant();
        let mut source = Source::new(SSRC);
        let mut newest = start;
        for (ahead, behind, is_repeated) in steps {
            newest += ahead;
            for index in [newest, newest - behind.min(ahead - 1)] {
                let index = SeqNo(index);
                let is_seen = source.newest().is_some() && !source.is_fresh(index);
                let opened = open(&mut source, &receiver, now, &mut seal(&sender, index));
                if is_seen {
                    prop_assert_eq!(opened, Err(OpenError::Replayed));
                } else {
                    prop_assert_eq!(opened, Ok((index, PAYLOAD.to_vec())));
                }
                if is_repeated {
                    let again = open(&mut source, &receiver, now, &mut seal(&sender, index));
                    prop_assert_eq!(again, Err(OpenError::Replayed));
                }
            }
        }
    }
}

const SSRC: Ssrc = Ssrc(0xcafe_babe);
const PAYLOAD: &[u8] = b"media";

/// Our keys as the DTLS server, and both contexts of the peer: what it sends with and what it
/// receives with.
fn session(profile: Profile, other: ProtectionProfile) -> (Keys, OtherContext, OtherContext) {
    let material: Vec<u8> = (0..=255).take(profile.material_length()).collect();
    let (keys, salts) = material.split_at(2 * profile.key_length());
    let (client_key, server_key) = keys.split_at(profile.key_length());
    let (client_salt, server_salt) = salts.split_at(12);
    let context = |key, salt| {
        OtherContext::new(key, salt, other, None, None, &AwsLcRsCrypto).expect("a context")
    };
    (
        Keys::from_dtls(profile, &material, DtlsRole::Server).expect("keys"),
        context(client_key, client_salt),
        context(server_key, server_salt),
    )
}

/// The keys of both ends.
fn mirrored() -> (Keys, Keys) {
    let material: Vec<u8> = (0..88).collect();
    let keys = |role| Keys::from_dtls(Profile::Aes256Gcm, &material, role).expect("keys");
    (keys(DtlsRole::Client), keys(DtlsRole::Server))
}

fn seal(sender: &Keys, index: SeqNo) -> Vec<u8> {
    sender
        .outbound
        .seal_rtp(index, &header(index), PAYLOAD)
        .expect("sealed")
}

fn open(
    source: &mut Source,
    keys: &Keys,
    now: Instant,
    datagram: &mut [u8],
) -> Result<(SeqNo, Vec<u8>), OpenError> {
    let (header, body) = datagram.split_at_mut(12);
    let mut packet = Protected {
        sequence_number: u16::from_be_bytes([header[2], header[3]]),
        header,
        body,
    };
    let (place, length) = source.open_rtp(now, &keys.inbound, &mut packet, &mut Vec::new())?;
    source.accept(now, place);
    Ok((place, body[..length].to_vec()))
}

fn header(index: SeqNo) -> Vec<u8> {
    let mut header = vec![0x80, 96];
    header.extend(index.wire().to_be_bytes());
    header.extend([0, 0, 0, 9]);
    header.extend(SSRC.0.to_be_bytes());
    header
}

fn report() -> Vec<u8> {
    let mut report = vec![0x80, 201, 0, 1];
    report.extend(SSRC.0.to_be_bytes());
    report
}

#[expect(clippy::disallowed_methods, reason = "virtual time starts anywhere")]
fn any_instant() -> Instant {
    Instant::now()
}
