use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Operation, SinkError};

/// A text file beside a recording that grows by lines. All calls block.
#[derive(Debug)]
pub struct Lines {
    file: File,
    path: PathBuf,
}

impl Lines {
    /// Goes on with the file, or begins it.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn open(path: PathBuf) -> Result<Self, SinkError> {
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|error| SinkError::new(Operation::Create, &path, error))?;
        Ok(Self { file, path })
    }

    /// Adds a line, which holds no line feed.
    ///
    /// # Errors
    /// The disk is full, the quota is used up, the device is gone.
    pub fn append(&mut self, line: &str) -> Result<(), SinkError> {
        let line = format!("{line}\n");
        self.file
            .write_all(line.as_bytes())
            .map_err(|error| SinkError::new(Operation::Write, &self.path, error))
    }

    /// Forces it to the disk and gives it the name it belongs under.
    ///
    /// # Errors
    /// The device did not take it, or the name cannot be had.
    pub fn finish(self, name: &Path) -> Result<(), SinkError> {
        self.file
            .sync_data()
            .map_err(|error| SinkError::new(Operation::Sync, &self.path, error))?;
        if name == self.path {
            return Ok(());
        }
        fs::rename(&self.path, name).map_err(|error| SinkError::new(Operation::Rename, name, error))
    }
}
