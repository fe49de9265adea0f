//! Which tracks are recorded, from when to when: the plan of `trackmill record` as a state machine.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::egress::{Ending, Status};
use crate::media::{ParticipantIdentity, TrackSid, TrackSource};
use crate::signal::{Event, Publication, SubscriptionFailure, UnpublishReason};

/// Follows the publications of a room. Feed it what happens, take [`Action`]s until `None`.
#[derive(Debug)]
pub(super) struct Follow {
    selection: Selection,
    settings: Settings,
    recordings: BTreeMap<RecordingId, Recording>,
    started: u64,
    /// Until when the first track must be there.
    wait_until: Option<Instant>,
    /// When `duration` is over; set by the first packet.
    stop_at: Option<Instant>,
    is_leaving: bool,
    actions: VecDeque<Action>,
}

/// Which tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// One publication; the recording ends with it.
    Track(TrackSid),
    /// What a participant publishes, or one source of it.
    Participant {
        identity: ParticipantIdentity,
        source: Option<TrackSource>,
    },
    /// Everything, also what is published later.
    All,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// How long to wait for the first track.
    pub(super) wait: Duration,
    /// How long to record, from the first packet.
    pub(super) duration: Option<Duration>,
    /// How long a track that is gone may take to come back into the same file (media.md T4).
    pub(super) return_window: Duration,
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

impl Follow {
    pub(super) fn new(selection: Selection, settings: Settings, now: Instant) -> Self {
        Self {
            selection,
            settings,
            recordings: BTreeMap::new(),
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
            Event::Published(publication) => self.published(publication),
            Event::Unpublished { track, reason } => self.unpublished(track, *reason, now),
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
        let ending = Ending::new(Status::Failed, "its file could not be written");
        self.actions.push_back(Action::End(id, ending));
        if self.recordings.is_empty() {
            self.leave();
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
        self.end_those_gone(now);
    }

    /// How many recordings were begun.
    pub(super) const fn started(&self) -> u64 {
        self.started
    }

    fn published(&mut self, publication: &Publication) {
        if let Some(id) = self.returned(publication) {
            self.actions
                .push_back(Action::Retarget(id, publication.clone()));
            return;
        }
        if !self.selection.covers(publication) {
            return;
        }
        self.wait_until = None;
        if publication.is_encrypted {
            let why = "it is end-to-end encrypted, and the recorder has no key";
            self.actions
                .push_back(Action::Refuse(publication.clone(), why));
            return self.leave_if_done();
        }
        let id = RecordingId(self.started);
        self.started += 1;
        let recording = Recording {
            publication: publication.clone(),
            gone: None,
        };
        self.recordings.insert(id, recording);
        self.actions
            .push_back(Action::Start(id, publication.clone()));
    }

    /// The recording that goes on with this publication.
    fn returned(&mut self, publication: &Publication) -> Option<RecordingId> {
        let (id, recording) = self.recordings.iter_mut().find(|(_, recording)| {
            recording.gone.is_some() && is_same_source(&recording.publication, publication)
        })?;
        recording.gone = None;
        recording.publication = publication.clone();
        Some(*id)
    }

    fn unpublished(&mut self, track: &TrackSid, reason: UnpublishReason, now: Instant) {
        let found = self
            .recordings
            .iter_mut()
            .find(|(_, recording)| recording.gone.is_none() && recording.publication.sid == *track);
        let Some((&id, recording)) = found else {
            return;
        };
        let ending = Ending::new(Status::Complete, text(reason));
        let is_final = matches!(self.selection, Selection::Track(_))
            && reason != UnpublishReason::GoneMeanwhile;
        if is_final {
            self.recordings.remove(&id);
            self.actions.push_back(Action::End(id, ending));
            return self.leave_if_done();
        }
        let until = now + self.settings.return_window;
        recording.gone = Some(Gone { until, ending });
        self.actions.push_back(Action::Interrupt(id));
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
        if self.recordings.is_empty() && self.selection != Selection::All {
            self.leave();
        }
    }

    fn leave(&mut self) {
        if !std::mem::replace(&mut self.is_leaving, true) {
            self.actions.push_back(Action::Leave);
        }
    }
}

impl Selection {
    fn covers(&self, publication: &Publication) -> bool {
        match self {
            Self::Track(sid) => publication.sid == *sid,
            Self::Participant { identity, source } => {
                publication.publisher.identity == *identity
                    && source.is_none_or(|source| publication.source == source)
            }
            Self::All => true,
        }
    }
}

/// The SID changes when a publisher publishes anew; who it is and what it shows do not.
fn is_same_source(before: &Publication, now: &Publication) -> bool {
    before.publisher.identity == now.publisher.identity
        && (before.kind, before.source, &before.name) == (now.kind, now.source, &now.name)
}

const fn text(reason: UnpublishReason) -> &'static str {
    match reason {
        UnpublishReason::Unpublished => "the track was unpublished",
        UnpublishReason::ParticipantLeft => "its participant left",
        UnpublishReason::GoneMeanwhile => "the track was gone after a reconnect",
    }
}

#[cfg(test)]
mod tests;
