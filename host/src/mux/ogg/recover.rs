//! Makes an Ogg file whole: cuts it behind the last intact page and says there that it ends.

use std::io;

use super::header::PRE_SKIP;
use super::page::{self, HEADER, Header};
use crate::media::ClockRate;
use crate::mux::Output;
use crate::mux::recovery::{Repair, RepairError, Source, Window};

/// Whether a file that begins with `head` may be an Ogg file.
pub fn is_ogg(head: &[u8]) -> bool {
    head.starts_with(page::MAGIC)
}

/// Finds the last intact page of an Opus track and marks it as the last one (media.md O2).
///
/// # Errors
/// [`RepairError::UnknownFormat`] if the file does not start with `OpusHead`,
/// [`RepairError::NothingWritten`] if no sound follows the headers.
pub fn recover(source: &dyn Source) -> Result<Repair, RepairError> {
    let mut pages = Pages::new(source);
    let head = pages.next()?.filter(Page::is_opus_head);
    let serial = head.ok_or(RepairError::UnknownFormat)?.header.serial;
    let tags = pages.next()?.filter(|tags| tags.header.serial == serial);
    tags.ok_or(RepairError::NothingWritten("the headers are not whole"))?;

    let mut found = Sound::default();
    while let Some(page) = pages.next()?.filter(|page| page.header.serial == serial) {
        found.add(&page);
        if page.header.is_last {
            break;
        }
    }
    found.into_repair(source)
}

/// What the intact pages behind the headers hold.
#[derive(Default)]
struct Sound {
    last: Option<Place>,
    is_ended: bool,
    granule: u64,
    packets: u64,
}

/// Where a page is.
#[derive(Clone, Copy)]
struct Place {
    offset: u64,
    len: usize,
}

impl Sound {
    fn add(&mut self, page: &Page<'_>) {
        self.last = Some(page.place);
        self.is_ended = page.header.is_last;
        self.granule = page.header.granule.unwrap_or(self.granule);
        self.packets += page.packets();
    }

    fn into_repair(self, source: &dyn Source) -> Result<Repair, RepairError> {
        let nothing = RepairError::NothingWritten("no sound follows the headers");
        let Place { offset, len } = self.last.ok_or(nothing)?;
        let repair = Repair {
            keep: offset + len as u64,
            outputs: Vec::new(),
            duration: ClockRate::OPUS.duration(self.granule.saturating_sub(PRE_SKIP.into())),
            units: self.packets,
        };
        if self.is_ended {
            return Ok(repair);
        }
        let mut last = vec![0; len];
        source.read_at(offset, &mut last)?;
        Ok(Repair {
            keep: offset,
            outputs: vec![Output::Append(page::into_last(last))],
            ..repair
        })
    }
}

/// Reads one page after the other until one is torn.
struct Pages<'a> {
    window: Window<'a>,
    offset: u64,
}

/// A page with the right checksum.
struct Page<'a> {
    place: Place,
    header: Header,
    lacing: &'a [u8],
    body: &'a [u8],
}

impl<'a> Pages<'a> {
    fn new(source: &'a dyn Source) -> Self {
        Self {
            window: Window::new(source, BLOCK),
            offset: 0,
        }
    }

    /// `None` behind the last intact page.
    fn next(&mut self) -> io::Result<Option<Page<'_>>> {
        let Some((header, len)) = self.measure()? else {
            return Ok(None);
        };
        let place = Place {
            offset: self.offset,
            len,
        };
        let Some(bytes) = self.window.at(place.offset, len)? else {
            return Ok(None);
        };
        if !page::is_intact(bytes) {
            return Ok(None);
        }
        self.offset += len as u64;
        let (lacing, body) = bytes
            .get(HEADER..)
            .and_then(|rest| rest.split_at_checked(header.segments.into()))
            .unwrap_or_default();
        Ok(Some(Page {
            place,
            header,
            lacing,
            body,
        }))
    }

    /// The header of the next page, and how long the page claims to be: at most 65,307 bytes.
    fn measure(&mut self) -> io::Result<Option<(Header, usize)>> {
        let Some(header) = self
            .window
            .array(self.offset)?
            .as_ref()
            .and_then(Header::parse)
        else {
            return Ok(None);
        };
        let segments = usize::from(header.segments);
        let lacing = self.window.at(self.offset + HEADER as u64, segments)?;
        let body = lacing.map(|lacing| {
            lacing
                .iter()
                .map(|length| usize::from(*length))
                .sum::<usize>()
        });
        Ok(body.map(|body| (header, HEADER + segments + body)))
    }
}

impl Page<'_> {
    fn is_opus_head(&self) -> bool {
        self.header.is_first && self.body.starts_with(b"OpusHead")
    }

    /// How many packets end on it.
    fn packets(&self) -> u64 {
        self.lacing.iter().filter(|length| **length < 255).count() as u64
    }
}

/// Pages are small; a read is not.
const BLOCK: usize = 128 << 10;
