use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trackmill::media::{Codec, MediaTime, SeqNo, Ssrc};
use trackmill::rtp::RtpPacket;

/// The packets of a capture in order of arrival; the README beside it says what it shows.
pub(crate) fn packets(name: &str) -> Vec<RtpPacket> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/rtp");
    let bytes = std::fs::read(directory.join(format!("{name}.rtp"))).expect(name);
    let epoch = epoch();
    let mut rest = Bytes::from(bytes);
    let mut packets: Vec<RtpPacket> = Vec::new();
    while let Some((arrival, packet)) = record(&mut rest) {
        let packet = parse(packet, epoch + arrival, packets.last());
        packets.push(packet.expect("a packet without extensions"));
    }
    packets
}

/// Nanoseconds, length, packet.
fn record(rest: &mut Bytes) -> Option<(Duration, Bytes)> {
    if rest.is_empty() {
        return None;
    }
    let nanos = rest
        .split_to(8)
        .first_chunk()
        .map(|nanos| u64::from_le_bytes(*nanos))?;
    let length = rest
        .split_to(2)
        .first_chunk()
        .map(|length| u16::from_le_bytes(*length))?;
    Some((Duration::from_nanos(nanos), rest.split_to(length.into())))
}

fn parse(mut packet: Bytes, arrival: Instant, last: Option<&RtpPacket>) -> Option<RtpPacket> {
    let header = packet.split_to(12);
    let [0x80, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *header else {
        return None;
    };
    let (number, time) = last.map_or((1 << 16, 1 << 32), |last| {
        (last.sequence_number.0, last.timestamp.0)
    });
    Some(RtpPacket {
        ssrc: Ssrc(u32::from_be_bytes([c0, c1, c2, c3])),
        sequence_number: SeqNo(unroll(number, u16::from_be_bytes([s0, s1]).into(), 16)),
        timestamp: MediaTime(unroll(
            time,
            u32::from_be_bytes([t0, t1, t2, t3]).into(),
            32,
        )),
        codec: match second & 0x7f {
            96 => Codec::Vp8,
            102 => Codec::H264,
            111 => Codec::Opus,
            _ => return None,
        },
        marker: second & 0x80 != 0,
        arrival,
        // A copy, as the receiver makes it.
        payload: Bytes::copy_from_slice(&packet),
    })
}

/// The number with the low `bits` of `value` that is nearest to `last`.
const fn unroll(last: u64, value: u64, bits: u32) -> u64 {
    let cycle = 1_u64 << bits;
    let ahead = value.wrapping_sub(last) % cycle;
    if ahead < cycle / 2 {
        last + ahead
    } else {
        last + ahead - cycle
    }
}

#[expect(clippy::disallowed_methods, reason = "virtual time starts anywhere")]
fn epoch() -> Instant {
    Instant::now()
}
