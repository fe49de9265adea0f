//! H.264, [RFC 6184](https://www.rfc-editor.org/rfc/rfc6184): packetization modes 0 and 1.
//!
//! ```text
//! single NAL  | F NRI type 1-23 | …                                                   §5.6
//! STAP-A      | F NRI 24 | size (16) | NAL | size (16) | NAL …                        §5.7.1
//! FU-A        | F NRI 28 | S E R type | fragment                                      §5.8
//! ```
//!
//! The interleaved mode (STAP-B, MTAP, FU-B) is refused: nobody in WebRTC sends it.

use bytes::Bytes;

use super::assembler::{Finished, Format};
use super::nal::{Picture, Position, Role};
use crate::bitstream::h264::{NalType, SliceHeader, parameter_set_link};

/// Joins H.264 payloads.
#[derive(Debug)]
pub(super) struct H264 {
    picture: Picture,
}

impl H264 {
    pub(super) fn new() -> Self {
        Self {
            picture: Picture::new(role_of),
        }
    }

    fn take_aggregate(&mut self, aggregate: &[u8]) -> Result<(), &'static str> {
        let mut rest = aggregate;
        while !rest.is_empty() {
            let (nal, behind) = split_sized(rest).ok_or("a STAP-A that is cut short")?;
            self.picture.push(nal);
            rest = behind;
        }
        Ok(())
    }

    fn take_fragment(&mut self, payload: &[u8]) -> Result<(), &'static str> {
        let [indicator, header, fragment @ ..] = payload else {
            return Err("a FU-A without header");
        };
        let nal_header = indicator & 0xe0 | header & 0x1f;
        let position = Position::of(*header);
        self.picture
            .push_fragment(position, &[nal_header], fragment);
        Ok(())
    }
}

impl Format for H264 {
    fn suspect(&mut self) {
        self.picture.suspect();
    }

    fn take(&mut self, payload: &Bytes) -> Result<(), &'static str> {
        let Some((indicator, rest)) = payload.split_first() else {
            return Ok(());
        };
        match indicator & 0x1f {
            1..=23 => {
                self.picture.push(payload);
                Ok(())
            }
            STAP_A => self.take_aggregate(rest),
            FU_A => self.take_fragment(payload),
            25..=27 | 29 => Err("H.264 in interleaved mode"),
            _ => Err("a NAL unit type that is not defined"),
        }
    }

    fn hole(&mut self) {
        self.picture.hole();
    }

    fn finish(&mut self) -> Finished {
        self.picture.finish()
    }
}

fn role_of(nal: &[u8]) -> Role {
    let kind = nal
        .first()
        .map_or(NalType::Other(0), |header| NalType::of(*header));
    match (kind, SliceHeader::parse(nal)) {
        (NalType::Idr, Some(slice)) => Role::KeySlice {
            is_first: slice.first_macroblock == 0,
            needs: slice.picture_parameter_set,
        },
        (NalType::Slice | NalType::Idr, slice) => Role::Slice {
            is_first: slice.is_some_and(|slice| slice.first_macroblock == 0),
        },
        (NalType::AccessUnitDelimiter, _) => Role::Delimiter,
        _ => parameter_set_link(nal).map_or(Role::Other, Role::ParameterSet),
    }
}

/// Takes a NAL unit behind its 16-bit length from the front of `data`. `None` if it is cut short or
/// empty.
pub(super) fn split_sized(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = data.split_first_chunk::<2>()?;
    let (nal, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
    (!nal.is_empty()).then_some((nal, rest))
}

const STAP_A: u8 = 24;
const FU_A: u8 = 28;
