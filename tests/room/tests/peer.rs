//! The server's side of a subscriber connection against an independent subscriber, in virtual time.

mod subscriber;

use std::time::Duration;

use subscriber::{Pair, Received};
use trackmill_room::media::{Codec, Media};
use trackmill_room::network::Conditions;
use trackmill_room::publisher::TrackSid;
use trackmill_room::sfu::{OutgoingTrack, SfuEvent};

#[test]
fn packets_arrive_bit_exact_and_contiguous() {
    let mut pair = Pair::connected(Conditions::default());
    let tracks = [opus(), vp8(), h264()];
    tracks.iter().for_each(|track| pair.add(track));

    let sent = pair.play(Duration::from_secs(7));

    for track in &tracks {
        let received = pair.received(&track.sid);
        assert!(sent[&track.sid].len() > 150, "{track:?}");
        assert_eq!(payloads(&received), sent[&track.sid], "{track:?}");
        assert!(is_contiguous(&received), "{track:?}");
    }
}

#[test]
fn everything_lost_on_the_way_is_repaired() {
    let mut pair = Pair::connected(Conditions::default());
    let tracks = [opus(), vp8(), h264()];
    tracks.iter().for_each(|track| pair.add(track));
    pair.worsen(Conditions {
        loss: 0.05,
        delay: Duration::from_millis(10),
        ..Conditions::default()
    });

    let sent = pair.play(Duration::from_secs(7));
    pair.worsen(Conditions::default());
    pair.run(Duration::from_secs(1));

    assert!(pair.lost() > 30, "{}", pair.lost());
    for track in &tracks {
        let received = pair.received(&track.sid);
        assert_eq!(payloads(&received), sent[&track.sid], "{track:?}");
    }
}

#[test]
fn both_data_channels_open() {
    let mut pair = Pair::connected(Conditions::default());

    pair.run(Duration::from_secs(1));

    let mut labels = pair.channels().to_vec();
    labels.sort();
    assert_eq!(labels, ["_lossy", "_reliable"]);
}

#[test]
fn a_keyframe_request_names_its_track() {
    let mut pair = Pair::connected(Conditions::default());
    pair.add(&vp8());
    pair.play(Duration::from_secs(1));

    pair.request_keyframe(&vp8().sid);
    pair.run(Duration::from_millis(100));

    let wanted = SfuEvent::KeyframeRequested(vp8().sid);
    assert!(pair.events().contains(&wanted), "{:?}", pair.events());
}

#[test]
fn a_sender_report_comes_every_three_seconds() {
    let mut pair = Pair::connected(Conditions::default());
    pair.add(&opus());

    pair.play(Duration::from_secs(10));

    assert!(
        (3..=4).contains(&pair.sender_reports()),
        "{}",
        pair.sender_reports()
    );
}

#[test]
fn a_freed_line_is_used_again_with_another_ssrc() {
    let mut pair = Pair::connected(Conditions::default());
    pair.add(&opus());
    pair.play(Duration::from_secs(1));
    let first = pair.ssrc("1");

    pair.remove(&opus().sid);
    let freed = pair.last_offer().to_owned();
    let again = OutgoingTrack {
        sid: TrackSid("TR_AMagain".into()),
        ..opus()
    };
    pair.add(&again);
    let sent = pair.play(Duration::from_secs(1));

    assert!(freed.contains("a=mid:1\r\n") && freed.ends_with("a=recvonly\r\n"));
    assert_ne!(pair.ssrc("1"), first);
    assert_eq!(pair.lines(), 1);
    assert_eq!(payloads(&pair.received(&again.sid)), sent[&again.sid]);
}

#[test]
fn media_goes_on_over_an_ice_restart() {
    let mut pair = Pair::connected(Conditions::default());
    pair.add(&opus());
    let mut sent = pair.play(Duration::from_secs(1));

    pair.restart_ice();
    sent.get_mut(&opus().sid).unwrap().extend(
        pair.play(Duration::from_secs(30))
            .remove(&opus().sid)
            .unwrap(),
    );

    assert!(!pair.last_offer().contains("a=candidate"));
    assert_eq!(payloads(&pair.received(&opus().sid)), sent[&opus().sid]);
}

fn opus() -> OutgoingTrack {
    track("TR_AMopus", Codec::Opus)
}

fn vp8() -> OutgoingTrack {
    track("TR_VCvp8", Codec::Vp8)
}

fn h264() -> OutgoingTrack {
    track("TR_VCh264", Codec::H264)
}

fn track(sid: &str, codec: Codec) -> OutgoingTrack {
    OutgoingTrack {
        sid: TrackSid(sid.into()),
        participant_sid: "PA_publisher".into(),
        codec,
    }
}

fn payloads(received: &[Received]) -> Vec<Vec<u8>> {
    received
        .iter()
        .map(|packet| packet.payload.clone())
        .collect()
}

fn is_contiguous(received: &[Received]) -> bool {
    let next = received.iter().skip(1);
    received
        .iter()
        .zip(next)
        .all(|(packet, next)| packet.sequence_number.is_next(next.sequence_number))
}

/// The committed media of a codec.
fn media(codec: Codec) -> Media {
    let name = match codec {
        Codec::Opus => "opus.ogg",
        Codec::Vp8 => "vp8.ivf",
        Codec::Vp9 => "vp9.ivf",
        Codec::H264 => "h264.h264",
        Codec::Av1 => "av1.ivf",
    };
    let path = format!("{}/../data/media/{name}", env!("CARGO_MANIFEST_DIR"));
    Media::open(path).expect("the committed media is readable")
}
