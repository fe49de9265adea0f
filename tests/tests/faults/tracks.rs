//! Tracks are muted, taken back, switched to another size or codec, and come on the line of another.

use std::time::Duration;

use trackmill::egress::manifest::SeamReason;
use trackmill_room::media::Media;
use trackmill_room::publisher::TrackSpec;
use trackmill_room::simulation::Config;
use trackmill_tests::media;
use trackmill_tests::passthrough::{
    elementary_stream, opus_packets, opus_runs, sent_slices, slices,
};
use trackmill_tests::{deadline, inspect, probe};

use super::stage::{ROOM, Stage, sounds_otherwise, vp8};
use super::take::{only_take, takes, total};

#[tokio::test]
async fn o4_silence_that_the_server_makes_up_is_never_in_the_file_and_its_time_is()
-> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let recorder = stage.recording().await?;

    let muted_at = stage.room.sent(&stage.sid).await?.len();
    stage.room.mute(&stage.sid).await?;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    stage.room.unmute(&stage.sid).await?;
    stage.sends(50).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    let sent = stage.room.sent(&stage.sid).await?;
    let runs = opus_runs(&take.path, &sent)?;
    let [before, after] = &runs[..] else {
        panic!("not two runs around a mute: {runs:?}");
    };
    assert!(before.end.abs_diff(muted_at) <= 2, "{runs:?}, {muted_at}");
    assert_eq!((before.end, after.end), (after.start, sent.len()));
    let made_up = |packet: &Vec<u8>| packet.starts_with(&[0xf8, 0xff, 0xfe]) && packet.len() > 3;
    assert!(!opus_packets(&take.path)?.iter().any(made_up));
    let manifest = &take.manifest;
    assert_eq!(manifest.packets.injected, 51 + 11);
    assert_eq!(take.media_packets(), total(&runs));
    assert_eq!((manifest.packets.lost, manifest.gaps.count), (0, 0));
    assert_eq!(manifest.mutes.count, 1);
    let mute = manifest.mutes.first[0];
    let muted_for = mute.to.saturating_sub(mute.from);
    assert!((1_400..2_000).contains(&muted_for.as_millis()), "{mute:?}");
    take.lasts(&sent[before.start..], Duration::from_millis(20))?;
    inspect::opusinfo(&take.path)?;
    Ok(())
}

/// More tracks than one participant takes: while others join, the first one has much to tell.
#[tokio::test]
async fn all_tracks_of_a_large_room_are_subscribed_to() -> anyhow::Result<()> {
    let rare = TrackSpec {
        speed: 0.01,
        ..media::track("opus.ogg")?
    };
    let stage = Stage::playing(Config::default(), rare.clone()).await?;
    for number in 1..TRACKS {
        let identity = format!("bob {number}");
        stage.room.publish(ROOM, &identity, rare.clone()).await?;
    }

    let recorder = stage.record_all()?;

    deadline::found(format!("{TRACKS} subscriptions"), async || {
        let subscribers = stage.room.subscribers().await.ok()?;
        let tracks = subscribers.iter().flat_map(|subscriber| &subscriber.tracks);
        (tracks.count() == TRACKS).then_some(())
    })
    .await;
    drop(recorder);
    Ok(())
}

#[tokio::test]
async fn v3_blank_pictures_of_the_server_are_never_in_the_file() -> anyhow::Result<()> {
    let stage = Stage::with("vp8.ivf").await?;
    let screen = stage.publish("bob", "h264.h264").await?;
    let recorder = stage.record_all()?;
    recorder.writes(2).await;

    stage.sends(30).await?;
    stage.unpublish(&stage.sid).await?;
    stage.unpublish(&screen).await?;
    let recorded = recorder.stop().await?;

    let [vp8, h264] = &takes(&recorded)?[..] else {
        panic!("not two files: {}", recorded.stderr);
    };
    vp8.holds_all_pictures(&stage.room.sent(&stage.sid).await?)?;
    let sent = sent_slices(&stage.room.sent(&screen).await?);
    let written = slices(&elementary_stream(&h264.path, "h264_mp4toannexb", "h264")?);
    assert!(
        sent.ends_with(&written),
        "{} pictures differ",
        written.len()
    );
    for take in [vp8, h264] {
        let manifest = &take.manifest;
        assert_eq!(manifest.packets.injected, 6, "{manifest:?}");
        let sizes = manifest.sizes.first.iter();
        let sizes: Vec<_> = sizes.map(|size| (size.width, size.height)).collect();
        assert_eq!(sizes, [(320, 180)]);
        assert_eq!(manifest.units.damaged + manifest.units.skipped, 0);
    }
    Ok(())
}

#[tokio::test]
async fn another_layer_begins_with_its_keyframe_and_its_size_is_in_the_manifest()
-> anyhow::Result<()> {
    let (small, large) = (vp8("160x90", 30)?, Media::open(media::path("vp8.ivf"))?);
    let stage = Stage::with("vp8.ivf").await?;
    let recorder = stage.recording().await?;
    let sid = stage.sid.clone();

    switch(&stage, small).await?;
    stage.sends(40).await?;
    switch(&stage, large).await?;
    stage.sends(40).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    take.holds_all_pictures(&stage.room.sent(&sid).await?)?;
    let sizes = take.manifest.sizes.first.iter();
    let sizes: Vec<_> = sizes.map(|size| (size.width, size.height)).collect();
    assert_eq!(sizes, [(320, 180), (160, 90), (320, 180)]);
    assert_eq!(take.manifest.units.before_keyframe, 0);
    assert_eq!(probe::last_picture(&take.path)?, (320, 180));
    inspect::mkvinfo(&take.path)?;
    Ok(())
}

#[tokio::test]
async fn another_codec_in_mid_stream_gets_a_file_of_its_own() -> anyhow::Result<()> {
    let fallback = Media::open(media::path("h264.h264"))?;
    let stage = Stage::with("vp8.ivf").await?;
    let recorder = stage.recording().await?;

    let before = stage.room.sent(&stage.sid).await?.len();
    switch(&stage, fallback).await?;
    stage.sends(60).await?;
    let recorded = stage.end(recorder).await?;

    let [h264, vp8] = &takes(&recorded)?[..] else {
        panic!("not two files: {}", recorded.stderr);
    };
    let sent = stage.room.sent(&stage.sid).await?;
    // The last packets of VP8 left between the count and the switch.
    let is_h264 = |packet: &[u8]| packet.first().is_some_and(|header| header & 0x1f == STAP_A);
    let seam = sent[before..]
        .iter()
        .position(|sent| is_h264(&sent.payload));
    let (of_vp8, of_h264) = sent.split_at(before + seam.unwrap());
    vp8.holds_all_pictures(of_vp8)?;
    let written = slices(&elementary_stream(&h264.path, "h264_mp4toannexb", "h264")?);
    assert_eq!(written, sent_slices(of_h264));
    let codec = |take: &super::take::Take| take.manifest.subject.clone().unwrap().codec;
    assert_eq!((codec(vp8), codec(h264)), ("vp8".into(), "h264".into()));
    let lost = vp8.manifest.packets.lost + h264.manifest.packets.lost;
    assert_eq!(lost, 0);
    Ok(())
}

#[tokio::test]
async fn a_track_on_the_line_of_one_that_is_gone_gets_its_own_file() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let recorder = stage.record_all()?;
    recorder.writes(1).await;

    stage.unpublish(&stage.sid).await?;
    let bob = stage.publish("bob", "opus.ogg").await?;
    recorder.writes(2).await;
    stage.unpublish(&bob).await?;
    let offers = stage.recorder().await?.offers;
    let recorded = recorder.stop().await?;

    let lines = offers.iter().map(|offer| offer.matches("m=audio").count());
    assert_eq!(lines.max(), Some(1));
    assert!(offers.iter().any(|offer| offer.contains(&stage.sid.0)));
    assert!(offers.iter().any(|offer| offer.contains(&bob.0)));
    let [of_alice, of_bob] = &takes(&recorded)?[..] else {
        panic!("not two files: {}", recorded.stderr);
    };
    of_alice.holds_all_sound(&stage.room.sent(&stage.sid).await?)?;
    of_bob.holds_all_sound(&stage.room.sent(&bob).await?)
}

#[tokio::test]
async fn t4_a_track_published_again_goes_on_in_the_same_file_on_the_same_line() -> anyhow::Result<()>
{
    let stage = Stage::with("opus.ogg").await?;
    let recorder = stage.record_all()?;
    recorder.writes(1).await;

    stage.unpublish(&stage.sid).await?;
    let again = stage
        .room
        .publish(ROOM, "alice", sounds_otherwise()?)
        .await?;
    stage.sends_of(&again, 75).await?;
    stage.unpublish(&again).await?;
    let recorded = recorder.stop().await?;

    let take = only_take(&recorded)?;
    let first = stage.room.sent(&stage.sid).await?;
    let sent = [first.clone(), stage.room.sent(&again).await?].concat();
    let runs = opus_runs(&take.path, &sent)?;
    assert_eq!(total(&runs), take.media_packets());
    assert_eq!(runs.last().unwrap().end, sent.len());
    assert!(
        runs.iter().any(|run| run.end == first.len()),
        "{runs:?}, {}",
        first.len()
    );
    let seams = &take.manifest.seams.first;
    assert_eq!(seams.len(), 1, "{seams:?}");
    assert_eq!(seams[0].reason, SeamReason::Republished);
    assert_eq!(take.manifest.packets.lost, 0);
    Ok(())
}

async fn switch(stage: &Stage, media: Media) -> anyhow::Result<()> {
    let sid = stage.sid.clone();
    let switched = stage
        .room
        .with(move |simulation, _| simulation.switch(&sid, media));
    Ok(switched.await??)
}

/// A NAL unit that holds several (RFC 6184 §5.7.1): parameter sets in our clip.
const STAP_A: u8 = 24;

/// Those of ten participants.
const TRACKS: usize = 500;
