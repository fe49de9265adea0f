//! Spool files and their names on disk: what recording and recovery share.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Operation, SinkError, path};

/// Opens a spool file that nobody records into, and locks it. `None` if somebody does, or if it was
/// finished just before.
///
/// # Errors
/// It cannot be opened for reading and writing.
pub fn claim(spool: &Path) -> Result<Option<File>, SinkError> {
    let open = |error| SinkError::new(Operation::Open, spool, error);
    let file = File::options()
        .read(true)
        .write(true)
        .open(spool)
        .map_err(open)?;
    if !try_lock(&file, spool)? {
        return Ok(None);
    }
    let ours = file.metadata().map_err(open)?;
    let is_still_there = fs::symlink_metadata(spool)
        .is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()));
    Ok(is_still_there.then_some(file))
}

/// Gives a spool file that is whole and on disk its name: that of `wanted`, with a number if it is
/// taken. Its draft goes with it.
///
/// # Errors
/// The directory cannot be written to.
pub fn name_finished(spool: &Path, wanted: &Path) -> Result<PathBuf, SinkError> {
    let mut target = wanted.to_path_buf();
    loop {
        match rename_to_vacant(spool, &target) {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => target = vacant(wanted)?,
            Err(error) => return Err(SinkError::new(Operation::Rename, &target, error)),
        }
    }
    let draft = path::manifest(spool);
    let moved = path::manifest(&path::spool(&target));
    if draft != moved && draft.exists() {
        fs::rename(&draft, &moved)
            .map_err(|error| SinkError::new(Operation::Rename, &moved, error))?;
    }
    sync_directory(&target)?;
    Ok(target)
}

/// Writes the manifest beside a finished file and removes its draft.
///
/// # Errors
/// The directory cannot be written to.
pub fn publish(file: &Path, manifest: &[u8]) -> Result<PathBuf, SinkError> {
    let path = path::manifest(file);
    write_whole(&path, manifest)?;
    remove_draft(&path::spool(file))?;
    Ok(path)
}

/// Writes a small file so that a reader sees all of it or nothing, also after a crash of the machine.
/// Replaces what was there.
///
/// # Errors
/// The directory cannot be written to.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<(), SinkError> {
    replace(path, contents, |file| file.sync_all())?;
    sync_directory(path)
}

/// The same, but does not wait for the disk: after a crash of the machine the file may be empty or
/// missing. It is for whoever must not be held up.
pub(super) fn write_whole_at_once(path: &Path, contents: &[u8]) -> Result<(), SinkError> {
    replace(path, contents, |_| Ok(()))
}

/// Puts a file with these contents, which `sync` makes durable, in the place of `path`.
fn replace(
    path: &Path,
    contents: &[u8],
    sync: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), SinkError> {
    let mut name = path.as_os_str().to_owned();
    name.push("~");
    let temporary = PathBuf::from(name);
    let failed = |operation| {
        let temporary = &temporary;
        move |error| SinkError::new(operation, temporary, error)
    };
    let mut file = File::create(&temporary).map_err(failed(Operation::Create))?;
    let written = file.write_all(contents).map_err(failed(Operation::Write));
    let synced = written.and_then(|()| sync(&file).map_err(failed(Operation::Sync)));
    if let Err(error) = synced {
        // Half of a file is of no use; the error that led here is the one that matters.
        drop(fs::remove_file(&temporary));
        return Err(error);
    }
    fs::rename(&temporary, path).map_err(|error| SinkError::new(Operation::Rename, path, error))
}

pub(super) fn remove_draft(spool: &Path) -> Result<(), SinkError> {
    let draft = path::manifest(spool);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SinkError::new(Operation::Remove, &draft, error))
        }
        _ => Ok(()),
    }
}

pub(super) fn vacant(wanted: &Path) -> Result<PathBuf, SinkError> {
    let exists = |path: &Path| fs::symlink_metadata(path).is_ok();
    let is_taken =
        |path: &Path| exists(path) || exists(&path::spool(path)) || exists(&path::manifest(path));
    path::vacant(wanted, is_taken).ok_or_else(|| {
        SinkError::new(
            Operation::Create,
            wanted,
            io::ErrorKind::AlreadyExists.into(),
        )
    })
}

pub(super) fn try_lock(file: &File, path: &Path) -> Result<bool, SinkError> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(SinkError::new(Operation::Lock, path, error)),
    }
}

/// Fails with [`io::ErrorKind::AlreadyExists`] rather than overwrite.
fn rename_to_vacant(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use nix::errno::Errno;
        use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

        match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
            // Some network file systems cannot.
            Err(Errno::EINVAL | Errno::ENOSYS) => {}
            result => return result.map_err(io::Error::from),
        }
    }
    // The spool file keeps the name from other recordings; only a stranger could take it in between.
    if fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Makes a rename in the directory of `file` survive a crash of the machine.
fn sync_directory(file: &Path) -> Result<(), SinkError> {
    let directory = directory_of(file);
    File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(|error| SinkError::new(Operation::Sync, directory, error))
}

pub(super) fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
