//! Which tracks are recorded, from when to when: the plan of `trackmill record` as a state machine.

mod selection;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

pub(super) use selection::Selection;

use crate::egress::{Ending, Status};
use crate::media::{TrackKind, TrackSid};
use crate::signal::{Event, Publication, SubscriptionFailure, UnpublishReason};

/// Follows the publications of a room. Feed it what happens, take [`Action`]s until `None`.
#[derive(Debug)]
pub(super) struct Follow {
    selection: Selection,
    settings: Settings,
    recordings: BTreeMap<RecordingId, Recording>,
    /// Tracks that may turn out to take another's place, oldest first.
    held: Vec<Held>,
    started: u64,
    /// Until when the first track must be there.
    wait_until: Option<Instant>,
    /// When `duration` is over; set by the first packet.
    stop_at: Option<Instant>,
    is_leaving: bool,
    actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// How long to wait for the first track.
    pub(super) wait: Duration,
    /// How long to record, from the first packet.
    pub(super) duration: Option<Duration>,
    /// What can be recorded of what is selected.
    pub(super) takes: Takes,
    /// How long a track that is gone may take to come back into the same file (media.md T4).
    pub(super) return_window: Duration,
}

/// What can be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Every track.
    Everything,
    /// Tracks of sound.
    Sound,
}

/// One recording of this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RecordingId(u64);

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Begin to record a track.
    Start(RecordingId, Publication),
    /// Go on with another publication of the same source.
    Retarget(RecordingId, Publication),
    /// The track is gone, perhaps for good.
    Interrupt(RecordingId),
    /// Finish a recording.
    End(RecordingId, Ending),
    /// A track that was selected cannot be recorded.
    Refuse(Publication, &'static str),
    /// A track is left out that was selected with others.
    LeaveOut(Publication, &'static str),
    /// Leave the room: nothing follows.
    Leave,
}

#[derive(Debug)]
struct Recording {
    publication: Publication,
    /// Set while its publication is gone.
    gone: Option<Gone>,
}

#[derive(Debug)]
struct Gone {
    until: Instant,
    ending: Ending,
}

/// A track of a source that is being recorded. Signalling may tell of it before it tells that the
/// one before it is gone: then it goes on in its file (media.md T4), otherwise it gets its own.
#[derive(Debug)]
struct Held {
    publication: Publication,
    until: Instant,
}

impl Follow {
    pub(super) fn new(selection: Selection, settings: Settings, now: Instant) -> Self {
        Self {
            selection,
            settings,
            recordings: BTreeMap::new(),
            held: Vec::new(),
            started: 0,
            wait_until: Some(now + settings.wait),
            stop_at: None,
            is_leaving: false,
            actions: VecDeque::new(),
        }
    }

    /// Takes in what signalling says.
    pub(super) fn handle_event(&mut self, event: &Event, now: Instant) {
        if self.is_leaving {
            return;
        }
        match event {
            Event::Published(publication) => self.published(publication, now),
            Event::Unpublished { track, reason } => self.unpublished(track, *reason, now),
            Event::Muted { track, is_muted } => self.muted(track, *is_muted),
            Event::SubscriptionFailed { track, reason } => self.failed(track, *reason),
            Event::Ended(reason) => {
                let status = if reason.is_expected() {
                    Status::Complete
                } else {
                    Status::Failed
                };
                self.stop(&Ending::new(status, reason.to_string()));
            }
            _ => {}
        }
    }

    /// Packets of a track are coming.
    pub(super) fn first_packet(&mut self, now: Instant) {
        if let Some(duration) = self.settings.duration {
            self.stop_at.get_or_insert(now + duration);
        }
    }

    /// A recording cannot go on: its sink has failed. When none is left the run is over, also one
    /// that would wait for more tracks: the next one would go the same way.
    pub(super) fn abort(&mut self, id: RecordingId) {
        if self.recordings.remove(&id).is_none() {
            return;
        }
        let ending = Ending::new(Status::Failed, "its sink does not take it");
        self.actions.push_back(Action::End(id, ending));
        if self.recordings.is_empty() {
            self.leave();
        }
    }

    /// A recording has ended by itself, as it should.
    pub(super) fn end(&mut self, id: RecordingId, ending: Ending) {
        if self.recordings.remove(&id).is_some() {
            self.actions.push_back(Action::End(id, ending));
            self.leave_if_done();
        }
    }

    /// Ends everything.
    pub(super) fn stop(&mut self, ending: &Ending) {
        if std::mem::replace(&mut self.is_leaving, true) {
            return;
        }
        for (id, recording) in std::mem::take(&mut self.recordings) {
            let ending = recording
                .gone
                .map_or_else(|| ending.clone(), |gone| gone.ending);
            self.actions.push_back(Action::End(id, ending));
        }
        self.actions.push_back(Action::Leave);
    }

    /// The next thing to do.
    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let gone = self
            .recordings
            .values()
            .filter_map(|recording| recording.gone.as_ref());
        gone.map(|gone| gone.until)
            .chain(self.held.iter().map(|held| held.until))
            .chain(self.wait_until)
            .chain(self.stop_at)
            .min()
            .filter(|_| !self.is_leaving)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.is_leaving {
            return;
        }
        if self.stop_at.is_some_and(|at| at <= now) {
            return self.stop(&Ending::new(Status::Complete, "the duration is over"));
        }
        if self.wait_until.is_some_and(|at| at <= now) {
            return self.stop(&Ending::new(Status::Aborted, "no track came"));
        }
        self.begin_those_held(now);
        self.end_those_gone(now);
    }

    /// How many recordings were begun.
    pub(super) const fn started(&self) -> u64 {
        self.started
    }

    fn published(&mut self, publication: &Publication, now: Instant) {
        if self.is_known(&publication.sid) {
            return;
        }
        if let Some(id) = self.returned(publication) {
            return self.go_on(id, publication.clone());
        }
        if self.is_recording_source_of(publication) {
            let until = now + OVERLAP;
            let publication = publication.clone();
            return self.held.push(Held { publication, until });
        }
        self.begin(publication.clone());
    }

    fn is_known(&self, track: &TrackSid) -> bool {
        let recorded = self
            .recordings
            .values()
            .filter(|recording| recording.gone.is_none());
        recorded
            .map(|recording| &recording.publication)
            .chain(self.held.iter().map(|held| &held.publication))
            .any(|publication| publication.sid == *track)
    }

    fn is_recording_source_of(&self, publication: &Publication) -> bool {
        self.recordings
            .values()
            .any(|recording| is_same_source(&recording.publication, publication))
    }

    /// Begins to record a track, if it is selected.
    fn begin(&mut self, publication: Publication) {
        if !self.selection.covers(&publication) {
            return;
        }
        let is_named = matches!(self.selection, Selection::Track(_));
        if self.settings.takes == Takes::Sound && publication.kind == TrackKind::Video {
            let why = "a WebSocket takes sound only; record pictures into files, by --output";
            if is_named {
                return self.refuse(publication, why);
            }
            return self.actions.push_back(Action::LeaveOut(publication, why));
        }
        if publication.is_encrypted {
            let why = "it is end-to-end encrypted, and the recorder has no key";
            return self.refuse(publication, why);
        }
        self.wait_until = None;
        let id = RecordingId(self.started);
        self.started += 1;
        let recording = Recording {
            publication: publication.clone(),
            gone: None,
        };
        self.recordings.insert(id, recording);
        self.actions.push_back(Action::Start(id, publication));
    }

    fn refuse(&mut self, publication: Publication, why: &'static str) {
        self.wait_until = None;
        self.actions.push_back(Action::Refuse(publication, why));
        self.leave_if_done();
    }

    /// Continues a recording with a track that takes the place of its own.
    fn go_on(&mut self, id: RecordingId, publication: Publication) {
        if let Some(recording) = self.recordings.get_mut(&id) {
            recording.gone = None;
            recording.publication = publication.clone();
            self.actions.push_back(Action::Retarget(id, publication));
        }
    }

    /// The recording whose track is gone and is back as this publication.
    fn returned(&self, publication: &Publication) -> Option<RecordingId> {
        let (id, _) = self.recordings.iter().find(|(_, recording)| {
            recording.gone.is_some() && is_same_source(&recording.publication, publication)
        })?;
        Some(*id)
    }

    /// The track that came before this one went.
    fn successor(&mut self, publication: &Publication) -> Option<Publication> {
        let is_it = |held: &Held| is_same_source(publication, &held.publication);
        let place = self.held.iter().position(is_it)?;
        Some(self.held.remove(place).publication)
    }

    /// Mutes of what is recorded reach it another way.
    fn muted(&mut self, track: &TrackSid, is_muted: bool) {
        for held in &mut self.held {
            if held.publication.sid == *track {
                held.publication.is_muted = is_muted;
            }
        }
    }

    fn unpublished(&mut self, track: &TrackSid, reason: UnpublishReason, now: Instant) {
        self.held.retain(|held| held.publication.sid != *track);
        let found = self
            .recordings
            .iter()
            .find(|(_, recording)| recording.gone.is_none() && recording.publication.sid == *track);
        let Some((&id, recording)) = found else {
            return;
        };
        let publication = recording.publication.clone();
        let ending = Ending::new(Status::Complete, text(reason));
        let is_final = matches!(self.selection, Selection::Track(_))
            && reason != UnpublishReason::GoneMeanwhile;
        if is_final {
            self.recordings.remove(&id);
            self.actions.push_back(Action::End(id, ending));
            return self.leave_if_done();
        }
        match self.successor(&publication) {
            Some(successor) => self.go_on(id, successor),
            None => self.interrupt(id, ending, now),
        }
    }

    fn interrupt(&mut self, id: RecordingId, ending: Ending, now: Instant) {
        let until = now + self.settings.return_window;
        if let Some(recording) = self.recordings.get_mut(&id) {
            recording.gone = Some(Gone { until, ending });
            self.actions.push_back(Action::Interrupt(id));
        }
    }

    /// Only what a new session would not mend ends a recording.
    fn failed(&mut self, track: &TrackSid, reason: SubscriptionFailure) {
        if matches!(
            reason,
            SubscriptionFailure::NotOffered(_) | SubscriptionFailure::NotPublished
        ) {
            return;
        }
        let found = self
            .recordings
            .iter()
            .find(|(_, recording)| recording.publication.sid == *track);
        if let Some((&id, _)) = found {
            self.recordings.remove(&id);
            let ending = Ending::new(Status::Failed, reason.to_string());
            self.actions.push_back(Action::End(id, ending));
            self.leave_if_done();
        }
    }

    fn begin_those_held(&mut self, now: Instant) {
        let over: Vec<_> = self.held.extract_if(.., |held| held.until <= now).collect();
        for held in over {
            self.begin(held.publication);
        }
    }

    fn end_those_gone(&mut self, now: Instant) {
        let is_over = |recording: &mut Recording| {
            recording
                .gone
                .as_ref()
                .is_some_and(|gone| gone.until <= now)
        };
        let over: Vec<_> = self
            .recordings
            .extract_if(.., |_, recording| is_over(recording))
            .collect();
        if over.is_empty() {
            return;
        }
        for (id, recording) in over {
            if let Some(gone) = recording.gone {
                self.actions.push_back(Action::End(id, gone.ending));
            }
        }
        self.leave_if_done();
    }

    /// A run that records everything lasts as long as the room; any other ends with its tracks.
    fn leave_if_done(&mut self) {
        let mut held = self.held.iter();
        let is_done = self.recordings.is_empty()
            && !held.any(|held| self.selection.covers(&held.publication));
        if is_done && self.selection != Selection::All {
            self.leave();
        }
    }

    fn leave(&mut self) {
        if !std::mem::replace(&mut self.is_leaving, true) {
            self.actions.push_back(Action::Leave);
        }
    }
}

/// The SID changes when a publisher publishes anew; who it is and what it shows do not.
fn is_same_source(before: &Publication, now: &Publication) -> bool {
    before.publisher.identity == now.publisher.identity
        && (before.kind, before.source, &before.name) == (now.kind, now.source, &now.name)
        && before.is_encrypted == now.is_encrypted
}

const fn text(reason: UnpublishReason) -> &'static str {
    match reason {
        UnpublishReason::Unpublished => "the track was unpublished",
        UnpublishReason::ParticipantLeft => "its participant left",
        UnpublishReason::GoneMeanwhile => "the track was gone after a reconnect",
    }
}

/// How long a source may be published twice before the second track counts as another one. The
/// server tells of several changes of a participant at a time, in the order of their SIDs; a client
/// that publishes before it takes back needs one round of negotiation in between.
const OVERLAP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
