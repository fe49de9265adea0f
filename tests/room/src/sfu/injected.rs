//! The frames that LiveKit makes up when a track is muted or taken away.
//!
//! Contents, steps of the RTP timestamp and spacing are those of the captures in `tests/data/rtp`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::media::{Codec, MediaPacket};

/// Why frames are made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {
    /// The publisher muted: a second of silence; nothing for video.
    Mute,
    /// The track ends for this subscriber: 0.2 s of silence or of tiny black keyframes.
    Close,
}

/// A run of made-up packets, to be sent in place of the track's own.
#[derive(Debug, Clone)]
pub struct Injection {
    packets: VecDeque<MediaPacket>,
    started: Instant,
}

impl Injection {
    /// Prepares the packets that follow the one with `last_timestamp`.
    #[must_use]
    pub fn new(reason: Injected, codec: Codec, last_timestamp: u32, now: Instant) -> Self {
        let (count, steps, spacing) = match (reason, codec) {
            (Injected::Mute, Codec::Opus) => (51, MUTE_STEPS, SILENCE_SPACING),
            (Injected::Close, Codec::Opus) => (11, CLOSE_STEPS, SILENCE_SPACING),
            (Injected::Mute, Codec::Pcmu) => (51, G711_STEPS, SILENCE_SPACING),
            (Injected::Close, Codec::Pcmu) => (11, G711_STEPS, SILENCE_SPACING),
            (Injected::Mute, _) => (0, MUTE_STEPS, PICTURE_SPACING),
            (Injected::Close, _) => (6, PICTURE_STEPS, PICTURE_SPACING),
        };
        let mut timestamp = last_timestamp;
        let packets = (0..count).map(|index: u32| {
            let step = usize::try_from(index).ok().and_then(|i| steps.get(i));
            let step = step.or_else(|| steps.last()).copied().unwrap_or_default();
            timestamp = timestamp.wrapping_add(step);
            MediaPacket {
                payload: Bytes::from_static(payload(codec)),
                timestamp,
                marker: true,
                starts_keyframe: true,
                at: spacing * index,
            }
        });
        Self {
            packets: packets.collect(),
            started: now,
        }
    }

    /// Returns when the next packet is due; `None` at the end.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.packets.front().map(|packet| self.started + packet.at)
    }

    /// Takes the next packet if it is due.
    pub fn pull(&mut self, now: Instant) -> Option<MediaPacket> {
        if self.next_at()? > now {
            return None;
        }
        self.packets.pop_front()
    }
}

/// Returns the made-up payload of a codec. LiveKit has none for VP9 and AV1; VP8's stands in.
const fn payload(codec: Codec) -> &'static [u8] {
    match codec {
        Codec::Opus => &SILENCE,
        Codec::Pcmu => &[0xff; 160],
        Codec::H264 => &BLANK_H264,
        Codec::Vp8 | Codec::Vp9 | Codec::Av1 => &BLANK_VP8,
    }
}

/// The first repeats the timestamp of the last real packet; the last step goes on for ever.
const MUTE_STEPS: &[u32] = &[0, 1_101, 981, 961, 965, 961, 974, 961];
const CLOSE_STEPS: &[u32] = &[0, 1_940, 973, 987, 961];
/// No capture of it exists; at 8 kHz.
const G711_STEPS: &[u32] = &[0, 160];
const PICTURE_STEPS: &[u32] = &[4_191, 3_008, 3_023, 3_001];
const SILENCE_SPACING: Duration = Duration::from_millis(20);
const PICTURE_SPACING: Duration = Duration::from_micros(33_333);

const SILENCE: [u8; 80] = {
    let mut silence = [0; 80];
    silence[0] = 0xf8;
    silence[1] = 0xff;
    silence[2] = 0xfe;
    silence
};

/// A payload descriptor without picture id, then a keyframe of 8x8 pixels.
const BLANK_VP8: [u8; 32] = [
    0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x08, 0x00, 0x08, 0x00, 0x00, 0x47, 0x08, 0x85, 0x85,
    0x88, 0x85, 0x84, 0x88, 0x02, 0x02, 0x00, 0x0c, 0x0d, 0x60, 0x00, 0xfe, 0xff, 0xab, 0x50, 0x80,
];

/// STAP-A of SPS, PPS and IDR: a keyframe of 2x2 pixels.
const BLANK_H264: [u8; 47] = [
    0x18, 0x00, 0x18, 0x67, 0x42, 0xc0, 0x1f, 0x0f, 0xd9, 0x1f, 0x88, 0x88, 0x84, 0x00, 0x00, 0x03,
    0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc9, 0x20, 0x00, 0x06, 0x68, 0x87, 0xcb,
    0x83, 0xcb, 0x20, 0x00, 0x0a, 0x65, 0x88, 0x84, 0x0a, 0xf2, 0x62, 0x80, 0x00, 0xa7, 0xbe,
];
