use std::sync::Arc;

use super::*;
use crate::media::{TrackKind, TrackSource};
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
fn t4_a_source_republished_before_the_old_track_is_gone_goes_on_in_its_file() {
    let mut run = Run::new(Selection::All);
    run.publish("alice", "TR_1", TrackSource::Microphone);

    run.publish("alice", "TR_2", TrackSource::Microphone);
    run.pass(OVERLAP - MS);
    run.unpublish("TR_1", UnpublishReason::Unpublished);
    run.pass(WINDOW);

    assert_eq!(run.done(), ["start 0 TR_1", "retarget 0 TR_2"]);
}

#[test]
fn a_second_track_of_a_source_that_goes_on_gets_a_file_of_its_own() {
    let mut run = Run::new(Selection::All);
    run.publish("alice", "TR_1", TrackSource::Microphone);

    run.publish("alice", "TR_2", TrackSource::Microphone);
    run.pass(OVERLAP);
    run.unpublish("TR_1", UnpublishReason::Unpublished);

    assert_eq!(run.done(), ["start 0 TR_1", "start 1 TR_2", "interrupt 0"]);
}

#[test]
fn a_republished_track_that_is_taken_back_meanwhile_is_forgotten() {
    let mut run = Run::new(Selection::All);
    run.publish("alice", "TR_1", TrackSource::Microphone);

    run.publish("alice", "TR_2", TrackSource::Microphone);
    run.unpublish("TR_2", UnpublishReason::Unpublished);
    run.unpublish("TR_1", UnpublishReason::Unpublished);
    run.pass(OVERLAP);

    assert_eq!(run.done(), ["start 0 TR_1", "interrupt 0"]);
}

#[test]
fn one_track_that_was_asked_for_ends_though_its_source_is_published_anew() {
    let mut run = Run::new(Selection::Track("TR_1".into()));
    run.publish("alice", "TR_1", TrackSource::Microphone);

    run.publish("alice", "TR_2", TrackSource::Microphone);
    run.unpublish("TR_1", UnpublishReason::Unpublished);

    assert_eq!(run.done(), ["start 0 TR_1", "end 0 Complete", "leave"]);
}

#[test]
fn a_track_that_is_announced_twice_is_recorded_once() {
    let mut run = Run::new(Selection::All);

    for sid in ["TR_1", "TR_1", "TR_2", "TR_2", "TR_1"] {
        run.publish("alice", sid, TrackSource::Microphone);
    }
    run.pass(OVERLAP);
    run.publish("alice", "TR_2", TrackSource::Microphone);

    assert_eq!(run.done(), ["start 0 TR_1", "start 1 TR_2"]);
}

#[test]
fn t4_a_track_that_is_back_under_its_old_sid_goes_on() {
    let mut run = Run::new(Selection::Track("TR_1".into()));
    run.publish("alice", "TR_1", TrackSource::Microphone);

    run.unpublish("TR_1", UnpublishReason::GoneMeanwhile);
    run.publish("alice", "TR_1", TrackSource::Microphone);
    run.pass(WINDOW);

    assert_eq!(
        run.done(),
        ["start 0 TR_1", "interrupt 0", "retarget 0 TR_1"]
    );
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

#[test]
fn a_recording_whose_server_has_had_enough_ends_as_it_should() {
    let mut run = Run::new(Selection::All);
    run.publish("alice", "TR_1", TrackSource::Microphone);
    run.end(0);
    run.publish("bob", "TR_2", TrackSource::Microphone);

    assert_eq!(
        run.done(),
        ["start 0 TR_1", "end 0 Complete", "start 1 TR_2"],
        "whoever records everything waits for more"
    );

    let mut run = Run::new(Selection::Track("TR_1".into()));
    run.publish("alice", "TR_1", TrackSource::Microphone);
    run.end(0);
    run.end(0);

    assert_eq!(run.done(), ["start 0 TR_1", "end 0 Complete", "leave"]);
}

#[test]
fn pictures_are_left_out_where_only_sound_is_taken_and_refused_where_they_are_named() {
    let settings = Settings {
        takes: Takes::Sound,
        ..SETTINGS
    };
    let mut run = Run::with(Selection::All, settings);
    run.event(&Event::Published(video("TR_1")));
    run.publish("alice", "TR_2", TrackSource::Microphone);
    assert_eq!(run.done(), ["leave out TR_1", "start 0 TR_2"]);

    let mut run = Run::with(Selection::Track("TR_1".into()), settings);
    run.event(&Event::Published(video("TR_1")));
    assert_eq!(run.done(), ["refuse TR_1", "leave"]);

    let alice = Selection::Participant {
        identity: "alice".into(),
        source: None,
    };
    let mut run = Run::with(alice, settings);
    run.event(&Event::Published(video("TR_1")));
    run.pass(SETTINGS.wait);
    assert_eq!(run.done(), ["leave out TR_1", "leave"]);
}

struct Run {
    follow: Follow,
    now: Instant,
}

impl Run {
    fn new(selection: Selection) -> Self {
        Self::with(selection, SETTINGS)
    }

    fn with(selection: Selection, settings: Settings) -> Self {
        let now = crate::clock::now();
        Self {
            follow: Follow::new(selection, settings, now),
            now,
        }
    }

    /// A recording ends by itself, as it should.
    fn end(&mut self, id: u64) {
        let ending = Ending::new(Status::Complete, "enough");
        self.follow.end(RecordingId(id), ending);
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
            Action::LeaveOut(track, _) => format!("leave out {}", track.sid),
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
            attributes: Arc::default(),
        }),
    }
}

fn video(sid: &str) -> Publication {
    Publication {
        kind: TrackKind::Video,
        ..publication("alice", sid, TrackSource::Camera)
    }
}

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const WINDOW: Duration = SETTINGS.return_window;
const SETTINGS: Settings = Settings {
    wait: Duration::from_secs(30),
    duration: Some(Duration::from_secs(60)),
    takes: Takes::Everything,
    return_window: Duration::from_secs(15),
};
