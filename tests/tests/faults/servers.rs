//! The server vanishes without a word, dies, and comes back.

use std::net::SocketAddr;

use trackmill_room::room::SimulatedRoom;
use trackmill_room::simulation::{Config, Fault};
use trackmill_tests::passthrough::opus_runs;

use super::stage::{ROOM, Stage, impatient, sounds_otherwise};
use super::take::{only_take, total};

#[tokio::test]
async fn a_server_that_falls_silent_is_noticed_and_its_session_resumed() -> anyhow::Result<()> {
    let stage = Stage::of(impatient(), "opus.ogg").await?;
    let mut recorder = stage.recording().await?;
    let session = stage.recorder().await?.sid;

    stage.fault(Fault::Vanish).await?;
    recorder.says("the server has been silent for 2 s").await?;
    stage.fault(Fault::Return).await?;
    recorder.says("reconnected").await?;
    stage.sends(50).await?;
    assert_eq!(stage.recorder().await?.sid, session);
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    take.counts_what_is_missing(&stage.room.sent(&stage.sid).await?)?;
    assert_eq!(take.manifest.seams.count, 0);
    Ok(())
}

#[tokio::test]
async fn a_server_that_forgot_everything_is_joined_anew() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let mut recorder = stage.recording().await?;
    let session = stage.recorder().await?.sid;

    stage.fault(Fault::Restart).await?;
    recorder.says("reconnected").await?;
    stage.receives_again(&session).await?;
    let recorded = stage.end(recorder).await?;

    let sent = stage.room.sent(&stage.sid).await?;
    only_take(&recorded)?.goes_on_behind_a_seam(&sent)
}

#[tokio::test]
async fn a_server_that_died_and_came_back_is_recorded_into_the_same_file() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let address: SocketAddr = stage.room.url().trim_start_matches("ws://").parse()?;
    let mut recorder = stage.record_all()?;
    recorder.writes(1).await;

    let sid = stage.sid.clone();
    let died = stage.room.with(move |simulation, now| {
        simulation.fault(Fault::Vanish, now);
        simulation.sent(&sid)
    });
    let before = died.await??;
    stage.room.close().await;
    recorder.says("reconnecting").await?;
    let config = Config {
        seed: 2,
        ..Config::default()
    };
    let room = SimulatedRoom::start_at(config, address).await?;
    let sid = room.publish(ROOM, "alice", sounds_otherwise()?).await?;
    assert_ne!(sid, stage.sid);
    let stage = Stage { room, sid };
    recorder.says("reconnected").await?;
    stage.sends(100).await?;
    stage.unpublish(&stage.sid).await?;
    let recorded = recorder.stop().await?;

    let take = only_take(&recorded)?;
    let after = stage.room.sent(&stage.sid).await?;
    let sent = [before.clone(), after].concat();
    let runs = opus_runs(&take.path, &sent)?;
    assert_eq!(total(&runs), take.media_packets());
    assert!(
        runs.iter().any(|run| run.end == before.len()),
        "{runs:?}, {}",
        before.len()
    );
    assert_eq!(runs.last().unwrap().end, sent.len());
    assert_eq!(take.manifest.packets.lost, 0);
    assert_eq!(take.manifest.seams.count, 1);
    Ok(())
}
