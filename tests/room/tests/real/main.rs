//! The publisher against a real livekit-server, which the tests start and stop themselves.

mod listener;
mod server;

use std::time::Duration;

use bytes::Bytes;
use listener::Listener;
use server::LiveKit;
use trackmill_room::media::{Codec, Media};
use trackmill_room::publisher::{History, Publisher, Source, TrackSid, TrackSpec};

#[tokio::test]
async fn payloads_pass_the_real_server_unchanged() {
    let livekit = LiveKit::start().await;
    let publisher = publisher(&livekit, "unchanged").await;
    let specs = [Codec::Opus, Codec::Vp8, Codec::H264].map(spec);
    let sids = publisher.publish_all(specs.to_vec()).await.unwrap();

    let mut listener = Listener::join(livekit.address(), "unchanged").await;
    listener.subscribe(&sids).await;
    listener.listen(Duration::from_secs(7)).await;

    for sid in &sids {
        let received = listener.payloads(sid);
        let sent = payloads(&publisher, sid).await;
        assert!(received.len() > 100, "{sid}: {}", received.len());
        assert!(contains(&sent, &received), "{sid}");
    }
    publisher.leave().await.unwrap();
}

#[tokio::test]
async fn a_muted_track_is_replaced_by_silence_and_comes_back() {
    let livekit = LiveKit::start().await;
    let publisher = publisher(&livekit, "muted").await;
    let sid = publisher.publish(spec(Codec::Opus)).await.unwrap();
    let mut listener = Listener::join(livekit.address(), "muted").await;
    listener.subscribe(std::slice::from_ref(&sid)).await;
    listener.listen(Duration::from_secs(2)).await;

    publisher.mute(&sid).await.unwrap();
    listener.listen(Duration::from_secs(3)).await;
    let muted = listener.payloads(&sid);
    publisher.unmute(&sid).await.unwrap();
    listener.listen(Duration::from_secs(2)).await;

    let silence = muted.iter().filter(|payload| is_silence(payload)).count();
    assert_eq!(silence, 51);
    let after = listener.payloads(&sid).split_off(muted.len());
    let sent = payloads(&publisher, &sid).await;
    assert!(
        after.len() > 50 && contains(&sent, &after),
        "{}",
        after.len()
    );
}

#[tokio::test]
async fn fifty_tracks_of_one_publisher_all_play() {
    let livekit = LiveKit::start().await;
    let publisher = publisher(&livekit, "many").await;

    let specs = vec![spec(Codec::Opus); 50];
    let sids = publisher.publish_all(specs).await.unwrap();
    let mut listener = Listener::join(livekit.address(), "many").await;
    listener.subscribe(&sids).await;
    listener.listen(Duration::from_secs(3)).await;

    for sid in &sids {
        assert!(listener.payloads(sid).len() > 50, "{sid}");
    }
}

#[tokio::test]
async fn an_unpublished_track_is_unknown_to_those_who_join_later() {
    let livekit = LiveKit::start().await;
    let publisher = publisher(&livekit, "unpublished").await;
    let kept = publisher.publish(spec(Codec::Opus)).await.unwrap();
    let gone = publisher.publish(spec(Codec::Vp8)).await.unwrap();

    publisher.unpublish(&gone).await.unwrap();
    let mut listener = Listener::join(livekit.address(), "unpublished").await;
    listener.subscribe(&[kept.clone(), gone.clone()]).await;
    listener.listen(Duration::from_secs(2)).await;

    assert_eq!(listener.published(), [kept]);
    assert!(listener.payloads(&gone).is_empty());
}

async fn publisher(livekit: &LiveKit, room: &str) -> Publisher {
    let joined = Publisher::join(livekit.address(), room, "publisher");
    Box::pin(joined).await.expect("the server lets us in")
}

async fn payloads(publisher: &Publisher, sid: &TrackSid) -> Vec<Bytes> {
    let sent = publisher.sent(sid).await.expect("the track is ours");
    sent.into_iter().map(|packet| packet.payload).collect()
}

/// Whether `part` is a contiguous part of `whole`.
fn contains(whole: &[Bytes], part: &[Bytes]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

fn is_silence(payload: &Bytes) -> bool {
    payload.len() == 80 && payload.starts_with(&[0xf8, 0xff, 0xfe])
}

fn spec(codec: Codec) -> TrackSpec {
    let source = match codec {
        Codec::Opus | Codec::Pcmu => Source::Microphone,
        Codec::Vp8 | Codec::Vp9 | Codec::Av1 => Source::Camera,
        Codec::H264 => Source::ScreenShare,
    };
    TrackSpec {
        name: codec.name().into(),
        source,
        media: Media::sample(codec).expect("the committed media is readable"),
        speed: 1.0,
        history: History::Packets,
    }
}
