//! One recording: its life, its manifest, its tasks.
//!
//! ```text
//! media worker                      disk thread
//! Recorder (pipeline) ─ deliveries ─► Writer ─► sink::FileSink, manifest
//! ```

mod disk;
mod files;
pub mod manifest;
mod recorder;
pub mod recovery;
mod writer;

use std::fmt;
use std::sync::Arc;

pub use disk::Disk;
pub use files::{File, Track};
pub use writer::{Failure, Outcome, Writer};

use crate::pipeline::{self, Pipeline, Progress};
use crate::rtc::Consumer;
use crate::rtp::timeline::WallClock;
use crate::sink::{self, path::Template};
use recorder::Recorder;

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
    /// For a task of its own on a [`Disk`]; it ends after the consumer.
    pub writer: Writer,
    /// How far it is.
    pub progress: Arc<Progress>,
}

impl Egress {
    /// Makes the two halves of a recording. Nothing is created before media comes.
    pub fn new(plan: Plan, wall: WallClock) -> Self {
        let pipeline = Pipeline::new(plan.track.source(), plan.pipeline, wall);
        let progress = pipeline.progress();
        let (recorder, deliveries) = Recorder::new(pipeline);
        Self {
            consumer: Box::new(recorder),
            writer: Writer::new(plan, deliveries),
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
