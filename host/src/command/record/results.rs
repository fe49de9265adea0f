use std::collections::BTreeMap;
use std::path::Path;

use tokio::task::spawn_blocking;

use super::follow::RecordingId;
use super::progress::Display;
use crate::clock;
use crate::command::Exit;
use crate::egress::manifest::{Manifest, Moment};
use crate::egress::{Ending, Outcome, Status, Streamed};

/// What came of the run.
#[derive(Debug)]
pub(super) struct Results {
    /// Whether manifests go to standard output.
    json: bool,
    endings: BTreeMap<RecordingId, Ending>,
    files: usize,
    /// Those of which a server got something.
    streams: usize,
    failures: usize,
    manifests: Vec<String>,
    /// The errors that were printed: several recordings may end for the same reason.
    told: Vec<String>,
}

impl Results {
    pub(super) const fn new(json: bool) -> Self {
        Self {
            json,
            endings: BTreeMap::new(),
            files: 0,
            streams: 0,
            failures: 0,
            manifests: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Something broke that a user has to know whatever he wants to see.
    pub(super) fn fail(&mut self, error: impl Into<anyhow::Error>) {
        self.failures += 1;
        let text = format!("{:#}", error.into());
        if !self.told.contains(&text) {
            print_error(&text);
            self.told.push(text);
        }
    }

    /// How and why a recording ends.
    pub(super) fn ending(&mut self, id: RecordingId, ending: Ending) {
        self.endings.insert(id, ending);
    }

    /// What a recording left behind: its files get their manifests.
    pub(super) async fn outcome(&mut self, id: RecordingId, outcome: Outcome, display: &Display) {
        let ending = self.ending_of(id, &outcome);
        for file in outcome.files {
            let path = file.path.clone();
            let ending = ending.clone();
            match spawn_blocking(move || file.publish(&ending)).await {
                Ok(Ok(manifest)) => self.wrote(&path, &manifest, display),
                Ok(Err(error)) => self.fail(anyhow::Error::from(error)),
                Err(error) => self.fail(error),
            }
        }
        if let Some(streamed) = outcome.stream {
            self.sent(streamed, &ending, display);
        }
    }

    fn ending_of(&mut self, id: RecordingId, outcome: &Outcome) -> Ending {
        let planned = self.endings.remove(&id).or_else(|| outcome.ending.clone());
        let ending = match (&outcome.failure, planned) {
            (Some(failure), _) => Ending::new(Status::Failed, failure.to_string()),
            (None, Some(planned)) => planned,
            (None, None) => Ending::new(Status::Failed, "the recorder ended by itself"),
        };
        if ending.status == Status::Failed {
            self.fail(anyhow::anyhow!("{}", ending.reason));
        }
        ending
    }

    fn wrote(&mut self, path: &Path, manifest: &Manifest, display: &Display) {
        self.files += 1;
        display.say(&format!(
            "wrote {} ({:.1} s, {} bytes): {}",
            path.display(),
            manifest.duration.as_secs_f64(),
            manifest.bytes,
            manifest.reason,
        ));
        if self.json {
            self.manifests.push(manifest.to_json_line());
        }
    }

    fn sent(&mut self, streamed: Streamed, ending: &Ending, display: &Display) {
        self.streams += usize::from(!streamed.sent.is_zero());
        display.say(&format!(
            "sent {:.1} s to {}, dropped {:.1} s: {}",
            streamed.sent.as_secs_f64(),
            streamed.target,
            streamed.dropped.as_secs_f64(),
            ending.reason,
        ));
        if self.json {
            let now = Moment::from(clock::wall());
            let ended = |manifest: Manifest| manifest.ended(ending, now, "").to_json_line();
            self.manifests
                .extend(streamed.manifests.into_iter().map(ended));
        }
    }

    /// How the command ends.
    #[expect(
        clippy::print_stdout,
        reason = "the manifests are what the command is asked for"
    )]
    pub(super) fn exit(&self, started: u64, display: &Display) -> Exit {
        for manifest in &self.manifests {
            println!("{manifest}");
        }
        if self.failures > 0 {
            return Exit::Failed;
        }
        if self.files + self.streams == 0 {
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

#[expect(
    clippy::print_stderr,
    reason = "errors go to whoever started the command"
)]
fn print_error(text: &str) {
    eprintln!("error: {text}");
}
