//! What our own publisher sends through livekit-server is in the files, bit by bit.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::time::sleep;
use trackmill::clock;
use trackmill_room::publisher::SentPacket;
use trackmill_tests::passthrough::{
    elementary_stream, ivf_frames, lasts_as_sent, opus_runs, pictures, sent_slices, slices,
};
use trackmill_tests::{inspect, probe};

use crate::support::ON_THE_WAY;
use crate::take::Take;

#[tokio::test]
async fn every_opus_packet_is_in_the_file_and_fillers_only_where_it_was_muted() -> anyhow::Result<()>
{
    let take = Take::begin("opus", "opus.ogg").await?;
    let Take { publisher, sid, .. } = &take;

    take.send(100).await?;
    take.settle().await?;
    publisher.mute(sid).await?;
    let before_mute = take.sent().await?.len();
    sleep(MUTE).await;
    publisher.unmute(sid).await?;
    sleep(ON_THE_WAY).await;
    publisher.release(sid).await?;
    take.send(100).await?;
    take.settle().await?;
    let (recorded, sent) = take.unpublish().await?;

    let file = recorded.only_file()?;
    let runs = opus_runs(&file, &sent)?;
    let [before, after] = &runs[..] else {
        panic!("not two runs around a mute: {runs:?}");
    };
    assert_eq!(before.end, before_mute);
    assert_eq!(*after, before_mute..sent.len());
    lasts_as_sent(&file, &sent[before.start..])?;
    inspect::opusinfo(&file)?;
    probe::decode(&file)?;
    Ok(())
}

#[tokio::test]
async fn a_mute_in_full_flow_costs_only_what_the_server_drops() -> anyhow::Result<()> {
    let take = Take::begin("flow", "opus.ogg").await?;
    let Take { publisher, sid, .. } = &take;

    take.send(50).await?;
    let muted_at = clock::wall();
    publisher.mute(sid).await?;
    sleep(MUTE).await;
    publisher.unmute(sid).await?;
    let unmuted_at = clock::wall();
    take.send(50).await?;
    let unpublished_at = clock::wall();
    let (recorded, sent) = take.unpublish().await?;

    let runs = opus_runs(&recorded.only_file()?, &sent)?;
    let [before, after] = &runs[..] else {
        panic!("not two runs around a mute: {runs:?}");
    };
    let count = |until: SystemTime| sent.iter().filter(|packet| packet.at < until).count();
    assert!(before.end >= count(muted_at - ON_THE_WAY), "{runs:?}");
    assert!(after.start <= count(unmuted_at + ON_THE_WAY), "{runs:?}");
    assert!(after.end >= count(unpublished_at - ON_THE_WAY), "{runs:?}");
    // What the server sent is in the file, to the packet.
    let manifest: Value = serde_json::from_str(&recorded.stdout)?;
    let packets = |what: &str| manifest["packets"][what].as_u64();
    let forwarded = packets("received").zip(packets("injected"));
    let forwarded = forwarded.map(|(received, injected)| received - injected);
    assert_eq!(forwarded, Some((before.len() + after.len()) as u64));
    assert_eq!(packets("lost"), Some(0), "{manifest}");
    Ok(())
}

#[tokio::test]
async fn every_vp8_frame_from_the_first_keyframe_on_is_in_the_file() -> anyhow::Result<()> {
    let take = Take::begin("vp8", "vp8.ivf").await?;

    take.send(200).await?;
    take.settle().await?;
    let (recorded, packets) = take.unpublish().await?;

    let file = recorded.only_file()?;
    // One byte of payload descriptor, RFC 7741 §4.2: the clip has no picture ids.
    let sent = pictures(&packets, |payload| payload[1..].to_vec());
    let frames = ivf_frames(&file)?;
    assert!(frames.len() > 90, "{} frames", frames.len());
    assert!(
        sent.ends_with(&frames),
        "{} frames differ from the last sent",
        frames.len()
    );
    lasts_as_sent(&file, last_pictures(&packets, frames.len()))?;
    inspect::mkvinfo(&file)?;
    probe::decode(&file)?;
    Ok(())
}

#[tokio::test]
async fn every_h264_picture_from_the_first_keyframe_on_is_in_the_file() -> anyhow::Result<()> {
    let take = Take::begin("h264", "h264.h264").await?;

    take.send(200).await?;
    take.settle().await?;
    let (recorded, packets) = take.unpublish().await?;

    let file = recorded.only_file()?;
    let sent = sent_slices(&packets);
    let recorded = slices(&elementary_stream(&file, "h264_mp4toannexb", "h264")?);
    assert!(recorded.len() > 90, "{} pictures", recorded.len());
    assert!(
        sent.ends_with(&recorded),
        "{} pictures differ from the last sent",
        recorded.len()
    );
    lasts_as_sent(&file, last_pictures(&packets, recorded.len()))?;
    probe::mediainfo(&file)?;
    probe::decode(&file)?;
    Ok(())
}

/// The packets from the beginning of the last `count` pictures on.
fn last_pictures(packets: &[SentPacket], count: usize) -> &[SentPacket] {
    let pictures = packets.split_inclusive(|packet| packet.marker);
    let kept: usize = pictures.rev().take(count).map(<[_]>::len).sum();
    packets.split_at(packets.len() - kept).1
}

/// Longer than the second of silence that the server makes up.
const MUTE: Duration = Duration::from_millis(1_500);
