//! A file that is larger than a test should write: its length is real, and of long runs of bytes
//! only both ends are kept. What is not kept reads as zero.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use trackmill::mux::recovery::Source;
use trackmill::mux::{Muxer, Output};

/// A file of which the interesting parts are kept.
#[derive(Clone, Debug)]
pub struct Sparse {
    pieces: BTreeMap<u64, Bytes>,
    len: u64,
    max_whole: usize,
    kept: usize,
}

impl Default for Sparse {
    fn default() -> Self {
        Self::keeping(1 << 20, 1 << 10)
    }
}

impl Sparse {
    /// A file that keeps runs of up to `max_whole` bytes, and `ends` at each end of a longer one.
    pub const fn keeping(max_whole: usize, ends: usize) -> Self {
        Self {
            pieces: BTreeMap::new(),
            len: 0,
            max_whole,
            kept: ends,
        }
    }

    /// Keeps all that is written from here on, such as an index.
    pub const fn keep_everything(&mut self) {
        self.max_whole = usize::MAX;
    }

    /// Carries out all that the muxer has ready.
    pub fn drain(&mut self, muxer: &mut dyn Muxer) {
        while let Some(output) = muxer.poll_output() {
            self.apply(output);
        }
    }

    /// Carries out one output.
    pub fn apply(&mut self, output: Output) {
        match output {
            Output::Append(bytes) => self.append(bytes),
            Output::PatchHead(bytes) => self.patch(&bytes),
        }
    }

    /// Reads it from its beginning.
    pub const fn reader(&self) -> Reader<'_> {
        Reader {
            file: self,
            offset: 0,
        }
    }

    fn append(&mut self, bytes: Bytes) {
        let len = bytes.len();
        if len <= self.max_whole {
            self.pieces.insert(self.len, bytes);
        } else {
            // Copies, because a slice would keep all of it in memory.
            let head = Bytes::copy_from_slice(bytes.split_at(self.kept).0);
            let tail = Bytes::copy_from_slice(bytes.split_at(len - self.kept).1);
            self.pieces.insert(self.len, head);
            self.pieces
                .insert(self.len + (len - self.kept) as u64, tail);
        }
        self.len += len as u64;
    }

    fn patch(&mut self, bytes: &[u8]) {
        let first = self.pieces.remove(&0).unwrap_or_default();
        let rest = first.get(bytes.len()..).expect("the first piece is longer");
        self.pieces.insert(0, [bytes, rest].concat().into());
    }
}

impl Source for Sparse {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset + buffer.len() as u64;
        if end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.fill(0);
        let before = self.pieces.range(..offset).next_back();
        for (start, piece) in before.into_iter().chain(self.pieces.range(offset..end)) {
            let skip = usize::try_from(offset.saturating_sub(*start)).unwrap_or(usize::MAX);
            let at = usize::try_from(start.saturating_sub(offset)).unwrap_or(usize::MAX);
            if let (Some(from), Some(to)) = (piece.get(skip..), buffer.get_mut(at..)) {
                let (to, _) = to.split_at_mut(from.len().min(to.len()));
                to.copy_from_slice(from.split_at(to.len()).0);
            }
        }
        Ok(())
    }
}

/// A [`Sparse`] file, read in order.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    file: &'a Sparse,
    offset: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.file.len.saturating_sub(self.offset);
        let there = buffer
            .len()
            .min(usize::try_from(rest).unwrap_or(usize::MAX));
        self.file
            .read_at(self.offset, buffer.split_at_mut(there).0)?;
        self.offset += there as u64;
        Ok(there)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let target = match position {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.offset.checked_add_signed(by),
            SeekFrom::End(by) => self.file.len.checked_add_signed(by),
        };
        self.offset = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.offset)
    }
}
