//! The RTP captures under `tests/data/rtp`; the README there says what they show.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use trackmill::media::{Codec, MediaTime, SeqNo, Ssrc};
use trackmill::rtp::RtpPacket;

/// Every capture there is.
pub const NAMES: [&str; 12] = [
    "h264-libwebrtc-layers",
    "h264-libwebrtc-unpublish",
    "h264-pion-mute",
    "h264-pion-unsubscribe",
    "opus-libwebrtc-mute",
    "opus-pion-loss5-nack",
    "opus-pion-mute",
    "opus-pion-unsubscribe",
    "vp8-libwebrtc-layers-pause",
    "vp8-pion-loss20-rtx",
    "vp8-pion-loss5-rtx",
    "vp8-pion-unpublish",
];

/// What a depacketizer is told, in sequence order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next packet.
    Packet(RtpPacket),
    /// So many packets are missing here.
    Lost(u64),
}

/// The packets of a capture in order of arrival, the first of which came at `epoch`. Sequence
/// numbers and timestamps are unrolled; the codec comes from the payload type.
///
/// # Errors
/// There is no such capture, or it cannot be read.
pub fn packets(name: &str, epoch: Instant) -> anyhow::Result<Vec<RtpPacket>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("data/rtp/{name}.rtp"));
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let mut rest = Bytes::from(bytes);
    let mut packets: Vec<RtpPacket> = Vec::new();
    while !rest.is_empty() {
        ensure!(rest.len() >= RECORD_HEADER, "{name}: a record is cut short");
        let header = rest.split_to(RECORD_HEADER);
        let (arrival, length) = record_header(&header).context("a record header")?;
        ensure!(rest.len() >= length, "{name}: a packet is cut short");
        let packet = rest.split_to(length);
        let packet = parse(&packet, epoch + arrival, packets.last())
            .with_context(|| format!("{name}: packet {} is none that we know", packets.len()))?;
        packets.push(packet);
    }
    Ok(packets)
}

/// The packets in sequence order, once each, with what is missing between them.
pub fn in_order(mut packets: Vec<RtpPacket>) -> Vec<Step> {
    packets.sort_by_key(|packet| packet.sequence_number);
    packets.dedup_by_key(|packet| packet.sequence_number);
    let mut steps = Vec::with_capacity(packets.len());
    let mut expected = packets.first().map(|packet| packet.sequence_number);
    for packet in packets {
        let missing = expected.map_or(0, |expected| packet.sequence_number.0 - expected.0);
        if missing > 0 {
            steps.push(Step::Lost(missing));
        }
        expected = Some(packet.sequence_number.next());
        steps.push(Step::Packet(packet));
    }
    steps
}

fn record_header(header: &[u8]) -> Option<(Duration, usize)> {
    let (nanos, length) = header.split_first_chunk::<8>()?;
    let nanos = Duration::from_nanos(u64::from_le_bytes(*nanos));
    let length = u16::from_le_bytes(*length.first_chunk::<2>()?);
    Some((nanos, usize::from(length)))
}

/// [RFC 3550 §5.1](https://www.rfc-editor.org/rfc/rfc3550#section-5.1), without extensions, which
/// no capture has.
fn parse(packet: &Bytes, arrival: Instant, last: Option<&RtpPacket>) -> Option<RtpPacket> {
    let (header, _) = packet.split_first_chunk::<12>()?;
    let [first, second, s0, s1, timestamp @ .., c0, c1, c2, c3] = *header;
    let payload_offset = 12 + 4 * usize::from(first & 0x0f);
    if first & 0xf0 != 0x80 || packet.len() < payload_offset {
        return None;
    }
    let sequence_number = u16::from_be_bytes([s0, s1]);
    let timestamp = u32::from_be_bytes(timestamp);
    let (last_number, last_time) = last.map_or((1 << 16, 1 << 32), |last| {
        (last.sequence_number.0, last.timestamp.0)
    });
    Some(RtpPacket {
        ssrc: Ssrc(u32::from_be_bytes([c0, c1, c2, c3])),
        sequence_number: SeqNo(unroll(last_number, sequence_number.into(), 16)),
        timestamp: MediaTime(unroll(last_time, timestamp.into(), 32)),
        codec: match second & 0x7f {
            96 => Codec::Vp8,
            102 => Codec::H264,
            111 => Codec::Opus,
            _ => return None,
        },
        marker: second & 0x80 != 0,
        arrival,
        payload: packet.slice(payload_offset..),
    })
}

/// The number with the low `bits` of `value` that is nearest to `last`.
const fn unroll(last: u64, value: u64, bits: u32) -> u64 {
    let cycle = 1_u64 << bits;
    let behind = value.wrapping_sub(last) % cycle;
    if behind < cycle / 2 {
        last + behind
    } else {
        (last + behind).saturating_sub(cycle)
    }
}

const RECORD_HEADER: usize = 10;
