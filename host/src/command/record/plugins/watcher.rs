use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};

use super::catalogue::{Catalogue, Entry, Loader, Placed, Role};

/// Looks whether the files of plugins change, and loads them anew. Dropping it ends its task.
#[derive(Debug)]
pub(super) struct Watcher {
    news: mpsc::Receiver<News>,
    _task: JoinSet<()>,
}

/// What came of a change.
#[derive(Debug)]
pub(super) enum News {
    /// Something else is to take a place of the catalogue.
    Changed(Role, usize, Box<Entry>),
    /// What is in the files is of no use; why, for the user.
    Refused(String),
}

impl Watcher {
    /// Watches the files of a catalogue, if that is wanted.
    pub(super) fn start(catalogue: &Catalogue) -> Option<Self> {
        let (loader, entries) = catalogue.watched()?;
        let (sender, news) = mpsc::channel(NEWS);
        let places = entries.into_iter().map(Place::new).collect();
        let mut task = JoinSet::new();
        task.spawn(watch(loader, places, sender));
        Some(Self { news, _task: task })
    }

    /// Waits for the next change; `None` for ever after the task has ended.
    pub(super) async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

async fn watch(loader: Loader, mut places: Vec<Place>, news: mpsc::Sender<News>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let loader = loader.clone();
        // Files may lie on a disk that is slow, and compiling takes seconds.
        let looked = spawn_blocking(move || {
            let changed: Vec<_> = places
                .iter_mut()
                .filter_map(|it| it.look(&loader))
                .collect();
            (places, changed)
        });
        let Ok((looked_at, changed)) = looked.await else {
            return;
        };
        places = looked_at;
        for it in changed {
            if news.send(it).await.is_err() {
                return;
            }
        }
    }
}

/// A place of the catalogue.
#[derive(Debug)]
struct Place {
    role: Role,
    index: usize,
    /// What is in use.
    entry: Entry,
    files: Files,
}

impl Place {
    fn new((role, index, entry): Placed) -> Self {
        let files = Files::new(stamps(&entry));
        Self {
            role,
            index,
            entry,
            files,
        }
    }

    /// Loads what has changed.
    fn look(&mut self, loader: &Loader) -> Option<News> {
        if !self.files.have_changed(stamps(&self.entry)) {
            return None;
        }
        match loader.load(self.role, &self.entry.choice) {
            Ok(entry) if entry.is_same(&self.entry) => None,
            Ok(entry) => {
                self.entry = entry.clone();
                Some(News::Changed(self.role, self.index, Box::new(entry)))
            }
            Err(mistake) => {
                let name = self.entry.name();
                let text = format!("{name} has changed, and tracks go on without that: {mistake}");
                Some(News::Refused(text))
            }
        }
    }
}

/// Whether files are other ones than those that were read.
#[derive(Debug)]
struct Files {
    /// Those that were read last.
    read: Stamps,
    /// Those that were there at the last look.
    seen: Stamps,
}

/// What tells a file from the one that was there before; nothing where there is none.
type Stamps = BTreeMap<PathBuf, Option<Stamp>>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

impl Files {
    fn new(read: Stamps) -> Self {
        Self {
            seen: read.clone(),
            read,
        }
    }

    /// Takes a look. What has changed since the last one may still be being written.
    fn have_changed(&mut self, now: Stamps) -> bool {
        let is_settled = self.seen == now && now.values().all(Option::is_some);
        self.seen = now;
        if !is_settled || self.seen == self.read {
            return false;
        }
        self.read = self.seen.clone();
        true
    }
}

fn stamps(entry: &Entry) -> Stamps {
    let stamped = entry.choice.paths().map(|path| {
        let metadata = path.metadata().ok();
        (path.to_path_buf(), metadata.as_ref().map(Stamp::from))
    });
    stamped.collect()
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            len: metadata.len(),
            inode: metadata.ino(),
        }
    }
}

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Changes that may wait; the task waits when there are more.
const NEWS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_as_changed_once_it_has_settled() {
        let mut files = Files::new(file(Some(1)));

        let changed: Vec<_> = [1, 2, 3, 3, 3, 4, 4]
            .map(|len| files.have_changed(file(Some(len))))
            .into();

        assert_eq!(changed, [false, false, false, true, false, false, true]);
    }

    #[test]
    fn a_file_that_is_gone_for_a_moment_has_not_changed() {
        let mut files = Files::new(file(Some(1)));

        let changed = [None, None, Some(1), Some(1), None, Some(2), Some(2)]
            .map(|len| files.have_changed(file(len)));

        assert_eq!(changed, [false, false, false, false, false, false, true]);
    }

    fn file(len: Option<u64>) -> Stamps {
        let stamp = len.map(|len| Stamp {
            modified: None,
            len,
            inode: 7,
        });
        Stamps::from([("plugin.wasm".into(), stamp)])
    }
}
