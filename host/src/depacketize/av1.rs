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
            }
            _ => {}
        }
        if !self.is_cut {
            self.write(&obu);
        }
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
