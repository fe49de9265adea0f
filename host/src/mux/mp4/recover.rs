//! What a crash left of an MP4 file → the same file, finished.

use std::io;
use std::ops::Range;
use std::time::Duration;

use bytes::Buf;
use shiguredo_mp4::Decode;
use shiguredo_mp4::boxes::MoovBox;

use super::boxes::{Header, Kind};
use super::file::{MAX_MOVIE_LEN, Unfinished};
use super::fragment::{MAX_MOOF_LEN, parse_movie_fragment};
use super::index::Entry;
use super::sample_entry::Resolution;
use crate::media::ClockRate;
use crate::mux::recovery::{Repair, RepairError, Source};

/// Whether a file that begins with `head`, at least 8 bytes of it, may be an MP4 file.
pub fn is_mp4(head: &[u8]) -> bool {
    Header::parse(head).is_some_and(|header| header.kind == FILE_TYPE)
}

/// Finds out how to finish an MP4 file of ours (media.md M6): it is cut behind the last whole
/// fragment, and gets the index that [`Muxer::finish`](crate::mux::Muxer::finish) would have given
/// it. What was not yet in a whole fragment is lost.
///
/// # Errors
/// The file is no MP4 file that trackmill wrote, holds no whole fragment, or cannot be read.
pub fn recover(source: &dyn Source) -> Result<Repair, RepairError> {
    let reader = Reader { source };
    let file_type = read_file_type(&reader)?;
    if let Some(repair) = read_finished(&reader, file_type.len() as u64)? {
        return Ok(repair);
    }
    let mut file = read_head(&reader, file_type)?;
    while !file.is_full() && take_fragment(&reader, &mut file)?.is_some() {}
    if file.index().sample_count() == 0 {
        return Err(RepairError::NothingWritten("no fragment is whole"));
    }
    Ok(Repair {
        keep: file.len(),
        duration: ClockRate::VIDEO.duration(file.index().duration()),
        units: file.index().sample_count().into(),
        outputs: file.finish().into(),
    })
}

/// Reads boxes of which nothing is taken for granted.
struct Reader<'a> {
    source: &'a dyn Source,
}

impl Reader<'_> {
    /// The header at `offset`; `None` if none begins there.
    fn header(&self, offset: u64) -> io::Result<Option<Header>> {
        let rest = self.source.len().saturating_sub(offset);
        let mut bytes = [0; Header::MAX];
        let there = usize::try_from(rest).unwrap_or(usize::MAX).min(bytes.len());
        let (head, _) = bytes.split_at_mut(there);
        self.source.read_at(offset, head)?;
        Ok(Header::parse(head))
    }

    /// The header of the box at `offset`; `None` if the file ends before the box does.
    fn whole_box(&self, offset: u64) -> io::Result<Option<Header>> {
        let rest = self.source.len().saturating_sub(offset);
        Ok(self.header(offset)?.filter(|header| header.size <= rest))
    }

    /// A box of that kind; `None` if another one is there, or none that is whole.
    fn whole_box_of(&self, kind: Kind, offset: u64) -> io::Result<Option<Header>> {
        Ok(self.whole_box(offset)?.filter(|header| header.kind == kind))
    }

    /// `len` bytes; the caller knows that they are there and few.
    fn bytes(&self, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut bytes = vec![0; len];
        self.source.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Where the content of a box begins that lies in others, each the first of its kind. The
    /// outermost begins at `offset`.
    fn content_of(&self, path: &[Kind], mut offset: u64) -> io::Result<Option<u64>> {
        let mut end = self.source.len();
        for kind in path {
            let Some((found, header)) = self.find(*kind, offset..end)? else {
                return Ok(None);
            };
            offset = found + header.len;
            end = found + header.size;
        }
        Ok(Some(offset))
    }

    fn find(&self, kind: Kind, range: Range<u64>) -> io::Result<Option<(u64, Header)>> {
        let mut offset = range.start;
        while offset < range.end {
            match self.whole_box(offset)? {
                Some(header) if header.kind == kind => return Ok(Some((offset, header))),
                Some(header) => offset += header.size,
                None => break,
            }
        }
        Ok(None)
    }
}

fn read_file_type(reader: &Reader<'_>) -> Result<Vec<u8>, RepairError> {
    let head = reader.bytes(0, reader.source.len().min(8))?;
    if head.len() == 8 && !is_mp4(&head) {
        return Err(RepairError::UnknownFormat);
    }
    match reader.whole_box(0)? {
        Some(header) if header.size > MAX_FILE_TYPE_LEN => Err(RepairError::UnknownFormat),
        Some(header) => Ok(reader.bytes(0, header.size)?),
        None => Err(RepairError::NothingWritten("its first box is torn")),
    }
}

/// What a finished file says about itself; `None` if it is not finished.
fn read_finished(reader: &Reader<'_>, data_offset: u64) -> io::Result<Option<Repair>> {
    let Some(data) = reader.whole_box_of(*b"mdat", data_offset)? else {
        return Ok(None);
    };
    let movie_offset = data_offset + data.size;
    let Some(movie) = reader.whole_box_of(*b"moov", movie_offset)? else {
        return Ok(None);
    };
    let keep = movie_offset + movie.size;
    let duration = read_duration(reader, movie_offset)?;
    let units = read_sample_count(reader, movie_offset)?;
    let is_finished = keep == reader.source.len();
    Ok(duration
        .zip(units)
        .filter(|_| is_finished)
        .map(|(duration, units)| Repair {
            keep,
            outputs: Vec::new(),
            duration,
            units,
        }))
}

fn read_duration(reader: &Reader<'_>, movie_offset: u64) -> io::Result<Option<Duration>> {
    let Some(offset) = reader.content_of(&[*b"moov", *b"mvhd"], movie_offset)? else {
        return Ok(None);
    };
    // Version and flags, creation and modification time, timescale, duration.
    let content = reader.bytes(offset, 32)?;
    let mut fields = content.as_slice();
    let is_long = fields.get_u32() >> 24 == 1;
    fields.advance(if is_long { 16 } else { 8 });
    let rate = ClockRate::new(fields.get_u32());
    let ticks = if is_long {
        fields.get_u64()
    } else {
        fields.get_u32().into()
    };
    Ok(rate.map(|rate| rate.duration(ticks)))
}

fn read_sample_count(reader: &Reader<'_>, movie_offset: u64) -> io::Result<Option<u64>> {
    let path = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz"].map(|kind| *kind);
    let Some(offset) = reader.content_of(&path, movie_offset)? else {
        return Ok(None);
    };
    // Version and flags, common size, count.
    let count = reader.bytes(offset + 8, 4)?.as_slice().get_u32();
    Ok(Some(count.into()))
}

/// Reads what stands before the fragments. The sixteen bytes behind `ftyp` may claim either state:
/// a finished file that was cut has its fragments still.
fn read_head(reader: &Reader<'_>, file_type: Vec<u8>) -> Result<Unfinished, RepairError> {
    let place = reader.header(file_type.len() as u64)?;
    if place.is_some_and(|header| !is_placeholder(header)) {
        return Err(RepairError::UnknownFormat);
    }
    let offset = (file_type.len() + Header::MAX) as u64;
    let Some(header) = reader.whole_box(offset)? else {
        return Err(RepairError::NothingWritten("the head is torn"));
    };
    if header.kind != *b"moov" || header.size > MAX_MOVIE_LEN as u64 {
        return Err(RepairError::UnknownFormat);
    }
    let bytes = reader.bytes(offset, header.size)?;
    let (movie, _) = MoovBox::decode(&bytes).map_err(|_| RepairError::UnknownFormat)?;
    Unfinished::new(file_type, movie)
        .map(|(file, _)| file)
        .filter(|file| file.len() == offset + header.size)
        .ok_or(RepairError::UnknownFormat)
}

fn is_placeholder(header: Header) -> bool {
    match &header.kind {
        b"free" => header.size == Header::MAX as u64,
        b"mdat" => header.len == Header::MAX as u64,
        _ => false,
    }
}

/// Enters the fragment that follows into the file; `None` if no whole one does.
fn take_fragment(reader: &Reader<'_>, file: &mut Unfinished) -> io::Result<Option<()>> {
    let mut offset = file.len();
    if let Some(reference_time) = reader.whole_box_of(*b"prft", offset)? {
        offset += reference_time.size;
    }
    let Some(moof) = reader
        .whole_box_of(*b"moof", offset)?
        .filter(|moof| moof.size <= MAX_MOOF_LEN)
    else {
        return Ok(None);
    };
    let content = reader.bytes(offset + moof.len, moof.content())?;
    let entries = parse_movie_fragment(&content).unwrap_or_default();
    offset += moof.size;
    let data_len: u64 = entries.iter().map(|entry| u64::from(entry.size)).sum();
    let Some(data) = reader
        .whole_box_of(*b"mdat", offset)?
        .filter(|data| data.content() == data_len && !entries.is_empty())
    else {
        return Ok(None);
    };
    let data_offset = offset + data.len;
    note_keyframe(reader, file, data_offset, &entries)?;
    file.push_fragment(data_offset - file.len(), entries.into_iter());
    Ok(Some(()))
}

/// A keyframe is always the first of its fragment.
fn note_keyframe(
    reader: &Reader<'_>,
    file: &mut Unfinished,
    offset: u64,
    entries: &[Entry],
) -> io::Result<()> {
    if let Some(first) = entries.first().filter(|first| first.timing.is_keyframe) {
        let head_len = u64::from(first.size).min(Resolution::HEAD as u64);
        file.note_keyframe(&reader.bytes(offset, head_len)?);
    }
    Ok(())
}

const FILE_TYPE: Kind = *b"ftyp";
/// Ours takes at most 32.
const MAX_FILE_TYPE_LEN: u64 = 64;
