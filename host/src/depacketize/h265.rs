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

#[cfg(test)]
mod tests {
    use crate::bitstream::nal::units as nals;
    use crate::depacketize::testing::{Packets, run, units};
    use crate::media::{Codec, Integrity};

    const VPS: &[u8] = &[0x40, 0x01, 0x0c, 0x01];
    const SPS: &[u8] = &[
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00,
        0x03, 0x00, 0x3c, 0xa0, 0x0a,
    ];
    const PPS: &[u8] = &[0x44, 0x01, 0xc1, 0x72];
    const IDR: &[u8] = &[0x28, 0x01, 0xaf, 0x08, 0x58];
    const SLICE: &[u8] = &[0x02, 0x01, 0xd0, 0x19];

    #[test]
    fn single_units_aggregates_and_fragments_make_the_same_picture() {
        let mut packets = Packets::of(Codec::H265);
        packets.add(0, VPS).add(0, SPS).add(0, PPS).add_last(0, IDR);
        packets.add_last(1, aggregate(&[VPS, SPS, PPS, IDR]));
        packets
            .add(2, aggregate(&[VPS, SPS, PPS]))
            .add(2, [0x62, 0x01, 0x94, 0xaf]);
        packets
            .add(2, [0x62, 0x01, 0x14, 0x08])
            .add_last(2, [0x62, 0x01, 0x54, 0x58]);

        let units = units(&packets);

        assert_eq!(units.len(), 3);
        for unit in units {
            assert!(unit.is_keyframe && unit.integrity == Integrity::Whole);
            assert_eq!(nals(&unit.data).collect::<Vec<_>>(), [VPS, SPS, PPS, IDR]);
        }
    }

    #[test]
    fn a_keyframe_gets_the_parameter_sets_that_came_before() {
        let mut packets = Packets::of(Codec::H265);
        packets
            .add_last(0, IDR)
            .add_last(1, aggregate(&[VPS, SPS, PPS]))
            .add_last(2, IDR);
        packets
            .add_last(3, SLICE)
            .add_last(4, aggregate(&[SPS, PPS, IDR]));

        let units = units(&packets);

        let keyframes: Vec<_> = units.iter().map(|unit| unit.is_keyframe).collect();
        assert_eq!(keyframes, [false, true, false, true]);
        assert_eq!(
            nals(&units[1].data).collect::<Vec<_>>(),
            [VPS, SPS, PPS, IDR]
        );
        assert_eq!(nals(&units[3].data).next(), Some(VPS));
    }

    #[test]
    fn fragments_around_a_hole_go() {
        let mut packets = Packets::of(Codec::H265);
        packets
            .add(0, SLICE)
            .add(0, [0x62, 0x01, 0x81, 0xaf])
            .lose();
        packets.add_last(0, [0x62, 0x01, 0x41, 0x08]);
        packets.lose().add_last(1, [0x62, 0x01, 0x41, 0x08]);

        let outcome = run(&packets);

        assert_eq!((outcome.units.len(), outcome.skipped), (1, 1));
        assert_eq!(outcome.units[0].integrity, Integrity::Damaged);
        assert_eq!(nals(&outcome.units[0].data).collect::<Vec<_>>(), [SLICE]);
    }

    #[test]
    fn what_the_format_does_not_allow_is_refused() {
        let cases: [&[u8]; 5] = [
            &[1],
            &[0x62, 1],
            &[0x64, 1, 2],
            &[0x60, 1, 0, 0],
            &[0x60, 1, 0, 9, 1],
        ];
        for payload in cases {
            let mut packets = Packets::of(Codec::H265);
            packets.add_last(0, payload).add_last(1, SLICE);

            let outcome = run(&packets);

            assert_eq!(
                (outcome.errors.len(), outcome.units.len()),
                (1, 1),
                "{payload:02x?}"
            );
        }
    }

    fn aggregate(nals: &[&[u8]]) -> Vec<u8> {
        let mut payload = vec![0x60, 0x01];
        for nal in nals {
            payload.extend([0, u8::try_from(nal.len()).unwrap()]);
            payload.extend_from_slice(nal);
        }
        payload
    }
}
