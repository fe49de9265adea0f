//! What a crash left behind → a whole file.

use std::io;
use std::time::Duration;

use super::Output;

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
