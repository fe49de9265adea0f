use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Zoned;
use tracing::warn;

use super::manifest::{Inspector, Manifest, Moment, Subject};
use super::{EgressId, Ending, Inspection, Place};
use crate::clock;
use crate::mux;
use crate::pipeline::{Event, Output, Source, Start, Summary};
use crate::signal::{Publication, Room};
use crate::sink::path::Values;
use crate::sink::{self, FileSink, Lines, SinkError};

/// The track of a recording: everything a file name or a manifest may say about it.
#[derive(Clone, Debug)]
pub struct Track {
    /// The room.
    pub room: Room,
    /// The publication, as it was when the recording began.
    pub publication: Publication,
}

/// A file that is finished, all but its manifest.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds; how the recording ended is yet to be said.
    pub manifest: Manifest,
}

/// The files of one recording: mostly one, more where the codec changes. Blocks.
#[derive(Debug)]
pub(super) struct Files {
    id: EgressId,
    track: Track,
    place: Place,
    open: Option<Open>,
    finished: Vec<File>,
    /// What happened while there was no file to write it beside.
    early: Vec<String>,
    /// What inspectors did with them.
    inspected: Vec<Inspection>,
}

/// A file that grows, and the draft of its manifest.
#[derive(Debug)]
struct Open {
    sink: FileSink,
    draft: Manifest,
    /// What happens beside the sound, once something did.
    events: Option<Lines>,
}

impl File {
    /// Writes the manifest beside the file and returns it. Blocks.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn publish(self, ending: &Ending) -> Result<Manifest, SinkError> {
        let name = file_name(&self.path);
        let manifest = self
            .manifest
            .ended(ending, Moment::from(clock::wall()), &name);
        sink::publish(&self.path, manifest.to_json().as_bytes())?;
        Ok(manifest)
    }
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
    pub(super) const fn new(id: EgressId, track: Track, place: Place) -> Self {
        Self {
            id,
            track,
            place,
            open: None,
            finished: Vec::new(),
            early: Vec::new(),
            inspected: Vec::new(),
        }
    }

    /// An inspector has looked at a whole file.
    pub(super) fn inspected(&mut self, inspection: Inspection) {
        self.inspected.push(inspection);
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
                Output::End(summary) => self.end(&summary)?,
                Output::Bytes(mux::Output::PatchHead(head)) => self.patch_head(&head)?,
                Output::Event(event) => self.note(&event)?,
                // Messages are for sockets; what comes of a halt is the writer's.
                Output::Bytes(mux::Output::Append(_))
                | Output::Open(_)
                | Output::Message(_)
                | Output::Halt(_) => {}
            }
        }
        self.append(&mut appended)
    }

    /// What is finished, and what is left lying open by a failure.
    pub(super) fn close(mut self) -> (Vec<File>, Option<PathBuf>) {
        for (number, file) in self.finished.iter_mut().enumerate() {
            file.manifest.inspectors = Inspector::all(&self.inspected, number);
        }
        (self.finished, self.open.map(|open| open.sink.abandon()))
    }

    fn start(&mut self, start: &Start) -> Result<(), SinkError> {
        let started_at = started_at(start);
        let values = self.track.values(&started_at);
        let extension = start.container.extension();
        let wanted = self.place.template.fill(&values, extension);
        let sink = FileSink::create(&wanted, self.place.sync)?;
        let Start {
            container,
            metadata,
            samples,
        } = start;
        let subject = Subject::new(&self.id, &self.track, metadata.codec, *container);
        let subject = subject.sampled(*samples);
        let moment = Moment::from(metadata.started_at);
        let draft = Manifest::draft(subject, &file_name(sink.target()), moment);
        if let Err(error) = sink.write_draft(draft.to_json().as_bytes()) {
            // An empty file is of no use; the error that led here is the one that matters.
            drop(sink.discard());
            return Err(error);
        }
        let mut open = Open {
            sink,
            draft,
            events: None,
        };
        let early = std::mem::take(&mut self.early);
        let noted = early.iter().try_for_each(|line| open.note(line));
        self.open = Some(open);
        noted
    }

    fn append(&mut self, chunks: &mut Vec<Bytes>) -> Result<(), SinkError> {
        if let Some(open) = self.open.as_mut().filter(|_| !chunks.is_empty()) {
            open.sink.append(chunks)?;
            open.sink.sync_if_due(clock::now())?;
        }
        chunks.clear();
        Ok(())
    }

    fn patch_head(&mut self, head: &Bytes) -> Result<(), SinkError> {
        match &mut self.open {
            Some(open) => open.sink.patch_head(head),
            None => Ok(()),
        }
    }

    /// Writes down what happened beside the sound.
    fn note(&mut self, event: &Event) -> Result<(), SinkError> {
        let Some(line) = event.to_json_line() else {
            return Ok(());
        };
        match &mut self.open {
            Some(open) => open.note(&line)?,
            None if self.early.len() < MAX_EARLY => self.early.push(line),
            None => warn!("Too much happens before there is a file; it is not written down."),
        }
        Ok(())
    }

    fn end(&mut self, summary: &Summary) -> Result<(), SinkError> {
        if let Some(open) = self.open.take() {
            let Open {
                sink,
                draft,
                events,
            } = open;
            let manifest = draft.holding(summary, sink.len());
            let path = sink.finish()?;
            if let Some(events) = events {
                events.finish(&beside(&path))?;
            }
            self.finished.push(File { path, manifest });
        }
        Ok(())
    }
}

impl Open {
    /// Writes down what happened beside the sound.
    fn note(&mut self, line: &str) -> Result<(), SinkError> {
        let lines = match &mut self.events {
            Some(lines) => lines,
            none => none.insert(Lines::open(beside(self.sink.target()))?),
        };
        lines.append(line)
    }
}

/// Where the events of a file go.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".events.jsonl");
    name.into()
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// When the file began, in the zone of this machine; now if the publisher's clock makes no sense.
fn started_at(start: &Start) -> Zoned {
    let nanos = i128::from(start.metadata.started_at.unix_nanos());
    let at = jiff::Timestamp::from_nanosecond(nanos);
    let at = at.or_else(|_| jiff::Timestamp::try_from(clock::wall()));
    at.unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::system())
}

/// More does not happen before sound or pictures come: a plugin that looks on may say so much at once.
const MAX_EARLY: usize = 64;
