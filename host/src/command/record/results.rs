use std::collections::BTreeMap;

use super::follow::RecordingId;
use super::progress::Display;
use crate::command::Exit;
use crate::egress::{Ending, Outcome, Status};

/// What came of the run.
#[derive(Debug)]
pub(super) struct Results {
    /// Whether manifests go to standard output.
    json: bool,
    endings: BTreeMap<RecordingId, Ending>,
    files: usize,
    failures: usize,
    manifests: Vec<String>,
}

impl Results {
    pub(super) const fn new(json: bool) -> Self {
        Self {
            json,
            endings: BTreeMap::new(),
            files: 0,
            failures: 0,
            manifests: Vec::new(),
        }
    }

    /// Something broke that a user has to know whatever he wants to see.
    pub(super) fn fail(&mut self, text: impl Into<String>) {
        self.failures += 1;
        error(&text.into());
    }

    /// How and why a recording ends.
    pub(super) fn ending(&mut self, id: RecordingId, ending: Ending) {
        self.endings.insert(id, ending);
    }

    /// What a recording left behind.
    pub(super) fn outcome(&mut self, id: RecordingId, outcome: Outcome, display: &Display) {
        let ending = self.endings.remove(&id);
        if let Some(failure) = &outcome.failure {
            self.fail(failure.to_string());
        } else if ending.as_ref().is_some_and(|ending| ending.status == Status::Failed) {
            self.failures += 1;
        }
        let ending = ending.unwrap_or_else(|| Ending::new(Status::Failed, "the recorder failed"));
        for file in outcome.files {
            self.files += 1;
            display.say(&format!(
                "wrote {} ({:.1} s, {} bytes, {})",
                file.path.display(),
                file.summary.duration.as_secs_f64(),
                file.bytes,
                ending.reason,
            ));
        }
    }

    /// How the command ends.
    #[expect(clippy::print_stdout, reason = "the manifests are what the command is asked for")]
    pub(super) fn exit(&self, started: u64, display: &Display) -> Exit {
        if self.json {
            for manifest in &self.manifests {
                println!("{manifest}");
            }
        }
        if self.failures > 0 {
            return Exit::Failed;
        }
        if self.files == 0 {
            display.say(if started == 0 {
                "nothing recorded: no such track was published in time; check --room, the selection, and --wait"
            } else {
                "nothing recorded: the track sent no media"
            });
            return Exit::Nothing;
        }
        Exit::Complete
    }
}

#[expect(clippy::print_stderr, reason = "errors go to whoever started the command")]
fn error(text: &str) {
    eprintln!("error: {text}");
}
