use std::sync::Arc;

use super::files::Files;
use super::notices::Notices;
use super::recorder::Recorder;
use super::words::Words;
use super::{Courier, EgressId, Outcome, Place, Track, Writer};
use crate::pipeline::Pipeline;
use crate::rtc::Consumer;
use crate::sink::websocket::Watch;

/// Takes what comes out of a consumer.
#[derive(Debug)]
pub enum Sink {
    /// Writes files. It blocks: its home is a [`Disk`](super::Disk).
    Files(Box<Writer>),
    /// Feeds a server. Its home is a runtime that nobody blocks.
    Stream(Box<Courier>),
}

impl Sink {
    /// Takes what comes until nothing follows.
    pub async fn run(self) -> Outcome {
        match self {
            Self::Files(writer) => writer.run().await,
            Self::Stream(courier) => courier.run().await,
        }
    }
}

/// The two halves of a recording, and the ways to them.
#[derive(Debug)]
pub(super) struct Halves {
    pub(super) consumer: Box<dyn Consumer>,
    pub(super) sink: Sink,
    pub(super) delivery: Option<Watch>,
    pub(super) words: Words,
}

impl Halves {
    /// Those of a recording that goes into files.
    pub(super) fn of_files(
        pipeline: Pipeline,
        (id, track): (EgressId, Track),
        place: Place,
    ) -> Self {
        let notices = Notices::new(Arc::clone(&track.publication.publisher.attributes));
        let (recorder, deliveries) = Recorder::new(pipeline, notices);
        let files = Files::new(id.clone(), track, place);
        Self {
            words: recorder.words(),
            consumer: Box::new(recorder),
            sink: Sink::Files(Box::new(Writer::new(id, files, deliveries))),
            delivery: None,
        }
    }
}
