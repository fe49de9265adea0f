//! VP8, VP9 and AV1 from an IVF file.

use std::sync::Arc;
use std::time::Duration;

use rtc_rtp::codec::av1::Av1Payloader;
use rtc_rtp::codec::vp8::Vp8Payloader;
use rtc_rtp::codec::vp9::Vp9Payloader;
use rtc_rtp::packetizer::Payloader;

use super::{Codec, Media, MediaError, Picture, packetize};

impl Media {
    /// Reads an IVF file with VP8, VP9 or AV1.
    ///
    /// VP8 payload descriptors carry no picture id: an SFU that rewrites ids leaves
    /// such payloads alone, so they can be compared byte by byte behind it.
    ///
    /// # Errors
    ///
    /// If the file is not IVF, has another codec, or no picture.
    pub fn from_ivf(bytes: &[u8]) -> Result<Self, MediaError> {
        let header = Header::parse(bytes)?;
        let mut payloader = header.payloader();
        let pictures = Frames {
            rest: bytes.get(header.length..).unwrap_or_default(),
            header: &header,
        };
        let packets = packetize(header.codec, payloader.as_mut(), pictures)?;
        let end = packets.last().map_or(Duration::ZERO, |packet| packet.at);
        Self::new(header.codec, packets, end + header.time(1))
    }
}

/// The 32 bytes at the start: signature, codec and time base.
struct Header {
    codec: Codec,
    length: usize,
    rate: u32,
    scale: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, MediaError> {
        let damaged = || MediaError::Damaged("not an IVF file".into());
        let codec = match (bytes.get(0..4), bytes.get(8..12)) {
            (Some(b"DKIF"), Some(b"VP80")) => Codec::Vp8,
            (Some(b"DKIF"), Some(b"VP90")) => Codec::Vp9,
            (Some(b"DKIF"), Some(b"AV01")) => Codec::Av1,
            _ => return Err(damaged()),
        };
        let rate = u32_at(bytes, 16).filter(|rate| *rate > 0);
        Ok(Self {
            codec,
            length: usize::from(bytes.get(6).copied().ok_or_else(damaged)?),
            rate: rate.ok_or_else(damaged)?,
            scale: u32_at(bytes, 20).ok_or_else(damaged)?,
        })
    }

    fn payloader(&self) -> Box<dyn Payloader> {
        match self.codec {
            Codec::Vp9 => {
                let mut payloader = Vp9Payloader::default();
                // Random otherwise; the same file must always give the same packets.
                payloader.initial_picture_id_fn = Some(Arc::new(|| 1));
                Box::new(payloader)
            }
            Codec::Av1 => Box::new(Av1Payloader {}),
            Codec::Vp8 | Codec::Opus | Codec::Pcmu | Codec::H264 => {
                Box::new(Vp8Payloader::default())
            }
        }
    }

    fn time(&self, ticks: u64) -> Duration {
        Duration::from_nanos(ticks * 1_000_000_000 * u64::from(self.scale) / u64::from(self.rate))
    }

    fn is_keyframe(&self, frame: &[u8]) -> bool {
        match (self.codec, frame) {
            // RFC 6386 §9.1: bit 0 of the frame tag is zero in a keyframe.
            (Codec::Vp8, [tag, ..]) => tag & 1 == 0,
            // frame_marker 2, profile 0, show_existing_frame 0, frame_type 0.
            (Codec::Vp9, [tag, ..]) => tag & 0b1100_1100 == 0b1000_0000,
            // Encoders repeat the sequence header (OBU type 1) in front of every keyframe.
            (Codec::Av1, data) => data.windows(1).take(3).any(|obu| obu == [SEQUENCE_HEADER]),
            _ => false,
        }
    }
}

/// An iterator over the frames behind the header.
struct Frames<'a> {
    rest: &'a [u8],
    header: &'a Header,
}

impl<'a> Iterator for Frames<'a> {
    type Item = Picture<'a>;

    fn next(&mut self) -> Option<Picture<'a>> {
        let length = usize::try_from(u32_at(self.rest, 0)?).ok()?;
        let time = u64::from(u32_at(self.rest, 4)?);
        let data = self.rest.get(FRAME_HEADER..FRAME_HEADER + length)?;
        self.rest = self.rest.get(FRAME_HEADER + length..)?;
        Some(Picture {
            data,
            at: self.header.time(time),
            is_keyframe: self.header.is_keyframe(data),
        })
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..offset + 4)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

/// Length (4 bytes) and time stamp (8 bytes).
const FRAME_HEADER: usize = 12;
/// OBU header of a sequence header with a size field.
const SEQUENCE_HEADER: u8 = 0x0a;
