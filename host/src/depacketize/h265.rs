//! H.265, [RFC 7798](https://www.rfc-editor.org/rfc/rfc7798), without decoding order numbers, which
//! WebRTC does not negotiate.
//!
//! ```text
//! single NAL  | header (16), type 0-47 | …                                            §4.4.1
//! AP          | header (16), type 48 | size (16) | NAL | size (16) | NAL …            §4.4.2
//! FU          | header (16), type 49 | S E type | fragment                            §4.4.3
//! ```

use bytes::Bytes;

use super::assembler::{Finished, Format};
use super::h264::split_sized;
use super::nal::{Picture, Position, Role};
use crate::bitstream::h265::{NalType, SliceHeader, parameter_set_link};

/// Joins H.265 payloads.
#[derive(Debug)]
pub(super) struct H265 {
    picture: Picture,
}

impl H265 {
    pub(super) fn new() -> Self {
        Self {
            picture: Picture::new(role_of),
        }
    }

    fn take_aggregate(&mut self, aggregate: &[u8]) -> Result<(), &'static str> {
        let mut rest = aggregate;
        while !rest.is_empty() {
            let (nal, behind) =
                split_sized(rest).ok_or("an aggregation packet that is cut short")?;
            self.picture.push(nal);
            rest = behind;
        }
        Ok(())
    }
}

impl Format for H265 {
    fn suspect(&mut self) {
        self.picture.suspect();
    }

    fn take(&mut self, payload: &Bytes) -> Result<(), &'static str> {
        let [first, second, rest @ ..] = &payload[..] else {
            return Err("an H.265 payload without header");
        };
        match (first >> 1 & 0x3f, rest) {
            (0..=47, _) => {
                self.picture.push(payload);
                Ok(())
            }
            (AGGREGATION, _) => self.take_aggregate(rest),
            (FRAGMENT, [header, fragment @ ..]) => {
                let nal_header = [first & 0x81 | (header & 0x3f) << 1, *second];
                let position = Position::of(*header);
                self.picture.push_fragment(position, &nal_header, fragment);
                Ok(())
            }
            (FRAGMENT, []) => Err("a fragmentation unit without header"),
            _ => Err("an H.265 payload that is neither NAL unit nor aggregation nor fragment"),
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
        .map_or(NalType::Other(63), |header| NalType::of(*header));
    match (kind, SliceHeader::parse(nal)) {
        (NalType::RandomAccess, Some(slice)) => Role::KeySlice {
            is_first: slice.is_first,
            needs: slice.picture_parameter_set,
        },
        (NalType::Slice | NalType::RandomAccess, slice) => Role::Slice {
            is_first: slice.is_some_and(|slice| slice.is_first),
        },
        (NalType::AccessUnitDelimiter, _) => Role::Delimiter,
        _ => parameter_set_link(nal).map_or(Role::Other, Role::ParameterSet),
    }
}

const AGGREGATION: u8 = 48;
const FRAGMENT: u8 = 49;
