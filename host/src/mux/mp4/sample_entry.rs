//! The parameter sets of a keyframe → how MP4 describes the track.

use shiguredo_mp4::Uint;
use shiguredo_mp4::boxes::{
    Av01Box, Av1cBox, Avc1Box, AvccBox, Hev1Box, HvccBox, HvccNalUintArray, SampleEntry,
    VisualSampleEntryFields,
};

use crate::bitstream::{av1, h264, h265, nal};
use crate::media::Codec;
use crate::mux::MuxError;

/// What the first keyframe says about the track.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) sample_entry: SampleEntry,
    pub(super) resolution: Resolution,
    /// How many places before its turn a picture is decoded at most; 0 without B-frames.
    pub(super) reorder_depth: usize,
}

/// The size of a picture in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Resolution {
    pub(super) width: u16,
    pub(super) height: u16,
}

impl Stream {
    /// Reads the first keyframe of a track.
    pub(super) fn parse(codec: Codec, keyframe: &[u8]) -> Result<Self, MuxError> {
        match codec {
            Codec::H264 => h264_stream(keyframe),
            Codec::H265 => h265_stream(keyframe),
            Codec::Av1 => av1_stream(keyframe),
            _ => Err(MuxError::Start("MP4 holds H.264, H.265 and AV1")),
        }
    }
}

impl Resolution {
    /// Reads it from the first bytes of a keyframe, of which [`Resolution::HEAD`] are looked at, so
    /// that who reads the file again sees the same. `None` if no parameter set is there.
    pub(super) fn of_keyframe(codec: Codec, keyframe: &[u8]) -> Option<Self> {
        let head = keyframe.get(..Self::HEAD).unwrap_or(keyframe);
        match codec {
            Codec::H264 => {
                let sps = nal::units(head).find_map(h264::SequenceParameterSet::parse)?;
                Some(Self::new(sps.width, sps.height))
            }
            Codec::H265 => {
                let sps = nal::units(head).find_map(h265::SequenceParameterSet::parse)?;
                Some(Self::new(sps.width, sps.height))
            }
            Codec::Av1 => {
                let header = sequence_header(head)?.0;
                Some(Self::new(header.max_width, header.max_height))
            }
            _ => None,
        }
    }

    /// The one with more pixels.
    pub(super) fn larger(self, other: Self) -> Self {
        if other.pixels() > self.pixels() {
            other
        } else {
            self
        }
    }

    fn new(width: u32, height: u32) -> Self {
        let saturated = |length| u16::try_from(length).unwrap_or(u16::MAX);
        Self {
            width: saturated(width),
            height: saturated(height),
        }
    }

    fn pixels(self) -> u32 {
        u32::from(self.width) * u32::from(self.height)
    }

    /// Parameter sets come first in a keyframe, and are short.
    pub(super) const HEAD: usize = 4_096;
}

/// The codec that a sample entry of ours stands for.
pub(super) const fn codec(entry: &SampleEntry) -> Option<Codec> {
    match entry {
        SampleEntry::Avc1(_) => Some(Codec::H264),
        SampleEntry::Hev1(_) => Some(Codec::H265),
        SampleEntry::Av01(_) => Some(Codec::Av1),
        _ => None,
    }
}

/// Changes the size that a sample entry of ours says.
pub(super) const fn set_size(entry: &mut SampleEntry, resolution: Resolution) {
    let visual = match entry {
        SampleEntry::Avc1(entry) => &mut entry.visual,
        SampleEntry::Hev1(entry) => &mut entry.visual,
        SampleEntry::Av01(entry) => &mut entry.visual,
        _ => return,
    };
    visual.width = resolution.width;
    visual.height = resolution.height;
}

fn h264_stream(keyframe: &[u8]) -> Result<Stream, MuxError> {
    let sps_list = parameter_sets(keyframe, |header| {
        h264::NalType::of(header) == h264::NalType::Sps
    });
    let pps_list = parameter_sets(keyframe, |header| {
        h264::NalType::of(header) == h264::NalType::Pps
    });
    let sps = first(&sps_list)
        .and_then(h264::SequenceParameterSet::parse)
        .ok_or(MuxError::Start("no H.264 sequence parameter set"))?;
    if pps_list.is_empty() {
        return Err(MuxError::Start("no H.264 picture parameter set"));
    }
    let resolution = Resolution::new(sps.width, sps.height);
    Ok(Stream {
        sample_entry: SampleEntry::Avc1(Avc1Box {
            visual: visual(resolution),
            avcc_box: AvccBox {
                avc_profile_indication: sps.profile,
                profile_compatibility: sps.constraints,
                avc_level_indication: sps.level,
                length_size_minus_one: LENGTH_SIZE_MINUS_ONE,
                sps_list,
                pps_list,
                chroma_format: Some(Uint::new(sps.chroma_format)),
                bit_depth_luma_minus8: Some(Uint::new(sps.bit_depth_luma - 8)),
                bit_depth_chroma_minus8: Some(Uint::new(sps.bit_depth_chroma - 8)),
                sps_ext_list: Vec::new(),
            },
            unknown_boxes: Vec::new(),
        }),
        resolution,
        // WebRTC senders have no B-frames, and encoders that have some say how many.
        reorder_depth: depth(sps.max_reordered_frames.unwrap_or(0)),
    })
}

fn h265_stream(keyframe: &[u8]) -> Result<Stream, MuxError> {
    let sets = |wanted| {
        let nal_units = parameter_sets(keyframe, |header| h265::NalType::of(header) == wanted);
        (!nal_units.is_empty()).then_some(nal_units)
    };
    let vps = sets(h265::NalType::Vps).ok_or(MuxError::Start("no H.265 video parameter set"))?;
    let pps = sets(h265::NalType::Pps).ok_or(MuxError::Start("no H.265 picture parameter set"))?;
    let all_sps = sets(h265::NalType::Sps).unwrap_or_default();
    let sps = first(&all_sps)
        .and_then(h265::SequenceParameterSet::parse)
        .ok_or(MuxError::Start("no H.265 sequence parameter set"))?;
    let resolution = Resolution::new(sps.width, sps.height);
    let nalu_arrays = [(32, vps), (33, all_sps), (34, pps)].map(|(kind, nalus)| HvccNalUintArray {
        array_completeness: Uint::new(0), // More come in-band.
        nal_unit_type: Uint::new(kind),
        nalus,
    });
    Ok(Stream {
        sample_entry: SampleEntry::Hev1(Hev1Box {
            visual: visual(resolution),
            hvcc_box: hevc_configuration(&sps, nalu_arrays.into()),
            unknown_boxes: Vec::new(),
        }),
        resolution,
        reorder_depth: depth(sps.max_reordered_pictures),
    })
}

fn hevc_configuration(
    sps: &h265::SequenceParameterSet,
    nalu_arrays: Vec<HvccNalUintArray>,
) -> HvccBox {
    let profile = &sps.profile;
    let constraints = profile
        .constraints
        .iter()
        .fold(0, |bits, byte| bits << 8 | u64::from(*byte));
    HvccBox {
        general_profile_space: Uint::new(profile.space),
        general_tier_flag: Uint::new(profile.tier),
        general_profile_idc: Uint::new(profile.profile),
        general_profile_compatibility_flags: profile.compatibility,
        general_constraint_indicator_flags: Uint::new(constraints),
        general_level_idc: profile.level,
        min_spatial_segmentation_idc: Uint::new(0),
        parallelism_type: Uint::new(0),
        chroma_format_idc: Uint::new(sps.chroma_format),
        bit_depth_luma_minus8: Uint::new(sps.bit_depth_luma - 8),
        bit_depth_chroma_minus8: Uint::new(sps.bit_depth_chroma - 8),
        avg_frame_rate: 0,
        constant_frame_rate: Uint::new(0),
        num_temporal_layers: Uint::new(sps.temporal_layers),
        temporal_id_nested: sps.is_temporally_nested.into(),
        length_size_minus_one: Uint::new(LENGTH_SIZE_MINUS_ONE.get()),
        nalu_arrays,
    }
}

fn av1_stream(keyframe: &[u8]) -> Result<Stream, MuxError> {
    let (header, obu) =
        sequence_header(keyframe).ok_or(MuxError::Start("no AV1 sequence header"))?;
    let resolution = Resolution::new(header.max_width, header.max_height);
    let color = &header.color;
    Ok(Stream {
        sample_entry: SampleEntry::Av01(Av01Box {
            visual: visual(resolution),
            av1c_box: Av1cBox {
                seq_profile: Uint::new(header.profile),
                seq_level_idx_0: Uint::new(header.level),
                seq_tier_0: Uint::new(header.tier),
                high_bitdepth: (color.bit_depth > 8).into(),
                twelve_bit: (color.bit_depth == 12).into(),
                monochrome: color.is_monochrome.into(),
                chroma_subsampling_x: Uint::new(color.subsampling_x),
                chroma_subsampling_y: Uint::new(color.subsampling_y),
                chroma_sample_position: Uint::new(color.sample_position),
                initial_presentation_delay_minus_one: None,
                config_obus: obu.to_vec(),
            },
            unknown_boxes: Vec::new(),
        }),
        resolution,
        // A temporal unit holds one shown frame, whatever order its frames are coded in.
        reorder_depth: 0,
    })
}

/// The first sequence header, parsed and as it came.
fn sequence_header(temporal_unit: &[u8]) -> Option<(av1::SequenceHeader, &[u8])> {
    av1::obus(temporal_unit)
        .filter(|obu| obu.kind == av1::ObuType::SequenceHeader)
        .find_map(|obu| Some((av1::SequenceHeader::parse(obu.payload)?, obu.bytes)))
}

/// The NAL units whose first byte is `wanted`, each once.
fn parameter_sets(keyframe: &[u8], wanted: impl Fn(u8) -> bool) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for unit in nal::units(keyframe) {
        let is_wanted = unit.first().is_some_and(|header| wanted(*header));
        if is_wanted && !found.iter().any(|known| known == unit) {
            found.push(unit.to_vec());
        }
    }
    found
}

fn first(parameter_sets: &[Vec<u8>]) -> Option<&[u8]> {
    parameter_sets.first().map(Vec::as_slice)
}

/// No codec here reorders further.
fn depth(max_reordered_pictures: u32) -> usize {
    usize::try_from(max_reordered_pictures.min(16)).unwrap_or(16)
}

const fn visual(resolution: Resolution) -> VisualSampleEntryFields {
    VisualSampleEntryFields {
        data_reference_index: VisualSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
        width: resolution.width,
        height: resolution.height,
        horizresolution: VisualSampleEntryFields::DEFAULT_HORIZRESOLUTION,
        vertresolution: VisualSampleEntryFields::DEFAULT_VERTRESOLUTION,
        frame_count: VisualSampleEntryFields::DEFAULT_FRAME_COUNT,
        compressorname: VisualSampleEntryFields::NULL_COMPRESSORNAME,
        depth: VisualSampleEntryFields::DEFAULT_DEPTH,
    }
}

const LENGTH_SIZE_MINUS_ONE: Uint<u8, 2> = Uint::new(3);
