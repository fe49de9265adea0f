use std::path::Path;

use crate::egress::Destination;
use crate::egress::recovery::{self, Leftover, Mode, Recovery};

/// Makes whole what an earlier run left behind where this one will write, and tells what came of
/// it, a line a file. Nothing that is found here keeps the new run from starting. Blocks.
pub(super) fn recover(destination: &Destination) -> Vec<String> {
    let Destination::Files(place) = destination else {
        return Vec::new();
    };
    let output = &place.template;
    let root = output.root();
    if !root.as_os_str().is_empty() && !root.is_dir() {
        return Vec::new();
    }
    recovery::find(&root, output.depth())
        .into_iter()
        .filter_map(|leftover| match leftover {
            Ok(leftover) => line(&leftover),
            Err(error) => Some(format!("cannot look for leftovers: {error}")),
        })
        .collect()
}

/// Nothing is said of what others are recording, nor of files that hold nothing.
fn line(leftover: &Leftover) -> Option<String> {
    match recovery::recover(leftover, Mode::Repair) {
        Ok(Recovery::Whole(whole)) => Some(format!(
            "recovered {} from an earlier run",
            whole.file.display()
        )),
        Ok(Recovery::Recording | Recovery::Empty(_)) => None,
        Err(error) => Some(format!(
            "cannot recover {}: {:#}",
            path(leftover).display(),
            anyhow::Error::from(error)
        )),
    }
}

fn path(leftover: &Leftover) -> &Path {
    let (Leftover::Spool(path) | Leftover::Finished(path)) = leftover;
    path
}
