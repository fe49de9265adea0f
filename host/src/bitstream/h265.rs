//! H.265 NAL units and sequence parameter sets (ITU-T H.265 §7.3).

use super::bits::{BitReader, without_emulation_prevention};
use super::nal::{ParameterSetId, ParameterSetLink};

/// What a NAL unit holds (table 7-1), as far as a recorder cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NalType {
    /// A slice segment of a picture that builds on others.
    Slice,
    /// A slice segment of an intra random access point (BLA, IDR, CRA): decoding can start here.
    RandomAccess,
    /// A video parameter set.
    Vps,
    /// A sequence parameter set.
    Sps,
    /// A picture parameter set.
    Pps,
    /// The beginning of an access unit.
    AccessUnitDelimiter,
    /// Supplemental enhancement information, in front of the picture or behind it.
    Sei,
    /// Something else; in RTP, 48 to 50 are aggregations, fragments and PACI.
    Other(u8),
}

impl NalType {
    /// Reads the first of the two bytes of a NAL unit's header.
    pub const fn of(header: u8) -> Self {
        match header >> 1 & 0x3f {
            0..=15 => Self::Slice,
            16..=23 => Self::RandomAccess,
            32 => Self::Vps,
            33 => Self::Sps,
            34 => Self::Pps,
            35 => Self::AccessUnitDelimiter,
            39 | 40 => Self::Sei,
            other => Self::Other(other),
        }
    }

    /// Whether it holds a piece of a picture.
    pub const fn is_slice(self) -> bool {
        matches!(self, Self::Slice | Self::RandomAccess)
    }
}

/// The first fields of a slice segment (§7.3.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceHeader {
    /// Whether it begins a picture.
    pub is_first: bool,
    /// The picture parameter set that it needs.
    pub picture_parameter_set: ParameterSetId,
}

impl SliceHeader {
    /// Reads a NAL unit of type 0 to 23.
    pub fn parse(nal: &[u8]) -> Option<Self> {
        let (header, rest) = nal.split_first_chunk::<2>()?;
        let kind = NalType::of(header[0]);
        if !kind.is_slice() {
            return None;
        }
        let payload = head(rest);
        let mut bits = BitReader::new(&payload);
        let is_first = bits.bit()?;
        if kind == NalType::RandomAccess {
            bits.skip(1)?; // no_output_of_prior_pics_flag
        }
        Some(Self {
            is_first,
            picture_parameter_set: picture_id(&mut bits)?,
        })
    }
}

/// Which parameter set `nal` is; `None` if it is none.
pub fn parameter_set_link(nal: &[u8]) -> Option<ParameterSetLink> {
    let (header, rest) = nal.split_first_chunk::<2>()?;
    let payload = head(rest);
    let mut bits = BitReader::new(&payload);
    let (id, parent) = match NalType::of(header[0]) {
        NalType::Vps => (video_id(&mut bits)?, None),
        NalType::Sps => {
            let parent = video_id(&mut bits)?;
            let sub_layers = bits.byte(3)?;
            bits.skip(1)?; // sps_temporal_id_nesting_flag
            ProfileTierLevel::parse(&mut bits)?;
            skip_sub_layer_levels(&mut bits, sub_layers)?;
            (sequence_id(&mut bits)?, Some(parent))
        }
        NalType::Pps => (picture_id(&mut bits)?, Some(sequence_id(&mut bits)?)),
        _ => return None,
    };
    Some(ParameterSetLink { id, parent })
}

fn video_id(bits: &mut BitReader<'_>) -> Option<ParameterSetId> {
    bits.byte(4).map(ParameterSetId::Video)
}

fn sequence_id(bits: &mut BitReader<'_>) -> Option<ParameterSetId> {
    at_most(bits.unsigned_exp_golomb()?, 15).map(ParameterSetId::Sequence)
}

fn picture_id(bits: &mut BitReader<'_>) -> Option<ParameterSetId> {
    at_most(bits.unsigned_exp_golomb()?, 63).map(ParameterSetId::Picture)
}

/// Enough for the levels of all layers and for what prevents emulation in them.
fn head(payload: &[u8]) -> Vec<u8> {
    without_emulation_prevention(payload.get(..160).unwrap_or(payload))
}

/// What a sequence parameter set says (§7.3.2.2), as `hvcC` and a muxer need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceParameterSet {
    /// Profile, tier and level of the whole stream.
    pub profile: ProfileTierLevel,
    /// Temporal layers, 1 to 7.
    pub temporal_layers: u8,
    /// Whether any picture of a higher temporal layer can be switched to
    /// (`sps_temporal_id_nesting_flag`).
    pub is_temporally_nested: bool,
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits of a luma sample, 8 to 16.
    pub bit_depth_luma: u8,
    /// Bits of a chroma sample, 8 to 16.
    pub bit_depth_chroma: u8,
    /// Columns inside the conformance window.
    pub width: u32,
    /// Rows inside the conformance window.
    pub height: u32,
    /// `sps_max_num_reorder_pics` of the highest temporal layer; above 0, pictures may be shown in
    /// another order than they are decoded.
    pub max_reordered_pictures: u32,
}

/// The general part of `profile_tier_level()` (§7.3.3), field by field as `hvcC` repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileTierLevel {
    /// `general_profile_space`.
    pub space: u8,
    /// `general_tier_flag`: 1 is the High tier.
    pub tier: u8,
    /// `general_profile_idc`: 1 Main, 2 Main 10 …
    pub profile: u8,
    /// `general_profile_compatibility_flag[0]` (most significant) to `[31]`.
    pub compatibility: u32,
    /// The 48 bits from `general_progressive_source_flag` on.
    pub constraints: [u8; 6],
    /// `general_level_idc`: thirty times the level.
    pub level: u8,
}

impl SequenceParameterSet {
    /// Reads a whole NAL unit of type 33. `None` also for those of enhancement layers.
    pub fn parse(nal: &[u8]) -> Option<Self> {
        let (header, rest) = nal.split_first_chunk::<2>()?;
        let layer = (header[0] & 1) << 5 | header[1] >> 3;
        if NalType::of(header[0]) != NalType::Sps || layer != 0 {
            return None;
        }
        let payload = without_emulation_prevention(rest);
        let mut bits = BitReader::new(&payload);
        bits.skip(4)?; // sps_video_parameter_set_id
        let sub_layers = bits.byte(3)?;
        let is_temporally_nested = bits.bit()?;
        let profile = ProfileTierLevel::parse(&mut bits)?;
        skip_sub_layer_levels(&mut bits, sub_layers)?;
        bits.unsigned_exp_golomb()?; // sps_seq_parameter_set_id
        let chroma_format = at_most(bits.unsigned_exp_golomb()?, 3)?;
        let has_separate_planes = chroma_format == 3 && bits.bit()?;
        let chroma_array_type = if has_separate_planes {
            0
        } else {
            chroma_format
        };
        let (width, height) = size(&mut bits, chroma_array_type)?;
        Some(Self {
            profile,
            temporal_layers: sub_layers + 1,
            is_temporally_nested,
            chroma_format,
            bit_depth_luma: 8 + at_most(bits.unsigned_exp_golomb()?, 8)?,
            bit_depth_chroma: 8 + at_most(bits.unsigned_exp_golomb()?, 8)?,
            width,
            height,
            max_reordered_pictures: max_reordered_pictures(&mut bits, sub_layers)?,
        })
    }
}

impl ProfileTierLevel {
    fn parse(bits: &mut BitReader<'_>) -> Option<Self> {
        let mut general = Self {
            space: bits.byte(2)?,
            tier: bits.byte(1)?,
            profile: bits.byte(5)?,
            compatibility: bits.bits(32)?,
            constraints: [0; 6],
            level: 0,
        };
        for byte in &mut general.constraints {
            *byte = bits.byte(8)?;
        }
        general.level = bits.byte(8)?;
        Some(general)
    }
}

fn skip_sub_layer_levels(bits: &mut BitReader<'_>, sub_layers: u8) -> Option<()> {
    if sub_layers == 0 {
        return Some(());
    }
    let mut length = 0;
    for _ in 0..sub_layers {
        length += if bits.bit()? { 88 } else { 0 };
        length += if bits.bit()? { 8 } else { 0 };
    }
    let padding = 2 * usize::from(8_u8.checked_sub(sub_layers)?);
    bits.skip(padding + length)
}

/// Width and height inside the conformance window (equations D-28, D-29).
fn size(bits: &mut BitReader<'_>, chroma_array_type: u8) -> Option<(u32, u32)> {
    let mut width = bits.unsigned_exp_golomb()?;
    let mut height = bits.unsigned_exp_golomb()?;
    if bits.bit()? {
        let unit_x = if matches!(chroma_array_type, 1 | 2) {
            2
        } else {
            1
        };
        let unit_y = if chroma_array_type == 1 { 2 } else { 1 };
        let mut offset = || bits.unsigned_exp_golomb();
        let (left, right, top, bottom) = (offset()?, offset()?, offset()?, offset()?);
        width = width.checked_sub(left.checked_add(right)?.checked_mul(unit_x)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(unit_y)?)?;
    }
    let is_possible = |length| (1..=MAX_LENGTH).contains(&length);
    (is_possible(width) && is_possible(height)).then_some((width, height))
}

fn max_reordered_pictures(bits: &mut BitReader<'_>, sub_layers: u8) -> Option<u32> {
    bits.unsigned_exp_golomb()?; // log2_max_pic_order_cnt_lsb_minus4
    let has_all_layers = bits.bit()?;
    let mut reordered = 0;
    for _ in 0..=if has_all_layers { sub_layers } else { 0 } {
        bits.unsigned_exp_golomb()?; // sps_max_dec_pic_buffering_minus1
        reordered = bits.unsigned_exp_golomb()?;
        bits.unsigned_exp_golomb()?; // sps_max_latency_increase_plus1
    }
    Some(reordered)
}

/// `value` as a byte, if it is not above what the specification allows.
fn at_most(value: u32, max: u8) -> Option<u8> {
    u8::try_from(value).ok().filter(|value| *value <= max)
}

/// Level 6.2 ends at 8192 in common use and at 16888 by §A.4.
const MAX_LENGTH: u32 = 16_888;

#[cfg(test)]
mod tests {
    use super::*;

    /// x265: Main with B-frames, and 4:2:2 at 10 bits without.
    const MAIN: [u8; 42] = [
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00,
        0x03, 0x00, 0x3c, 0xa0, 0x0a, 0x48, 0x0b, 0x9c, 0x95, 0x96, 0x56, 0x49, 0x24, 0xca, 0xf0,
        0x16, 0x80, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x0f, 0x04,
    ];
    const RANGE: [u8; 26] = [
        0x42, 0x01, 0x01, 0x04, 0x08, 0x00, 0x00, 0x03, 0x00, 0x9d, 0x08, 0x00, 0x00, 0x03, 0x00,
        0x00, 0x3c, 0xb0, 0x0a, 0x48, 0x0b, 0x9c, 0x96, 0xd9, 0x64, 0xa9,
    ];

    #[test]
    fn a_parameter_set_says_what_hvcc_repeats() {
        let set = SequenceParameterSet::parse(&MAIN).expect("Main");

        assert_eq!((set.width, set.height), (322, 182));
        assert_eq!((set.chroma_format, set.bit_depth_luma), (1, 8));
        assert_eq!((set.temporal_layers, set.is_temporally_nested), (1, true));
        assert_eq!(set.max_reordered_pictures, 2);
        let profile = ProfileTierLevel {
            space: 0,
            tier: 0,
            profile: 1,
            compatibility: 0x6000_0000,
            constraints: [0x90, 0, 0, 0, 0, 0],
            level: 60,
        };
        assert_eq!(set.profile, profile);
    }

    #[test]
    fn range_extensions_say_their_sample_format() {
        let set = SequenceParameterSet::parse(&RANGE).expect("4:2:2 10 bits");

        assert_eq!((set.width, set.height, set.profile.profile), (322, 182, 4));
        assert_eq!(
            (set.chroma_format, set.bit_depth_luma, set.bit_depth_chroma),
            (2, 10, 10)
        );
        assert_eq!(set.max_reordered_pictures, 0);
    }

    #[test]
    fn a_parameter_set_cut_short_or_of_another_layer_is_refused() {
        for length in 0..24 {
            assert_eq!(
                SequenceParameterSet::parse(&MAIN[..length]),
                None,
                "{length}"
            );
        }
        let mut enhancement = MAIN;
        enhancement[1] = 0x09;
        assert_eq!(SequenceParameterSet::parse(&enhancement), None);
    }

    #[test]
    fn random_access_points_are_16_to_23() {
        for kind in 0..64 {
            let is_random_access = NalType::of(kind << 1) == NalType::RandomAccess;
            assert_eq!(is_random_access, (16..24).contains(&kind), "{kind}");
        }
    }

    #[test]
    fn parameter_sets_and_slices_name_what_they_build_on() {
        let (video, sequence) = (ParameterSetId::Video(0), ParameterSetId::Sequence(0));
        let link = |nal: &[u8]| parameter_set_link(nal).map(|link| (link.id, link.parent));

        assert_eq!(link(&[0x40, 0x01, 0x0c]), Some((video, None)));
        assert_eq!(link(&MAIN), Some((sequence, Some(video))));
        let picture = ParameterSetId::Picture(0);
        assert_eq!(link(&[0x44, 0x01, 0xc1]), Some((picture, Some(sequence))));
        assert_eq!(link(&[0x28, 0x01, 0xaf]), None);
        let first = SliceHeader {
            is_first: true,
            picture_parameter_set: picture,
        };
        assert_eq!(SliceHeader::parse(&[0x28, 0x01, 0xaf]), Some(first));
        assert_eq!(SliceHeader::parse(&MAIN), None);
    }
}
