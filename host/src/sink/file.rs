use std::fs::{self, File};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::spool::{
    directory_of, name_finished, remove_draft, try_lock, vacant, write_whole_at_once,
};
use super::{Operation, SinkError, path};

/// A recording on a local disk.
///
/// Bytes go to `<name>.part`, which is locked as long as this lives, so that [`claim`](super::claim) tells a
/// running recording from one that a crash left behind. [`finish`](Self::finish) gives it its name.
/// Dropping it keeps the spool file. All calls block.
#[derive(Debug)]
pub struct FileSink {
    file: File,
    spool: PathBuf,
    target: PathBuf,
    len: u64,
    sync: SyncPolicy,
    synced_at: Option<Instant>,
}

/// When bytes are forced to the disk. A crash of the process loses nothing that was written in
/// either case; a crash of the machine does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// When the file is whole.
    #[default]
    AtEnd,
    /// Each time so much time has passed, and when the file is whole.
    Every(Duration),
}

impl FileSink {
    /// Creates the spool file for `wanted`, and the directories it needs. Where a file of that name
    /// exists or is being recorded, the name gets a number ([`path::vacant`]): nothing is ever
    /// overwritten.
    ///
    /// # Errors
    /// The directory cannot be made or written to.
    pub fn create(wanted: &Path, sync: SyncPolicy) -> Result<Self, SinkError> {
        let directory = directory_of(wanted);
        fs::create_dir_all(directory)
            .map_err(|error| SinkError::new(Operation::CreateDirectory, directory, error))?;
        loop {
            let target = vacant(wanted)?;
            let spool = path::spool(&target);
            let file = match File::create_new(&spool) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(SinkError::new(Operation::Create, &spool, error)),
            };
            // A recovery that starts at this moment may hold the lock: leave the empty file to it.
            if try_lock(&file, &spool)? {
                return Ok(Self {
                    file,
                    spool,
                    target,
                    len: 0,
                    sync,
                    synced_at: None,
                });
            }
        }
    }

    /// The file that grows.
    pub fn spool(&self) -> &Path {
        &self.spool
    }

    /// The name it will have, unless somebody else takes it before.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Bytes that were appended.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was appended yet.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes all of `chunks` to the end, or nothing of them: after an error the file is as it was,
    /// playable, and the same chunks can be tried again.
    ///
    /// # Errors
    /// The disk is full, the quota is used up, the device is gone.
    pub fn append(&mut self, chunks: &[Bytes]) -> Result<(), SinkError> {
        let mut slices: Vec<IoSlice<'_>> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
        if let Err(error) = write_all_vectored(&mut self.file, &mut slices) {
            self.take_back()?;
            return Err(SinkError::new(Operation::Write, &self.spool, error));
        }
        self.len += chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        Ok(())
    }

    /// Replaces the beginning of the file, which is at least as long as `head`.
    ///
    /// # Errors
    /// The device is gone, or the disk is full and the file system copies on write.
    pub fn patch_head(&mut self, head: &Bytes) -> Result<(), SinkError> {
        self.file
            .write_all_at(head, 0)
            .map_err(|error| SinkError::new(Operation::Write, &self.spool, error))
    }

    /// Forces what was written to the disk.
    ///
    /// # Errors
    /// The device did not take it; some of what was written before may be lost.
    pub fn sync(&mut self) -> Result<(), SinkError> {
        self.file
            .sync_data()
            .map_err(|error| SinkError::new(Operation::Sync, &self.spool, error))
    }

    /// Forces what was written to the disk if the policy wants it at `now`. Call it after each
    /// [`append`](Self::append); the first call only starts the clock.
    ///
    /// # Errors
    /// As for [`sync`](Self::sync).
    pub fn sync_if_due(&mut self, now: Instant) -> Result<(), SinkError> {
        let SyncPolicy::Every(period) = self.sync else {
            return Ok(());
        };
        let synced_at = *self.synced_at.get_or_insert(now);
        if now.saturating_duration_since(synced_at) >= period {
            self.synced_at = Some(now);
            self.sync()?;
        }
        Ok(())
    }

    /// Writes the draft of the manifest beside the spool file, so that a recovered file can say
    /// what it holds. It replaces an earlier draft. It does not wait for the disk, which would hold up
    /// the other recordings of the thread: a draft is worth no more than the bytes it describes, and
    /// recovery does without.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn write_draft(&self, manifest: &[u8]) -> Result<(), SinkError> {
        write_whole_at_once(&path::manifest(&self.spool), manifest)
    }

    /// Forces everything to the disk, gives the file its name and returns it. Then
    /// [`publish`](super::publish) its manifest.
    ///
    /// # Errors
    /// The disk does not take it, or the directory cannot be written to. The spool file stays.
    pub fn finish(mut self) -> Result<PathBuf, SinkError> {
        self.sync()?;
        name_finished(&self.spool, &self.target)
    }

    /// Stops here. The spool file stays, for `trackmill recover`; returns it.
    pub fn abandon(self) -> PathBuf {
        self.spool
    }

    /// Stops here and removes the spool file and its draft, because they hold nothing worth keeping.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn discard(self) -> Result<(), SinkError> {
        remove_draft(&self.spool)?;
        fs::remove_file(&self.spool)
            .map_err(|error| SinkError::new(Operation::Remove, &self.spool, error))
    }

    /// Cuts off what a failed write left behind the last whole one.
    fn take_back(&mut self) -> Result<(), SinkError> {
        self.file
            .set_len(self.len)
            .and_then(|()| self.file.seek(SeekFrom::Start(self.len)))
            .map(drop)
            .map_err(|error| SinkError::new(Operation::Truncate, &self.spool, error))
    }
}

fn write_all_vectored(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_grow_in_the_spool_file_until_the_recording_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let wanted = directory.path().join("a/b/alice.ogg");

        let mut sink = FileSink::create(&wanted, SyncPolicy::AtEnd).unwrap();
        sink.append(&chunks(&["Hello", "", " world"])).unwrap();
        sink.append(&[]).unwrap();
        sink.patch_head(&Bytes::from_static(b"J")).unwrap();
        sink.append(&chunks(&["!"])).unwrap();

        assert_eq!(fs::read(sink.spool()).unwrap(), b"Jello world!");
        assert_eq!(sink.len(), 12);
        assert!(!wanted.exists());
        let spool = sink.spool().to_path_buf();
        assert_eq!(sink.finish().unwrap(), wanted);
        assert_eq!(fs::read(&wanted).unwrap(), b"Jello world!");
        assert!(!spool.exists());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn the_policy_says_when_bytes_are_forced_to_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let policy = SyncPolicy::Every(Duration::from_secs(5));
        let mut sink = FileSink::create(&directory.path().join("a.ogg"), policy).unwrap();
        let start = Instant::now();

        for (seconds, last) in [(0, 0), (4, 0), (5, 5), (9, 5), (12, 12)] {
            sink.sync_if_due(start + Duration::from_secs(seconds))
                .unwrap();

            assert_eq!(
                sink.synced_at,
                Some(start + Duration::from_secs(last)),
                "{seconds}"
            );
        }
    }

    fn chunks(texts: &[&'static str]) -> Vec<Bytes> {
        let bytes = texts.iter().map(|text| Bytes::from_static(text.as_bytes()));
        bytes.collect()
    }
}
