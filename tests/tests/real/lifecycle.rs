//! Tracks and participants come and go; recordings follow.

use std::time::Duration;

use tokio::time::sleep;
use trackmill_room::publisher::{Publisher, Source, TrackSid, TrackSpec};
use trackmill_tests::media::track;
use trackmill_tests::passthrough::{ivf_frames, lasts, lasts_as_sent, opus_packets, opus_runs};
use trackmill_tests::recorder::{Recorded, Recorder};
use trackmill_tests::servers::LiveKit;
use trackmill_tests::{inspect, probe};

use crate::support::{ON_THE_WAY, send, settle};
use crate::take::Take;

#[tokio::test]
async fn a_track_published_again_goes_on_in_the_same_file() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let publisher = Publisher::join(&server, "republish", "alice").await?;
    let options = ["--all", "--log", "trackmill=debug"];
    let mut recorder = Recorder::record(&server, "republish", &options)?;
    let before = publisher.publish(track("opus.ogg")?).await?;
    recorder.writes(1).await;

    send(&publisher, &before, 50).await?;
    settle(&publisher, &before).await?;
    publisher.unpublish(&before).await?;
    recorder.says("Unpublished").await?;
    let after = publisher.publish(track("opus.ogg")?).await?;
    send(&publisher, &after, 100).await?;
    settle(&publisher, &after).await?;
    publisher.unpublish(&after).await?;
    recorder.says("Unpublished").await?;
    let recorded = recorder.stop().await?;

    goes_on(&recorded, &publisher, [&before, &after]).await
}

#[tokio::test]
async fn a_track_published_again_before_it_is_taken_back_goes_on_in_the_same_file()
-> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let publisher = Publisher::join(&server, "overlap", "alice").await?;
    let recorder = Recorder::record(&server, "overlap", &["--all"])?;
    let before = publisher.publish(track("opus.ogg")?).await?;
    recorder.writes(1).await;

    send(&publisher, &before, 50).await?;
    settle(&publisher, &before).await?;
    let after = publisher.publish(track("opus.ogg")?).await?;
    publisher.unpublish(&before).await?;
    send(&publisher, &after, 100).await?;
    settle(&publisher, &after).await?;
    let recorded = recorder.stop().await?;

    goes_on(&recorded, &publisher, [&before, &after]).await
}

#[tokio::test]
async fn a_track_published_later_gets_a_file_of_its_own() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let publisher = Publisher::join(&server, "later", "alice").await?;
    let recorder = Recorder::record(&server, "later", &["--all"])?;
    let audio = publisher.publish(track("opus.ogg")?).await?;
    recorder.writes(1).await;

    let video = publisher.publish(track("vp8.ivf")?).await?;
    recorder.writes(2).await;
    send(&publisher, &video, 100).await?;
    let recorded = recorder.stop().await?;

    let [camera, microphone] = &recorded.complete()?[..] else {
        panic!("{:?}: {}", recorded.complete()?, recorded.stderr);
    };
    assert!(camera.ends_with(format!("alice-camera-{video}.webm")));
    assert!(microphone.ends_with(format!("alice-microphone-{audio}.ogg")));
    assert!(ivf_frames(camera)?.len() > 60);
    probe::decode(microphone)?;
    Ok(())
}

#[tokio::test]
async fn twenty_tracks_are_recorded_at_once_without_losing_a_packet() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let publisher = Publisher::join(&server, "twenty", "alice").await?;
    let names = (0..20).map(|number| format!("microphone {number}"));
    let tracks: Vec<TrackSpec> = names
        .map(|name| {
            Ok(TrackSpec {
                name,
                ..track("opus.ogg")?
            })
        })
        .collect::<anyhow::Result<_>>()?;
    let sids = publisher.publish_all(tracks).await?;
    let recorder = Recorder::record(&server, "twenty", &["--all"])?;
    recorder.writes(20).await;

    send(&publisher, &sids[19], 100).await?;
    for sid in &sids {
        publisher.hold(sid).await?;
    }
    sleep(ON_THE_WAY).await;
    let recorded = recorder.stop().await?;

    assert_eq!(recorded.complete()?.len(), 20);
    for sid in &sids {
        let file = recorded
            .folder()
            .join(format!("alice-microphone-{sid}.ogg"));
        let sent = publisher.sent(sid).await?;
        let runs = opus_runs(&file, &sent)?;
        let [all] = &runs[..] else {
            panic!("{sid} has holes: {runs:?} of {}", sent.len());
        };
        assert!(all.len() > 100, "{sid}: {all:?}");
        assert_eq!(all.end, sent.len(), "{sid}");
        lasts_as_sent(&file, &sent[all.start..])?;
    }
    Ok(())
}

#[tokio::test]
async fn a_participant_who_vanishes_ends_the_recording_of_his_track() -> anyhow::Result<()> {
    let take = Take::begin("vanish", "opus.ogg").await?;

    take.send(50).await?;
    let sent = take.sent().await?;
    drop(take.publisher);
    let recorded = take.recorder.end().await?;

    let packets = opus_packets(&recorded.only_file()?)?;
    let last = &sent.last().unwrap().payload;
    assert!(packets.iter().any(|packet| packet == last));
    assert!(recorded.stderr.contains("left"), "{}", recorded.stderr);
    Ok(())
}

#[tokio::test]
async fn one_source_of_one_participant_is_recorded_and_nothing_else() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let alice = Publisher::join(&server, "source", "alice").await?;
    let bob = Publisher::join(&server, "source", "bob").await?;
    let screen = TrackSpec {
        source: Source::ScreenShareAudio,
        ..track("opus.ogg")?
    };
    let tracks = vec![track("vp8.ivf")?, screen, track("opus.ogg")?];
    let sids = alice.publish_all(tracks).await?;
    bob.publish(track("opus.ogg")?).await?;

    let options = [
        "--participant",
        "alice",
        "--source",
        "microphone",
        "--duration",
        "2s",
    ];
    let recorded = Recorder::record(&server, "source", &options)?.end().await?;

    let file = recorded.only_file()?;
    assert!(file.ends_with(format!("alice-microphone-{}.ogg", sids[2])));
    let sent = alice.sent(&sids[2]).await?;
    let packets = opus_packets(&file)?;
    let first = sent
        .iter()
        .position(|sent| sent.payload == packets[0])
        .unwrap();
    lasts_as_sent(&file, &sent[first..][..packets.len()])?;
    // From its first packet on, as it was told.
    lasts(&file, Duration::from_secs(2))
}

#[tokio::test]
async fn a_token_is_as_good_as_a_key() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let publisher = Publisher::join(&server, "token", "alice").await?;
    publisher.publish(track("opus.ogg")?).await?;
    let token = server.token("token", "recorder", trackmill_room::signal::Grant::Record)?;

    let access = ["--url", &server.url, "--token", &token];
    let options = [&access[..], &["--all", "--duration", "1s"]].concat();
    let recorded = Recorder::start(&options)?.end().await?;

    probe::decode(&recorded.only_file()?)?;
    Ok(())
}

#[tokio::test]
async fn nobody_in_the_room_is_exit_code_3_after_the_wait() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;

    let options = ["--all", "--wait", "1s"];
    let recorded = Recorder::record(&livekit.server(), "nobody", &options)?
        .end()
        .await?;

    assert_eq!(recorded.code, Some(3), "{}", recorded.stderr);
    assert!(recorded.stderr.contains("--wait"), "{}", recorded.stderr);
    Ok(())
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_leaves_what_recovery_can_use() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let publisher = Publisher::join(&server, "hurry", "alice").await?;
    publisher.publish(track("opus.ogg")?).await?;
    let recorder = Recorder::record(&server, "hurry", &["--all"])?;
    recorder.writes(1).await;

    recorder.signal(&["INT", "TERM"])?;
    let recorded = recorder.end().await?;

    assert_eq!(recorded.code, Some(1), "{}", recorded.stderr);
    assert!(
        recorded.stderr.contains("trackmill recover"),
        "{}",
        recorded.stderr
    );
    Ok(())
}

/// Fails unless the only file holds what was sent of two tracks of the same source, the second
/// behind the first, at the time at which it was sent.
///
/// The seam is where the first packet of the second stream arrived (media.md T4): sender reports
/// come three seconds apart, and the sound is written by then.
async fn goes_on(
    recorded: &Recorded,
    publisher: &Publisher,
    [before, after]: [&TrackSid; 2],
) -> anyhow::Result<()> {
    let file = recorded.only_file()?;
    let sent_before = publisher.sent(before).await?;
    let sent_after = publisher.sent(after).await?;
    let seam = sent_before.len();
    let sent = [sent_before, sent_after].concat();
    let runs = opus_runs(&file, &sent)?;
    let [first, second] = &runs[..] else {
        panic!("not two runs around a seam: {runs:?}");
    };
    assert_eq!(first.end, seam);
    assert_eq!(second.end, sent.len());
    lasts_as_sent(&file, sent.split_at(first.start).1)?;
    inspect::opusinfo(&file)?;
    probe::decode(&file)?;
    Ok(())
}
