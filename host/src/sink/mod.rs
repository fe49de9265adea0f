//! Bytes → somewhere durable.
//!
//! A recording grows in a spool file beside its target and gets its name when it is whole. What
//! stands in the directory is always one of these:
//!
//! | file | what it is |
//! |---|---|
//! | `alice.ogg.part` | being recorded (locked by its process), or left behind by a crash |
//! | `alice.ogg.part.json` | the draft of its manifest |
//! | `alice.ogg` | whole, on disk |
//! | `alice.ogg.json` | its manifest |
//! | `alice.ogg.events.jsonl` | what happened beside its sound, if it was decoded; grows with it |

mod file;
mod lines;
pub mod path;
mod spool;
pub mod websocket;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use file::{FileSink, SyncPolicy};
pub use lines::Lines;
pub use spool::{claim, name_finished, publish, write_whole};

/// Something could not be made durable.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {}{blame}", location.display())]
pub struct SinkError {
    /// What was tried.
    pub operation: Operation,
    /// On which file or directory.
    pub location: PathBuf,
    /// Who has to act.
    pub blame: Blame,
    /// What the operating system said.
    pub source: io::Error,
}

impl SinkError {
    pub(crate) fn new(operation: Operation, location: &Path, source: io::Error) -> Self {
        Self {
            operation,
            location: location.to_path_buf(),
            blame: Blame::of(&source),
            source,
        }
    }
}

/// What a sink was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Making a directory.
    CreateDirectory,
    /// Making a new file.
    Create,
    /// Opening a file that exists.
    Open,
    /// Locking a file.
    Lock,
    /// Writing.
    Write,
    /// Cutting a file.
    Truncate,
    /// Waiting until bytes are on the disk.
    Sync,
    /// Giving a file another name.
    Rename,
    /// Removing a file.
    Remove,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateDirectory => "create the directory",
            Self::Create => "create",
            Self::Open => "open",
            Self::Lock => "lock",
            Self::Write => "write to",
            Self::Truncate => "truncate",
            Self::Sync => "sync",
            Self::Rename => "rename to",
            Self::Remove => "remove",
        })
    }
}

/// Who has to act before it can work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Whoever owns the place the bytes go to: it is full, read-only, gone or broken.
    Destination,
    /// Whoever owns trackmill: it asked for something that makes no sense.
    Us,
}

impl Blame {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Self::Us,
            _ => Self::Destination,
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Destination => Ok(()),
            Self::Us => f.write_str(" (please report this as a bug of trackmill)"),
        }
    }
}
