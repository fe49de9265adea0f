use std::path::PathBuf;

use bytes::Bytes;
use jiff::Zoned;

use super::Plan;
use crate::clock;
use crate::mux;
use crate::pipeline::{Output, Source, Start, Summary};
use crate::signal::{Publication, Room};
use crate::sink::path::Values;
use crate::sink::{FileSink, SinkError};

/// The track of a recording: everything a file name or a manifest may say about it.
#[derive(Clone, Debug)]
pub struct Track {
    /// The room.
    pub room: Room,
    /// The publication, as it was when the recording began.
    pub publication: Publication,
}

/// A file that is finished.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// What it holds.
    pub summary: Summary,
}

/// The files of one recording: mostly one, more where the codec changes. Blocks.
#[derive(Debug)]
pub(super) struct Files {
    plan: Plan,
    open: Option<FileSink>,
    finished: Vec<File>,
}

impl Track {
    pub(super) fn source(&self) -> Source {
        Source {
            kind: self.publication.kind,
            room: self.room.name.to_string(),
            participant: self.publication.publisher.identity.to_string(),
            track: self.publication.sid.to_string(),
        }
    }

    fn values<'a>(&'a self, started_at: &'a Zoned) -> Values<'a> {
        Values {
            room_name: &self.room.name,
            room_sid: &self.room.sid,
            track: &self.publication.sid,
            kind: self.publication.kind,
            source: self.publication.source,
            publisher: &self.publication.publisher.identity,
            started_at,
            retry: 0,
        }
    }
}

impl Files {
    pub(super) const fn new(plan: Plan) -> Self {
        Self {
            plan,
            open: None,
            finished: Vec::new(),
        }
    }

    /// Carries out what a pipeline wants done.
    pub(super) fn apply(&mut self, outputs: Vec<Output>) -> Result<(), SinkError> {
        let mut appended = Vec::new();
        for output in outputs {
            if let Output::Bytes(mux::Output::Append(bytes)) = output {
                appended.push(bytes);
                continue;
            }
            self.append(&mut appended)?;
            match output {
                Output::Start(start) => self.start(&start)?,
                Output::End(summary) => self.end(*summary)?,
                Output::Bytes(mux::Output::PatchHead(head)) => self.patch_head(&head)?,
                Output::Bytes(mux::Output::Append(_)) => {}
            }
        }
        self.append(&mut appended)
    }

    /// What is finished, and what is left lying open by a failure.
    pub(super) fn close(self) -> (Vec<File>, Option<PathBuf>) {
        (self.finished, self.open.map(FileSink::abandon))
    }

    fn start(&mut self, start: &Start) -> Result<(), SinkError> {
        let started_at = started_at(start);
        let values = self.plan.track.values(&started_at);
        let wanted = self.plan.output.fill(&values, start.container.extension());
        self.open = Some(FileSink::create(&wanted, self.plan.sync)?);
        Ok(())
    }

    fn append(&mut self, chunks: &mut Vec<Bytes>) -> Result<(), SinkError> {
        if let Some(file) = self.open.as_mut().filter(|_| !chunks.is_empty()) {
            file.append(chunks)?;
            file.sync_if_due(clock::now())?;
        }
        chunks.clear();
        Ok(())
    }

    fn patch_head(&mut self, head: &Bytes) -> Result<(), SinkError> {
        match &mut self.open {
            Some(file) => file.patch_head(head),
            None => Ok(()),
        }
    }

    fn end(&mut self, summary: Summary) -> Result<(), SinkError> {
        if let Some(file) = self.open.take() {
            let bytes = file.len();
            let path = file.finish()?;
            self.finished.push(File {
                path,
                bytes,
                summary,
            });
        }
        Ok(())
    }
}

/// When the file began, in the zone of this machine; now if the publisher's clock makes no sense.
fn started_at(start: &Start) -> Zoned {
    let nanos = i128::from(start.metadata.started_at.unix_nanos());
    let at = jiff::Timestamp::from_nanosecond(nanos);
    let at = at.or_else(|_| jiff::Timestamp::try_from(clock::wall()));
    at.unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::system())
}
