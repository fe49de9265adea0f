//! The server's side of a subscriber connection.

use std::time::Duration;

use trackmill_room::media::Codec;
use trackmill_room::network::Conditions;
use trackmill_room::publisher::TrackSid;
use trackmill_room::sfu::{OutgoingTrack, SfuEvent};

use crate::fixtures::{is_contiguous, payloads};
use crate::pair::Pair;

#[test]
fn packets_arrive_bit_exact_and_contiguous() {
    let mut pair = Pair::connected();
    let tracks = Codec::ALL.map(track);
    tracks.iter().for_each(|track| pair.add(track));

    let sent = pair.play(Duration::from_secs(7));

    for OutgoingTrack { sid, .. } in &tracks {
        let received = pair.subscriber.received(sid);
        assert!(sent[sid].len() > 150, "{sid}");
        assert_eq!(payloads(&received), sent[sid], "{sid}");
        assert!(is_contiguous(&received), "{sid}");
    }
}

#[test]
fn everything_lost_on_the_way_is_repaired() {
    let mut pair = Pair::connected();
    let tracks = Codec::ALL.map(track);
    tracks.iter().for_each(|track| pair.add(track));
    // Only what came before tells that a packet is missing.
    let mut sent = pair.play(Duration::from_millis(100));
    pair.worsen(Conditions {
        loss: 0.05,
        delay: Duration::from_millis(10),
        ..Conditions::default()
    });

    let mut play = |pair: &mut Pair, duration| {
        for (sid, payloads) in pair.play(duration) {
            sent.entry(sid).or_default().extend(payloads);
        }
    };
    play(&mut pair, Duration::from_secs(7));
    pair.worsen(Conditions::default());
    // And only what follows tells that the last one is.
    play(&mut pair, Duration::from_secs(1));

    assert!(pair.lost() > 30, "{}", pair.lost());
    for OutgoingTrack { sid, .. } in &tracks {
        let received = pair.subscriber.received(sid);
        assert_eq!(payloads(&received), sent[sid], "{sid}");
    }
}

#[test]
fn media_comes_over_ice_tcp() {
    let mut pair = Pair::connected_by_tcp();
    let vp8 = track(Codec::Vp8);
    pair.add(&vp8);

    let sent = pair.play(Duration::from_secs(3));

    let received = pair.subscriber.received(&vp8.sid);
    assert_eq!(payloads(&received), sent[&vp8.sid]);
}

#[test]
fn both_data_channels_open() {
    let mut pair = Pair::connected();

    pair.run(Duration::from_secs(1));

    let mut labels = pair.subscriber.notices().channels.clone();
    labels.sort();
    assert_eq!(labels, ["_lossy", "_reliable"]);
}

#[test]
fn a_keyframe_request_names_its_track() {
    let mut pair = Pair::connected();
    let vp8 = track(Codec::Vp8);
    pair.add(&vp8);
    pair.play(Duration::from_secs(1));

    pair.request_keyframe(&vp8.sid);
    pair.run(Duration::from_millis(100));

    let wanted = SfuEvent::KeyframeRequested(vp8.sid);
    assert!(pair.events.contains(&wanted), "{:?}", pair.events);
}

#[test]
fn a_sender_report_comes_every_three_seconds() {
    let mut pair = Pair::connected();
    pair.add(&track(Codec::Opus));

    pair.play(Duration::from_secs(10));

    let reports = pair.subscriber.notices().sender_reports;
    assert!((3..=4).contains(&reports), "{reports}");
}

#[test]
fn a_freed_line_is_used_again_with_another_ssrc() {
    let mut pair = Pair::connected();
    let first = track(Codec::Opus);
    pair.add(&first);
    pair.play(Duration::from_secs(1));
    let before = ssrc(&pair.offer).to_owned();

    pair.remove(&first.sid);
    let freed = pair.offer.clone();
    let again = OutgoingTrack {
        sid: TrackSid("TR_AMagain".into()),
        ..first
    };
    pair.add(&again);
    let sent = pair.play(Duration::from_secs(1));

    assert!(freed.contains("a=mid:1\r\n") && freed.ends_with("a=recvonly\r\n"));
    assert_ne!(ssrc(&pair.offer), before);
    assert_eq!(pair.offer.matches("m=audio").count(), 1);
    let received = pair.subscriber.received(&again.sid);
    assert_eq!(payloads(&received), sent[&again.sid]);
}

#[test]
fn media_goes_on_over_an_ice_restart() {
    let mut pair = Pair::connected();
    let opus = track(Codec::Opus);
    pair.add(&opus);
    let mut sent = pair.play(Duration::from_secs(1));
    let before = pair.offer.clone();

    pair.restart_ice();
    let after = pair.play(Duration::from_secs(30));

    sent.get_mut(&opus.sid)
        .unwrap()
        .extend(after[&opus.sid].clone());
    assert_ne!(
        line(&pair.offer, "a=ice-ufrag:"),
        line(&before, "a=ice-ufrag:")
    );
    assert!(!pair.offer.contains("a=candidate"));
    let received = pair.subscriber.received(&opus.sid);
    assert_eq!(payloads(&received), sent[&opus.sid]);
}

fn track(codec: Codec) -> OutgoingTrack {
    OutgoingTrack {
        sid: TrackSid(format!("TR_{}", codec.name())),
        participant_sid: "PA_publisher".into(),
        codec,
    }
}

fn ssrc(offer: &str) -> &str {
    let value = line(offer, "a=ssrc:");
    value.split(' ').next().unwrap_or_default()
}

fn line<'a>(offer: &'a str, prefix: &str) -> &'a str {
    let mut lines = offer.lines();
    let found = lines.find_map(|line| line.strip_prefix(prefix));
    found.expect("the offer has the line")
}
