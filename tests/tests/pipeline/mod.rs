//! One track from packets to files, in virtual time (media.md §1-3, §5, §6, §8).
#![expect(
    clippy::indexing_slicing,
    reason = "a helper that finds less than a test needs fails the test"
)]

mod captures;
mod changes;
mod decoded;
mod events;
mod listeners;
mod long;
mod loss;
mod plugins;
mod publisher;
mod recording;
pub(crate) mod sender;
mod sound;
mod wire;

use std::path::PathBuf;

use serde_json::Value;
use trackmill_tests::file::Growing;
use trackmill_tests::probe;

use recording::{File, Recording};

/// A finished file on the disk, which goes away with the test.
struct OnDisk {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl OnDisk {
    fn new(file: &File) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let extension = file.start.container.extension();
        let path = folder.path().join("file").with_extension(extension);
        Growing::write_to(&file.bytes, &path).expect("a file");
        Self {
            _folder: folder,
            path,
        }
    }

    fn probe(&self) -> Value {
        probe::ffprobe(&self.path).expect("ffprobe accepts it")
    }
}

/// Whole seconds and their fraction, as ffprobe prints them.
fn seconds(value: &Value) -> f64 {
    let text = value.as_str().expect("a text");
    text.parse().expect("a number")
}
