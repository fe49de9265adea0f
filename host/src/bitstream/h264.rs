//! H.264 NAL units, sequence parameter sets and the first fields of slices (ITU-T H.264 §7.3).

use super::bits::{BitReader, without_emulation_prevention};
use super::nal::{ParameterSetId, ParameterSetLink};

/// What a NAL unit holds (table 7-1), as far as a recorder cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NalType {
    /// A slice of a picture that builds on others; partitions of one count too.
    Slice,
    /// A slice of an IDR picture: decoding can start here.
    Idr,
    /// Supplemental enhancement information.
    Sei,
    /// A sequence parameter set.
    Sps,
    /// A picture parameter set.
    Pps,
    /// The beginning of an access unit.
    AccessUnitDelimiter,
    /// Something else; in RTP, 24 to 29 are aggregations and fragments.
    Other(u8),
}

impl NalType {
    /// Reads the first byte of a NAL unit.
    pub const fn of(header: u8) -> Self {
        match header & 0x1f {
            1..=4 => Self::Slice,
            5 => Self::Idr,
            6 => Self::Sei,
            7 => Self::Sps,
            8 => Self::Pps,
            9 => Self::AccessUnitDelimiter,
            other => Self::Other(other),
        }
    }

    /// Whether it holds a piece of a picture.
    pub const fn is_slice(self) -> bool {
        matches!(self, Self::Slice | Self::Idr)
    }
}

/// What a sequence parameter set says (§7.3.2.1.1), as `avcC` and a muxer need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceParameterSet {
    /// `profile_idc`: 66 Baseline, 77 Main, 100 High …
    pub profile: u8,
    /// The byte of `constraint_set` flags.
    pub constraints: u8,
    /// `level_idc`: ten times the level.
    pub level: u8,
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits of a luma sample, 8 to 14.
    pub bit_depth_luma: u8,
    /// Bits of a chroma sample, 8 to 14.
    pub bit_depth_chroma: u8,
    /// Columns that are shown.
    pub width: u32,
    /// Rows that are shown.
    pub height: u32,
    /// `pic_order_cnt_type`; 2 means that pictures are shown in the order they are decoded.
    pub picture_order_type: u8,
    /// `max_num_reorder_frames`; `None` if it is not said.
    pub max_reordered_frames: Option<u32>,
}

impl SequenceParameterSet {
    /// Reads a whole NAL unit of type 7.
    pub fn parse(nal: &[u8]) -> Option<Self> {
        let (header, rest) = nal.split_first()?;
        if NalType::of(*header) != NalType::Sps {
            return None;
        }
        let payload = without_emulation_prevention(rest);
        let mut bits = BitReader::new(&payload);
        let profile = bits.byte(8)?;
        let constraints = bits.byte(8)?;
        let level = bits.byte(8)?;
        bits.unsigned_exp_golomb()?; // seq_parameter_set_id
        let samples = SampleFormat::parse(&mut bits, profile)?;
        bits.unsigned_exp_golomb()?; // log2_max_frame_num_minus4
        let picture_order_type = picture_order_type(&mut bits)?;
        bits.unsigned_exp_golomb()?; // max_num_ref_frames
        bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
        let (width, height) = size(&mut bits, samples.chroma_array_type())?;
        Some(Self {
            profile,
            constraints,
            level,
            chroma_format: samples.chroma_format,
            bit_depth_luma: samples.bit_depth_luma,
            bit_depth_chroma: samples.bit_depth_chroma,
            width,
            height,
            picture_order_type,
            // Cut or odd display information must not cost the size of the picture.
            max_reordered_frames: max_reordered_frames(&mut bits),
        })
    }

    /// Whether pictures may be shown in another order than they are decoded (B-frames). True unless
    /// the stream rules it out.
    pub fn may_reorder(&self) -> bool {
        let is_baseline = self.profile == 66;
        !is_baseline && self.picture_order_type != 2 && self.max_reordered_frames != Some(0)
    }
}

/// The first fields of a slice (§7.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceHeader {
    /// The first macroblock; 0 begins a picture.
    pub first_macroblock: u32,
    /// Whether it predicts from two directions (a B slice).
    pub is_bidirectional: bool,
    /// The picture parameter set that it needs.
    pub picture_parameter_set: ParameterSetId,
}

impl SliceHeader {
    /// Reads a NAL unit of type 1, 2 or 5.
    pub fn parse(nal: &[u8]) -> Option<Self> {
        let (header, rest) = nal.split_first()?;
        if !NalType::of(*header).is_slice() {
            return None;
        }
        let payload = head(rest);
        let mut bits = BitReader::new(&payload);
        let first_macroblock = bits.unsigned_exp_golomb()?;
        let slice_type = bits.unsigned_exp_golomb()?;
        Some(Self {
            first_macroblock,
            is_bidirectional: slice_type % 5 == 1,
            picture_parameter_set: picture_id(&mut bits)?,
        })
    }
}

/// Which parameter set `nal` is; `None` if it is none.
pub fn parameter_set_link(nal: &[u8]) -> Option<ParameterSetLink> {
    let (header, rest) = nal.split_first()?;
    let payload = head(rest);
    let mut bits = BitReader::new(&payload);
    match NalType::of(*header) {
        NalType::Sps => {
            bits.skip(24)?; // profile, constraints, level
            let id = sequence_id(&mut bits)?;
            Some(ParameterSetLink { id, parent: None })
        }
        NalType::Pps => Some(ParameterSetLink {
            id: picture_id(&mut bits)?,
            parent: Some(sequence_id(&mut bits)?),
        }),
        _ => None,
    }
}

fn sequence_id(bits: &mut BitReader<'_>) -> Option<ParameterSetId> {
    at_most(bits.unsigned_exp_golomb()?, 31).map(ParameterSetId::Sequence)
}

fn picture_id(bits: &mut BitReader<'_>) -> Option<ParameterSetId> {
    at_most(bits.unsigned_exp_golomb()?, u8::MAX).map(ParameterSetId::Picture)
}

/// Enough for three Exp-Golomb codes of at most 63 bits and for what prevents emulation in them.
fn head(payload: &[u8]) -> Vec<u8> {
    without_emulation_prevention(payload.get(..40).unwrap_or(payload))
}

/// The part of a sequence parameter set that only the high profiles have.
struct SampleFormat {
    chroma_format: u8,
    has_separate_planes: bool,
    bit_depth_luma: u8,
    bit_depth_chroma: u8,
}

impl SampleFormat {
    fn parse(bits: &mut BitReader<'_>, profile: u8) -> Option<Self> {
        if !HIGH_PROFILES.contains(&profile) {
            return Some(Self {
                chroma_format: 1,
                has_separate_planes: false,
                bit_depth_luma: 8,
                bit_depth_chroma: 8,
            });
        }
        let chroma_format = at_most(bits.unsigned_exp_golomb()?, 3)?;
        let format = Self {
            chroma_format,
            has_separate_planes: chroma_format == 3 && bits.bit()?,
            bit_depth_luma: 8 + at_most(bits.unsigned_exp_golomb()?, 6)?,
            bit_depth_chroma: 8 + at_most(bits.unsigned_exp_golomb()?, 6)?,
        };
        bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
        if bits.bit()? {
            skip_scaling_matrix(bits, chroma_format)?;
        }
        Some(format)
    }

    const fn chroma_array_type(&self) -> u8 {
        if self.has_separate_planes {
            0
        } else {
            self.chroma_format
        }
    }
}

fn skip_scaling_matrix(bits: &mut BitReader<'_>, chroma_format: u8) -> Option<()> {
    let lists = if chroma_format == 3 { 12 } else { 8 };
    for list in 0..lists {
        if bits.bit()? {
            skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
        }
    }
    Some(())
}

/// §7.3.2.1.1.1: once a scale is 0, the rest of the list is not coded.
fn skip_scaling_list(bits: &mut BitReader<'_>, length: u8) -> Option<()> {
    let mut last = 8;
    for _ in 0..length {
        let delta = bits.signed_exp_golomb()?;
        last = (last + delta.rem_euclid(256)) % 256;
        if last == 0 {
            break;
        }
    }
    Some(())
}

fn picture_order_type(bits: &mut BitReader<'_>) -> Option<u8> {
    let order_type = at_most(bits.unsigned_exp_golomb()?, 2)?;
    match order_type {
        0 => {
            bits.unsigned_exp_golomb()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.skip(1)?; // delta_pic_order_always_zero_flag
            bits.signed_exp_golomb()?; // offset_for_non_ref_pic
            bits.signed_exp_golomb()?; // offset_for_top_to_bottom_field
            let cycle = at_most(bits.unsigned_exp_golomb()?, u8::MAX)?;
            for _ in 0..cycle {
                bits.signed_exp_golomb()?;
            }
        }
        _ => {}
    }
    Some(order_type)
}

/// Width and height after cropping (equations 7-19 to 7-22).
fn size(bits: &mut BitReader<'_>, chroma_array_type: u8) -> Option<(u32, u32)> {
    let columns = macroblocks(bits)?;
    let map_units = macroblocks(bits)?;
    let is_progressive = bits.bit()?;
    if !is_progressive {
        bits.skip(1)?; // mb_adaptive_frame_field_flag
    }
    bits.skip(1)?; // direct_8x8_inference_flag
    let fields = if is_progressive { 1 } else { 2 };
    let mut width = columns * 16;
    let mut height = map_units * 16 * fields;
    if bits.bit()? {
        let unit_x = if matches!(chroma_array_type, 1 | 2) {
            2
        } else {
            1
        };
        let unit_y = if chroma_array_type == 1 { 2 } else { 1 } * fields;
        let mut crop = || bits.unsigned_exp_golomb();
        let (left, right, top, bottom) = (crop()?, crop()?, crop()?, crop()?);
        width = width.checked_sub(left.checked_add(right)?.checked_mul(unit_x)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(unit_y)?)?;
    }
    (width > 0 && height > 0).then_some((width, height))
}

/// A count of macroblocks in one direction; 1024 are more than any level allows.
fn macroblocks(bits: &mut BitReader<'_>) -> Option<u32> {
    let count = bits.unsigned_exp_golomb()?.checked_add(1)?;
    (count <= 1_024).then_some(count)
}

/// `max_num_reorder_frames` at the end of the display information (§E.1.1).
fn max_reordered_frames(bits: &mut BitReader<'_>) -> Option<u32> {
    if !bits.bit()? {
        return None;
    }
    skip_picture_description(bits)?;
    skip_decoder_models(bits)?;
    bits.skip(1)?; // pic_struct_present_flag
    if !bits.bit()? {
        return None;
    }
    bits.skip(1)?; // motion_vectors_over_pic_boundaries_flag
    for _ in 0..4 {
        bits.unsigned_exp_golomb()?;
    }
    bits.unsigned_exp_golomb()
}

/// From `aspect_ratio_info_present_flag` to `fixed_frame_rate_flag`.
fn skip_picture_description(bits: &mut BitReader<'_>) -> Option<()> {
    if bits.bit()? && bits.byte(8)? == EXTENDED_SAR {
        bits.skip(32)?;
    }
    if bits.bit()? {
        bits.skip(1)?; // overscan_appropriate_flag
    }
    if bits.bit()? {
        bits.skip(4)?; // video_format, video_full_range_flag
        if bits.bit()? {
            bits.skip(24)?;
        }
    }
    if bits.bit()? {
        bits.unsigned_exp_golomb()?; // chroma_sample_loc_type_top_field
        bits.unsigned_exp_golomb()?; // chroma_sample_loc_type_bottom_field
    }
    if bits.bit()? {
        bits.skip(65)?; // num_units_in_tick, time_scale, fixed_frame_rate_flag
    }
    Some(())
}

/// The NAL and VCL HRD parameters and the flag behind them (§E.1.2).
fn skip_decoder_models(bits: &mut BitReader<'_>) -> Option<()> {
    let mut is_any_present = false;
    for _ in 0..2 {
        if bits.bit()? {
            is_any_present = true;
            skip_decoder_model(bits)?;
        }
    }
    if is_any_present {
        bits.skip(1)?; // low_delay_hrd_flag
    }
    Some(())
}

fn skip_decoder_model(bits: &mut BitReader<'_>) -> Option<()> {
    let schedules = at_most(bits.unsigned_exp_golomb()?, 31)?;
    bits.skip(8)?; // bit_rate_scale, cpb_size_scale
    for _ in 0..=schedules {
        bits.unsigned_exp_golomb()?;
        bits.unsigned_exp_golomb()?;
        bits.skip(1)?;
    }
    bits.skip(20)
}

/// `value` as a byte, if it is not above what the specification allows.
fn at_most(value: u32, max: u8) -> Option<u8> {
    u8::try_from(value).ok().filter(|value| *value <= max)
}

const HIGH_PROFILES: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
const EXTENDED_SAR: u8 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    /// From the captures and from x264.
    const SETS: [(&str, [u32; 2], u8, bool); 6] = [
        (
            "6742c01eda0280bfe5c044000003000400000300f03c58ba80",
            [640, 360],
            66,
            false,
        ),
        ("6742c01f8c6805005ba01e1108d4", [1_280, 720], 66, false),
        ("6742c00c8c68141979e01e1108d4", [320, 180], 66, false),
        (
            "6742c01f0fd91f888884000003000400000300c83c60c920",
            [2, 2],
            66,
            false,
        ),
        (
            "6764000dacd941519e226c0440000003004000000f03c50a6580",
            [322, 182],
            100,
            true,
        ),
        (
            "677a0015b6cd941533c44d8088000003000800000300f0f8a14cb0",
            [322, 182],
            122,
            true,
        ),
    ];

    #[test]
    fn a_parameter_set_says_size_and_order() {
        for (hex, size, profile, may_reorder) in SETS {
            let set = SequenceParameterSet::parse(&bytes(hex)).expect(hex);

            assert_eq!([set.width, set.height], size, "{hex}");
            assert_eq!(set.profile, profile, "{hex}");
            assert_eq!(set.may_reorder(), may_reorder, "{hex}: {set:?}");
        }
    }

    #[test]
    fn a_high_profile_says_its_sample_format() {
        let ten_bit = SequenceParameterSet::parse(&bytes(SETS[5].0)).expect("High 4:2:2");

        assert_eq!((ten_bit.chroma_format, ten_bit.bit_depth_luma), (2, 10));
        assert_eq!((ten_bit.bit_depth_chroma, ten_bit.level), (10, 21));
        assert_eq!(ten_bit.max_reordered_frames, Some(2));
    }

    #[test]
    fn a_parameter_set_cut_short_is_refused_or_has_its_size() {
        for (hex, size, ..) in SETS {
            let nal = bytes(hex);
            let cut =
                (0..nal.len()).filter_map(|length| SequenceParameterSet::parse(&nal[..length]));
            for set in cut {
                assert_eq!([set.width, set.height], size, "{hex}");
            }
        }
    }

    #[test]
    fn the_first_slice_of_a_picture_and_b_slices_are_known() {
        let cases = [
            ("6588840047dae398", 0, false),
            ("6503d888404af118", 122, false),
            ("419e4178853ffdb1", 0, true),
        ];
        for (hex, first_macroblock, is_bidirectional) in cases {
            let header = SliceHeader::parse(&bytes(hex)).expect(hex);

            assert_eq!(header.first_macroblock, first_macroblock, "{hex}");
            assert_eq!(header.is_bidirectional, is_bidirectional, "{hex}");
        }
        assert_eq!(SliceHeader::parse(&bytes(SETS[0].0)), None);
    }

    #[test]
    fn parameter_sets_and_slices_name_what_they_build_on() {
        let link = |hex| parameter_set_link(&bytes(hex)).map(|link| (link.id, link.parent));
        let (sequence, picture) = (ParameterSetId::Sequence(0), ParameterSetId::Picture(0));

        assert_eq!(link(SETS[0].0), Some((sequence, None)));
        assert_eq!(link("68ebe3cb22c0"), Some((picture, Some(sequence))));
        assert_eq!(link("6588840047dae398"), None);
        let slice = SliceHeader::parse(&bytes("6588840047dae398")).expect("a slice");
        assert_eq!(slice.picture_parameter_set, picture);
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2).map(str::from_utf8);
        digits
            .map(|digits| u8::from_str_radix(digits.expect("ASCII"), 16).expect("hexadecimal"))
            .collect()
    }
}
