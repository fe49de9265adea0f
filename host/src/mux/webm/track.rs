//! What the file says about its one track: `Tracks` and `Tags`.

use super::ebml::{put, put_float, put_header, put_master, put_text, put_uint};
use super::element as id;
use crate::bitstream::{av1, vp8, vp9};
use crate::media::Codec;
use crate::mux::ogg::header::{OPUS_HEAD, PRE_SKIP};
use crate::mux::{Metadata, MuxError, fingerprint, shorten};

/// The number of the one track, in its entry and in each block.
pub(super) const TRACK: u8 = 1;

/// What depends on the codec.
struct Stream {
    codec: &'static str,
    private: Vec<u8>,
    /// Width and height; none for sound.
    size: Option<(u32, u32)>,
}

/// Appends `Tracks`, made of the first keyframe of a track, and `Tags`.
///
/// # Errors
/// WebM does not hold the codec, or the unit does not say how large the picture is.
pub(super) fn put_track(
    out: &mut Vec<u8>,
    metadata: &Metadata,
    keyframe: &[u8],
) -> Result<(), MuxError> {
    let stream = Stream::parse(metadata.codec, keyframe)?;
    put_master(out, id::TRACKS, |out| {
        put_master(out, id::TRACK_ENTRY, |out| {
            put_entry(out, metadata, &stream)
        });
    });
    let tags = [
        ("ROOM", &metadata.room),
        ("PARTICIPANT", &metadata.participant),
        ("TRACK", &metadata.track),
    ];
    put_master(out, id::TAGS, |out| {
        put_master(out, id::TAG, |out| {
            put_header(out, id::TARGETS, 0);
            tags.iter()
                .for_each(|(name, text)| put_tag(out, name, text));
        });
    });
    Ok(())
}

fn put_entry(out: &mut Vec<u8>, metadata: &Metadata, stream: &Stream) {
    put_uint(out, id::TRACK_NUMBER, TRACK.into());
    put_uint(
        out,
        id::TRACK_UID,
        u64::from(fingerprint(metadata)) | 1 << 32,
    );
    let kind = if stream.size.is_some() { 1 } else { 2 };
    put_uint(out, id::TRACK_TYPE, kind);
    put_uint(out, id::FLAG_LACING, 0);
    put_text(out, id::NAME, shorten(&metadata.track));
    put_text(out, id::LANGUAGE, "und");
    put_text(out, id::CODEC_ID, stream.codec);
    if !stream.private.is_empty() {
        put(out, id::CODEC_PRIVATE, &stream.private);
    }
    match stream.size {
        Some((width, height)) => put_master(out, id::VIDEO, |out| {
            put_uint(out, id::PIXEL_WIDTH, width.into());
            put_uint(out, id::PIXEL_HEIGHT, height.into());
        }),
        None => put_sound(out),
    }
}

/// Opus in WebM: decoders throw the pre-skip away, and start 80 ms before the place sought.
fn put_sound(out: &mut Vec<u8>) {
    let delay = u64::from(PRE_SKIP) * 1_000_000 / 48;
    put_uint(out, id::CODEC_DELAY, delay);
    put_uint(out, id::SEEK_PRE_ROLL, 80_000_000);
    put_master(out, id::AUDIO, |out| {
        put_float(out, id::SAMPLING_FREQUENCY, 48_000.0);
        put_uint(out, id::CHANNELS, 2);
    });
}

fn put_tag(out: &mut Vec<u8>, name: &str, text: &str) {
    put_master(out, id::SIMPLE_TAG, |out| {
        put_text(out, id::TAG_NAME, name);
        put_text(out, id::TAG_STRING, shorten(text));
    });
}

impl Stream {
    fn parse(codec: Codec, keyframe: &[u8]) -> Result<Self, MuxError> {
        match codec {
            Codec::Vp8 => Self::vp8(keyframe).ok_or(MuxError::Start("not a VP8 keyframe")),
            Codec::Vp9 => Self::vp9(keyframe).ok_or(MuxError::Start("not a VP9 keyframe")),
            Codec::Av1 => Self::av1(keyframe).ok_or(MuxError::Start("no AV1 sequence header")),
            Codec::Opus => Ok(Self {
                codec: "A_OPUS",
                private: OPUS_HEAD.to_vec(),
                size: None,
            }),
            Codec::Pcmu | Codec::Pcma | Codec::H264 | Codec::H265 => {
                Err(MuxError::Start("WebM holds VP8, VP9, AV1 and Opus"))
            }
        }
    }

    fn vp8(keyframe: &[u8]) -> Option<Self> {
        let size = vp8::FrameHeader::parse(keyframe)?.size?;
        Some(Self {
            codec: "V_VP8",
            private: Vec::new(),
            size: Some((size.width.into(), size.height.into())),
        })
    }

    fn vp9(keyframe: &[u8]) -> Option<Self> {
        let vp9::FrameHeader::Key(key) = vp9::FrameHeader::parse(keyframe)? else {
            return None;
        };
        Some(Self {
            codec: "V_VP9",
            private: Vec::new(),
            size: Some((key.width, key.height)),
        })
    }

    fn av1(keyframe: &[u8]) -> Option<Self> {
        let (header, obu) = av1::obus(keyframe)
            .filter(|obu| obu.kind == av1::ObuType::SequenceHeader)
            .find_map(|obu| Some((av1::SequenceHeader::parse(obu.payload)?, obu.bytes)))?;
        Some(Self {
            codec: "V_AV1",
            private: [&av1_configuration(&header), obu].concat(),
            size: Some((header.max_width, header.max_height)),
        })
    }
}

/// The first four bytes of `av1C` (AV1 in ISO base media §2.3.3), which Matroska stores as well.
fn av1_configuration(header: &av1::SequenceHeader) -> [u8; 4] {
    let color = &header.color;
    let depth = u8::from(color.bit_depth > 8) << 6 | u8::from(color.bit_depth == 12) << 5;
    let chroma = color.subsampling_x << 3 | color.subsampling_y << 2 | color.sample_position;
    [
        0x81,
        header.profile << 5 | header.level,
        header.tier << 7 | depth | u8::from(color.is_monochrome) << 4 | chroma,
        0,
    ]
}
