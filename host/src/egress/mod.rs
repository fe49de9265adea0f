//! One recording: its life, its manifest, its tasks.
//!
//! ```text
//! media or filter worker            disk thread
//! Recorder (pipeline) ─ deliveries ┬► Writer ─► sink::FileSink, manifest, events
//! Inspector (pipeline) ─ words ────┘
//! ```

mod disk;
mod files;
mod inspector;
pub mod manifest;
mod recorder;
pub mod recovery;
mod writer;

use std::fmt;
use std::sync::Arc;

pub use disk::Disk;
pub use files::{File, Track};
pub use writer::{Failure, Outcome, Writer};

use crate::filter::{OnError, Setup, Workers};
use crate::pipeline::decoded::{Outlet, Sound};
use crate::pipeline::{self, Pipeline, Progress, Source};
use crate::rtc::Consumer;
use crate::rtp::timeline::WallClock;
use crate::sink::{self, path::Template};
use inspector::Inspector;
use recorder::{Recorder, WeakWords};

/// What to record, and where to.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The recording's id.
    pub id: EgressId,
    /// The track.
    pub track: Track,
    /// Where its files go.
    pub output: Template,
    /// When they are forced to the disk.
    pub sync: sink::SyncPolicy,
    /// How the track is recorded.
    pub pipeline: pipeline::Settings,
}

/// A recording that can begin: its two halves, and a window to watch it by.
#[derive(Debug)]
pub struct Egress {
    /// For the room.
    pub consumer: Box<dyn Consumer>,
    /// For a task of its own on a [`Disk`]; it ends after the consumer and the inspectors.
    pub writer: Writer,
    /// Consumers of the same track that only look.
    pub inspectors: Vec<Box<dyn Consumer>>,
    /// How far it is.
    pub progress: Arc<Progress>,
    /// What inspectors are made of.
    source: Source,
    settings: pipeline::Settings,
    /// Does not keep the writer waiting.
    words: WeakWords,
}

impl Egress {
    /// Makes the two halves of a recording. Nothing is created before media comes.
    pub fn new(plan: Plan, wall: WallClock) -> Self {
        let pipeline = Pipeline::new(plan.track.source(), plan.pipeline, wall);
        Self::of(pipeline, plan)
    }

    /// The same for a file of sound that is decoded: its consumer has its home on one of `workers`,
    /// and what the room gets stands in for it.
    pub fn decoded(plan: Plan, sound: Sound, workers: &Workers, wall: WallClock) -> Self {
        let source = plan.track.source();
        let pipeline = Pipeline::decoding(source, plan.pipeline, wall, sound);
        let egress = Self::of(pipeline, plan);
        Self {
            consumer: workers.host(egress.consumer),
            ..egress
        }
    }

    /// Has filters look at the track, each by itself, on `workers`: every one decodes its own copy.
    /// What they say lies beside the recording.
    #[must_use]
    pub fn inspected(mut self, filters: Vec<Setup>, workers: &Workers, wall: WallClock) -> Self {
        let Some(words) = self.words.upgrade() else {
            return self;
        };
        for filter in filters {
            let sound = Sound {
                // Whoever only looks can end nothing.
                filters: vec![Setup {
                    on_error: OnError::Bypass,
                    ..filter
                }],
                ..Sound::new(Outlet::Nothing)
            };
            let pipeline = Pipeline::decoding(self.source.clone(), self.settings, wall, sound);
            let inspector = Inspector::new(pipeline, words.clone());
            self.inspectors.push(workers.host(Box::new(inspector)));
        }
        self
    }

    fn of(pipeline: Pipeline, plan: Plan) -> Self {
        let progress = pipeline.progress();
        let (recorder, deliveries) = Recorder::new(pipeline);
        Self {
            source: plan.track.source(),
            settings: plan.pipeline,
            words: recorder.words().downgrade(),
            consumer: Box::new(recorder),
            writer: Writer::new(plan, deliveries),
            inspectors: Vec::new(),
            progress,
        }
    }
}

/// Names a recording (`EG_…`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EgressId(Arc<str>);

impl EgressId {
    /// A new one, with 48 random bits as LiveKit's have.
    ///
    /// # Panics
    /// If the system has no randomness; then there is no TLS, DTLS or SRTP either.
    pub fn random() -> Self {
        let mut random = [0; 6];
        aws_lc_rs::rand::fill(&mut random).expect("the system has randomness");
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("EG_{hex}").into())
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EgressId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How and why a recording ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub status: Status,
    /// Why, for people.
    pub reason: String,
}

/// How a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As it should.
    Complete,
    /// Something broke; what came before is in the file.
    Failed,
    /// It never began.
    Aborted,
}

impl Ending {
    /// An ending.
    pub fn new(status: Status, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
        }
    }
}
