//! Compiled code, and who vouches for it: this process, because it has just been compiled for it, or a key
//! that only trackmill has. Whoever can have his own bytes taken for compiled code owns the process.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use wasmtime::component::Component;

use super::digest::{Digest, sha256};

/// Where compiled code is kept between runs, and what proves that it is ours.
#[derive(Clone)]
pub struct CacheSettings {
    /// The directory; made with mode 0700 if it is missing.
    pub directory: PathBuf,
    /// The secret. It must not lie where the directory's writers can read it.
    pub key: [u8; 32],
}

impl fmt::Debug for CacheSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut settings = f.debug_struct("CacheSettings");
        settings
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// Machine code that this process vouches for.
pub(crate) struct Artefact(Vec<u8>);

impl Artefact {
    /// What the compiler's process has just handed over.
    pub(crate) fn just_compiled(code: Vec<u8>) -> Self {
        Self(code)
    }

    /// Makes it executable.
    #[expect(
        unsafe_code,
        reason = "machine code cannot be checked, only its origin can"
    )]
    pub(crate) fn load(&self, engine: &wasmtime::Engine) -> wasmtime::Result<Component> {
        // SAFETY: the bytes are what `Engine::precompile_component` has made. They come either through
        // a pipe from our own executable (`just_compiled`), or from a file whose HMAC was right
        // (`Cache::get`): these are the only constructors, and nothing changes the bytes in between. The
        // engine checks the version and the configuration that they were made with.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}

/// A directory of compiled code: one file a plugin and engine, `HMAC ‖ machine code`.
pub(crate) struct Cache {
    directory: PathBuf,
    key: hmac::Key,
    engine: u64,
}

impl Cache {
    pub(crate) fn open(settings: &CacheSettings, engine: &wasmtime::Engine) -> io::Result<Self> {
        let mut directory = std::fs::DirBuilder::new();
        directory
            .recursive(true)
            .mode(0o700)
            .create(&settings.directory)?;
        let mut hash = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hash);
        Ok(Self {
            directory: settings.directory.clone(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &settings.key),
            engine: hash.finish(),
        })
    }

    /// The code of that plugin, if it is there and ours.
    pub(crate) fn get(&self, plugin: Digest) -> Option<Artefact> {
        let (name, path) = self.place(plugin);
        let contents = read(&path).ok()?;
        let (tag, code) = contents.split_at_checked(TAG)?;
        if hmac::verify(&self.key, &signed(&name, code), tag).is_err() {
            let path = path.display();
            tracing::warn!(%path, "Compiled plugin was not written by this host; compiling it again.");
            return None;
        }
        Some(Artefact(code.to_vec()))
    }

    /// Keeps the code; a cache that cannot be written only costs time.
    pub(crate) fn put(&self, plugin: Digest, artefact: &Artefact) {
        let (name, path) = self.place(plugin);
        let tag = hmac::sign(&self.key, &signed(&name, &artefact.0));
        if let Err(error) = write(&path, tag.as_ref(), &artefact.0) {
            let path = path.display();
            tracing::warn!(%error, %path, "Cannot keep a compiled plugin; it is compiled at each start.");
        }
    }

    /// What the signature is about, so that no file can pass for another plugin's, and where the file is.
    fn place(&self, plugin: Digest) -> ([u8; 32], PathBuf) {
        let name = sha256(&[
            plugin.as_bytes(),
            WASMTIME.as_bytes(),
            &self.engine.to_be_bytes(),
        ]);
        let path = self
            .directory
            .join(format!("{}.code", Digest::from_bytes(name)));
        (name, path)
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cache = f.debug_struct("Cache");
        cache
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_FILE).read_to_end(&mut contents)?;
    Ok(contents)
}

/// Appears whole or not at all, readable by nobody else.
fn write(path: &Path, tag: &[u8], code: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(tag)?;
    file.write_all(code)?;
    std::fs::rename(&draft, path)
}

fn signed(name: &[u8; 32], code: &[u8]) -> Vec<u8> {
    [name.as_slice(), sha256(&[code]).as_slice()].concat()
}

/// A line whose compiled code differs from ours would have to be a new one.
const WASMTIME: &str = "wasmtime 48";
/// Bytes of a SHA-256 HMAC.
const TAG: usize = 32;
const MAX_FILE: u64 = 512 << 20;
