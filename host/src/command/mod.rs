//! The commands of the binary, one file or folder each; each wires what it needs and nothing else.

pub mod record;

use std::process::ExitCode;

/// How a command ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All was done.
    Complete,
    /// Something failed.
    Failed,
    /// The arguments make no sense.
    Usage,
    /// There was nothing to do.
    Nothing,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Complete => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Nothing => 3,
        })
    }
}
