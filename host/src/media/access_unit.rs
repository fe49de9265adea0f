use bytes::Bytes;

use super::Pts;

/// The smallest encoded piece of a track with its own presentation time: one picture, or one Opus
/// packet.
///
/// The layout of `data` depends on the codec and is the one its container stores:
///
/// | codec | `data` |
/// |---|---|
/// | Opus, PCMU, PCMA | the RTP payload as it came |
/// | H.264, H.265 | NAL units, each behind its length as 32-bit big endian (ISO/IEC 14496-15); parameter sets in-band |
/// | VP8, VP9 | the frame; a VP9 picture of several spatial layers is one superframe |
/// | AV1 | OBUs, each with its size field, without temporal delimiters (low-overhead format, AV1 §5.2) |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessUnit {
    /// When it is presented.
    pub pts: Pts,
    /// Whether decoding can start here. Always true for audio.
    pub is_keyframe: bool,
    /// Whether all of it arrived.
    pub integrity: Integrity,
    /// The encoded bytes.
    pub data: Bytes,
}

/// Whether all packets of an access unit arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Every packet arrived.
    Whole,
    /// Packets are missing; what came is there.
    Damaged,
}
