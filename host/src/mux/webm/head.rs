//! The first 64 KiB of the file, which are written twice (media.md W1):
//!
//! ```text
//!              ┌──────┬─────────┬──────────┬──────┬────────┬──────┬───────────────────┐
//! while it     │ EBML │ Segment │ Void     │ Info │ Tracks │ Tags │ Void              │ clusters …
//! grows        │      │ size ?  │          │      │        │      │                   │
//!              ├──────┼─────────┼──────────┼──────┼────────┼──────┼────────┬──────────┤
//! at the end   │ EBML │ Segment │ SeekHead │ Info │ Tracks │ Tags │ Cues   │ Void     │ clusters
//!              │      │ size    │          │ Duration      │      │        │          │
//!              └──────┴─────────┴──────────┴──────┴────────┴──────┴────────┴──────────┘
//! ```
//!
//! Nothing moves between the two, so that a file killed in between can be read either way.

use bytes::Bytes;

use super::ebml::{
    Header, Id, UNKNOWN_SIZE, long_size, put, put_float, put_master, put_text, put_uint, put_void,
};
use super::element as id;
use super::track::put_track;
use crate::media::NtpTimestamp;
use crate::mux::{Metadata, MuxError, Output};

/// How long it is; the first cluster follows.
pub(super) const HEAD: usize = 64 << 10;

/// What it holds from the beginning to `Tags`, as a growing file has it.
#[derive(Debug)]
pub(super) struct Head {
    bytes: Vec<u8>,
}

/// What is known at the end.
pub(super) struct Ending<'a> {
    pub(super) milliseconds: u64,
    /// Where the last cluster ends.
    pub(super) clusters_end: u64,
    /// The `Cues` element.
    pub(super) cues: &'a [u8],
}

/// The head of a whole file, and what follows its last cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) head: Bytes,
    pub(super) tail: Bytes,
}

impl Finished {
    /// First what is appended, so that the head never speaks of what is not there.
    pub(super) fn into_outputs(self) -> Vec<Output> {
        let tail = (!self.tail.is_empty()).then_some(Output::Append(self.tail));
        tail.into_iter()
            .chain([Output::PatchHead(self.head)])
            .collect()
    }
}

impl Head {
    /// Describes a track by its first keyframe.
    ///
    /// # Errors
    /// WebM does not hold the codec, or the unit does not say how large the picture is.
    pub(super) fn new(metadata: &Metadata, keyframe: &[u8]) -> Result<Self, MuxError> {
        let mut bytes = front();
        put_void(&mut bytes, SEEK_HEAD_SLOT);
        put_master(&mut bytes, id::INFO, |out| put_info(out, metadata));
        put_track(&mut bytes, metadata, keyframe)?;
        if bytes.len() > MAX_FRONT {
            return Err(MuxError::Start("its sequence header is too large"));
        }
        Ok(Self { bytes })
    }

    /// Reads the head of a file of ours, finished or not; `None` for any other.
    pub(super) fn parse(file: &[u8]) -> Option<Self> {
        let front = front();
        if !file.starts_with(front.get(..SEGMENT_SIZE_AT)?) {
            return None;
        }
        let (header, at) = Elements::new(file)
            .zip([id::INFO, id::TRACKS, id::TAGS])
            .take_while(|((found, _), wanted)| found.id == *wanted)
            .map(|(found, _)| found)
            .nth(2)?;
        let end = at.checked_add(usize::try_from(header.total()).ok()?)?;
        let bytes = file.get(..end).filter(|_| end <= MAX_FRONT)?;
        let mut head = Self {
            bytes: bytes.to_vec(),
        };
        head.has_duration_slot().then_some(())?;
        head.blank();
        Some(head)
    }

    /// Takes out what is known only at the end.
    fn blank(&mut self) {
        let duration_at = self.duration_at();
        patch(&mut self.bytes, SEGMENT_SIZE_AT, &long_size(UNKNOWN_SIZE));
        for (at, len) in [(CONTENT_AT, SEEK_HEAD_SLOT), (duration_at, DURATION_SLOT)] {
            let mut void = Vec::new();
            put_void(&mut void, len);
            patch(&mut self.bytes, at, &void);
        }
    }

    /// The head of a growing file.
    pub(super) fn growing(&self) -> Bytes {
        let mut head = self.bytes.clone();
        put_void(&mut head, HEAD - self.bytes.len());
        head.into()
    }

    /// The head of a whole file. Cues that do not fit into it follow the last cluster.
    pub(super) fn finished(&self, ending: &Ending<'_>) -> Finished {
        let room = HEAD - self.bytes.len();
        let fits = ending.cues.len() == room || ending.cues.len() + 2 <= room;
        let (inside, tail) = if fits {
            (ending.cues, &[][..])
        } else {
            (&[][..], ending.cues)
        };
        let cues_at = if fits {
            self.bytes.len() as u64
        } else {
            ending.clusters_end
        };
        let end = ending.clusters_end + tail.len() as u64;

        let mut head = self.bytes.clone();
        patch(&mut head, SEGMENT_SIZE_AT, &long_size(position(end)));
        patch(&mut head, CONTENT_AT, &self.seek_head(cues_at));
        patch(
            &mut head,
            self.duration_at(),
            &duration(ending.milliseconds),
        );
        head.extend_from_slice(inside);
        if head.len() < HEAD {
            let rest = HEAD - head.len();
            put_void(&mut head, rest);
        }
        Finished {
            head: head.into(),
            tail: Bytes::copy_from_slice(tail),
        }
    }

    /// Where everything is, as long as the Void that it replaces.
    fn seek_head(&self, cues_at: u64) -> Vec<u8> {
        let elements = Elements::new(&self.bytes).map(|(header, at)| (header.id, at as u64));
        let mut out = Vec::new();
        put_master(&mut out, id::SEEK_HEAD, |out| {
            elements
                .chain([(id::CUES, cues_at)])
                .for_each(|(found, at)| put_seek(out, found, position(at)));
        });
        let rest = SEEK_HEAD_SLOT.saturating_sub(out.len());
        put_void(&mut out, rest);
        out
    }

    /// Whether `Info` begins with `Duration`, or with as much Void.
    fn has_duration_slot(&self) -> bool {
        let header = |at| self.bytes.get(at..).and_then(Header::parse);
        let slot = header(self.duration_at()).filter(|slot| {
            matches!(slot.id, id::DURATION | id::VOID) && slot.total() == DURATION_SLOT as u64
        });
        slot.is_some() && header(INFO_AT).is_some_and(|info| info.size >= DURATION_SLOT as u64)
    }

    /// `Duration` comes first in `Info`.
    fn duration_at(&self) -> usize {
        let info = self.bytes.get(INFO_AT..).and_then(Header::parse);
        INFO_AT + info.map_or(0, |header| header.len)
    }
}

/// The bytes from the beginning of the segment's content to `offset` of the file: what
/// `SeekPosition` and `CueClusterPosition` count.
pub(super) const fn position(offset: u64) -> u64 {
    offset.saturating_sub(CONTENT_AT as u64)
}

/// The elements behind `SeekHead`, and where they are.
struct Elements<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Elements<'a> {
    const fn new(file: &'a [u8]) -> Self {
        Self { file, at: INFO_AT }
    }
}

impl Iterator for Elements<'_> {
    type Item = (Header, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let header = Header::parse(self.file.get(self.at..)?)?;
        let at = self.at;
        self.at = at.checked_add(usize::try_from(header.total()).ok()?)?;
        (self.at <= self.file.len()).then_some((header, at))
    }
}

/// The EBML head and the beginning of a segment of unknown size.
fn front() -> Vec<u8> {
    let mut out = Vec::with_capacity(1 << 10);
    put_master(&mut out, id::EBML, |out| {
        put_uint(out, id::EBML_VERSION, 1);
        put_uint(out, id::EBML_READ_VERSION, 1);
        put_uint(out, id::EBML_MAX_ID_LENGTH, 4);
        put_uint(out, id::EBML_MAX_SIZE_LENGTH, 8);
        put_text(out, id::DOC_TYPE, "webm");
        put_uint(out, id::DOC_TYPE_VERSION, 4);
        put_uint(out, id::DOC_TYPE_READ_VERSION, 2);
    });
    out.extend_from_slice(&id::SEGMENT.to_be_bytes());
    out.extend_from_slice(&long_size(UNKNOWN_SIZE));
    out
}

fn put_seek(out: &mut Vec<u8>, found: Id, at: u64) {
    put_master(out, id::SEEK, |out| {
        put(out, id::SEEK_ID, &found.to_be_bytes());
        put_uint(out, id::SEEK_POSITION, at);
    });
}

fn put_info(out: &mut Vec<u8>, metadata: &Metadata) {
    put_void(out, DURATION_SLOT);
    put_uint(out, id::TIMESTAMP_SCALE, 1_000_000);
    put(out, id::DATE_UTC, &date(metadata.started_at).to_be_bytes());
    put_text(out, id::MUXING_APP, "trackmill");
    put_text(out, id::WRITING_APP, "trackmill");
}

/// Nanoseconds since 2001.
fn date(time: NtpTimestamp) -> i64 {
    const SINCE_1970: i64 = 978_307_200 * 1_000_000_000;
    i64::try_from(time.unix_nanos())
        .unwrap_or(i64::MAX)
        .saturating_sub(SINCE_1970)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a float counts milliseconds exactly for 285,000 years"
)]
fn duration(milliseconds: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(DURATION_SLOT);
    put_float(&mut out, id::DURATION, milliseconds as f64);
    out
}

/// Replaces bytes that are there.
fn patch(bytes: &mut [u8], at: usize, with: &[u8]) {
    if let Some(place) = bytes
        .get_mut(at..)
        .and_then(|rest| rest.get_mut(..with.len()))
    {
        place.copy_from_slice(with);
    }
}

/// The rest is for cues.
const MAX_FRONT: usize = HEAD / 2;
const SEGMENT_SIZE_AT: usize = 40;
const CONTENT_AT: usize = SEGMENT_SIZE_AT + 8;
/// Room for four entries with positions of eight bytes, and a Void.
const SEEK_HEAD_SLOT: usize = 96;
const INFO_AT: usize = CONTENT_AT + SEEK_HEAD_SLOT;
/// An id, a size and a float.
const DURATION_SLOT: usize = 11;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_where_the_elements_are() {
        assert_eq!(front().len(), CONTENT_AT);
        assert_eq!(duration(1).len(), DURATION_SLOT);
    }

    #[test]
    fn a_head_is_read_back_whether_finished_or_not() {
        let head = head();
        let finished = head.finished(&Ending {
            milliseconds: 1,
            clusters_end: 1 << 40,
            cues: &[0; 100],
        });

        for bytes in [head.growing(), finished.head] {
            assert_eq!(bytes.len(), HEAD);
            assert_eq!(Head::parse(&bytes).unwrap().bytes, head.bytes);
        }
    }

    #[test]
    fn cues_of_any_length_leave_the_head_as_long_as_it_was() {
        let head = head();
        let room = HEAD - head.bytes.len();
        for (len, fits) in [
            (0, true),
            (room - 2, true),
            (room - 1, false),
            (room, true),
            (room + 1, false),
        ] {
            let finished = head.finished(&Ending {
                milliseconds: 1,
                clusters_end: 100_000,
                cues: &vec![0; len],
            });

            assert_eq!(finished.head.len(), HEAD, "{len}");
            assert_eq!(finished.tail.is_empty(), fits, "{len}");
        }
    }

    #[test]
    fn the_longest_names_leave_room_for_cues() {
        let name = "n".repeat(1 << 20);
        let head = Head::new(&metadata(&name), &[]).unwrap();

        assert!(head.bytes.len() < HEAD / 2);
    }

    fn head() -> Head {
        Head::new(&metadata("name"), &[]).unwrap()
    }

    fn metadata(name: &str) -> Metadata {
        Metadata {
            codec: crate::media::Codec::Opus,
            room: name.to_owned(),
            participant: name.to_owned(),
            track: name.to_owned(),
            started_at: NtpTimestamp(0),
        }
    }
}
