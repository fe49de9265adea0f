//! `trackmill recover`: makes whole what a crash left behind.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Exit;
use crate::egress::recovery::{self, Leftover, Mode, Recovery};

/// Make whole what a crash left behind: *.part files become files with manifests.
///
/// Recordings that are running are left alone. Exit code: 0 all recovered, 1 some could not be,
/// 3 nothing to recover.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Files that end in .part, or directories with such files at any depth
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only say what would be done
    #[arg(long)]
    list: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Recovers what is found at the paths, and prints a line for each file.
pub fn run(args: &Args) -> Exit {
    let mode = if args.list { Mode::List } else { Mode::Repair };
    let found = args
        .paths
        .iter()
        .flat_map(|path| recovery::find(path, usize::MAX));
    let exits = found.map(|leftover| {
        let report = match leftover {
            Ok(leftover) => Report::new(&leftover, mode),
            Err(error) => Report::failed(&error.location.clone(), &error.into()),
        };
        report.print(args.json);
        report.exit()
    });
    // A failure counts more than a success, and a success more than nothing.
    let exit = exits.min_by_key(|exit| match exit {
        Exit::Failed | Exit::Usage => 0,
        Exit::Complete => 1,
        Exit::Nothing | Exit::OverBudget => 2,
    });
    exit.unwrap_or_else(nothing)
}

#[expect(clippy::print_stderr, reason = "silence would leave the user in doubt")]
fn nothing() -> Exit {
    eprintln!("nothing to recover");
    Exit::Nothing
}

/// What is said about one leftover.
#[derive(Debug)]
struct Report {
    outcome: Outcome,
    path: PathBuf,
    text: String,
    manifest: Option<serde_json::Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Recovered,
    Recoverable,
    Recording,
    Empty,
    Failed,
}

impl Report {
    fn new(leftover: &Leftover, mode: Mode) -> Self {
        let (Leftover::Spool(path) | Leftover::Finished(path)) = leftover;
        let skipped = |outcome, text: &str| Self {
            outcome,
            path: path.clone(),
            text: text.into(),
            manifest: None,
        };
        match recovery::recover(leftover, mode) {
            Ok(Recovery::Whole(recovered)) => Self {
                outcome: match mode {
                    Mode::Repair => Outcome::Recovered,
                    Mode::List => Outcome::Recoverable,
                },
                text: format!(
                    "{:.1} s, {} bytes",
                    recovered.manifest.duration.as_secs_f64(),
                    recovered.manifest.bytes
                ),
                manifest: serde_json::to_value(&recovered.manifest).ok(),
                path: recovered.file,
            },
            Ok(Recovery::Recording) => skipped(Outcome::Recording, "left alone"),
            Ok(Recovery::Empty(why)) => skipped(Outcome::Empty, why),
            Err(error) => Self::failed(path, &error.into()),
        }
    }

    fn failed(path: &Path, error: &anyhow::Error) -> Self {
        Self {
            outcome: Outcome::Failed,
            path: path.to_path_buf(),
            text: format!("{error:#}"),
            manifest: None,
        }
    }

    const fn exit(&self) -> Exit {
        match self.outcome {
            Outcome::Recovered | Outcome::Recoverable => Exit::Complete,
            Outcome::Recording | Outcome::Empty => Exit::Nothing,
            Outcome::Failed => Exit::Failed,
        }
    }

    fn print(&self, as_json: bool) {
        let Self {
            outcome,
            path,
            text,
            manifest,
        } = self;
        let outcome = outcome.name();
        let line = if as_json {
            json!({"outcome": outcome, "path": path, "text": text, "manifest": manifest})
                .to_string()
        } else {
            format!("{outcome} {}: {text}", path.display())
        };
        // A reader that went away is no reason to stop repairing.
        drop(writeln!(std::io::stdout(), "{line}"));
    }
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Recoverable => "recoverable",
            Self::Recording => "recording",
            Self::Empty => "empty",
            Self::Failed => "failed",
        }
    }
}
