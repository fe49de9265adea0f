//! Where compiled plugins are kept for a user, and the key that proves that they are his.
//!
//! Compiled code is machine code: whoever can put some into the cache is the user. So it is signed,
//! with a key that lies elsewhere and that nobody else can read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::plugins::CacheSettings;

/// The user's cache, made if there is none. `None`, with a warning, if it cannot be had.
pub(super) fn settings() -> Option<CacheSettings> {
    let places = Places::of_user().ok_or_else(|| {
        io::Error::other("neither HOME nor XDG_CACHE_HOME and XDG_STATE_HOME is an absolute path")
    });
    let made = places.and_then(|places| {
        Ok(CacheSettings {
            key: key(&places.key)?,
            directory: places.cache,
        })
    });
    made.inspect_err(|error| tracing::warn!(%error, "{NOT_KEPT}"))
        .ok()
}

/// Where a user keeps things ([XDG Base Directory](https://specifications.freedesktop.org/basedir-spec/latest/)).
#[derive(Debug)]
struct Places {
    cache: PathBuf,
    key: PathBuf,
}

impl Places {
    fn of_user() -> Option<Self> {
        let home = |below: &str| Some(absolute("HOME")?.join(below));
        let cache = absolute("XDG_CACHE_HOME").or_else(|| home(".cache"))?;
        let state = absolute("XDG_STATE_HOME").or_else(|| home(".local/state"))?;
        Some(Self {
            cache: cache.join("trackmill/plugins"),
            key: state.join("trackmill/key"),
        })
    }
}

/// What a variable says, if that is an absolute path: others do not count, says the standard.
fn absolute(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(variable)?);
    path.is_absolute().then_some(path)
}

/// The key in a file, which is made if there is none.
fn key(path: &Path) -> io::Result<[u8; KEY]> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(path)?;
            read(path)
        }
        read => read,
    }
    .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn read(path: &Path) -> io::Result<[u8; KEY]> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
    if !metadata.is_file() || !is_own || metadata.mode() & OTHERS != 0 {
        let reason = "others may know this key: remove it, and a new one is made";
        return Err(io::Error::other(reason));
    }
    let mut key = [0; KEY];
    file.read_exact(&mut key)
        .map_err(|_| io::Error::other("this is no key: remove it, and a new one is made"))?;
    Ok(key)
}

/// Makes a key, unless another process is quicker. It appears whole or not at all.
fn create(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut key = [0; KEY];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| io::Error::other("no randomness"))?;
    let draft = path.with_extension(std::process::id().to_string());
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    options.open(&draft)?.write_all(&key)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// What the user is told without a cache.
pub(super) const NOT_KEPT: &str = "Compiled plugins are not kept; they are compiled at each start.";
/// Bytes of a key.
const KEY: usize = 32;
/// What others than the owner may do with a file.
const OTHERS: u32 = 0o077;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/trackmill/key");

        let first = key(&path).unwrap();
        let second = key(&path).unwrap();

        assert_eq!(first, second);
        assert_ne!(first, [0; KEY]);
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_may_know_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        key(&path).unwrap();

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let readable = key(&path).unwrap_err().to_string();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        let short = key(&path).unwrap_err().to_string();

        assert!(readable.contains("others may know this key"), "{readable}");
        assert!(short.contains("this is no key"), "{short}");
        assert!(short.contains(&path.display().to_string()), "{short}");
    }
}
