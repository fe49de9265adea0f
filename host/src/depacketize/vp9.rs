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
