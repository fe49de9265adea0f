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
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::media::TrackKind;
    use crate::signal::{EndReason, ParticipantKind, Publisher};

    #[test]
    fn one_track_is_recorded_until_it_is_unpublished() {
        let mut run = Run::new(Selection::Track("TR_1".into()));

        run.publish("alice", "TR_0", TrackSource::Camera);
        run.publish("alice", "TR_1", TrackSource::Microphone);
        run.unpublish("TR_1", UnpublishReason::Unpublished);

        assert_eq!(run.done(), ["start 0 TR_1", "end 0 Complete", "leave"]);
    }

    #[test]
    fn t4_a_track_that_is_gone_after_a_reconnect_goes_on_when_it_is_published_anew() {
        let mut run = Run::new(Selection::Track("TR_1".into()));
        run.publish("alice", "TR_1", TrackSource::Microphone);

        run.unpublish("TR_1", UnpublishReason::GoneMeanwhile);
        run.pass(WINDOW - SECOND);
        run.publish("alice", "TR_2", TrackSource::Microphone);
        run.pass(WINDOW);

        assert_eq!(
            run.done(),
            ["start 0 TR_1", "interrupt 0", "retarget 0 TR_2"]
        );
    }

    #[test]
    fn t4_a_republished_source_goes_on_in_its_file_and_others_get_their_own() {
        let mut run = Run::new(Selection::All);
        run.publish("alice", "TR_1", TrackSource::Microphone);

        run.unpublish("TR_1", UnpublishReason::Unpublished);
        run.publish("bob", "TR_2", TrackSource::Microphone);
        run.publish("alice", "TR_3", TrackSource::Camera);
        run.publish("alice", "TR_4", TrackSource::Microphone);

        let done = [
            "start 0 TR_1",
            "interrupt 0",
            "start 1 TR_2",
            "start 2 TR_3",
            "retarget 0 TR_4",
        ];
        assert_eq!(run.done(), done);
    }

    #[test]
    fn what_does_not_come_back_in_time_is_finished() {
        let everything = Selection::All;
        let alice = Selection::Participant {
            identity: "alice".into(),
            source: None,
        };
        for (selection, is_over) in [(everything, false), (alice, true)] {
            let mut run = Run::new(selection);
            run.publish("alice", "TR_1", TrackSource::Microphone);
            run.unpublish("TR_1", UnpublishReason::ParticipantLeft);

            run.pass(WINDOW);

            let mut done = vec!["start 0 TR_1", "interrupt 0", "end 0 Complete"];
            if is_over {
                done.push("leave");
            }
            assert_eq!(run.done(), done);
        }
    }

    #[test]
    fn a_participant_and_a_source_select() {
        let mut run = Run::new(Selection::Participant {
            identity: "alice".into(),
            source: Some(TrackSource::Camera),
        });

        run.publish("bob", "TR_1", TrackSource::Camera);
        run.publish("alice", "TR_2", TrackSource::Microphone);
        run.publish("alice", "TR_3", TrackSource::Camera);

        assert_eq!(run.done(), ["start 0 TR_3"]);
    }

    #[test]
    fn waiting_for_the_first_track_has_an_end() {
        let mut run = Run::new(Selection::All);

        run.pass(SETTINGS.wait - SECOND);
        assert_eq!(run.done(), [""; 0]);
        run.pass(SECOND);

        assert_eq!(run.done(), ["leave"]);
        assert_eq!(run.follow.started(), 0);
    }

    #[test]
    fn the_duration_counts_from_the_first_packet() {
        let mut run = Run::new(Selection::All);
        run.publish("alice", "TR_1", TrackSource::Camera);
        run.pass(SECOND * 25);
        run.follow.first_packet(run.now);
        run.pass(SECOND * 59);
        run.follow.first_packet(run.now);
        assert_eq!(run.done(), ["start 0 TR_1"]);

        run.pass(SECOND);

        assert_eq!(run.done(), ["end 0 Complete", "leave"]);
    }

    #[test]
    fn the_end_of_the_session_ends_everything_as_it_ended() {
        for (reason, status) in [
            (EndReason::RoomClosed, "Complete"),
            (EndReason::Removed, "Failed"),
        ] {
            let mut run = Run::new(Selection::All);
            run.publish("alice", "TR_1", TrackSource::Camera);
            run.publish("bob", "TR_2", TrackSource::Camera);

            run.event(&Event::Ended(reason));
            run.publish("carol", "TR_3", TrackSource::Camera);

            let ends = [format!("end 0 {status}"), format!("end 1 {status}")];
            assert_eq!(
                run.done(),
                ["start 0 TR_1", "start 1 TR_2", &ends[0], &ends[1], "leave"]
            );
        }
    }

    #[test]
    fn a_subscription_that_the_server_may_still_grant_is_waited_for() {
        let mut run = Run::new(Selection::Track("TR_1".into()));
        run.publish("alice", "TR_1", TrackSource::Camera);

        run.fail("TR_1", SubscriptionFailure::NotOffered(SECOND));
        assert_eq!(run.done(), ["start 0 TR_1"]);
        run.fail("TR_1", SubscriptionFailure::NotAllowed);

        assert_eq!(run.done(), ["end 0 Failed", "leave"]);
    }

    #[test]
    fn a_failed_sink_ends_its_own_recording_and_the_last_one_the_run() {
        let mut run = Run::new(Selection::All);
        run.publish("alice", "TR_1", TrackSource::Camera);
        run.publish("bob", "TR_2", TrackSource::Camera);

        run.follow.abort(RecordingId(0));
        assert_eq!(run.done(), ["start 0 TR_1", "start 1 TR_2", "end 0 Failed"]);
        run.follow.abort(RecordingId(1));

        assert_eq!(run.done(), ["end 1 Failed", "leave"]);
    }

    #[test]
    fn an_encrypted_track_is_refused() {
        let mut run = Run::new(Selection::Track("TR_1".into()));
        let mut encrypted = publication("alice", "TR_1", TrackSource::Camera);
        encrypted.is_encrypted = true;

        run.event(&Event::Published(encrypted));

        assert_eq!(run.done(), ["refuse TR_1", "leave"]);
    }

    struct Run {
        follow: Follow,
        now: Instant,
    }

    impl Run {
        fn new(selection: Selection) -> Self {
            let now = crate::clock::now();
            Self {
                follow: Follow::new(selection, SETTINGS, now),
                now,
            }
        }

        fn event(&mut self, event: &Event) {
            self.follow.handle_event(event, self.now);
        }

        fn publish(&mut self, identity: &str, sid: &str, source: TrackSource) {
            self.event(&Event::Published(publication(identity, sid, source)));
        }

        fn unpublish(&mut self, sid: &str, reason: UnpublishReason) {
            let track = sid.into();
            self.event(&Event::Unpublished { track, reason });
        }

        fn fail(&mut self, sid: &str, reason: SubscriptionFailure) {
            let track = sid.into();
            self.event(&Event::SubscriptionFailed { track, reason });
        }

        /// Lets time pass, with every timeout at its time.
        fn pass(&mut self, time: Duration) {
            let until = self.now + time;
            while let Some(at) = self.follow.poll_timeout().filter(|at| *at <= until) {
                self.follow.handle_timeout(at);
            }
            self.now = until;
        }

        /// What was to be done since the last call.
        fn done(&mut self) -> Vec<String> {
            let actions = std::iter::from_fn(|| self.follow.poll_action());
            let texts = actions.map(|action| match action {
                Action::Start(id, track) => format!("start {} {}", id.0, track.sid),
                Action::Retarget(id, track) => format!("retarget {} {}", id.0, track.sid),
                Action::Interrupt(id) => format!("interrupt {}", id.0),
                Action::End(id, ending) => format!("end {} {:?}", id.0, ending.status),
                Action::Refuse(track, _) => format!("refuse {}", track.sid),
                Action::Leave => "leave".to_owned(),
            });
            texts.collect()
        }
    }

    fn publication(identity: &str, sid: &str, source: TrackSource) -> Publication {
        Publication {
            sid: sid.into(),
            name: String::new(),
            kind: TrackKind::Audio,
            source,
            codec: None,
            is_muted: false,
            width: 0,
            height: 0,
            is_encrypted: false,
            publisher: Arc::new(Publisher {
                identity: identity.into(),
                sid: format!("PA_{identity}").into(),
                name: String::new(),
                kind: ParticipantKind::Standard,
            }),
        }
    }

    const SECOND: Duration = Duration::from_secs(1);
    const WINDOW: Duration = SETTINGS.return_window;
    const SETTINGS: Settings = Settings {
        wait: Duration::from_secs(30),
        duration: Some(Duration::from_secs(60)),
        return_window: Duration::from_secs(15),
    };
}
