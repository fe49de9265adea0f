use super::*;
use crate::media::Attributes;

#[test]
fn updates_tell_of_tracks_mutes_and_departures() {
    let mut bench = Bench::in_room();
    let mut muted = participant("alice", "PA_alice", &["TR_mic", "TR_new"]);
    muted.version = 2;
    muted.tracks[0].is_muted = true;
    let mut gone = participant("alice", "PA_alice", &[]);
    gone.has_left = true;

    let changed = bench.message(ServerMessage::ParticipantUpdate(vec![muted.clone()]));
    let again = bench.message(ServerMessage::ParticipantUpdate(vec![muted.clone()]));
    let left = bench.message(ServerMessage::ParticipantUpdate(vec![gone]));

    let unpublished = |track: &str, reason| Event::Unpublished {
        track: track.into(),
        reason,
    };
    assert_eq!(
        events(&changed),
        [
            unpublished("TR_cam", UnpublishReason::Unpublished),
            Event::Muted {
                track: "TR_mic".into(),
                is_muted: true
            },
            Event::Published(muted.tracks[1].clone()),
        ]
    );
    assert!(again.is_empty());
    assert_eq!(
        events(&left),
        [
            unpublished("TR_mic", UnpublishReason::ParticipantLeft),
            unpublished("TR_new", UnpublishReason::ParticipantLeft),
            Event::ParticipantLeft {
                identity: "alice".into(),
                participant: "PA_alice".into()
            },
        ]
    );
}

#[test]
fn changed_attributes_are_told_by_each_track_that_was_there() {
    let mut bench = Bench::in_room();
    let mut changed = participant("alice", "PA_alice", &["TR_cam", "TR_new"]);
    let attributes = Arc::new(Attributes::from([("language".to_owned(), "de".to_owned())]));
    changed.publisher = Arc::new(Publisher {
        attributes: Arc::clone(&attributes),
        ..(*changed.publisher).clone()
    });

    let once = bench.message(ServerMessage::ParticipantUpdate(vec![changed.clone()]));
    let again = bench.message(ServerMessage::ParticipantUpdate(vec![changed]));

    let told = events(&once)
        .into_iter()
        .filter(|event| matches!(event, Event::AttributesChanged { .. }));
    let track = "TR_cam".into();
    let expected = Event::AttributesChanged { track, attributes };
    assert_eq!(told.collect::<Vec<_>>(), [expected]);
    assert!(again.is_empty());
}

#[test]
fn an_update_that_was_overtaken_is_ignored() {
    let mut bench = Bench::in_room();
    let mut newer = participant("alice", "PA_alice", &["TR_mic"]);
    newer.version = 7;
    let mut older = alice();
    older.version = 6;

    bench.message(ServerMessage::ParticipantUpdate(vec![newer]));
    let outputs = bench.message(ServerMessage::ParticipantUpdate(vec![older]));

    assert!(outputs.is_empty());
}

#[test]
fn a_pause_for_lack_of_bandwidth_is_told() {
    let mut bench = Bench::in_room();

    let state = crate::signal::message::StreamState {
        track: "TR_cam".into(),
        is_paused: true,
    };
    let outputs = bench.message(ServerMessage::StreamState(vec![state]));

    let track = "TR_cam".into();
    let is_paused = true;
    assert_eq!(events(&outputs), [Event::Paused { track, is_paused }]);
}

#[test]
fn a_message_that_cannot_be_read_is_told_and_changes_nothing() {
    let mut bench = Bench::in_room();

    let error = ServerMessage::decode(&[0xff]).expect_err("garbage");
    let outputs = bench.message(ServerMessage::Unreadable(error));

    assert!(matches!(&events(&outputs)[..], [Event::Ignored { .. }]));
    assert!(!bench.session.is_over());
}
