//! Pictures made of NAL units: what H.264 and H.265 have in common.
//!
//! Parameter sets stay where they came. A keyframe that came without its own gets the last ones in
//! front, so that a file can be cut and read from there (media.md M3).

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, Bytes, BytesMut};

use super::assembler::Finished;
use crate::bitstream::nal::{LENGTH_SIZE, ParameterSetId, ParameterSetLink};
use crate::media::Integrity;

/// What a NAL unit is to the picture that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A piece of the picture.
    Slice {
        /// Whether it is the first piece.
        is_first: bool,
    },
    /// A piece of a picture at which decoding can start.
    KeySlice {
        is_first: bool,
        /// The picture parameter set that it needs.
        needs: ParameterSetId,
    },
    ParameterSet(ParameterSetLink),
    /// Stands in front of everything else.
    Delimiter,
    Other,
}

/// The place of a fragment in its NAL unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    First,
    Middle,
    Last,
    /// First and last, which the payload formats forbid and some senders send.
    Only,
}

impl Position {
    /// Reads the start and end bits of a fragment's header, which has them in the same place in
    /// both formats.
    pub(super) const fn of(header: u8) -> Self {
        match (header & 0x80 != 0, header & 0x40 != 0) {
            (true, true) => Self::Only,
            (true, false) => Self::First,
            (false, true) => Self::Last,
            (false, false) => Self::Middle,
        }
    }
}

/// Joins the NAL units of one picture after another.
#[derive(Debug)]
pub(super) struct Picture {
    role_of: fn(&[u8]) -> Role,
    known: ParameterSets,
    unit: Unit,
}

/// The picture under construction.
#[derive(Debug, Default)]
struct Unit {
    /// NAL units behind their lengths.
    data: BytesMut,
    /// Where in `data` the length of the NAL unit stands whose fragments are coming in.
    fragmented: Option<usize>,
    /// Where in `data` parameter sets may be put in.
    head: usize,
    /// The parameter sets that came in this unit.
    own: BTreeSet<ParameterSetId>,
    /// The picture parameter sets that keyframe slices need and did not find in this unit.
    missing: BTreeSet<ParameterSetId>,
    content: Content,
    is_suspect: bool,
    is_damaged: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Content {
    #[default]
    NoPicture,
    Picture,
    Keyframe,
}

impl Picture {
    pub(super) fn new(role_of: fn(&[u8]) -> Role) -> Self {
        Self {
            role_of,
            known: ParameterSets::default(),
            unit: Unit::default(),
        }
    }

    /// Takes a whole NAL unit.
    pub(super) fn push(&mut self, nal: &[u8]) {
        self.push_fragment(Position::Only, nal, &[]);
    }

    /// Takes a fragment; `header` is that of the NAL unit. What does not continue anything is
    /// dropped: its beginning is missing.
    pub(super) fn push_fragment(&mut self, position: Position, header: &[u8], payload: &[u8]) {
        if matches!(position, Position::First | Position::Only) {
            self.unit.begin_nal(header);
        }
        let Some(start) = self.unit.fragmented else {
            self.unit.is_damaged = true;
            return;
        };
        self.unit.data.extend_from_slice(payload);
        if matches!(position, Position::Last | Position::Only) {
            self.complete(start);
        }
    }

    pub(super) const fn suspect(&mut self) {
        self.unit.is_suspect = true;
    }

    pub(super) fn hole(&mut self) {
        self.unit.drop_fragments();
        self.unit.is_damaged = true;
    }

    pub(super) fn finish(&mut self) -> Finished {
        self.unit.drop_fragments();
        let mut unit = std::mem::take(&mut self.unit);
        match unit.content {
            Content::NoPicture if unit.is_damaged => return Finished::Skipped,
            // The sets are remembered for the keyframe to come.
            Content::NoPicture => return Finished::NoPicture,
            Content::Picture | Content::Keyframe => {}
        }
        // They may have been in the hole, with another content than those that are known.
        unit.is_damaged |= unit.is_suspect && !unit.missing.is_empty();
        let is_keyframe = unit.content == Content::Keyframe && self.insert_missing(&mut unit);
        Finished::Unit {
            data: unit.data.freeze(),
            is_keyframe,
            integrity: if unit.is_damaged {
                Integrity::Damaged
            } else {
                Integrity::Whole
            },
        }
    }

    /// The NAL unit behind the length at `start` is all there.
    fn complete(&mut self, start: usize) {
        let unit = &mut self.unit;
        unit.fragmented = None;
        let Some((length, nal)) = unit
            .data
            .get_mut(start..)
            .and_then(<[u8]>::split_first_chunk_mut::<LENGTH_SIZE>)
        else {
            return;
        };
        let size = u32::try_from(nal.len()).expect("an access unit is at most 8 MiB");
        *length = size.to_be_bytes();
        match (self.role_of)(nal) {
            Role::Slice { is_first } => unit.add_slice(is_first, Content::Picture),
            Role::KeySlice { is_first, needs } => {
                unit.add_slice(is_first, Content::Keyframe);
                if !self.known.are_all_in(&unit.own, needs) {
                    unit.missing.insert(needs);
                }
            }
            Role::ParameterSet(link) => {
                unit.own.insert(link.id);
                self.known.remember(link, nal);
            }
            Role::Delimiter if start == unit.head => unit.head = unit.data.len(),
            Role::Delimiter | Role::Other => {}
        }
    }

    /// Puts the parameter sets in that a keyframe came without. Says whether all were known.
    fn insert_missing(&self, unit: &mut Unit) -> bool {
        if unit.missing.is_empty() {
            return true;
        }
        let Some(sets) = self.known.all_for(&unit.missing) else {
            return false;
        };
        let behind = unit.data.split_off(unit.head);
        for set in sets {
            put_nal(&mut unit.data, set);
        }
        unit.data.extend_from_slice(&behind);
        true
    }
}

impl Unit {
    fn begin_nal(&mut self, header: &[u8]) {
        self.drop_fragments();
        self.fragmented = Some(self.data.len());
        self.data.put_bytes(0, LENGTH_SIZE);
        self.data.extend_from_slice(header);
    }

    /// Forgets a NAL unit of which not all came.
    fn drop_fragments(&mut self) {
        if let Some(start) = self.fragmented.take() {
            self.data.truncate(start);
            self.is_damaged = true;
        }
    }

    fn add_slice(&mut self, is_first: bool, content: Content) {
        if self.content == Content::NoPicture && !is_first {
            self.is_damaged = true;
        }
        if self.content != Content::Keyframe {
            self.content = content;
        }
    }
}

/// The last parameter sets of a stream, by name.
#[derive(Debug, Default)]
struct ParameterSets(BTreeMap<ParameterSetId, ParameterSet>);

#[derive(Debug)]
struct ParameterSet {
    parent: Option<ParameterSetId>,
    nal: Bytes,
}

impl ParameterSets {
    fn remember(&mut self, link: ParameterSetLink, nal: &[u8]) {
        let is_known = self.0.get(&link.id).is_some_and(|known| known.nal == nal);
        if is_known || nal.len() > MAX_PARAMETER_SET {
            return;
        }
        let set = ParameterSet {
            parent: link.parent,
            nal: Bytes::copy_from_slice(nal),
        };
        self.0.insert(link.id, set);
    }

    /// Whether `own` has the set `id` and those that it builds on.
    fn are_all_in(&self, own: &BTreeSet<ParameterSetId>, id: ParameterSetId) -> bool {
        let mut next = Some(id);
        while let Some(id) = next {
            if !own.contains(&id) {
                return false;
            }
            next = self.0.get(&id).and_then(|set| set.parent);
        }
        true
    }

    /// The sets of these names and those that they build on, in the order of a stream. `None` if
    /// one is not known.
    fn all_for(&self, ids: &BTreeSet<ParameterSetId>) -> Option<Vec<&[u8]>> {
        let mut wanted = BTreeMap::new();
        for id in ids {
            let mut next = Some(*id);
            while let Some(id) = next {
                let set = self.0.get(&id)?;
                wanted.insert(id, &set.nal[..]);
                next = set.parent;
            }
        }
        Some(wanted.into_values().collect())
    }
}

fn put_nal(data: &mut BytesMut, nal: &[u8]) {
    let size = u32::try_from(nal.len()).expect("a parameter set is at most 4 KiB");
    data.put_u32(size);
    data.extend_from_slice(nal);
}

/// A longer parameter set stays in the stream but is not remembered; real ones have 10 to 100 bytes.
const MAX_PARAMETER_SET: usize = 4 * 1024;
