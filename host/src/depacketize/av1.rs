//! AV1, [RTP payload format for AV1](https://aomediacodec.github.io/av1-rtp-spec/) §4.
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+
//! |Z|Y| W |N|-|-|-|   Z, Y: the first unit began before, the last goes on; W: how many, 0 unknown
//! +-+-+-+-+-+-+-+-+
//! | leb128 size     |   in front of each unit, but not of the last if W says how many
//! +-+-+-+-+-+-+-+-+
//! | OBU (fragment)  |
//! ```
//!
//! N is not needed: whether decoding can start is read from the units themselves.

use bytes::{BufMut, Bytes, BytesMut};

use super::assembler::{Finished, Format};
use crate::bitstream::av1::{
    FrameHeader, HAS_EXTENSION, HAS_SIZE, Obu, ObuType, SequenceHeader, read_leb128, write_leb128,
};
use crate::media::Integrity;

/// Joins AV1 payloads.
#[derive(Debug, Default)]
pub(super) struct Av1 {
    /// Units with their sizes.
    data: BytesMut,
    /// What came of the unit that goes on in the next packet.
    fragment: BytesMut,
    sequence: Sequence,
    frames: Frames,
    beginning: Beginning,
    /// Whether what follows cannot be used, because something is missing in front of it.
    is_cut: bool,
}

/// What the temporal unit says about its coded video sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sequence {
    #[default]
    Unsaid,
    Said {
        /// Whether all frames are keyframes without saying so.
        is_reduced: bool,
    },
}

/// What the first frame of the temporal unit is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Frames {
    #[default]
    None,
    Key,
    Other,
}

/// Whether the temporal unit is there from its beginning on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Beginning {
    #[default]
    There,
    /// Packets are missing in front of the first that came.
    Suspect,
    /// They were probably of this temporal unit.
    Doubtful,
}

impl Format for Av1 {
    fn suspect(&mut self) {
        self.beginning = Beginning::Suspect;
    }

    fn take(&mut self, payload: &Bytes) -> Result<(), &'static str> {
        let Some((header, elements)) = payload.split_first() else {
            return Ok(());
        };
        let is_continued = header & 0x80 != 0;
        if is_continued == self.fragment.is_empty() {
            self.is_cut = true;
        }
        if self.is_cut {
            return Ok(());
        }
        let goes_on = header & 0x40 != 0;
        let mut elements = Elements::new(*header, elements);
        while let Some(element) = elements.next()? {
            self.fragment.extend_from_slice(element);
            if !(goes_on && elements.is_empty()) {
                self.complete()?;
            }
            if self.is_cut {
                break;
            }
        }
        Ok(())
    }

    fn hole(&mut self) {
        self.is_cut = true;
    }

    fn finish(&mut self) -> Finished {
        let unit = std::mem::take(self);
        let is_doubtful = unit.beginning == Beginning::Doubtful;
        let is_damaged = is_doubtful || unit.is_cut || !unit.fragment.is_empty();
        if unit.frames == Frames::None {
            return if is_damaged {
                Finished::Skipped
            } else {
                Finished::NoPicture
            };
        }
        Finished::Unit {
            data: unit.data.freeze(),
            is_keyframe: unit.frames == Frames::Key,
            integrity: if is_damaged {
                Integrity::Damaged
            } else {
                Integrity::Whole
            },
        }
    }
}

impl Av1 {
    /// The unit in `fragment` is all there.
    fn complete(&mut self) -> Result<(), &'static str> {
        let bytes = self.fragment.split();
        if bytes.is_empty() {
            return Ok(());
        }
        let (obu, behind) = Obu::split(&bytes).ok_or("an OBU that is cut short")?;
        if !behind.is_empty() {
            return Err("bytes behind an OBU");
        }
        match obu.kind {
            // §5: they must not be sent, and a file has its own way to tell temporal units apart.
            ObuType::TemporalDelimiter | ObuType::TileList => return Ok(()),
            ObuType::SequenceHeader => self.note_sequence(&obu),
            ObuType::Frame | ObuType::FrameHeader => self.note_frame(&obu),
            ObuType::TileGroup | ObuType::RedundantFrameHeader if self.frames == Frames::None => {
                self.is_cut = true;
                return Ok(());
            }
            _ => {}
        }
        self.write(&obu);
        Ok(())
    }

    fn note_sequence(&mut self, obu: &Obu<'_>) {
        if let Some(header) = SequenceHeader::parse(obu.payload) {
            let is_reduced = header.is_reduced;
            self.sequence = Sequence::Said { is_reduced };
        }
    }

    fn note_frame(&mut self, obu: &Obu<'_>) {
        if self.frames != Frames::None {
            return;
        }
        let header = FrameHeader::parse(obu.payload);
        let is_key = match self.sequence {
            Sequence::Said { is_reduced: true } => true,
            _ => header == Some(FrameHeader::Key { is_shown: true }),
        };
        let has_sequence = self.sequence != Sequence::Unsaid;
        self.frames = if is_key && has_sequence {
            Frames::Key
        } else {
            Frames::Other
        };
        // The SFU may rightly begin with a higher layer (L3T3_KEY), but behind a hole that tells of
        // a lost beginning, as does a keyframe without sequence header.
        let is_odd = spatial_layer(obu) > 0 || is_key && !has_sequence;
        if is_odd && self.beginning == Beginning::Suspect {
            self.beginning = Beginning::Doubtful;
        }
    }

    fn write(&mut self, obu: &Obu<'_>) {
        let (header, extension) = match obu.bytes {
            [header, extension, ..] if header & HAS_EXTENSION != 0 => (*header, Some(*extension)),
            [header, ..] => (*header, None),
            [] => return,
        };
        let size = u32::try_from(obu.payload.len()).expect("an access unit is at most 8 MiB");
        self.data.put_u8(header | HAS_SIZE);
        self.data.extend(extension);
        write_leb128(size, |byte| self.data.put_u8(byte));
        self.data.extend_from_slice(obu.payload);
    }
}

/// The unit elements of a payload.
struct Elements<'a> {
    rest: &'a [u8],
    /// How many follow, if the header says it.
    left: Option<u8>,
}

impl<'a> Elements<'a> {
    const fn new(header: u8, rest: &'a [u8]) -> Self {
        let left = match header >> 4 & 3 {
            0 => None,
            count => Some(count),
        };
        Self { rest, left }
    }

    const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn next(&mut self) -> Result<Option<&'a [u8]>, &'static str> {
        let (size, behind) = match &mut self.left {
            None if self.rest.is_empty() => return Ok(None),
            Some(0) if self.rest.is_empty() => return Ok(None),
            Some(0) => return Err("more AV1 elements than announced"),
            Some(1) => (self.rest.len(), self.rest),
            _ => read_leb128(self.rest).ok_or("an AV1 element without size")?,
        };
        self.left = self.left.map(|left| left - 1);
        let (element, rest) = behind
            .split_at_checked(size)
            .ok_or("an AV1 element that is cut short")?;
        self.rest = rest;
        Ok(Some(element))
    }
}

fn spatial_layer(obu: &Obu<'_>) -> u8 {
    match obu.bytes {
        [header, extension, ..] if header & HAS_EXTENSION != 0 => extension >> 3 & 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::depacketize::testing::{Packets, run, summary, units};
    use crate::media::Codec;

    /// Unit headers without size.
    const SEQUENCE: u8 = 0x08;
    const DELIMITER: u8 = 0x10;
    const TILES: u8 = 0x20;
    const FRAME: u8 = 0x30;
    const KEY: u8 = 0x10;
    const INTER: u8 = 0x30;
    /// A sequence header of libaom.
    const HEADER: [u8; 11] = [0, 0, 0, 4, 0x3d, 6, 0xd4, 0xda, 0xf9, 0, 0x40];

    #[test]
    fn units_get_their_sizes_and_delimiters_go() {
        let expected = [
            &[SEQUENCE | HAS_SIZE, 11][..],
            &HEADER,
            &[FRAME | HAS_SIZE, 2, KEY, 7],
        ];
        let sequence = [&[SEQUENCE][..], &HEADER].concat();
        let sized = [&[SEQUENCE | HAS_SIZE, 11][..], &HEADER].concat();
        let payloads = [
            [&[0x28, 12][..], &sequence, &[FRAME, KEY, 7]].concat(),
            [&[0x08, 12][..], &sequence, &[3, FRAME, KEY, 7]].concat(),
            [&[0x38, 1, DELIMITER, 13][..], &sized, &[FRAME, KEY, 7]].concat(),
            [
                &[0x08, 2, DELIMITER | HAS_SIZE, 0, 12][..],
                &sequence,
                &[3, FRAME, KEY, 7, 0],
            ]
            .concat(),
        ];
        for payload in payloads {
            let mut packets = Packets::of(Codec::Av1);
            packets.add_last(0, payload);

            let units = units(&packets);

            let expected = expected.concat();
            assert_eq!(
                summary(&units[0]),
                (0, Integrity::Whole, true, &expected[..])
            );
        }
    }

    #[test]
    fn a_unit_goes_on_over_packets() {
        let mut packets = Packets::of(Codec::Av1);
        packets.add(0, [0x50, FRAME]);
        packets
            .add(0, [0xd0, INTER, 1])
            .add_last(0, [0xa0, 1, 2, TILES, 3]);

        let units = units(&packets);

        let expected = [FRAME | HAS_SIZE, 3, INTER, 1, 2, TILES | HAS_SIZE, 1, 3];
        assert_eq!(
            summary(&units[0]),
            (0, Integrity::Whole, false, &expected[..])
        );
    }

    #[test]
    fn the_layers_in_a_unit_header_are_kept() {
        let mut packets = Packets::of(Codec::Av1);
        packets.add_last(0, [0x10, FRAME | HAS_EXTENSION, 0x28, INTER, 1]);

        let units = units(&packets);

        let header = FRAME | HAS_EXTENSION | HAS_SIZE;
        assert_eq!(&units[0].data[..], [header, 0x28, 2, INTER, 1]);
    }

    #[test]
    fn a_temporal_unit_without_its_beginning_is_skipped() {
        let mut packets = Packets::of(Codec::Av1);
        packets.lose().add_last(0, [0x90, 1, 2]);
        packets
            .lose()
            .add_last(1, [0x20, 2, TILES, 2, FRAME, INTER]);
        packets.lose().add_last(2, [0x10, FRAME, INTER]);
        packets
            .lose()
            .add_last(3, [0x10, FRAME | HAS_EXTENSION, 0x28, INTER]);
        packets.lose().add_last(4, [0x10, FRAME, KEY]);

        let outcome = run(&packets);

        assert_eq!((outcome.skipped, outcome.errors.len()), (2, 0));
        let found: Vec<_> = outcome
            .units
            .iter()
            .map(|unit| (unit.pts.0, unit.integrity))
            .collect();
        let expected = [
            (2, Integrity::Whole),
            (3, Integrity::Damaged),
            (4, Integrity::Damaged),
        ];
        assert_eq!(found, expected);
        assert!(outcome.units.iter().all(|unit| !unit.is_keyframe));
    }

    #[test]
    fn a_hole_leaves_the_units_in_front_of_it() {
        let mut packets = Packets::of(Codec::Av1);
        packets
            .add(0, [0x60, 3, FRAME, INTER, 1, TILES, 2])
            .lose()
            .add_last(0, [0x90, 3]);
        packets
            .add(1, [0x50, FRAME, INTER])
            .lose()
            .add_last(2, [0x10, FRAME, INTER]);
        packets
            .add(3, [0x50, FRAME, INTER])
            .add_last(4, [0x10, FRAME, INTER]);

        let outcome = run(&packets);

        assert_eq!(outcome.skipped, 2);
        let found: Vec<_> = outcome.units.iter().map(summary).collect();
        let inter = [FRAME | HAS_SIZE, 1, INTER];
        let expected: [(u64, Integrity, bool, &[u8]); 3] = [
            (
                0,
                Integrity::Damaged,
                false,
                &[FRAME | HAS_SIZE, 2, INTER, 1],
            ),
            (2, Integrity::Whole, false, &inter),
            (4, Integrity::Whole, false, &inter),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn elements_that_do_not_fit_are_refused() {
        let cases: [&[u8]; 5] = [
            &[0x00, 5, FRAME],
            &[0x20, 5, FRAME],
            &[0x20, 0x80],
            &[0x10, FRAME | HAS_SIZE, 9, 1],
            &[0x10, FRAME | HAS_SIZE, 1, INTER, 1],
        ];
        for payload in cases {
            let mut packets = Packets::of(Codec::Av1);
            packets.add_last(0, payload);

            let outcome = run(&packets);

            assert_eq!(
                (outcome.errors.len(), outcome.skipped),
                (1, 1),
                "{payload:02x?}"
            );
        }
    }
}
