//! AV1 open bitstream units: their headers, the sequence header and the first bits of frames
//! (AV1 bitstream specification §5).

use super::bits::BitReader;

/// One open bitstream unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// What it holds.
    pub kind: ObuType,
    /// Header, size field if there is one, and payload.
    pub bytes: &'a [u8],
    /// The payload alone.
    pub payload: &'a [u8],
}

/// What a unit holds (§6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObuType {
    /// What holds for all frames up to the next one.
    SequenceHeader,
    /// The beginning of a temporal unit.
    TemporalDelimiter,
    /// The head of a frame whose tiles follow in units of their own.
    FrameHeader,
    /// Tiles.
    TileGroup,
    /// Colour volume, time code …
    Metadata,
    /// The head of a frame and its tiles.
    Frame,
    /// The head of the current frame once more.
    RedundantFrameHeader,
    /// Tiles for large-scale decoding.
    TileList,
    /// Bytes that mean nothing.
    Padding,
    /// Reserved; to be passed over.
    Reserved(u8),
}

impl ObuType {
    /// Reads the first byte of a unit.
    pub const fn of(header: u8) -> Self {
        match header >> 3 & 0x0f {
            1 => Self::SequenceHeader,
            2 => Self::TemporalDelimiter,
            3 => Self::FrameHeader,
            4 => Self::TileGroup,
            5 => Self::Metadata,
            6 => Self::Frame,
            7 => Self::RedundantFrameHeader,
            8 => Self::TileList,
            15 => Self::Padding,
            other => Self::Reserved(other),
        }
    }
}

/// Set in a header behind which the size of the payload stands.
pub const HAS_SIZE: u8 = 0x02;

/// Set in a header of two bytes: the second has the layers.
pub const HAS_EXTENSION: u8 = 0x04;

impl<'a> Obu<'a> {
    /// Takes one unit from the front of `data`: one with a size field, or all of `data` for one
    /// without. Gives the unit and what follows.
    pub fn split(data: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let header = *data.first()?;
        let header_length = if header & HAS_EXTENSION == 0 { 1 } else { 2 };
        let behind_header = data.get(header_length..)?;
        let (length, behind_size) = if header & HAS_SIZE == 0 {
            (behind_header.len(), behind_header)
        } else {
            read_leb128(behind_header)?
        };
        let (payload, rest) = behind_size.split_at_checked(length)?;
        let bytes = data.get(..data.len() - rest.len())?;
        let kind = ObuType::of(header);
        let obu = Self {
            kind,
            bytes,
            payload,
        };
        Some((obu, rest))
    }
}

/// The units of a temporal unit in low-overhead format (§5.2). Ends at the first that is cut short.
pub const fn obus(temporal_unit: &[u8]) -> Obus<'_> {
    Obus {
        rest: temporal_unit,
    }
}

/// The iterator of [`obus`].
#[derive(Clone, Debug)]
pub struct Obus<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Obus<'a> {
    type Item = Obu<'a>;

    fn next(&mut self) -> Option<Obu<'a>> {
        let (obu, rest) = Obu::split(self.rest)?;
        self.rest = rest;
        Some(obu)
    }
}

/// Takes a `leb128()` (§4.10.5) from the front of `data`; gives it and what follows. `None` above
/// 32 bits, as the specification demands.
pub fn read_leb128(data: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in data.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((usize::try_from(value).ok()?, data.get(index + 1..)?));
        }
    }
    None
}

/// Hands the bytes of `value` as `leb128()` to `push`, in as few as it takes.
pub fn write_leb128(value: u32, mut push: impl FnMut(u8)) {
    let mut rest = value;
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            return push(low);
        }
        push(low | 0x80);
    }
}

/// What a sequence header says (§5.5), as `av1C` and a muxer need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceHeader {
    /// 0 Main, 1 High, 2 Professional.
    pub profile: u8,
    /// `seq_level_idx` of the first operating point.
    pub level: u8,
    /// `seq_tier` of the first operating point: 1 is the High tier.
    pub tier: u8,
    /// The widest frame, 1 to 65536.
    pub max_width: u32,
    /// The highest frame, 1 to 65536.
    pub max_height: u32,
    /// Whether frame headers leave out `show_existing_frame` and their type
    /// (`reduced_still_picture_header`): all are shown keyframes.
    pub is_reduced: bool,
    /// How colours are coded.
    pub color: Color,
}

/// How colours are coded (§5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color {
    /// Bits of one sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// Whether there is only luma.
    pub is_monochrome: bool,
    /// 1 if chroma has half the columns of luma.
    pub subsampling_x: u8,
    /// 1 if chroma has half the rows of luma.
    pub subsampling_y: u8,
    /// `chroma_sample_position`; 0 where it is not said.
    pub sample_position: u8,
}

impl SequenceHeader {
    /// Reads the payload of a unit of that type.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut bits = BitReader::new(payload);
        let profile = bits.byte(3)?;
        bits.skip(1)?; // still_picture
        let is_reduced = bits.bit()?;
        let (level, tier) = if is_reduced {
            (bits.byte(5)?, 0)
        } else {
            operating_points(&mut bits)?
        };
        let width_bits = bits.byte(4)? + 1;
        let height_bits = bits.byte(4)? + 1;
        let max_width = bits.bits(width_bits)? + 1;
        let max_height = bits.bits(height_bits)? + 1;
        skip_coding_tools(&mut bits, is_reduced)?;
        Some(Self {
            profile,
            level,
            tier,
            max_width,
            max_height,
            is_reduced,
            color: Color::parse(&mut bits, profile)?,
        })
    }
}

impl Color {
    fn parse(bits: &mut BitReader<'_>, profile: u8) -> Option<Self> {
        let bit_depth = match (bits.bit()?, profile) {
            (false, _) => 8,
            (true, 2) if bits.bit()? => 12,
            (true, _) => 10,
        };
        let is_monochrome = profile != 1 && bits.bit()?;
        let description = if bits.bit()? {
            bits.bits(24)?
        } else {
            UNSPECIFIED
        };
        let mut color = Self {
            bit_depth,
            is_monochrome,
            subsampling_x: 1,
            subsampling_y: 1,
            sample_position: 0,
        };
        if is_monochrome {
            return Some(color);
        }
        if description == SRGB {
            color.subsampling_x = 0;
            color.subsampling_y = 0;
            return Some(color);
        }
        bits.skip(1)?; // color_range
        (color.subsampling_x, color.subsampling_y) = subsampling(bits, profile, bit_depth)?;
        if (color.subsampling_x, color.subsampling_y) == (1, 1) {
            color.sample_position = bits.byte(2)?;
        }
        Some(color)
    }
}

fn subsampling(bits: &mut BitReader<'_>, profile: u8, bit_depth: u8) -> Option<(u8, u8)> {
    match (profile, bit_depth) {
        (0, _) => Some((1, 1)),
        (1, _) => Some((0, 0)),
        (_, 12) if bits.bit()? => Some((1, bits.byte(1)?)),
        (_, 12) => Some((0, 0)),
        _ => Some((1, 0)),
    }
}

/// Level and tier of the first operating point.
fn operating_points(bits: &mut BitReader<'_>) -> Option<(u8, u8)> {
    let delay_bits = decoder_model(bits)?;
    let has_display_delay = bits.bit()?;
    let points = bits.byte(5)?;
    let mut first = None;
    for _ in 0..=points {
        bits.skip(12)?; // operating_point_idc
        let level = bits.byte(5)?;
        let tier = if level > 7 { bits.byte(1)? } else { 0 };
        if delay_bits > 0 && bits.bit()? {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_display_delay && bits.bit()? {
            bits.skip(4)?;
        }
        first = first.or(Some((level, tier)));
    }
    first
}

/// The width of buffer delays, 0 if there is no decoder model: `timing_info` and
/// `decoder_model_info` (§5.5.3, §5.5.4).
fn decoder_model(bits: &mut BitReader<'_>) -> Option<usize> {
    if !bits.bit()? {
        return Some(0);
    }
    bits.skip(64)?; // num_units_in_display_tick, time_scale
    if bits.bit()? {
        bits.unsigned_exp_golomb()?; // num_ticks_per_picture_minus_1
    }
    if !bits.bit()? {
        return Some(0);
    }
    let delay_bits = usize::from(bits.byte(5)?) + 1;
    bits.skip(42)?; // num_units_in_decoding_tick, two lengths
    Some(delay_bits)
}

/// From `frame_id_numbers_present_flag` to `enable_restoration`.
fn skip_coding_tools(bits: &mut BitReader<'_>, is_reduced: bool) -> Option<()> {
    if is_reduced {
        return bits.skip(3 + 3);
    }
    if bits.bit()? {
        bits.skip(7)?; // two lengths of frame ids
    }
    bits.skip(3 + 4)?; // blocks, intra tools, inter tools
    let has_order_hint = bits.bit()?;
    if has_order_hint {
        bits.skip(2)?; // enable_jnt_comp, enable_ref_frame_mvs
    }
    // Without a choice per frame the next bit is the choice; 0 leaves integer_mv out.
    let may_use_screen_content_tools = bits.bit()? || bits.bit()?;
    if may_use_screen_content_tools && !bits.bit()? {
        bits.skip(1)?; // seq_force_integer_mv
    }
    if has_order_hint {
        bits.skip(3)?; // order_hint_bits_minus_1
    }
    bits.skip(3) // enable_superres, enable_cdef, enable_restoration
}

/// What the first bits of a frame header say (§5.9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameHeader {
    /// A decoded frame is shown again; if that is a keyframe, it refreshes all others.
    ShowExisting,
    /// A frame from which decoding can start.
    Key {
        /// Whether it is to be displayed; if not, it may only be so later.
        is_shown: bool,
    },
    /// Any other frame.
    Other {
        /// Whether it is to be displayed.
        is_shown: bool,
    },
}

impl FrameHeader {
    /// Reads the payload of a frame or frame header unit. Not for sequences whose headers are
    /// [reduced](SequenceHeader::is_reduced).
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let first = payload.first()?;
        let is_shown = first & 0x10 != 0;
        Some(match (first >> 7, first >> 5 & 3) {
            (1, _) => Self::ShowExisting,
            (_, 0) => Self::Key { is_shown },
            _ => Self::Other { is_shown },
        })
    }
}

/// Colour primaries, transfer characteristics and matrix coefficients, a byte each.
const UNSPECIFIED: u32 = 0x02_0202;
const SRGB: u32 = 0x01_0d_00;

#[cfg(test)]
mod tests {
    use super::*;

    /// libaom 4:2:0 at 8 bits, libaom 4:4:4 at 10 bits and SVT-AV1, each 322x182.
    const SEQUENCES: [(&[u8], u8, u8, u8); 3] = [
        (
            &[
                0x00, 0x00, 0x00, 0x04, 0x3d, 0x06, 0xd4, 0xda, 0xf9, 0x00, 0x40,
            ],
            0,
            8,
            1,
        ),
        (
            &[0x20, 0x00, 0x00, 0x04, 0x3d, 0x06, 0xd4, 0xda, 0xf9, 0x42],
            1,
            10,
            0,
        ),
        (
            &[
                0x00, 0x00, 0x00, 0x04, 0x3d, 0x06, 0xd4, 0xfb, 0xf9, 0x00, 0x40,
            ],
            0,
            8,
            1,
        ),
    ];

    #[test]
    fn a_sequence_header_says_what_av1c_repeats() {
        for (payload, profile, bit_depth, subsampling) in SEQUENCES {
            let header = SequenceHeader::parse(payload).expect("a sequence header");

            assert_eq!((header.profile, header.tier), (profile, 0));
            assert_eq!((header.max_width, header.max_height), (322, 182));
            assert_eq!(header.color.bit_depth, bit_depth);
            assert_eq!(header.color.subsampling_x, subsampling);
            for length in 0..9 {
                assert_eq!(SequenceHeader::parse(&payload[..length]), None, "{length}");
            }
        }
    }

    #[test]
    fn units_are_taken_apart_until_one_is_cut_short() {
        let data = [0x12, 0, 0x36, 0x10, 2, 7, 8, 0x0a, 3, 0];

        let found: Vec<_> = obus(&data).collect();

        assert_eq!(found.len(), 2);
        assert_eq!(found[0].kind, ObuType::TemporalDelimiter);
        assert_eq!(found[1].kind, ObuType::Frame);
        assert_eq!(found[1].payload, [7, 8]);
        assert_eq!(found[1].bytes, [0x36, 0x10, 2, 7, 8]);
    }

    #[test]
    fn leb128_round_trips_up_to_32_bits() {
        for value in [0, 127, 128, 16_383, 16_384, u32::MAX] {
            let mut bytes = Vec::new();
            write_leb128(value, |byte| bytes.push(byte));
            bytes.push(9);

            let (read, rest) = read_leb128(&bytes).expect("what was written");

            assert_eq!((u32::try_from(read), rest), (Ok(value), &[9][..]));
        }
        assert_eq!(read_leb128(&[0xff, 0xff, 0xff, 0xff, 0x7f]), None);
        assert_eq!(read_leb128(&[0x80; 9]), None);
        assert_eq!(read_leb128(&[]), None);
    }

    #[test]
    fn frames_are_told_apart_by_their_first_bits() {
        let cases = [
            (0x10, FrameHeader::Key { is_shown: true }),
            (0x00, FrameHeader::Key { is_shown: false }),
            (0x30, FrameHeader::Other { is_shown: true }),
            (0x90, FrameHeader::ShowExisting),
        ];
        for (first, header) in cases {
            assert_eq!(FrameHeader::parse(&[first]), Some(header), "{first:02x}");
        }
        assert_eq!(FrameHeader::parse(&[]), None);
    }
}
