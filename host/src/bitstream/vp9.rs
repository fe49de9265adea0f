//! The head of a VP9 frame and the index of a superframe (VP9 bitstream specification §6.2 and
//! annex B).

use super::bits::BitReader;

/// What the uncompressed header of a frame says about it, as far as its first fields go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameHeader {
    /// A decoded frame is shown again.
    ShowExisting,
    /// A frame that builds on others.
    Inter {
        /// 0 to 3.
        profile: u8,
        /// Whether it is to be displayed.
        is_shown: bool,
    },
    /// Decoding can start here.
    Key(KeyFrame),
}

/// What the header of a keyframe says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFrame {
    /// 0 to 3.
    pub profile: u8,
    /// Whether it is to be displayed.
    pub is_shown: bool,
    /// How colours are coded.
    pub color: Color,
    /// Pixels in a row, 1 to 65536.
    pub width: u32,
    /// Rows, 1 to 65536.
    pub height: u32,
}

/// How colours are coded (§7.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color {
    /// Bits of one sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// `color_space`: 2 is BT.709, 7 is RGB.
    pub space: u8,
    /// Whether samples use the full range of their bits.
    pub is_full_range: bool,
    /// 1 if chroma has half the columns of luma.
    pub subsampling_x: u8,
    /// 1 if chroma has half the rows of luma.
    pub subsampling_y: u8,
}

impl FrameHeader {
    /// Reads the head of one frame; of a superframe, that of its first frame.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let mut bits = BitReader::new(frame);
        if bits.bits(2)? != FRAME_MARKER {
            return None;
        }
        let profile = u8::from(bits.bit()?) | u8::from(bits.bit()?) << 1;
        if profile == 3 && bits.bit()? {
            return None;
        }
        if bits.bit()? {
            return Some(Self::ShowExisting);
        }
        let is_inter = bits.bit()?;
        let is_shown = bits.bit()?;
        bits.skip(1)?;
        if is_inter {
            return Some(Self::Inter { profile, is_shown });
        }
        if bits.bits(24)? != SYNC_CODE {
            return None;
        }
        let color = Color::parse(&mut bits, profile)?;
        Some(Self::Key(KeyFrame {
            profile,
            is_shown,
            color,
            width: bits.bits(16)? + 1,
            height: bits.bits(16)? + 1,
        }))
    }
}

impl Color {
    fn parse(bits: &mut BitReader<'_>, profile: u8) -> Option<Self> {
        let bit_depth = match profile {
            0 | 1 => 8,
            _ if bits.bit()? => 12,
            _ => 10,
        };
        let space = bits.byte(3)?;
        let has_free_subsampling = profile % 2 == 1;
        let is_full_range = if space == RGB { true } else { bits.bit()? };
        let (subsampling_x, subsampling_y) = match (space, has_free_subsampling) {
            (RGB, false) => return None,
            (RGB, true) => (0, 0),
            (_, false) => (1, 1),
            (_, true) => (bits.byte(1)?, bits.byte(1)?),
        };
        if has_free_subsampling && bits.bit()? {
            return None;
        }
        Some(Self {
            bit_depth,
            space,
            is_full_range,
            subsampling_x,
            subsampling_y,
        })
    }
}

/// The most frames that an index can name.
pub const MAX_FRAMES: usize = 8;

/// The frames of a superframe in decoding order; data without an index is one frame. `None` if an
/// index is there and its sizes do not fit.
pub fn frames(data: &[u8]) -> Option<Vec<&[u8]>> {
    let Some(sizes) = index(data) else {
        return Some(vec![data]);
    };
    let mut rest = data;
    let mut frames = Vec::with_capacity(MAX_FRAMES);
    for size in sizes {
        let (frame, behind) = rest.split_at_checked(size)?;
        frames.push(frame);
        rest = behind;
    }
    Some(frames)
}

/// The index that makes one superframe of frames of these sizes, to be written behind them.
/// `None` for no frames, more than 8, or one of more than 4 GiB.
pub fn superframe_index(sizes: &[usize]) -> Option<Vec<u8>> {
    let last = u8::try_from(sizes.len().checked_sub(1)?).ok()?;
    if sizes.len() > MAX_FRAMES {
        return None;
    }
    let largest = u32::try_from(*sizes.iter().max()?).ok()?;
    let size_bytes = (4 - largest.leading_zeros() / 8).max(1);
    let marker = INDEX_MARKER | u8::try_from(size_bytes - 1).ok()? << 3 | last;
    let mut index = vec![marker];
    for size in sizes {
        let size = u32::try_from(*size).ok()?.to_le_bytes();
        index.extend(size.iter().take(usize::try_from(size_bytes).ok()?));
    }
    index.push(marker);
    Some(index)
}

/// The sizes in the index at the end of `data`, if there is one.
fn index(data: &[u8]) -> Option<Vec<usize>> {
    let marker = *data.last()?;
    if marker & 0xe0 != INDEX_MARKER {
        return None;
    }
    let size_bytes = usize::from(marker >> 3 & 3) + 1;
    let count = usize::from(marker & 7) + 1;
    let start = data.len().checked_sub(2 + size_bytes * count)?;
    let (first, sizes) = data.get(start..data.len() - 1)?.split_first()?;
    if *first != marker {
        return None;
    }
    let little_endian = |bytes: &[u8]| {
        let value = bytes
            .iter()
            .rev()
            .fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
        usize::try_from(value).ok()
    };
    sizes.chunks_exact(size_bytes).map(little_endian).collect()
}

const FRAME_MARKER: u32 = 2;
const SYNC_CODE: u32 = 0x49_8342;
const RGB: u8 = 7;
const INDEX_MARKER: u8 = 0xc0;

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of a 1280x720 keyframe of libvpx.
    const KEY: [u8; 10] = [0x82, 0x49, 0x83, 0x42, 0x00, 0x4f, 0xf0, 0x2c, 0xf0, 0x00];

    #[test]
    fn a_keyframe_says_size_and_colour() {
        let header = FrameHeader::parse(&KEY);

        let Some(FrameHeader::Key(key)) = header else {
            panic!("not a keyframe: {header:?}");
        };
        assert_eq!((key.profile, key.is_shown), (0, true));
        assert_eq!((key.width, key.height), (1_280, 720));
        assert_eq!((key.color.bit_depth, key.color.subsampling_x), (8, 1));
        for length in 0..9 {
            assert_eq!(FrameHeader::parse(&KEY[..length]), None, "{length}");
        }
    }

    #[test]
    fn other_frames_are_told_apart() {
        let shown = FrameHeader::Inter {
            profile: 0,
            is_shown: true,
        };

        assert_eq!(FrameHeader::parse(&[0b1000_0110]), Some(shown));
        assert_eq!(
            FrameHeader::parse(&[0b1000_1000]),
            Some(FrameHeader::ShowExisting)
        );
        assert_eq!(FrameHeader::parse(&[0]), None);
    }

    #[test]
    fn a_superframe_is_taken_apart_as_it_was_put_together() {
        let mut data = vec![7; 300];
        let index = superframe_index(&[100, 200]).expect("two frames");
        assert_eq!(index, [0xc1, 100, 200, 0xc1]);
        data.extend_from_slice(&index);

        let frames = frames(&data).expect("a superframe");

        assert_eq!(
            frames.iter().map(|frame| frame.len()).collect::<Vec<_>>(),
            [100, 200]
        );
    }

    #[test]
    fn an_index_that_does_not_fit_is_refused() {
        let mut data = vec![7; 3];
        data.extend_from_slice(&superframe_index(&[100]).expect("one frame"));

        assert_eq!(frames(&data), None);
        assert_eq!(frames(&[1, 2]), Some(vec![&[1, 2][..]]));
        assert_eq!(superframe_index(&[256]), Some(vec![0xc8, 0, 1, 0xc8]));
        assert_eq!(superframe_index(&[]), None);
        assert_eq!(superframe_index(&[1; 9]), None);
    }
}
