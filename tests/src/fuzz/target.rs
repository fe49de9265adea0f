//! The targets by name, and their corpora under `tests/fuzz/corpus`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// One parser, and what it promises for any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder.
    pub name: &'static str,
    /// Panics where a promise is broken.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 13] = [
    target("receive", super::receive),
    target("tcp_framing", super::tcp_framing),
    target("depacketize", super::depacketize),
    target("bitstream", super::bitstream),
    target("decode_opus", super::decode_opus),
    target("read_sound", super::read_sound),
    target("sdp", super::sdp),
    target("signal_message", super::signal_message),
    target("path_template", super::path_template),
    target("recover_mp4", super::recover_mp4),
    target("recover_ogg", super::recover_ogg),
    target("recover_webm", super::recover_webm),
    target("recover_wav", super::recover_wav),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.into_iter().find(|target| target.name == name)
    }

    /// Where its inputs are kept.
    pub fn folder(&self) -> PathBuf {
        directory().join("corpus").join(self.name)
    }

    /// Its inputs in the order of their names.
    ///
    /// # Errors
    /// The folder is missing or empty, or a file cannot be read.
    pub fn corpus(&self) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
        let folder = self.folder();
        let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        paths.sort();
        ensure!(!paths.is_empty(), "{} is empty", folder.display());
        let read = |path: PathBuf| {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            Ok((path, bytes))
        };
        paths.into_iter().map(read).collect()
    }
}

/// Where corpora and crashing inputs are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}
