//! Packets are lost, late, early or doubled, and the way to the server breaks.

use std::time::Duration;

use trackmill_room::network::{Conditions, Tally};
use trackmill_room::publisher::TrackSpec;
use trackmill_room::sfu::{Repair, SfuEvent};
use trackmill_room::simulation::{Config, Fault, Passage};
use trackmill_tests::media::track;

use super::stage::{ROOM, Stage, vp8};
use super::take::{only_take, takes};

#[tokio::test]
async fn what_the_network_loses_comes_again_on_request() -> anyhow::Result<()> {
    let tally = endures(Conditions {
        loss: 0.1,
        ..Conditions::default()
    })
    .await?;

    assert!(tally.lost > 0, "{tally:?}");
    Ok(())
}

#[tokio::test]
async fn packets_that_overtake_each_other_are_put_in_order() -> anyhow::Result<()> {
    let tally = endures(Conditions {
        reordered: 0.3,
        ..Conditions::default()
    })
    .await?;

    assert_eq!(tally.lost, 0);
    Ok(())
}

#[tokio::test]
async fn jitter_of_200_ms_neither_stretches_nor_tears_a_file() -> anyhow::Result<()> {
    let tally = endures(Conditions {
        jitter: Duration::from_millis(200),
        ..Conditions::default()
    })
    .await?;

    assert_eq!(tally.lost, 0);
    Ok(())
}

#[tokio::test]
async fn packets_that_come_twice_are_written_once() -> anyhow::Result<()> {
    let tally = endures(Conditions {
        duplicates: 0.5,
        ..Conditions::default()
    })
    .await?;

    assert!(tally.duplicated > 50, "{tally:?}");
    Ok(())
}

#[tokio::test]
async fn what_never_comes_again_is_counted_and_leaves_its_time_in_the_file() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let recorder = stage.recording().await?;

    stage.fault(Fault::Network(lossy(0.1))).await?;
    stage.fault(Fault::Repair(Repair::Impossible)).await?;
    stage.sends(75).await?;
    stage.fault(Fault::Network(Conditions::default())).await?;
    stage.sends(50).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    let missing = take.counts_what_is_missing(&stage.room.sent(&stage.sid).await?)?;
    assert!(missing > 0);
    assert_eq!(take.manifest.seams.count, 0);
    Ok(())
}

#[tokio::test]
async fn pictures_that_never_come_are_followed_by_a_keyframe_that_was_asked_for()
-> anyhow::Result<()> {
    let pictures = TrackSpec {
        media: vp8("320x180", 1_000)?,
        ..track("vp8.ivf")?
    };
    let stage = Stage::playing(Config::default(), pictures).await?;
    let recorder = stage.recording().await?;
    let before = stage.recorder().await?.events.len();

    stage.fault(Fault::Repair(Repair::Impossible)).await?;
    stage.fault(Fault::Network(lossy(0.5))).await?;
    stage.sends(40).await?;
    stage.fault(Fault::Network(Conditions::default())).await?;
    let asked = SfuEvent::KeyframeRequested(stage.sid.clone());
    stage
        .subscriber("a request for a keyframe", |subscriber| {
            subscriber.events[before..].contains(&asked)
        })
        .await;
    stage.sends(60).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    let sent = stage.room.sent(&stage.sid).await?;
    assert!(take.manifest.packets.lost > 0);
    assert_eq!(take.manifest.gaps.count > 0, take.manifest.packets.lost > 0);
    take.ends_with_pictures(&sent, 20)
}

#[tokio::test]
async fn a_second_without_udp_is_made_up_for() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let recorder = stage.recording().await?;

    stage.fault(Fault::Datagrams(Passage::Blocked)).await?;
    stage.sends(50).await?;
    stage.fault(Fault::Datagrams(Passage::Open)).await?;
    stage.sends(50).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    let sent = stage.room.sent(&stage.sid).await?;
    take.holds_all_sound(&sent)?;
    assert!(
        !recorded.stderr.contains("reconnecting"),
        "{}",
        recorded.stderr
    );
    Ok(())
}

/// Records sound and pictures through a network like that, which was not to be noticed in the
/// files; what the network did.
async fn endures(conditions: Conditions) -> anyhow::Result<Tally> {
    let stage = Stage::with("opus.ogg").await?;
    let camera = stage.publish("bob", "vp8.ivf").await?;
    let recorder = stage.record_all()?;
    recorder.writes(2).await;

    stage.fault(Fault::Network(conditions)).await?;
    stage.sends(75).await?;
    stage.fault(Fault::Network(Conditions::default())).await?;
    stage.sends(25).await?;
    stage.unpublish(&stage.sid).await?;
    stage.unpublish(&camera).await?;
    let recorded = recorder.stop().await?;

    let [sound, pictures] = &takes(&recorded)?[..] else {
        panic!("not two files in {ROOM}: {}", recorded.stderr);
    };
    sound.holds_all_sound(&stage.room.sent(&stage.sid).await?)?;
    pictures.holds_all_pictures(&stage.room.sent(&camera).await?)?;
    Ok(stage
        .room
        .with(|simulation, _| simulation.downlink())
        .await?)
}

fn lossy(loss: f64) -> Conditions {
    Conditions {
        loss,
        ..Conditions::default()
    }
}
