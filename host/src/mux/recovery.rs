//! What a crash left behind → a whole file.

use std::io;
use std::time::Duration;

use crate::media::AudioFormat;

use super::{Container, Output, mp4, ogg, wav, webm};

/// A file to repair, read at random.
pub trait Source {
    /// Its length in bytes.
    fn len(&self) -> u64;

    /// Whether it holds nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// The file cannot be read there, or ends before the buffer is full
    /// ([`io::ErrorKind::UnexpectedEof`]).
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl Source for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let found = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(buffer.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        Ok(())
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn len(&self) -> u64 {
        (**self).len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buffer)
    }
}

/// How to make a file whole: cut it to `keep` bytes, then carry out `outputs` in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Bytes from the beginning that are good.
    pub keep: u64,
    /// What follows; empty if the file was whole already.
    pub outputs: Vec<Output>,
    /// How long the repaired file plays.
    pub duration: Duration,
    /// Access units in the repaired file.
    pub units: u64,
}

/// Why a file cannot be repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// It is none of ours.
    #[error("not an Ogg, MP4, WebM or WAV file that trackmill wrote")]
    UnknownFormat,
    /// Not even the beginning is there.
    #[error("nothing playable was written before the crash: {0}")]
    NothingWritten(&'static str),
    /// The file cannot be read.
    #[error("cannot read the file")]
    Read(#[from] io::Error),
}

/// Finds out how to make a file whole, whichever of our containers it is.
///
/// # Errors
/// The file is none of ours, holds nothing that plays, or cannot be read.
pub fn repair(source: &dyn Source) -> Result<Repair, RepairError> {
    let mut window = Window::new(source, MAGIC);
    let head = window.up_to(0, MAGIC)?;
    if ogg::is_ogg(head) {
        ogg::recover(source)
    } else if mp4::is_mp4(head) {
        mp4::recover(source)
    } else if webm::is_webm(head) {
        webm::recover(source)
    } else if wav::is_wav(head) {
        wav::recover(source)
    } else {
        Err(RepairError::UnknownFormat)
    }
}

/// As [`repair`], for a file with this extension: raw PCM has nothing in it that says what it is, nor
/// how its samples are laid out. If that is not known from elsewhere, it is cut, but nothing can be
/// said of it.
///
/// # Errors
/// As [`repair`].
pub fn repair_named(
    source: &dyn Source,
    extension: &str,
    samples: Option<AudioFormat>,
) -> Result<Repair, RepairError> {
    if extension == Container::Pcm.extension() {
        wav::recover_raw(source, samples)
    } else {
        repair(source)
    }
}

/// Every container says what it is within so many bytes.
const MAGIC: usize = 16;

/// Reads a [`Source`] forwards in blocks.
pub(super) struct Window<'a> {
    source: &'a dyn Source,
    len: u64,
    block: usize,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    /// Reads `block` bytes at a time, or more where more are asked for.
    pub(super) fn new(source: &'a dyn Source, block: usize) -> Self {
        Self {
            source,
            len: source.len(),
            block,
            start: 0,
            bytes: Vec::new(),
        }
    }

    /// The `len` bytes from `offset` on; `None` if the file ends before. The caller bounds `len`:
    /// as many are allocated.
    pub(super) fn at(&mut self, offset: u64, len: usize) -> io::Result<Option<&[u8]>> {
        let end = offset.checked_add(len as u64);
        if end.is_none_or(|end| end > self.len) {
            return Ok(None);
        }
        if self.find(offset, len).is_none() {
            self.fill(offset, len)?;
        }
        Ok(self.find(offset, len))
    }

    /// As [`Window::at`], but fewer bytes where the file ends before.
    pub(super) fn up_to(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let rest = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let found = self.at(offset, len.min(rest))?;
        Ok(found.unwrap_or_default())
    }

    /// As [`Window::at`], for a number of bytes that is known beforehand.
    pub(super) fn array<const N: usize>(&mut self, offset: u64) -> io::Result<Option<[u8; N]>> {
        let bytes = self.at(offset, N)?;
        Ok(bytes.and_then(|bytes| bytes.first_chunk().copied()))
    }

    fn find(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let skip = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(skip..skip.checked_add(len)?)
    }

    fn fill(&mut self, offset: u64, len: usize) -> io::Result<()> {
        let rest = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        self.bytes.clear();
        self.bytes.resize(self.block.max(len).min(rest), 0);
        self.start = offset;
        self.source.read_at(offset, &mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Codec, NtpTimestamp};
    use crate::mux::{Metadata, for_codec};

    #[test]
    fn a_container_is_known_by_its_first_bytes() {
        for (container, codec) in [(Container::Ogg, Codec::Opus), (Container::Wav, Codec::Pcmu)] {
            let mut muxer = for_codec(container, metadata(codec));
            let Some(Output::Append(head)) = muxer.poll_output() else {
                panic!("a head is ready");
            };

            let found = repair(&&head[..]);

            assert!(matches!(found, Err(RepairError::NothingWritten(_))));
        }
        for other in [&b"text"[..], b"", b"RIFF"] {
            assert!(matches!(repair(&other), Err(RepairError::UnknownFormat)));
        }
    }

    #[test]
    fn a_window_reads_what_is_there_and_no_more() {
        let file: Vec<u8> = (0..200).collect();
        let source = file.as_slice();
        let mut window = Window::new(&source, 64);

        assert_eq!(window.at(100, 100).unwrap(), Some(&file[100..]));
        assert_eq!(window.at(101, 100).unwrap(), None);
        assert_eq!(window.at(u64::MAX, 1).unwrap(), None);
        assert_eq!(window.up_to(198, 64).unwrap(), [198, 199]);
        assert!(window.up_to(300, 64).unwrap().is_empty());
        assert_eq!(window.array(0).unwrap(), Some([0, 1, 2]));
    }

    fn metadata(codec: Codec) -> Metadata {
        Metadata {
            codec,
            room: "room".to_owned(),
            participant: "participant".to_owned(),
            track: "TR_1".to_owned(),
            started_at: NtpTimestamp(0),
        }
    }
}
