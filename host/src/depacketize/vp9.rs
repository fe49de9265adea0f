//! VP9, [RFC 9628 §4.2](https://www.rfc-editor.org/rfc/rfc9628#section-4.2).
//!
//! ```text
//!       0 1 2 3 4 5 6 7
//!      +-+-+-+-+-+-+-+-+
//!      |I|P|L|F|B|E|V|Z|   B, E: a layer frame begins, ends
//!      +-+-+-+-+-+-+-+-+
//! I:   |M| PICTURE ID  |   M: 15 bits
//!      +-+-+-+-+-+-+-+-+
//! L:   | TID |U| SID |D|   D: the layer frame builds on the one below
//!      +-+-+-+-+-+-+-+-+
//!      |   TL0PICIDX   |   unless F
//!      +-+-+-+-+-+-+-+-+
//! P,F: | P_DIFF      |N|   up to 3 times; N: another one follows
//!      +-+-+-+-+-+-+-+-+
//! V:   | N_S |Y|G|-|-|-|   then sizes if Y and a picture group if G
//!      +-+-+-+-+-+-+-+-+
//! ```

use bytes::Bytes;

use super::assembler::{Finished, Format};
use super::gathered::Gathered;
use crate::bitstream::vp9::{FrameHeader, MAX_FRAMES, superframe_index};
use crate::media::Integrity;

/// Joins VP9 payloads. A picture of several spatial layers becomes one superframe.
#[derive(Debug, Default)]
pub(super) struct Vp9 {
    picture: Gathered,
    /// Where in `picture` each layer frame begins.
    layers: Vec<usize>,
    /// Whether the last layer frame is all there.
    is_layer_complete: bool,
    /// Whether what follows cannot be used, because something is missing in front of it.
    is_cut: bool,
}

impl Format for Vp9 {
    fn take(&mut self, payload: &Bytes) -> Result<(), &'static str> {
        let packet = Packet::parse(payload).ok_or("a VP9 payload without data")?;
        if self.layers.is_empty() && !packet.begins_picture() {
            self.is_cut = true;
        }
        if self.is_cut {
            return Ok(());
        }
        if packet.begins_layer() {
            if self.layers.len() == MAX_FRAMES {
                return Err("a VP9 picture of more than 8 layer frames");
            }
            self.layers.push(self.picture.len());
        }
        self.is_layer_complete = packet.ends_layer();
        self.picture.push(packet.data);
        Ok(())
    }

    fn hole(&mut self) {
        self.is_cut = true;
    }

    fn finish(&mut self) -> Finished {
        let mut picture = std::mem::take(self);
        if picture.layers.is_empty() {
            return Finished::Skipped;
        }
        if picture.is_cut {
            picture.drop_cut_layer();
        }
        picture.make_superframe();
        let data = picture.picture.freeze();
        Finished::Unit {
            is_keyframe: matches!(FrameHeader::parse(&data), Some(FrameHeader::Key(_))),
            integrity: if picture.is_cut {
                Integrity::Damaged
            } else {
                Integrity::Whole
            },
            data,
        }
    }
}

impl Vp9 {
    /// Keeps the layer frames that are all there; if there are none, what came of the first.
    fn drop_cut_layer(&mut self) {
        if self.is_layer_complete || self.layers.len() < 2 {
            return;
        }
        if let Some(start) = self.layers.pop() {
            self.picture.truncate(start);
        }
    }

    /// Appends the index without which only libvpx finds the second layer frame.
    fn make_superframe(&mut self) {
        if self.layers.len() < 2 {
            return;
        }
        let ends = self.layers.iter().skip(1).copied();
        let sizes: Vec<usize> = ends
            .chain([self.picture.len()])
            .zip(&self.layers)
            .map(|(end, start)| end - start)
            .collect();
        if let Some(index) = superframe_index(&sizes) {
            self.picture.push(index.into());
        }
    }
}

struct Packet {
    flags: u8,
    /// TID, U, SID and D.
    layer: u8,
    data: Bytes,
}

impl Packet {
    fn parse(payload: &Bytes) -> Option<Self> {
        let mut rest = &payload[..];
        let flags = *rest.split_off_first()?;
        let is_set = |bit: u8| flags & bit != 0;
        if is_set(PICTURE_ID) && rest.split_off_first()? & 0x80 != 0 {
            rest.split_off_first()?;
        }
        let mut layer = 0;
        if is_set(LAYER) {
            layer = *rest.split_off_first()?;
            if !is_set(FLEXIBLE) {
                rest.split_off_first()?;
            }
        }
        if is_set(FLEXIBLE) && is_set(INTER_PICTURE) {
            skip_references(&mut rest)?;
        }
        if is_set(SCALABILITY) {
            skip_scalability_structure(&mut rest)?;
        }
        let data = payload.slice_ref(rest);
        (!rest.is_empty()).then_some(Self { flags, layer, data })
    }

    /// Whether a layer frame begins that needs no other one of the same picture.
    const fn begins_picture(&self) -> bool {
        let spatial_layer = self.layer >> 1 & 7;
        let needs_lower_layer = spatial_layer > 0 && self.layer & 1 != 0;
        self.begins_layer() && !needs_lower_layer
    }

    const fn begins_layer(&self) -> bool {
        self.flags & BEGIN != 0
    }

    const fn ends_layer(&self) -> bool {
        self.flags & END != 0
    }
}

fn skip_references(rest: &mut &[u8]) -> Option<()> {
    for _ in 0..3 {
        let is_last = rest.split_off_first()? & 1 == 0;
        if is_last {
            return Some(());
        }
    }
    None
}

/// §4.2.1: sizes of the spatial layers, and the references of a group of pictures.
fn skip_scalability_structure(rest: &mut &[u8]) -> Option<()> {
    let flags = *rest.split_off_first()?;
    if flags & 0x10 != 0 {
        let layers = usize::from(flags >> 5) + 1;
        rest.split_off(..4 * layers)?;
    }
    if flags & 0x08 != 0 {
        let pictures = *rest.split_off_first()?;
        for _ in 0..pictures {
            let references = rest.split_off_first()? >> 2 & 3;
            rest.split_off(..usize::from(references))?;
        }
    }
    Some(())
}

const PICTURE_ID: u8 = 0x80;
const INTER_PICTURE: u8 = 0x40;
const LAYER: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const BEGIN: u8 = 0x08;
const END: u8 = 0x04;
const SCALABILITY: u8 = 0x02;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitstream::vp9::frames;
    use crate::depacketize::testing::{Packets, run, summary, units};
    use crate::media::Codec;

    const KEY: [u8; 10] = [0x82, 0x49, 0x83, 0x42, 0x00, 0x4f, 0xf0, 0x2c, 0xf0, 0x00];
    /// An inter frame and one more byte.
    const INTER: [u8; 2] = [0x86, 7];
    const WHOLE: u8 = BEGIN | END;

    #[test]
    fn every_descriptor_is_stripped() {
        let descriptors: [&[u8]; 8] = [
            &[WHOLE],
            &[WHOLE | PICTURE_ID, 5],
            &[WHOLE | PICTURE_ID, 0x85, 5],
            &[WHOLE | LAYER, 0, 9],
            &[WHOLE | LAYER | FLEXIBLE, 0],
            &[WHOLE | FLEXIBLE | INTER_PICTURE, 3, 5, 6],
            // Two layers with their sizes, and a group of two pictures with 1 and 2 references.
            &[
                WHOLE | SCALABILITY,
                0x38,
                1,
                2,
                3,
                4,
                5,
                6,
                7,
                8,
                2,
                0x04,
                1,
                0x08,
                1,
                2,
            ],
            &[0xfe, 0x85, 5, 0x00, 1, 3, 2, 0x00],
        ];
        for descriptor in descriptors {
            let mut packets = Packets::of(Codec::Vp9);
            packets.add_last(0, [descriptor, &KEY].concat());

            let units = units(&packets);

            let expected = (0, Integrity::Whole, true, &KEY[..]);
            assert_eq!(summary(&units[0]), expected, "{descriptor:02x?}");
        }
    }

    #[test]
    fn layer_frames_of_one_picture_become_one_superframe() {
        let mut packets = Packets::of(Codec::Vp9);
        packets.add(0, [&[WHOLE | LAYER, 0x00, 9][..], &KEY].concat());
        packets.add(0, [&[BEGIN | LAYER, 0x03, 9][..], &INTER].concat());
        packets.add_last(0, [END | LAYER, 0x03, 9, 8]);

        let unit = units(&packets).remove(0);

        assert!(unit.is_keyframe && unit.integrity == Integrity::Whole);
        let layers = frames(&unit.data).expect("a superframe");
        assert_eq!(layers, [&KEY[..], &[0x86, 7, 8]]);
    }

    #[test]
    fn a_layer_frame_without_the_one_below_is_skipped_and_one_that_needs_none_is_not() {
        let mut packets = Packets::of(Codec::Vp9);
        packets
            .lose()
            .add_last(0, [&[WHOLE | LAYER, 0x03, 9][..], &INTER].concat());
        packets
            .lose()
            .add_last(1, [&[WHOLE | LAYER, 0x02, 9][..], &INTER].concat());
        packets.lose().add_last(2, [&[END][..], &INTER].concat());

        let outcome = run(&packets);

        assert_eq!((outcome.skipped, outcome.errors.len()), (2, 0));
        let found: Vec<_> = outcome.units.iter().map(summary).collect();
        assert_eq!(found, [(1, Integrity::Whole, false, &INTER[..])]);
    }

    #[test]
    fn a_hole_leaves_the_layer_frames_in_front_of_it() {
        let mut packets = Packets::of(Codec::Vp9);
        packets.add(0, [&[WHOLE | LAYER, 0x00, 9][..], &KEY].concat());
        packets.add(0, [&[BEGIN | LAYER, 0x03, 9][..], &INTER].concat());
        packets.lose().add_last(0, [END | LAYER, 0x03, 9, 8]);
        packets.add(1, [&[BEGIN][..], &INTER].concat());
        packets.lose().add_last(1, [END, 9]);

        let units = units(&packets);

        let found: Vec<_> = units.iter().map(summary).collect();
        let expected: [(u64, Integrity, bool, &[u8]); 2] = [
            (0, Integrity::Damaged, true, &KEY),
            (1, Integrity::Damaged, false, &INTER),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn nine_layer_frames_and_descriptors_without_data_are_refused() {
        let mut packets = Packets::of(Codec::Vp9);
        for _ in 0..9 {
            packets.add(0, [&[WHOLE][..], &INTER].concat());
        }
        packets.add_last(1, [WHOLE | FLEXIBLE | INTER_PICTURE, 3, 3, 3, 0x86]);
        packets.add_last(2, [WHOLE | SCALABILITY, 0x10, 1, 2, 3]);
        packets.add_last(3, [WHOLE]);

        let outcome = run(&packets);

        assert_eq!((outcome.errors.len(), outcome.skipped), (4, 3));
        let unit = &outcome.units[0];
        assert_eq!(unit.integrity, Integrity::Damaged);
        assert_eq!(frames(&unit.data).map(|frames| frames.len()), Some(8));
    }
}
