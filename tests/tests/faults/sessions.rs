//! Signalling breaks, speaks nonsense, or sends the recorder away.

use futures_util::future::try_join_all;
use livekit_protocol::DisconnectReason;
use livekit_protocol::leave_request::Action;
use trackmill_room::simulation::{Fault, Passage, Resume};
use trackmill_tests::recorder::Recorded;

use super::stage::Stage;
use super::take::only_take;

#[tokio::test]
async fn a_dropped_signal_connection_is_resumed_without_a_gap() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let mut recorder = stage.recording().await?;
    let session = stage.recorder().await?.sid;

    for _ in 0..2 {
        stage.fault(Fault::DropSignal).await?;
        recorder.says("reconnected").await?;
        stage.sends(25).await?;
    }
    assert_eq!(stage.recorder().await?.sid, session);
    let recorded = stage.end(recorder).await?;

    let sent = stage.room.sent(&stage.sid).await?;
    only_take(&recorded)?.holds_all_sound(&sent)
}

#[tokio::test]
async fn a_session_that_cannot_be_resumed_goes_on_as_another_in_the_same_file() -> anyhow::Result<()>
{
    let stage = Stage::with("opus.ogg").await?;
    let mut recorder = stage.recording().await?;
    let session = stage.recorder().await?.sid;

    stage.fault(Fault::Resume(Resume::Refused)).await?;
    stage.fault(Fault::DropSignal).await?;
    recorder.says("reconnected").await?;
    stage.receives_again(&session).await?;
    let recorded = stage.end(recorder).await?;

    let sent = stage.room.sent(&stage.sid).await?;
    only_take(&recorded)?.goes_on_behind_a_seam(&sent)
}

#[tokio::test]
async fn a_leave_that_asks_to_resume_costs_nothing() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let mut recorder = stage.recording().await?;

    let reason = DisconnectReason::ServerShutdown;
    stage.fault(Fault::Leave(Action::Resume, reason)).await?;
    recorder.says("reconnected").await?;
    stage.sends(25).await?;
    let recorded = stage.end(recorder).await?;

    let sent = stage.room.sent(&stage.sid).await?;
    only_take(&recorded)?.holds_all_sound(&sent)
}

#[tokio::test]
async fn a_leave_that_asks_to_reconnect_leaves_a_seam() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let mut recorder = stage.recording().await?;
    let session = stage.recorder().await?.sid;

    let reason = DisconnectReason::ServerShutdown;
    stage.fault(Fault::Leave(Action::Reconnect, reason)).await?;
    recorder.says("ServerShutdown").await?;
    recorder.says("reconnected").await?;
    stage.receives_again(&session).await?;
    let recorded = stage.end(recorder).await?;

    let sent = stage.room.sent(&stage.sid).await?;
    only_take(&recorded)?.goes_on_behind_a_seam(&sent)
}

#[tokio::test]
async fn a_leave_for_good_ends_the_recording_as_its_reason_says() -> anyhow::Result<()> {
    let cases = [
        (DisconnectReason::RoomClosed, 0, "the room was closed"),
        (DisconnectReason::RoomDeleted, 0, "the room was deleted"),
        (
            DisconnectReason::ParticipantRemoved,
            1,
            "removed the recorder",
        ),
        (
            DisconnectReason::DuplicateIdentity,
            1,
            "recorder's identity",
        ),
        (
            DisconnectReason::UnknownReason,
            1,
            "the server ended the session",
        ),
    ];

    let ended = try_join_all(cases.map(|(reason, ..)| dismissed(reason))).await?;

    for ((reason, code, text), recorded) in cases.into_iter().zip(ended) {
        let stderr = recorded.stderr;
        assert_eq!(recorded.code, Some(code), "{reason:?}: {stderr}");
        assert!(stderr.contains(text), "{reason:?}: {stderr}");
        assert!(stderr.contains("wrote "), "{reason:?}: {stderr}");
    }
    Ok(())
}

#[tokio::test]
async fn a_leave_for_good_whose_reason_may_pass_is_no_end() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let mut recorder = stage.recording().await?;
    let session = stage.recorder().await?.sid;

    let reason = DisconnectReason::ServerShutdown;
    stage
        .fault(Fault::Leave(Action::Disconnect, reason))
        .await?;
    recorder.says("reconnected").await?;
    stage.receives_again(&session).await?;
    let recorded = stage.end(recorder).await?;

    let sent = stage.room.sent(&stage.sid).await?;
    only_take(&recorded)?.goes_on_behind_a_seam(&sent)
}

#[tokio::test]
async fn a_leave_in_place_of_a_welcome_is_no_end() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let leave = (Action::Reconnect, DisconnectReason::ServerShutdown);
    stage.fault(Fault::TurnAway(Some(leave))).await?;

    let mut recorder = stage.record_track()?;
    recorder
        .says("reconnecting: the server asked for it")
        .await?;
    stage.fault(Fault::TurnAway(None)).await?;
    recorder.writes(1).await;
    let recorded = stage.end(recorder).await?;

    let sent = stage.room.sent(&stage.sid).await?;
    only_take(&recorded)?.holds_all_sound(&sent)
}

#[tokio::test]
async fn a_leave_while_connecting_begins_anew_or_ends_as_it_says() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    stage.fault(Fault::Datagrams(Passage::Blocked)).await?;
    let mut recorder = stage.record_track()?;
    let connecting = stage.subscriber("an offer", |subscriber| !subscriber.offers.is_empty());
    connecting.await;

    let reason = DisconnectReason::ServerShutdown;
    stage.fault(Fault::Leave(Action::Reconnect, reason)).await?;
    recorder.says("reconnecting").await?;
    stage.fault(Fault::Datagrams(Passage::Open)).await?;
    recorder.writes(1).await;
    let recorded = stage.end(recorder).await?;

    let sent = stage.room.sent(&stage.sid).await?;
    only_take(&recorded)?.holds_all_sound(&sent)
}

#[tokio::test]
async fn who_is_removed_while_connecting_has_recorded_nothing() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    stage.fault(Fault::Datagrams(Passage::Blocked)).await?;
    let recorder = stage.record_track()?;
    let connecting = stage.subscriber("an offer", |subscriber| !subscriber.offers.is_empty());
    connecting.await;

    let reason = DisconnectReason::ParticipantRemoved;
    stage
        .fault(Fault::Leave(Action::Disconnect, reason))
        .await?;
    let recorded = recorder.end().await?;

    assert_eq!(recorded.code, Some(1), "{}", recorded.stderr);
    assert!(
        recorded.stderr.contains("removed the recorder"),
        "{}",
        recorded.stderr
    );
    assert_eq!(std::fs::read_dir(recorded.folder())?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn nonsense_from_the_server_is_ignored() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let recorder = stage.recording().await?;
    let session = stage.recorder().await?;

    for _ in 0..10 {
        stage.fault(Fault::Garbage).await?;
        stage.fault(Fault::Truncated).await?;
    }
    stage.sends(50).await?;
    let after = stage.recorder().await?;
    let recorded = stage.end(recorder).await?;

    assert_eq!((session.sid, session.offers), (after.sid, after.offers));
    assert!(
        !recorded.stderr.contains("reconnecting"),
        "{}",
        recorded.stderr
    );
    let sent = stage.room.sent(&stage.sid).await?;
    only_take(&recorded)?.holds_all_sound(&sent)
}

#[tokio::test]
async fn a_recorder_says_goodbye_whatever_ends_it() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let recorder = stage.recording().await?;

    recorder.stop().await?.complete()?;

    assert!(stage.room.subscribers().await?.is_empty());
    Ok(())
}

/// What becomes of a recording whose server says that it is over.
async fn dismissed(reason: DisconnectReason) -> anyhow::Result<Recorded> {
    let stage = Stage::with("opus.ogg").await?;
    let recorder = stage.recording().await?;
    stage
        .fault(Fault::Leave(Action::Disconnect, reason))
        .await?;
    recorder.end().await
}
