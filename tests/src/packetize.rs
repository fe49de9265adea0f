//! Payload formats in the other direction: pictures → RTP payloads, as a publisher makes them.
//! Written from the specifications, apart from the depacketizers that it judges.

use std::time::Instant;

use bytes::Bytes;
use trackmill::bitstream::av1::{self, HAS_EXTENSION, HAS_SIZE, ObuType, write_leb128};
use trackmill::media::{Codec, MediaTime, SeqNo, Ssrc};
use trackmill::rtp::RtpPacket;

/// H.264 in packetization mode 1: parameter sets in one STAP-A, long NAL units in FU-A.
pub fn h264(nals: &[Vec<u8>], mtu: usize) -> Vec<Vec<u8>> {
    let is_small = |nal: &[u8]| nal.len() < 100;
    nal_payloads(nals, mtu, is_small, |nal| match nal {
        None => Kind::Aggregate(vec![0x78]),
        Some([header, ..]) => Kind::Fragments {
            header: vec![header & 0xe0 | 28],
            kind: header & 0x1f,
            skipped: 1,
        },
        Some([]) => unreachable!("NAL units are not empty"),
    })
}

/// H.265: parameter sets in one aggregation packet, long NAL units in fragmentation units.
pub fn h265(nals: &[Vec<u8>], mtu: usize) -> Vec<Vec<u8>> {
    let is_small = |nal: &[u8]| nal.len() < 100;
    nal_payloads(nals, mtu, is_small, |nal| match nal {
        None => Kind::Aggregate(vec![48 << 1, 1]),
        Some([first, second, ..]) => Kind::Fragments {
            header: vec![first & 0x81 | 49 << 1, *second],
            kind: first >> 1 & 0x3f,
            skipped: 2,
        },
        Some(_) => unreachable!("NAL units have two bytes at least"),
    })
}

/// VP8 with a picture id of 15 bits.
pub fn vp8(frame: &[u8], mtu: usize) -> Vec<Vec<u8>> {
    let with_descriptor = |(index, fragment): (usize, &[u8])| {
        let start = if index == 0 { 0x10 } else { 0 };
        [&[0x80 | start, 0x80, 0x81, 0x23][..], fragment].concat()
    };
    frame.chunks(mtu).enumerate().map(with_descriptor).collect()
}

/// VP9 in non-flexible mode; each frame is one spatial layer above the one before.
pub fn vp9(layers: &[&[u8]], mtu: usize) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for (layer, frame) in (0_u8..).zip(layers) {
        let last = frame.len().div_ceil(mtu) - 1;
        for (index, fragment) in frame.chunks(mtu).enumerate() {
            let begins = if index == 0 { 0x08 } else { 0 };
            let ends = if index == last { 0x04 } else { 0 };
            let needs_lower = u8::from(layer > 0);
            let descriptor = [
                0xa0 | begins | ends,
                0x81,
                0x23,
                layer << 1 | needs_lower,
                7,
            ];
            payloads.push([&descriptor[..], fragment].concat());
        }
    }
    payloads
}

/// AV1: each payload has the end of one unit and the beginning of the next, all with sizes (W 0).
pub fn av1(temporal_unit: &[u8], mtu: usize) -> Vec<Vec<u8>> {
    let mut payloads = vec![vec![0]];
    for obu in av1::obus(temporal_unit) {
        if obu.kind == ObuType::TemporalDelimiter {
            continue;
        }
        let element = without_size(&obu);
        let mut rest = &element[..];
        while !rest.is_empty() {
            let room = mtu.saturating_sub(payloads.last().map_or(0, Vec::len));
            if room < 10 {
                payloads.push(vec![0]);
                continue;
            }
            let (fragment, behind) = rest.split_at(rest.len().min(room));
            push_element(&mut payloads, fragment, rest.len() < element.len());
            rest = behind;
            if !rest.is_empty() {
                mark_last(&mut payloads, 0x40);
                payloads.push(vec![0]);
            }
        }
    }
    payloads
}

/// The packets of a stream whose pictures are `ticks` apart and have these payloads.
#[expect(clippy::disallowed_methods, reason = "the arrival means nothing here")]
pub fn stream(codec: Codec, pictures: &[Vec<Vec<u8>>], ticks: u64) -> Vec<RtpPacket> {
    let arrival = Instant::now();
    let mut packets = Vec::new();
    let mut sequence_number = SeqNo(65_000);
    for (index, picture) in (0..).zip(pictures) {
        for (left, payload) in (0..picture.len()).rev().zip(picture) {
            packets.push(RtpPacket {
                ssrc: Ssrc(1),
                sequence_number,
                timestamp: MediaTime(index * ticks),
                codec,
                marker: left == 0,
                arrival,
                payload: Bytes::copy_from_slice(payload),
            });
            sequence_number = sequence_number.next();
        }
    }
    packets
}

/// What H.264 and H.265 differ in.
enum Kind {
    /// The header of an aggregation.
    Aggregate(Vec<u8>),
    /// The header of fragments, the type for their second header, and the bytes of the NAL unit
    /// that those two stand for.
    Fragments {
        header: Vec<u8>,
        kind: u8,
        skipped: usize,
    },
}

fn nal_payloads(
    nals: &[Vec<u8>],
    mtu: usize,
    is_small: impl Fn(&[u8]) -> bool,
    kind: impl Fn(Option<&[u8]>) -> Kind,
) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for run in nals.chunk_by(|a, b| is_small(a) && is_small(b)) {
        match (run, kind(None)) {
            ([_, _, ..], Kind::Aggregate(header)) => payloads.push(aggregate(header, run)),
            _ => {
                for nal in run {
                    payloads.extend(single_or_fragments(nal, mtu, &kind));
                }
            }
        }
    }
    payloads
}

fn aggregate(mut payload: Vec<u8>, nals: &[Vec<u8>]) -> Vec<u8> {
    for nal in nals {
        let size = u16::try_from(nal.len()).expect("only small NAL units are aggregated");
        payload.extend(size.to_be_bytes());
        payload.extend_from_slice(nal);
    }
    payload
}

fn single_or_fragments(
    nal: &[u8],
    mtu: usize,
    kind: impl Fn(Option<&[u8]>) -> Kind,
) -> Vec<Vec<u8>> {
    let Kind::Fragments {
        header,
        kind,
        skipped,
    } = kind(Some(nal))
    else {
        unreachable!("a NAL unit is fragmented");
    };
    let body = nal.get(skipped..).unwrap_or_default();
    if nal.len() <= mtu {
        return vec![nal.to_vec()];
    }
    let last = body.len().div_ceil(mtu) - 1;
    let fragments = body.chunks(mtu).enumerate().map(|(index, fragment)| {
        let start = if index == 0 { 0x80 } else { 0 };
        let end = if index == last { 0x40 } else { 0 };
        [&header[..], &[start | end | kind], fragment].concat()
    });
    fragments.collect()
}

fn without_size(obu: &av1::Obu<'_>) -> Vec<u8> {
    let mut element = Vec::with_capacity(obu.bytes.len());
    match obu.bytes {
        [header, extension, ..] if header & HAS_EXTENSION != 0 => {
            element.extend([header & !HAS_SIZE, *extension]);
        }
        [header, ..] => element.push(header & !HAS_SIZE),
        [] => {}
    }
    element.extend_from_slice(obu.payload);
    element
}

fn push_element(payloads: &mut [Vec<u8>], fragment: &[u8], is_continued: bool) {
    let Some(payload) = payloads.last_mut() else {
        return;
    };
    if is_continued && let Some(header) = payload.first_mut() {
        *header |= 0x80;
    }
    let size = u32::try_from(fragment.len()).expect("a fragment fits into a packet");
    write_leb128(size, |byte| payload.push(byte));
    payload.extend_from_slice(fragment);
}

fn mark_last(payloads: &mut [Vec<u8>], bits: u8) {
    if let Some(header) = payloads.last_mut().and_then(|payload| payload.first_mut()) {
        *header |= bits;
    }
}
