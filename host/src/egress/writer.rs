use std::path::PathBuf;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::files::{File, Files};
use super::recorder::Delivery;
use super::stream::Streamed;
use super::words::Word;
use super::{EgressId, Ending, Status};
use crate::filter::Halt;
use crate::pipeline::Output;
use crate::sink::SinkError;
use crate::sink::websocket;

/// The disk's half of an egress: writes what the recorder delivers. It blocks: its home is a
/// [`Disk`](super::Disk).
#[derive(Debug)]
pub struct Writer {
    id: EgressId,
    files: Files,
    deliveries: mpsc::Receiver<Delivery>,
}

/// What a recording left behind.
#[derive(Debug)]
pub struct Outcome {
    /// The recording.
    pub id: EgressId,
    /// The files that are whole.
    pub files: Vec<File>,
    /// What a server got, if it went to one.
    pub stream: Option<Streamed>,
    /// How it ended, if nobody planned that: the server or a filter had had enough.
    pub ending: Option<Ending>,
    /// Why there is no more.
    pub failure: Option<Failure>,
}

/// Why a recording could not be written to its end.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The sink does not take it.
    #[error("{error}: {}{}", error.source, left(.unfinished.as_ref()))]
    Sink {
        /// What it says.
        error: SinkError,
        /// What was written until then; it plays as it lies.
        unfinished: Option<PathBuf>,
    },
    /// The server does not take it.
    #[error("{target}: {failure}")]
    Server {
        /// The server, without its secrets.
        target: String,
        /// What it, or the way to it, says.
        failure: websocket::Failure,
    },
    /// A filter failed that may not be passed by.
    #[error("{0}")]
    Filter(String),
    /// A bug ended it.
    #[error("the recorder ended unexpectedly{}", left(.unfinished.as_ref()))]
    Lost {
        /// What was written until then; it plays as it lies.
        unfinished: Option<PathBuf>,
    },
}

impl Writer {
    pub(super) const fn new(
        id: EgressId,
        files: Files,
        deliveries: mpsc::Receiver<Delivery>,
    ) -> Self {
        Self {
            id,
            files,
            deliveries,
        }
    }

    /// Writes until nothing follows. Blocks the thread while it writes.
    pub async fn run(self) -> Outcome {
        let Self {
            id,
            mut files,
            mut deliveries,
        } = self;
        let mut batch = Vec::new();
        let mut last = None;
        while deliveries.recv_many(&mut batch, BATCH).await > 0 {
            let outputs = unpack(&mut batch, &mut files, &mut last);
            let halt = halt_in(&outputs);
            if halt.is_some() {
                return finish(id, files, outputs).await.halted(halt);
            }
            if let Err(error) = files.apply(outputs) {
                return Outcome::new(id, files, Err(error));
            }
        }
        // Inspectors, too, have nothing more to say.
        if let Some(rest) = last {
            let halt = halt_in(&rest);
            return finish(id, files, rest).await.halted(halt);
        }
        let (files, unfinished) = files.close();
        Outcome {
            failure: Some(Failure::Lost { unfinished }),
            ..Outcome::of(id, files)
        }
    }
}

impl Outcome {
    fn new(id: EgressId, files: Files, result: Result<(), SinkError>) -> Self {
        let (files, unfinished) = files.close();
        let failure = result
            .err()
            .map(|error| Failure::Sink { error, unfinished });
        Self {
            failure,
            ..Self::of(id, files)
        }
    }

    const fn of(id: EgressId, files: Vec<File>) -> Self {
        Self {
            id,
            files,
            stream: None,
            ending: None,
            failure: None,
        }
    }

    /// What a filter asked for when it failed.
    fn halted(self, halt: Option<Halt>) -> Self {
        let (ending, failure) = match halt {
            Some(Halt::Egress(reason)) => (None, Some(Failure::Filter(reason))),
            Some(Halt::Track(reason)) => (Some(Ending::new(Status::Complete, reason)), None),
            None => (None, None),
        };
        Self {
            ending,
            failure: self.failure.or(failure),
            ..self
        }
    }

    fn lost(id: EgressId) -> Self {
        Self {
            failure: Some(Failure::Lost { unfinished: None }),
            ..Self::of(id, Vec::new())
        }
    }
}

/// Writes what is left. The disk takes its time to confirm a file, and many recordings may end at
/// once: this does not hold up the others of the thread.
async fn finish(id: EgressId, mut files: Files, outputs: Vec<Output>) -> Outcome {
    let finished = spawn_blocking(move || {
        let result = files.apply(outputs);
        (files, result)
    });
    match finished.await {
        Ok((files, result)) => Outcome::new(id, files, result),
        Err(_) => Outcome::lost(id),
    }
}

/// The outputs of a batch, but for the recorder's last ones: what inspectors say still goes before
/// them.
fn unpack(
    batch: &mut Vec<Delivery>,
    files: &mut Files,
    last: &mut Option<Vec<Output>>,
) -> Vec<Output> {
    let mut outputs = Vec::with_capacity(batch.len());
    for delivery in batch.drain(..) {
        match delivery {
            Delivery::Next(output) => outputs.push(output),
            Delivery::Last(rest) => *last = Some(rest),
            Delivery::Words(words) => outputs.extend(hear(words, files)),
        }
    }
    outputs
}

/// What inspectors say, but for what they did.
fn hear(words: Vec<Word>, files: &mut Files) -> impl Iterator<Item = Output> {
    words.into_iter().filter_map(|word| match word {
        Word::Event(event) => Some(Output::Event(event)),
        Word::Inspected(inspection) => {
            files.inspected(*inspection);
            None
        }
    })
}

fn halt_in(outputs: &[Output]) -> Option<Halt> {
    outputs.iter().find_map(|output| match output {
        Output::Halt(halt) => Some(halt.clone()),
        _ => None,
    })
}

fn left(unfinished: Option<&PathBuf>) -> String {
    unfinished.map_or_else(String::new, |path| {
        format!(
            "; what was written is in {}, make it whole by `trackmill recover`",
            path.display()
        )
    })
}

/// Deliveries that are written at once.
const BATCH: usize = 64;
