//! H.264 from an Annex B byte stream.

use std::time::Duration;

use rtc_rtp::codec::h264::H264Payloader;

use super::{Codec, Media, MediaError, Picture, packetize};

impl Media {
    /// Reads an Annex B byte stream of H.264 without B-frames at 30 pictures a second.
    ///
    /// # Errors
    ///
    /// If there is no picture.
    pub fn from_annex_b(bytes: &[u8]) -> Result<Self, MediaError> {
        let units = access_units(bytes);
        let frames = u32::try_from(units.len()).unwrap_or(u32::MAX);
        let pictures = units
            .into_iter()
            .zip(0_u32..)
            .map(|((data, is_keyframe), index)| Picture {
                data,
                at: time(index),
                is_keyframe,
            });
        let packets = packetize(Codec::H264, &mut H264Payloader::default(), pictures)?;
        Self::new(Codec::H264, packets, time(frames))
    }
}

/// When the picture with this index is shown; exact in ticks of 90 kHz.
fn time(index: u32) -> Duration {
    Duration::from_nanos((u64::from(index) * 1_000_000_000).div_ceil(PICTURES_PER_SECOND))
}

/// Splits the stream before the first parameter set or slice that follows a whole picture.
///
/// The second value tells whether the unit holds an IDR slice.
fn access_units(stream: &[u8]) -> Vec<(&[u8], bool)> {
    let mut units = Vec::new();
    let (mut start, mut has_slice, mut has_idr) = (0, false, false);
    for (offset, nal) in nal_units(stream) {
        let kind = nal.first().map_or(0, |header| header & 0x1f);
        let is_slice = matches!(kind, NAL_SLICE | NAL_IDR);
        // ITU-T H.264 §7.3.3: first_mb_in_slice is ue(v), so zero is a single set bit.
        let begins_picture = !is_slice || nal.get(1).is_some_and(|byte| byte & 0x80 != 0);
        if has_slice && begins_picture {
            units.push((stream.get(start..offset).unwrap_or_default(), has_idr));
            (start, has_slice, has_idr) = (offset, false, false);
        }
        has_slice |= is_slice;
        has_idr |= kind == NAL_IDR;
    }
    if has_slice {
        units.push((stream.get(start..).unwrap_or_default(), has_idr));
    }
    units
}

/// Finds the NAL units; the offset is that of the start code, the slice begins behind it.
fn nal_units(stream: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    stream
        .windows(START_CODE.len())
        .enumerate()
        .filter(|(_, window)| *window == START_CODE)
        .map(|(offset, _)| {
            let long = offset > 0 && stream.get(offset - 1) == Some(&0);
            let nal = stream.get(offset + START_CODE.len()..).unwrap_or_default();
            (offset - usize::from(long), nal)
        })
}

const START_CODE: [u8; 3] = [0, 0, 1];
const NAL_SLICE: u8 = 1;
const NAL_IDR: u8 = 5;
const PICTURES_PER_SECOND: u64 = 30;
