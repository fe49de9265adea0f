//! A file in memory that grows by what a muxer hands out.

use std::path::Path;

use anyhow::Context;
use trackmill::mux::recovery::Repair;
use trackmill::mux::{Muxer, Output};

/// A file as a sink would write it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Growing {
    bytes: Vec<u8>,
}

impl Growing {
    /// Starts from what a file held already.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
        }
    }

    /// Carries out one output.
    ///
    /// # Panics
    /// If a patch is longer than the file, because a sink could not carry that out.
    pub fn apply(&mut self, output: Output) {
        match output {
            Output::Append(bytes) => self.bytes.extend_from_slice(&bytes),
            Output::PatchHead(bytes) => self
                .bytes
                .get_mut(..bytes.len())
                .expect("a patch replaces bytes that are there")
                .copy_from_slice(&bytes),
        }
    }

    /// Carries out all that the muxer has ready.
    pub fn drain(&mut self, muxer: &mut dyn Muxer) {
        while let Some(output) = muxer.poll_output() {
            self.apply(output);
        }
    }

    /// Carries out a repair.
    ///
    /// # Panics
    /// If the repair keeps more than there is.
    pub fn repair(&mut self, repair: Repair) {
        let keep = usize::try_from(repair.keep).expect("it fits into memory");
        assert!(keep <= self.bytes.len(), "a repair keeps what is there");
        self.bytes.truncate(keep);
        repair
            .outputs
            .into_iter()
            .for_each(|output| self.apply(output));
    }

    /// What the file holds.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts it on the disk, for programs that read files.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_to(&self, path: &Path) -> anyhow::Result<()> {
        std::fs::write(path, &self.bytes)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}
