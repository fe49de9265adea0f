//! What depacketizers, muxers and the injected-frame filter must know of the inside of access
//! units: NAL units, parameter sets, frame headers. Reads bytes, keeps nothing.
//!
//! Every function answers `None` to bytes that it cannot read to the end of what it promises; none
//! panics, and none takes longer than a few passes over its input.

pub mod av1;
pub mod bits;
pub mod h264;
pub mod h265;
pub mod nal;
pub mod opus;
pub mod vp8;
pub mod vp9;

use crate::media::Codec;

/// The picture size that a keyframe announces, in pixels: width, height. `None` for audio, and for
/// an access unit that announces none.
pub fn dimensions(codec: Codec, keyframe: &[u8]) -> Option<(u32, u32)> {
    match codec {
        Codec::Opus | Codec::Pcmu | Codec::Pcma => None,
        Codec::H264 => nal::units(keyframe)
            .find_map(h264::SequenceParameterSet::parse)
            .map(|sps| (sps.width, sps.height)),
        Codec::H265 => nal::units(keyframe)
            .find_map(h265::SequenceParameterSet::parse)
            .map(|sps| (sps.width, sps.height)),
        Codec::Vp8 => vp8::FrameHeader::parse(keyframe)?
            .size
            .map(|size| (size.width.into(), size.height.into())),
        Codec::Vp9 => vp9_dimensions(keyframe),
        Codec::Av1 => av1::obus(keyframe)
            .filter(|obu| obu.kind == av1::ObuType::SequenceHeader)
            .find_map(|obu| av1::SequenceHeader::parse(obu.payload))
            .map(|header| (header.max_width, header.max_height)),
    }
}

/// Of several spatial layers the last one is the largest, and the one that is shown.
fn vp9_dimensions(keyframe: &[u8]) -> Option<(u32, u32)> {
    let layers = vp9::frames(keyframe)?;
    layers
        .iter()
        .rev()
        .find_map(|layer| match vp9::FrameHeader::parse(layer)? {
            vp9::FrameHeader::Key(frame) => Some((frame.width, frame.height)),
            vp9::FrameHeader::ShowExisting | vp9::FrameHeader::Inter { .. } => None,
        })
}
