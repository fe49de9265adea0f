//! One recording: its life, its manifest, its tasks.
//!
//! ```text
//! media or filter worker            disk thread
//! Recorder (pipeline) ─ deliveries ┬► Writer ─► sink::FileSink, manifest, events
//! Inspector, Watcher ─ words ───────┘
//! Feeder (pipeline) ─ messages ────┬► Courier ─► sink::WebSocketSink
//! Inspector, Watcher ─ words ───────┘  the runtime
//! ```

mod disk;
mod files;
mod inspection;
mod inspector;
pub mod manifest;
mod notices;
mod plan;
mod recorder;
pub mod recovery;
mod sink;
mod stream;
mod together;
mod voice;
mod watcher;
mod words;
mod writer;

use std::fmt;
use std::sync::Arc;

pub use disk::Disk;
pub use files::{File, Track};
pub use inspection::Inspection;
pub use plan::{Destination, Form, Place, Plan};
pub use sink::Sink;
pub use stream::{Courier, Reason, Stream, Streamed};
pub use writer::{Failure, Outcome, Writer};

use self::sink::Halves;
use crate::filter::{OnError, Setup, Workers};
use crate::media::{Attributes, TrackKind};
use crate::pipeline::decoded::{Outlet, Sound};
use crate::pipeline::{self, Pipeline, Progress, Source};
use crate::rtc::Consumer;
use crate::rtp::timeline::WallClock;
use crate::sink::websocket;
use inspector::Inspector;
use notices::Notices;
use together::Together;
use voice::Voice;
use watcher::Watcher;
use words::WeakWords;

/// A recording that can begin: its two halves, and windows to watch it by.
#[derive(Debug)]
pub struct Egress {
    /// For the room.
    pub consumer: Box<dyn Consumer>,
    /// For a task of its own; it ends after the consumer and the inspectors.
    pub sink: Sink,
    /// Consumers of the same track that only look.
    pub inspectors: Vec<Box<dyn Consumer>>,
    /// How far it is.
    pub progress: Arc<Progress>,
    /// How far the delivery is, if it goes to a server.
    pub delivery: Option<websocket::Watch>,
    /// To say why it ends, before its consumer is ended.
    pub reason: Reason,
    /// What inspectors are made of.
    source: Source,
    attributes: Arc<Attributes>,
    settings: pipeline::Settings,
    /// Does not keep the sink waiting.
    words: WeakWords,
}

impl Egress {
    /// Makes the two halves of a recording. No file is created before media comes. A consumer that
    /// decodes has its home on one of `workers`, and what the room gets stands in for it.
    pub fn new(mut plan: Plan, workers: &Workers, wall: WallClock) -> Self {
        let sound = plan.sound();
        let is_decoded = sound.is_some();
        let source = plan.track.source();
        let settings = plan.pipeline_settings();
        let pipeline = match (sound, &plan.destination) {
            (Some(sound), _) => Pipeline::decoding(source, settings, wall, sound),
            (None, Destination::Files(_)) => Pipeline::new(source, settings, wall),
            (None, Destination::Stream(stream)) => {
                Pipeline::packets(source, settings, wall, stream.on_mute)
            }
        };
        let egress = Self::of(pipeline, plan);
        if !is_decoded {
            return egress;
        }
        Self {
            consumer: workers.host(egress.consumer),
            ..egress
        }
    }

    /// Has filters look at the track, each by itself, on `workers`: every one decodes its own copy, or
    /// sees only what happens beside a track of pictures. What they say goes where the recording goes.
    /// Filters that are not for this kind of track are left out.
    #[must_use]
    pub fn inspected(mut self, filters: Vec<Setup>, workers: &Workers, wall: WallClock) -> Self {
        let Some(words) = self.words.upgrade() else {
            return self;
        };
        for (number, filter) in filters.into_iter().enumerate() {
            if filter.open.takes(self.source.kind) {
                let voice = Voice::new(number, words.clone());
                let inspector = self.inspector(filter, voice, wall);
                self.inspectors.push(workers.host(inspector));
            }
        }
        self
    }

    /// What the room feeds: the recording, and those who look at it.
    pub fn everybody(
        recording: Box<dyn Consumer>,
        inspectors: Vec<Box<dyn Consumer>>,
    ) -> Box<dyn Consumer> {
        if inspectors.is_empty() {
            return recording;
        }
        Box::new(Together::new(recording, inspectors))
    }

    fn inspector(&self, filter: Setup, voice: Voice, wall: WallClock) -> Box<dyn Consumer> {
        let notices = Notices::new(Arc::clone(&self.attributes));
        // Whoever only looks can end nothing.
        let filter = Setup {
            on_error: OnError::Bypass,
            ..filter
        };
        match self.source.kind {
            TrackKind::Audio => {
                let sound = Sound {
                    filters: vec![filter],
                    ..Sound::new(Outlet::Nothing)
                };
                let pipeline = Pipeline::decoding(self.source.clone(), self.settings, wall, sound);
                Box::new(Inspector::new(pipeline, notices, voice))
            }
            TrackKind::Video => {
                let progress = Arc::clone(&self.progress);
                Box::new(Watcher::new(filter, notices, progress, voice, wall.instant))
            }
        }
    }

    fn of(pipeline: Pipeline, plan: Plan) -> Self {
        let (source, settings) = (plan.track.source(), plan.pipeline_settings());
        let attributes = Arc::clone(&plan.track.publication.publisher.attributes);
        let (id, track) = (plan.id, plan.track);
        let progress = pipeline.progress();
        let reason = Reason::default();
        let halves = match plan.destination {
            Destination::Files(place) => Halves::of_files(pipeline, (id, track), place),
            Destination::Stream(stream) => stream.halves(pipeline, (id, track), &reason),
        };
        Self {
            consumer: halves.consumer,
            sink: halves.sink,
            inspectors: Vec::new(),
            progress,
            delivery: halves.delivery,
            reason,
            source,
            attributes,
            settings,
            words: halves.words.downgrade(),
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
