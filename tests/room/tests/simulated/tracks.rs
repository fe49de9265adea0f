//! What becomes of a track on its way to a subscriber.

use std::time::Duration;

use livekit_protocol as lk;
use lk::signal_response::Message as Response;
use trackmill_room::media::{Codec, Media};
use trackmill_room::publisher::TrackSid;
use trackmill_room::subscriber::Received;

use crate::fixtures::{is_contiguous, media, payloads, sent_payloads};
use crate::visitor::Visitor;

#[test]
fn a_subscriber_gets_what_the_publisher_sends() {
    let (mut visitor, [opus, vp8, h264]) = Visitor::joined();

    visitor.subscribe(&[&opus, &vp8, &h264], true);
    visitor.run(Duration::from_secs(5));

    for sid in [&opus, &vp8, &h264] {
        let received = payloads(&visitor.subscriber.received(sid));
        let sent = sent_payloads(&visitor.simulation.sent(sid).unwrap());
        assert!(received.len() > 80, "{sid}");
        assert!(sent.ends_with(&received), "{sid}");
    }
}

#[test]
fn a_mute_ends_in_fifty_one_packets_of_silence() {
    let (mut visitor, [opus, ..]) = Visitor::joined();
    visitor.subscribe(&[&opus], true);
    visitor.run(Duration::from_secs(2));

    visitor.simulation.mute(&opus, visitor.now).unwrap();
    visitor.run(Duration::from_secs(3));
    visitor.simulation.unmute(&opus).unwrap();
    visitor.run(Duration::from_secs(1));

    let received = visitor.subscriber.received(&opus);
    let first = received.iter().position(is_silence).unwrap();
    let silence: Vec<_> = received
        .iter()
        .filter(|packet| is_silence(packet))
        .collect();
    assert_eq!(silence.len(), 51);
    assert!(silence.iter().all(|packet| packet.marker));
    assert_eq!(silence[0].timestamp, received[first - 1].timestamp);
    let jump = received[first + 51].timestamp - silence[50].timestamp;
    assert!((90_000..100_000).contains(&jump), "{jump}");
    assert!(is_contiguous(&received));
}

#[test]
fn a_layer_switch_of_a_capture_reaches_the_subscriber() {
    let (mut visitor, [_, vp8, _]) = Visitor::joined();
    visitor.subscribe(&[&vp8], true);
    visitor.run(Duration::from_secs(2));

    let switched = capture("vp8-libwebrtc-layers-pause");
    let first = switched.packets[0].payload.clone();
    visitor.simulation.switch(&vp8, switched).unwrap();
    visitor.run(Duration::from_secs(3));

    let received = visitor.subscriber.received(&vp8);
    assert!(received.iter().any(|packet| packet.payload == first));
    assert!(is_contiguous(&received));
}

#[test]
fn a_publisher_makes_a_keyframe_when_it_is_asked_to() {
    let (mut visitor, [_, vp8, _]) = Visitor::joined();
    visitor.subscribe(&[&vp8], true);
    visitor.run(Duration::from_millis(2_500));
    let before = keyframes(&visitor, &vp8).len();

    let now = visitor.now;
    visitor.subscriber.request_keyframe(&vp8, now);
    visitor.run(Duration::from_millis(100));

    let after = keyframes(&visitor, &vp8);
    assert_eq!(after.len(), before + 1);
    assert!(is_contiguous(&visitor.subscriber.received(&vp8)));
    let times = after.iter().map(|packet| packet.timestamp);
    assert!(times.is_sorted());
}

#[test]
fn a_subscriber_gets_a_keyframe_first_and_soon() {
    let (mut visitor, [_, vp8, _]) = Visitor::joined();

    visitor.run(Duration::from_millis(3_400));
    visitor.subscribe(&[&vp8], true);
    visitor.run(Duration::from_millis(200));

    let received = visitor.subscriber.received(&vp8);
    assert!(is_vp8_keyframe(&received[0]));
    assert!(received.len() > 2);
}

#[test]
fn another_codec_comes_on_the_same_stream_without_an_offer() {
    let (mut visitor, [_, vp8, _]) = Visitor::joined();
    visitor.subscribe(&[&vp8], true);
    visitor.run(Duration::from_secs(1));
    let offer = visitor.last_offer();

    let h264 = media(Codec::H264);
    visitor.simulation.switch(&vp8, h264.clone()).unwrap();
    visitor.run(Duration::from_secs(1));

    let received = visitor.subscriber.received(&vp8);
    let of_h264 = received
        .iter()
        .filter(|packet| packet.payload == h264.packets[0].payload);
    assert_eq!(of_h264.count(), 1);
    assert!(is_contiguous(&received));
    assert_eq!(visitor.last_offer(), offer);
}

#[test]
fn others_learn_of_a_mute() {
    let (mut visitor, [opus, ..]) = Visitor::joined();

    visitor.simulation.mute(&opus, visitor.now).unwrap();
    visitor.run(Duration::from_millis(10));

    assert_eq!(muted(&visitor, &opus), Some(true));
}

#[test]
fn an_unpublished_track_ends_in_made_up_frames_and_then_the_update() {
    let (mut visitor, tracks) = Visitor::joined();
    visitor.subscribe(&tracks.each_ref(), true);
    visitor.run(Duration::from_secs(3));

    for sid in &tracks {
        visitor.simulation.unpublish(sid, visitor.now).unwrap();
    }
    visitor.run(Duration::from_secs(1));

    for (sid, capture, count) in [
        (&tracks[0], "opus-pion-unsubscribe", 11),
        (&tracks[1], "vp8-pion-unpublish", 6),
        (&tracks[2], "h264-pion-unsubscribe", 6),
    ] {
        let received = visitor.subscriber.received(sid);
        let (media, made_up) = received.split_at(received.len() - count);
        let sent = sent_payloads(&visitor.simulation.sent(sid).unwrap());
        assert!(sent.ends_with(&payloads(media)), "{sid}");
        let wanted = last_payload(capture);
        assert!(
            made_up
                .iter()
                .all(|packet| wanted.ends_with(&packet.payload[1..])),
            "{sid}"
        );
        let told = told_of_end(&visitor, sid).unwrap();
        assert!(told > made_up[count - 1].at, "{sid}");
    }
}

fn muted(visitor: &Visitor, sid: &TrackSid) -> Option<bool> {
    visitor.last(|message| match message {
        Response::Update(update) => {
            let tracks = update.participants.iter().flat_map(|info| &info.tracks);
            let mut tracks = tracks.filter(|track| track.sid == sid.0);
            tracks.next().map(|track| track.muted)
        }
        _ => None,
    })
}

/// When the first update without the track came, after those with it.
fn told_of_end(visitor: &Visitor, sid: &TrackSid) -> Option<std::time::Instant> {
    let name = visitor.simulation.sent(sid).ok().map(|_| sid.0.clone())?;
    let mut updates = visitor.messages.iter().rev().filter_map(|(at, message)| {
        let Response::Update(update) = message else {
            return None;
        };
        let mut tracks = update.participants.iter().flat_map(|info| &info.tracks);
        (!tracks.any(|track| track.sid == name)).then_some(*at)
    });
    updates.next()
}

fn keyframes(visitor: &Visitor, sid: &TrackSid) -> Vec<Received> {
    let received = visitor.subscriber.received(sid);
    received.into_iter().filter(is_vp8_keyframe).collect()
}

/// A payload descriptor of one byte that begins a picture, and a keyframe behind it.
fn is_vp8_keyframe(packet: &Received) -> bool {
    matches!(packet.payload[..], [descriptor, tag, ..] if descriptor & 0x10 != 0 && tag & 1 == 0)
}

fn is_silence(packet: &Received) -> bool {
    packet.payload.len() == 80 && packet.payload.starts_with(&[0xf8, 0xff, 0xfe])
}

/// The payload of a capture's last packet.
fn last_payload(name: &str) -> Vec<u8> {
    let media = capture(name);
    let last = media.packets.last().expect("the capture has packets");
    last.payload.to_vec()
}

fn capture(name: &str) -> Media {
    let folder = format!("{}/../data/rtp", env!("CARGO_MANIFEST_DIR"));
    let path = format!("{folder}/{name}.rtp");
    Media::open(path).expect("the capture is readable")
}
