//! What a crash left behind → whole files with manifests.
//!
//! | found | means | becomes |
//! |---|---|---|
//! | `a.ogg.part`, locked | being recorded | left alone |
//! | `a.ogg.part` | its process died | repaired, renamed to `a.ogg`, manifest written |
//! | `a.ogg.part.json` beside `a.ogg` | its process died after the rename | manifest written |

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::manifest::{Manifest, Moment};
use crate::media::AudioFormat;
use crate::mux::Output;
use crate::mux::recovery::{self, Repair, RepairError, Source};
use crate::sink::{self, Operation, SinkError, path};

/// Something a crash may have left behind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leftover {
    /// A spool file, `a.ogg.part`.
    Spool(PathBuf),
    /// A whole file, `a.ogg`, of which only the draft of its manifest was written.
    Finished(PathBuf),
}

/// What can be done, or was done, about a leftover.
#[derive(Debug)]
pub enum Recovery {
    /// It is whole.
    Whole(Box<Recovered>),
    /// It is being recorded and was left alone.
    Recording,
    /// It holds nothing that plays and was left alone.
    Empty(&'static str),
}

/// A file that is whole again.
#[derive(Debug)]
pub struct Recovered {
    /// Where it is, or would be.
    pub file: PathBuf,
    /// What lies beside it.
    pub manifest: Manifest,
}

/// Why a leftover cannot be made whole. It stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The disk does not play along.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The contents cannot be repaired.
    #[error("cannot repair {}", path.display())]
    Repair {
        /// The spool file.
        path: PathBuf,
        /// Why not.
        source: RepairError,
    },
}

/// Whether to change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Make files whole.
    Repair,
    /// Only say what would be done.
    List,
}

/// Finds what a crash may have left behind at `path`: a spool file, or a directory and up to `depth`
/// levels of directories in it (an empty path is the current one). Links are not followed. A directory that cannot be read is in the
/// list as an error.
pub fn find(path: &Path, depth: usize) -> Vec<Result<Leftover, SinkError>> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    if !path.is_dir() {
        return vec![find_file(path)];
    }
    let mut found = Vec::new();
    let mut directories = vec![(path.to_path_buf(), depth)];
    while let Some((directory, depth)) = directories.pop() {
        let entries = match read_directory(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                found.push(Err(SinkError::new(Operation::Open, &directory, error)));
                continue;
            }
        };
        for (path, is_directory) in entries {
            match is_directory {
                true if depth > 0 => directories.push((path, depth - 1)),
                true => {}
                false => found.extend(leftover(&path).map(Ok)),
            }
        }
    }
    found
}

/// Makes a leftover whole, or says what would become of it.
///
/// # Errors
/// It cannot be read, repaired or renamed; then it stays where it is, and nothing that plays is
/// cut off.
pub fn recover(leftover: &Leftover, mode: Mode) -> Result<Recovery, RecoveryError> {
    match leftover {
        Leftover::Spool(spool) => recover_spool(spool, mode),
        Leftover::Finished(file) => recover_manifest(file, mode),
    }
}

fn recover_spool(spool: &Path, mode: Mode) -> Result<Recovery, RecoveryError> {
    let Some(file) = sink::claim(spool)? else {
        return Ok(Recovery::Recording);
    };
    let mut torn = Torn::new(spool, file)?;
    let mut file = path::finished(spool).unwrap_or_else(|| spool.to_path_buf());
    let samples = read_draft(&path::manifest(spool), &file).samples();
    let repair = match repair(&torn, &file, samples) {
        Ok(repair) => repair,
        Err(_) if torn.is_empty() => return Ok(Recovery::Empty("the file is empty")),
        Err(RepairError::NothingWritten(why)) => return Ok(Recovery::Empty(why)),
        Err(source) => return Err(unrepairable(spool, source)),
    };
    if mode == Mode::Repair {
        torn.carry_out(&repair)?;
        file = sink::name_finished(spool, &file)?;
    }
    let bytes = torn.repaired_len(&repair);
    let draft = path::manifest(&path::spool(&file));
    let manifest = read_draft(&draft, &file).recovered(&repair, bytes, torn.written_at);
    conclude(file, manifest, mode)
}

fn recover_manifest(file: &Path, mode: Mode) -> Result<Recovery, RecoveryError> {
    let open = |error| SinkError::new(Operation::Open, file, error);
    let whole = Torn::new(file, File::open(file).map_err(open)?)?;
    let draft = read_draft(&path::manifest(&path::spool(file)), file);
    let repair = repair(&whole, file, draft.samples());
    let repair = repair.map_err(|source| unrepairable(file, source))?;
    let manifest = draft.recovered(&repair, whole.len, whole.written_at);
    conclude(file.to_path_buf(), manifest, mode)
}

/// `samples` is how they are laid out in a file of PCM, if that is known.
fn repair(
    torn: &Torn<'_>,
    file: &Path,
    samples: Option<AudioFormat>,
) -> Result<Repair, RepairError> {
    let extension = file.extension().unwrap_or_default();
    recovery::repair_named(torn, &extension.to_string_lossy(), samples)
}

fn conclude(file: PathBuf, manifest: Manifest, mode: Mode) -> Result<Recovery, RecoveryError> {
    if mode == Mode::Repair {
        sink::publish(&file, manifest.to_json().as_bytes())?;
    }
    Ok(Recovery::Whole(Box::new(Recovered { file, manifest })))
}

/// What the recording wrote about itself when it began; nothing is lost if it cannot be read.
fn read_draft(draft: &Path, file: &Path) -> Manifest {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let draft = fs::read(draft).ok();
    let read = draft.and_then(|text| Manifest::from_json(&text).ok());
    Manifest {
        file: name.clone().into_owned(),
        ..read.unwrap_or_else(|| Manifest::unknown(&name))
    }
}

/// A file that a crash may have torn.
#[derive(Debug)]
struct Torn<'a> {
    path: &'a Path,
    file: File,
    len: u64,
    written_at: Moment,
}

impl<'a> Torn<'a> {
    fn new(path: &'a Path, file: File) -> Result<Self, SinkError> {
        let read = |error| SinkError::new(Operation::Open, path, error);
        let metadata = file.metadata().map_err(read)?;
        let written_at = metadata.modified().map_err(read)?;
        Ok(Self {
            path,
            len: metadata.len(),
            written_at: written_at.into(),
            file,
        })
    }

    /// Cuts, appends and patches. Each step leaves a file that can be repaired again.
    fn carry_out(&mut self, repair: &Repair) -> Result<(), SinkError> {
        let path = self.path;
        let failed = |operation| move |error| SinkError::new(operation, path, error);
        self.file
            .set_len(repair.keep)
            .and_then(|()| self.file.seek(SeekFrom::Start(repair.keep)))
            .map_err(failed(Operation::Truncate))?;
        for output in &repair.outputs {
            match output {
                Output::Append(bytes) => (&self.file).write_all(bytes),
                Output::PatchHead(bytes) => self.file.write_all_at(bytes, 0),
            }
            .map_err(failed(Operation::Write))?;
        }
        self.file.sync_all().map_err(failed(Operation::Sync))
    }

    fn repaired_len(&self, repair: &Repair) -> u64 {
        let appended = |output: &Output| match output {
            Output::Append(bytes) => bytes.len() as u64,
            Output::PatchHead(_) => 0,
        };
        repair.keep + repair.outputs.iter().map(appended).sum::<u64>()
    }
}

impl Source for Torn<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

/// The leftover that a file is, or belongs to.
fn leftover(path: &Path) -> Option<Leftover> {
    if path::finished(path).is_some() {
        return Some(Leftover::Spool(path.to_path_buf()));
    }
    let spool = path::described(path)?;
    let file = path::finished(&spool)?;
    let is_orphan = !spool.exists() && file.exists() && !path::manifest(&file).exists();
    is_orphan.then_some(Leftover::Finished(file))
}

fn find_file(path: &Path) -> Result<Leftover, SinkError> {
    let missing = |kind: io::ErrorKind| SinkError::new(Operation::Open, path, kind.into());
    match leftover(path) {
        _ if !path.exists() => Err(missing(io::ErrorKind::NotFound)),
        Some(leftover) => Ok(leftover),
        None => Err(SinkError::new(
            Operation::Open,
            path,
            io::Error::other("it is not a file that is being recorded: their names end in .part"),
        )),
    }
}

/// The entries of a directory by name, and which are directories themselves.
fn read_directory(directory: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
    let mut entries = fs::read_dir(directory)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.path(), entry.file_type()?.is_dir()))
        })
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

fn unrepairable(path: &Path, source: RepairError) -> RecoveryError {
    RecoveryError::Repair {
        path: path.to_path_buf(),
        source,
    }
}
