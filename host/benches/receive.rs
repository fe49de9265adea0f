//! What a packet costs from the datagram to the `RtpPacket`, against its AES-GCM alone.
//!
//! Round robin over many connections, because that is what a recorder does: the state of each is
//! cold when its packet comes. An iteration is one packet of every stream; sealing is outside.

use std::fmt;
use std::time::Instant;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use divan::Bencher;
use divan::counter::ItemsCount;
use trackmill::media::{Codec, SeqNo, Ssrc};
use trackmill::rtp::{Receiver, StreamDescription};
use trackmill::srtp::{DtlsRole, Keys, Profile};

fn main() {
    divan::main();
}

/// The whole receiver: SRTP, replay, gaps, jitter, clock and one copy of the payload.
#[divan::bench(args = SHAPES, sample_size = 4, sample_count = 200)]
fn receiver(bencher: Bencher<'_, '_>, shape: Shape) {
    let now = start();
    let sender = keys(DtlsRole::Client);
    let mut receivers: Vec<_> = (0..shape.connections)
        .map(|_| receiver_of(shape.streams))
        .collect();
    let mut index = 0;
    bencher
        .counter(ItemsCount::new(shape.connections * shape.streams))
        .with_inputs(|| {
            index += 1;
            round(&sender, SeqNo(index), shape)
        })
        .bench_local_refs(|round| {
            for datagrams in round {
                for (receiver, datagram) in receivers.iter_mut().zip(datagrams) {
                    let packet = receiver.handle_rtp(now, datagram);
                    assert!(packet.is_some(), "every packet is good");
                }
            }
        });
}

/// AES-256-GCM of the same packets: what no receiver can do without.
#[divan::bench(args = SHAPES, sample_size = 4, sample_count = 200)]
fn aes_gcm_alone(bencher: Bencher<'_, '_>, shape: Shape) {
    let ciphers: Vec<_> = (0..shape.connections).map(|_| cipher()).collect();
    let sealed = sealed_by(&cipher(), shape.payload);
    bencher
        .counter(ItemsCount::new(shape.connections * shape.streams))
        .with_inputs(|| vec![vec![sealed.clone(); shape.connections]; shape.streams])
        .bench_local_refs(|round| {
            for datagrams in round {
                for (cipher, datagram) in ciphers.iter().zip(datagrams) {
                    let (header, body) = datagram.split_at_mut(HEADER);
                    let nonce = Nonce::assume_unique_for_key([0; 12]);
                    let opened = cipher.open_in_place(nonce, Aad::from(header), body);
                    assert!(opened.is_ok(), "every packet is good");
                }
            }
        });
}

/// How many connections with how many streams, and the payload of a packet in bytes.
#[derive(Clone, Copy)]
struct Shape {
    connections: usize,
    streams: usize,
    payload: usize,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            connections,
            streams,
            payload,
        } = self;
        write!(f, "{connections} x {streams}, {payload} B")
    }
}

const SHAPES: [Shape; 3] = [
    shape(1_000, 1, 100),
    shape(20, 50, 100),
    shape(100, 1, 1_200),
];

const fn shape(connections: usize, streams: usize, payload: usize) -> Shape {
    Shape {
        connections,
        streams,
        payload,
    }
}

/// Bytes of the fixed header.
const HEADER: usize = 12;

/// The next packet of every stream, for every connection.
fn round(sender: &Keys, index: SeqNo, shape: Shape) -> Vec<Vec<Vec<u8>>> {
    ssrcs(shape.streams)
        .map(|ssrc| {
            let payload = vec![7; shape.payload];
            let sealed = sender
                .outbound
                .seal_rtp(index, &header(ssrc, index), &payload);
            vec![sealed.expect("sealed"); shape.connections]
        })
        .collect()
}

fn receiver_of(streams: usize) -> Receiver {
    let descriptions: Vec<_> = ssrcs(streams)
        .map(|ssrc| StreamDescription {
            track: "TR_bench".into(),
            ssrc,
            rtx: None,
            formats: vec![(111, Codec::Opus)],
            rtx_formats: Vec::new(),
        })
        .collect();
    let mut receiver = Receiver::new(Ssrc(1), "bench".to_owned());
    receiver.set_keys(keys(DtlsRole::Server));
    receiver.set_streams(&descriptions);
    receiver
}

fn ssrcs(streams: usize) -> impl Iterator<Item = Ssrc> {
    (100..).take(streams).map(Ssrc)
}

fn keys(role: DtlsRole) -> Keys {
    let material: Vec<u8> = (0..88).collect();
    Keys::from_dtls(Profile::Aes256Gcm, &material, role).expect("keys")
}

fn header(ssrc: Ssrc, index: SeqNo) -> Vec<u8> {
    let mut header = vec![0x80, 111];
    header.extend(index.wire().to_be_bytes());
    header.extend((u32::from(index.wire()) * 960).to_be_bytes());
    header.extend(ssrc.0.to_be_bytes());
    header
}

fn cipher() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).expect("a key"))
}

fn sealed_by(cipher: &LessSafeKey, payload: usize) -> Vec<u8> {
    let header = vec![7; HEADER];
    let mut body = vec![7; payload];
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    let tag = cipher
        .seal_in_place_separate_tag(nonce, Aad::from(&header), &mut body)
        .expect("sealed");
    [&header, &body, tag.as_ref()].concat()
}

#[expect(clippy::disallowed_methods, reason = "virtual time starts anywhere")]
fn start() -> Instant {
    Instant::now()
}
