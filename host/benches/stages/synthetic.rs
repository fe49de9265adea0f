use std::time::{Duration, Instant};

use bytes::Bytes;
use trackmill::media::{Codec, MediaTime, SeqNo, Ssrc, TrackKind};
use trackmill::rtp::RtpPacket;

/// How many access units a stream has.
pub(crate) const UNITS: usize = 200;

/// A stream of audio packets, or of pictures of five packets each.
pub(crate) fn packets(codec: Codec) -> Vec<RtpPacket> {
    let payloads = payloads(codec);
    let interval = match codec.kind() {
        TrackKind::Audio => Duration::from_millis(20),
        TrackKind::Video => Duration::from_millis(40),
    };
    let (rate, epoch) = (codec.clock_rate(), epoch());
    let mut packets = Vec::new();
    let mut sequence_number = SeqNo(1 << 16);
    for unit in (0..).take(UNITS) {
        for (index, payload) in payloads.iter().enumerate() {
            packets.push(RtpPacket {
                ssrc: Ssrc(1),
                sequence_number,
                timestamp: MediaTime(rate.ticks(interval * unit)),
                codec,
                marker: index + 1 == payloads.len(),
                arrival: epoch + interval * unit,
                payload: Bytes::copy_from_slice(payload),
            });
            sequence_number = sequence_number.next();
        }
    }
    packets
}

/// The payloads of one access unit that is no keyframe.
fn payloads(codec: Codec) -> Vec<Vec<u8>> {
    match codec {
        Codec::Opus => vec![[&[0xfc], &[7; 99][..]].concat()],
        Codec::Pcmu | Codec::Pcma => vec![vec![7; 160]],
        // FU-A of a slice.
        Codec::H264 => picture([&[0x7c, 0x81], &[0x7c, 0x01], &[0x7c, 0x41]]),
        // Fragmentation units of a TRAIL_R.
        Codec::H265 => picture([&[0x62, 1, 0x81], &[0x62, 1, 0x01], &[0x62, 1, 0x41]]),
        // A picture id of 15 bits; then the frame tag.
        Codec::Vp8 => picture([
            &[0x90, 0x80, 0x81, 5, 0x31],
            &[0x80, 0x80, 0x81, 5],
            &[0x80, 0x80, 0x81, 5],
        ]),
        // Picture id, layers and TL0PICIDX; then the frame header.
        Codec::Vp9 => picture([
            &[0xe8, 0x81, 5, 0, 7, 0x86],
            &[0xe0, 0x81, 5, 0, 7],
            &[0xe4, 0x81, 5, 0, 7],
        ]),
        // One element each; the first begins with the header of a frame OBU.
        Codec::Av1 => picture([&[0x50, 0x30, 0x30], &[0xd0], &[0x90]]),
    }
}

/// Five payloads of 1,100 bytes that begin like this: the first, those between, the last.
fn picture([first, between, last]: [&[u8]; 3]) -> Vec<Vec<u8>> {
    [first, between, between, between, last]
        .map(|head| [head, &vec![7; PAYLOAD - head.len()]].concat())
        .into()
}

#[expect(clippy::disallowed_methods, reason = "virtual time starts anywhere")]
fn epoch() -> Instant {
    Instant::now()
}

const PAYLOAD: usize = 1_100;
