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

#[cfg(test)]
mod tests {
    use crate::bitstream::nal::units as nals;
    use crate::depacketize::testing::{Packets, run, units};
    use crate::media::{AccessUnit, Codec, Integrity};

    const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02];
    const PPS: &[u8] = &[0x68, 0xeb, 0xe3];
    /// The first slice, and one of macroblock 122.
    const IDR: &[u8] = &[0x65, 0x88, 0x84, 0x00, 0x47];
    const IDR_BEHIND: &[u8] = &[0x65, 0x03, 0xd8, 0x88, 0x40];
    const SLICE: &[u8] = &[0x41, 0x9a, 0x23, 0x6c];
    const SEI: &[u8] = &[0x06, 0x05, 0x01, 0x00];
    const DELIMITER: &[u8] = &[0x09, 0xf0];

    #[test]
    fn single_units_aggregates_and_fragments_make_the_same_picture() {
        let mut packets = Packets::of(Codec::H264);
        packets.add(0, SPS).add(0, PPS).add_last(0, IDR);
        packets.add_last(1, stap(&[SPS, PPS, IDR]));
        packets.add(2, stap(&[SPS, PPS])).add(2, [0x7c, 0x85, 0x88]);
        packets
            .add(2, [0x7c, 0x05, 0x84, 0x00])
            .add_last(2, [0x7c, 0x45, 0x47]);
        packets
            .add(3, stap(&[SPS, PPS]))
            .add_last(3, [&[0x7c, 0xc5][..], &IDR[1..]].concat());

        let units = units(&packets);

        assert_eq!(units.len(), 4);
        for unit in units {
            assert_eq!(
                described(&unit),
                (Integrity::Whole, true, vec![SPS, PPS, IDR])
            );
        }
    }

    #[test]
    fn parameter_sets_that_came_alone_are_put_in_front_of_the_keyframe() {
        let mut packets = Packets::of(Codec::H264);
        packets.add_last(0, SPS).add_last(0, PPS);
        packets
            .add(1, stap(&[DELIMITER, SEI]))
            .add(1, IDR)
            .add_last(1, IDR_BEHIND);
        packets.add_last(2, SLICE).add_last(3, IDR);

        let units = units(&packets);

        let first = vec![DELIMITER, SPS, PPS, SEI, IDR, IDR_BEHIND];
        assert_eq!(described(&units[0]), (Integrity::Whole, true, first));
        assert_eq!(described(&units[1]), (Integrity::Whole, false, vec![SLICE]));
        assert_eq!(
            described(&units[2]),
            (Integrity::Whole, true, vec![SPS, PPS, IDR])
        );
    }

    #[test]
    fn a_keyframe_gets_the_last_of_its_parameter_sets() {
        let resized = &[0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x68][..];
        let other = &[0x67, 0x42, 0xc0, 0x1e, 0x40][..];
        let mut packets = Packets::of(Codec::H264);
        packets.add_last(0, stap(&[SPS, PPS, other, IDR]));
        packets.add_last(1, resized).add_last(2, IDR);

        let units = units(&packets);

        assert_eq!(
            described(&units[1]),
            (Integrity::Whole, true, vec![resized, PPS, IDR])
        );
    }

    #[test]
    fn a_keyframe_without_parameter_sets_is_none() {
        let mut packets = Packets::of(Codec::H264);
        packets.add_last(0, IDR).add_last(1, stap(&[PPS, IDR]));

        let units = units(&packets);

        assert_eq!(described(&units[0]), (Integrity::Whole, false, vec![IDR]));
        assert_eq!(
            described(&units[1]),
            (Integrity::Whole, false, vec![PPS, IDR])
        );
    }

    #[test]
    fn fragments_around_a_hole_go_and_whole_units_stay() {
        let mut packets = Packets::of(Codec::H264);
        packets
            .add(0, stap(&[SPS, PPS]))
            .add(0, IDR)
            .add(0, [0x7c, 0x85, 0x03]);
        packets
            .lose()
            .add(0, [0x7c, 0x45, 0x47])
            .add_last(0, IDR_BEHIND);
        packets
            .add(1, [0x7c, 0x81, 0x9a])
            .lose()
            .add_last(1, [0x7c, 0x41, 0x23]);

        let outcome = run(&packets);

        let kept = vec![SPS, PPS, IDR, IDR_BEHIND];
        assert_eq!(
            described(&outcome.units[0]),
            (Integrity::Damaged, true, kept)
        );
        assert_eq!((outcome.units.len(), outcome.skipped), (1, 1));
    }

    #[test]
    fn a_picture_without_its_beginning_is_damaged() {
        let mut packets = Packets::of(Codec::H264);
        packets.add_last(0, stap(&[SPS, PPS, IDR]));
        packets.lose().add_last(1, IDR_BEHIND);
        packets.lose().add(2, [0x7c, 0x45, 0x47]).add_last(2, SLICE);
        // Its parameter sets may have been lost, and may have been others.
        packets.lose().add_last(3, IDR);

        let units = units(&packets);

        assert!(
            units[1..]
                .iter()
                .all(|unit| unit.integrity == Integrity::Damaged)
        );
        assert_eq!(
            units
                .iter()
                .map(|unit| nals(&unit.data).count())
                .sum::<usize>(),
            3 + 3 + 1 + 3
        );
    }

    #[test]
    fn a_hole_between_pictures_damages_neither() {
        let mut packets = Packets::of(Codec::H264);
        packets
            .add_last(0, stap(&[SPS, PPS, IDR]))
            .lose()
            .add_last(1, SLICE);
        packets
            .lose()
            .add_last(2, stap(&[SPS, PPS, IDR]))
            .lose()
            .add_last(3, SPS);

        let units = units(&packets);

        assert_eq!(units.len(), 3);
        assert!(units.iter().all(|unit| unit.integrity == Integrity::Whole));
    }

    #[test]
    fn what_the_format_does_not_allow_is_refused_and_damages_the_picture() {
        let cases: [&[u8]; 8] = [
            &[0x19, 0, 0, 0, 1, 1],
            &[0x1a, 0],
            &[0x1d, 0x81, 0, 0],
            &[0x00],
            &[0x1f, 1],
            &[0x7c],
            &[0x78, 0, 0],
            &[0x78, 0, 9, 1],
        ];
        for payload in cases {
            let mut packets = Packets::of(Codec::H264);
            packets
                .add(0, SLICE)
                .add_last(0, payload)
                .add_last(1, SLICE);

            let outcome = run(&packets);

            assert_eq!(outcome.errors.len(), 1, "{payload:02x?}");
            let damaged = (Integrity::Damaged, false, vec![SLICE]);
            assert_eq!(described(&outcome.units[0]), damaged);
            assert_eq!(outcome.units[1].integrity, Integrity::Whole);
        }
    }

    fn described(unit: &AccessUnit) -> (Integrity, bool, Vec<&[u8]>) {
        (unit.integrity, unit.is_keyframe, nals(&unit.data).collect())
    }

    fn stap(nals: &[&[u8]]) -> Vec<u8> {
        let mut payload = vec![0x78];
        for nal in nals {
            payload.extend([0, u8::try_from(nal.len()).unwrap()]);
            payload.extend_from_slice(nal);
        }
        payload
    }
}
