//! The frames that the SFU itself puts into a stream, to flush what a player shows or sounds: about
//! a second of silence when a microphone is muted, 0.2 s of silence or of tiny keyframes when a
//! track ends.
//!
//! They are recognised by what they are, because they come about 0.2 s before signalling tells of
//! the end, and because their timestamps overlap those of the media (media.md O4, V3). The
//! constants are those of `pkg/sfu/downtrack.go` in livekit-server 1.13.
//!
//! Whoever drops an injected *video* packet tells the depacketizer by
//! [`lost`](crate::depacketize::Depacketizer::lost): the SFU may have closed a picture of which it
//! never sent the rest.

use super::RtpPacket;
use crate::media::Codec;

/// Whether the SFU made this packet, and not the publisher.
pub fn is_injected(packet: &RtpPacket) -> bool {
    let payload = &packet.payload[..];
    match packet.codec {
        // Every one has the marker, which publishers set only where speech sets in. Without it,
        // digital silence of a publisher would be dropped, too.
        Codec::Opus => packet.marker && is_padded_silence(payload),
        Codec::Pcmu => packet.marker && payload == [0xff; G711_FRAME],
        Codec::Pcma => packet.marker && payload == [0xd5; G711_FRAME],
        // In front of it is a payload descriptor of 1 to 6 bytes.
        Codec::Vp8 => payload.len() <= VP8_KEYFRAME.len() + 6 && payload.ends_with(&VP8_KEYFRAME),
        Codec::H264 => payload == H264_KEYFRAME,
        Codec::H265 | Codec::Vp9 | Codec::Av1 => false,
    }
}

/// Silence that a publisher sends has 3 bytes, or the zeros that its constant bit rate asks for and
/// no marker.
fn is_padded_silence(payload: &[u8]) -> bool {
    match payload.strip_prefix(&OPUS_SILENCE) {
        Some(padding @ [_, ..]) if payload.len() <= OPUS_FRAME => {
            padding.iter().all(|byte| *byte == 0)
        }
        _ => false,
    }
}

const OPUS_SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];
const OPUS_FRAME: usize = 80;

/// 20 ms.
const G711_FRAME: usize = 160;

/// 8x8 pixels.
const VP8_KEYFRAME: [u8; 31] = [
    0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x08, 0x00, 0x08, 0x00, 0x00, 0x47, 0x08, 0x85, 0x85, 0x88,
    0x85, 0x84, 0x88, 0x02, 0x02, 0x00, 0x0c, 0x0d, 0x60, 0x00, 0xfe, 0xff, 0xab, 0x50, 0x80,
];

/// 2x2 pixels: a STAP-A of SPS, PPS and IDR.
const H264_KEYFRAME: [u8; 47] = [
    0x18, 0x00, 0x18, 0x67, 0x42, 0xc0, 0x1f, 0x0f, 0xd9, 0x1f, 0x88, 0x88, 0x84, 0x00, 0x00, 0x03,
    0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc9, 0x20, 0x00, 0x06, 0x68, 0x87, 0xcb,
    0x83, 0xcb, 0x20, 0x00, 0x0a, 0x65, 0x88, 0x84, 0x0a, 0xf2, 0x62, 0x80, 0x00, 0xa7, 0xbe,
];

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::media::{MediaTime, SeqNo, Ssrc};

    #[test]
    fn what_the_sfu_makes_is_recognised() {
        let silence = [&OPUS_SILENCE[..], &[0; 77]].concat();
        let keyframe = [&[0x90, 0x80, 0x83, 0xde][..], &VP8_KEYFRAME].concat();

        assert!(is_injected(&packet(Codec::Opus, &silence)));
        assert!(is_injected(&packet(Codec::Pcmu, &[0xff; 160])));
        assert!(is_injected(&packet(Codec::Pcma, &[0xd5; 160])));
        assert!(is_injected(&packet(Codec::Vp8, &keyframe)));
        assert!(is_injected(&packet(Codec::H264, &H264_KEYFRAME)));
    }

    #[test]
    fn what_a_publisher_sends_is_kept() {
        let longer = [&OPUS_SILENCE[..], &[0; 78]].concat();
        let mut sound = [&OPUS_SILENCE[..], &[0; 77]].concat();
        sound[79] = 1;
        let cases: [(Codec, &[u8]); 7] = [
            (Codec::Opus, &OPUS_SILENCE),
            (Codec::Opus, &longer),
            (Codec::Opus, &sound),
            (Codec::Pcmu, &[0xff; 80]),
            (Codec::Vp8, &VP8_KEYFRAME[..30]),
            (Codec::H264, &H264_KEYFRAME[..46]),
            (Codec::Vp9, &VP8_KEYFRAME),
        ];
        for (codec, payload) in cases {
            assert!(
                !is_injected(&packet(codec, payload)),
                "{codec} {payload:02x?}"
            );
        }
    }

    #[test]
    fn silence_without_marker_is_the_publishers() {
        let silence = [&OPUS_SILENCE[..], &[0; 77]].concat();
        for (codec, payload) in [(Codec::Opus, &silence[..]), (Codec::Pcmu, &[0xff; 160])] {
            let mut packet = packet(codec, payload);
            packet.marker = false;

            assert!(!is_injected(&packet), "{codec}");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the arrival means nothing here")]
    fn packet(codec: Codec, payload: &[u8]) -> RtpPacket {
        RtpPacket {
            ssrc: Ssrc(1),
            sequence_number: SeqNo(1),
            timestamp: MediaTime(0),
            codec,
            marker: true,
            arrival: Instant::now(),
            payload: Bytes::copy_from_slice(payload),
        }
    }
}
