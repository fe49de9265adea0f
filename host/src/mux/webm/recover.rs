//! Makes a WebM file whole: cuts it behind the last whole cluster and writes the head that
//! [`Muxer::finish`](crate::mux::Muxer::finish) would have written (media.md W2).
//!
//! Only the headers of clusters and blocks are read, so that gigabytes take seconds.

use std::io;
use std::time::Duration;

use super::cluster::{BLOCK_HEADER, KEYFRAME};
use super::cues::Cues;
use super::ebml::Header;
use super::element as id;
use super::head::{self, Ending, Finished, HEAD, Head};
use crate::mux::recovery::{Repair, RepairError, Source, Window};

/// Whether a file that begins with `head` may be a WebM file.
pub fn is_webm(head: &[u8]) -> bool {
    head.starts_with(&id::EBML.to_be_bytes())
}

/// Finds the last whole cluster, and what the head has to say about those up to it.
///
/// # Errors
/// [`RepairError::UnknownFormat`] if trackmill did not write the file,
/// [`RepairError::NothingWritten`] if no cluster is whole.
pub fn recover(source: &dyn Source) -> Result<Repair, RepairError> {
    let found_head = read_head(source)?;
    let head = Head::parse(&found_head).ok_or(RepairError::UnknownFormat)?;
    let mut clusters = Clusters::new(source);
    while clusters.take_next()? {}
    if clusters.found.units == 0 {
        return Err(RepairError::NothingWritten("no cluster is whole"));
    }
    let Clusters { end, found, .. } = clusters;
    let milliseconds = found.end();
    let finished = head.finished(&Ending {
        milliseconds,
        clusters_end: end,
        cues: &found.cues.to_bytes(),
    });
    let is_whole = finished.head == found_head && has_tail(source, end, &finished)?;
    Ok(Repair {
        keep: if is_whole { source.len() } else { end },
        outputs: if is_whole {
            Vec::new()
        } else {
            finished.into_outputs()
        },
        duration: Duration::from_millis(milliseconds),
        units: found.units,
    })
}

fn read_head(source: &dyn Source) -> Result<Vec<u8>, RepairError> {
    let mut window = Window::new(source, HEAD);
    if !is_webm(window.up_to(0, 4)?) {
        return Err(RepairError::UnknownFormat);
    }
    let head = window.at(0, HEAD)?;
    let head = head.ok_or(RepairError::NothingWritten("the head is not whole"))?;
    Ok(head.to_vec())
}

/// Whether the file ends as a finished one does.
fn has_tail(source: &dyn Source, end: u64, finished: &Finished) -> io::Result<bool> {
    let tail = &finished.tail;
    if source.len() != end.saturating_add(tail.len() as u64) {
        return Ok(false);
    }
    let mut found = vec![0; tail.len()];
    source.read_at(end, &mut found)?;
    Ok(found == **tail)
}

/// Reads one cluster after the other until one is torn.
struct Clusters<'a> {
    window: Window<'a>,
    len: u64,
    /// Where the last whole cluster ends.
    end: u64,
    found: Found,
}

/// What whole clusters hold.
#[derive(Debug)]
struct Found {
    cues: Cues,
    units: u64,
    last: u64,
    /// How long the block before the last was shown.
    interval: u64,
    /// How long the last is shown, if it says so.
    duration: Option<u64>,
}

/// The blocks of one cluster.
#[derive(Debug, Default)]
struct Blocks {
    start: u64,
    first: Option<Place>,
    before_last: Option<Place>,
    last: Option<Place>,
    count: u64,
}

/// What the header of a block says.
#[derive(Clone, Copy, Debug)]
struct Place {
    milliseconds: u64,
    is_keyframe: bool,
    duration: Option<u64>,
}

impl Found {
    fn add(&mut self, blocks: &Blocks, position: u64) {
        let (Some(first), Some(last)) = (blocks.first, blocks.last) else {
            return;
        };
        if first.is_keyframe {
            self.cues.push(blocks.start, position);
        }
        let before = blocks
            .before_last
            .map_or(self.last, |place| place.milliseconds);
        self.interval = last.milliseconds.saturating_sub(before);
        self.last = last.milliseconds;
        self.duration = last.duration;
        self.units += blocks.count;
    }

    /// When the last block ends.
    fn end(&self) -> u64 {
        let shown = self.duration.unwrap_or(self.interval).max(1);
        self.last.saturating_add(shown)
    }
}

impl Blocks {
    fn add(&mut self, place: Place) {
        self.first = self.first.or(Some(place));
        self.before_last = self.last.replace(place);
        self.count += 1;
    }
}

impl<'a> Clusters<'a> {
    fn new(source: &'a dyn Source) -> Self {
        Self {
            window: Window::new(source, READ),
            len: source.len(),
            end: HEAD as u64,
            found: Found {
                cues: Cues::new(),
                units: 0,
                last: 0,
                interval: 0,
                duration: None,
            },
        }
    }

    /// Takes the next cluster; `false` if there is none, or a torn one.
    fn take_next(&mut self) -> io::Result<bool> {
        let Some((header, content, end)) = self.element(self.end, self.len)? else {
            return Ok(false);
        };
        if header.id != id::CLUSTER {
            return Ok(false);
        }
        let Some(blocks) = self.blocks(content, end)? else {
            return Ok(false);
        };
        self.found.add(&blocks, head::position(self.end));
        self.end = end;
        Ok(true)
    }

    /// The blocks of the cluster whose content is there; `None` if it is not one of ours.
    fn blocks(&mut self, mut at: u64, end: u64) -> io::Result<Option<Blocks>> {
        let mut blocks = Blocks::default();
        while at < end {
            let Some((header, content, next)) = self.element(at, end)? else {
                return Ok(None);
            };
            let place = match header.id {
                id::TIMESTAMP if blocks.count == 0 => {
                    blocks.start = self.uint(content, header.size)?;
                    at = next;
                    continue;
                }
                id::SIMPLE_BLOCK => self.block(content, blocks.start)?,
                id::BLOCK_GROUP => self.group((content, next), blocks.start)?,
                _ => None,
            };
            let Some(place) = place else {
                return Ok(None);
            };
            blocks.add(place);
            at = next;
        }
        Ok((blocks.count > 0).then_some(blocks))
    }

    /// The block in a `BlockGroup`.
    fn group(&mut self, (mut at, end): (u64, u64), start: u64) -> io::Result<Option<Place>> {
        let (mut place, mut duration, mut is_keyframe) = (None, None, true);
        while at < end {
            let Some((header, content, next)) = self.element(at, end)? else {
                return Ok(None);
            };
            match header.id {
                id::BLOCK => place = self.block(content, start)?,
                id::BLOCK_DURATION => duration = Some(self.uint(content, header.size)?),
                id::REFERENCE_BLOCK => is_keyframe = false,
                _ => return Ok(None),
            }
            at = next;
        }
        Ok(place.map(|place| Place {
            is_keyframe,
            duration,
            ..place
        }))
    }

    /// The header of the block at `at`.
    fn block(&mut self, at: u64, start: u64) -> io::Result<Option<Place>> {
        let header = self.window.array::<BLOCK_HEADER>(at)?;
        Ok(header.map(|[_, high, low, flags]| Place {
            milliseconds: start.saturating_add_signed(i16::from_be_bytes([high, low]).into()),
            is_keyframe: flags & KEYFRAME != 0,
            duration: None,
        }))
    }

    /// A number of at most eight bytes; longer ones end after as many.
    fn uint(&mut self, at: u64, size: u64) -> io::Result<u64> {
        let len = usize::try_from(size).unwrap_or(usize::MAX).min(8);
        let bytes = self.window.up_to(at, len)?;
        Ok(bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// The element at `at`, where its content begins, and where it ends: before `limit`.
    fn element(&mut self, at: u64, limit: u64) -> io::Result<Option<(Header, u64, u64)>> {
        let header = Header::parse(self.window.up_to(at, Header::MAX)?);
        Ok(header.and_then(|header| {
            let end = at.checked_add(header.total())?;
            (end <= limit).then_some((header, at + header.len as u64, end))
        }))
    }
}

/// More than the headers of a block; a read of as much is as quick as one of a few bytes.
const READ: usize = 512;
