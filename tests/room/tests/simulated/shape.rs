//! Simulated offers have the lines of the real ones in `tests/data/sdp`.

use std::collections::BTreeSet;

use trackmill_room::media::Codec;
use trackmill_room::publisher::TrackSid;
use trackmill_room::sfu::{OutgoingTrack, SfuConfig, SfuPeer};

use crate::fixtures::start;

#[test]
fn the_first_offer_is_that_of_the_fixture() {
    let mut peer = peer();

    let offer = peer.offer();

    assert_eq!(shape(&offer.sdp), shape(&fixture("01-data-only")));
    assert!(offer.mids.is_empty());
}

#[test]
fn audio_is_offered_as_in_the_fixture() {
    let mut peer = answered();
    peer.add_track(&track("TR_AM", Codec::Opus));

    let offer = peer.offer();

    assert_eq!(shape(&offer.sdp), shape(&fixture("04-audio-mline-reused")));
    assert_eq!(offer.mids["1"], "TR_AM");
}

#[test]
fn video_is_offered_as_in_the_fixture() {
    let mut peer = answered();
    peer.add_track(&track("TR_AM", Codec::Opus));
    peer.add_track(&track("TR_VC", Codec::Vp8));

    let offer = peer.offer();

    assert_eq!(shape(&offer.sdp), shape(&fixture("05-video-added")));
}

#[test]
fn a_freed_line_is_offered_as_in_the_fixture() {
    let mut peer = answered();
    peer.add_track(&track("TR_AM", Codec::Opus));
    peer.remove_track(&TrackSid("TR_AM".into()));

    let offer = peer.offer();

    assert_eq!(shape(&offer.sdp), shape(&fixture("03-audio-unpublished")));
    assert!(offer.mids.is_empty());
}

#[test]
fn offers_are_numbered_one_by_one() {
    let mut peer = answered();

    let numbers = [peer.offer().id, peer.offer().id];

    assert_eq!(numbers[0] + 1, numbers[1]);
}

/// Replaces what differs from session to session: numbers, ids, addresses and secrets.
///
/// A host with two address families lists each candidate twice, and in any order; one of each
/// kind is kept, in order of their text.
fn shape(sdp: &str) -> Vec<String> {
    let is_candidate = |line: &String| line.starts_with("a=candidate");
    let (candidates, mut lines): (Vec<_>, Vec<_>) =
        sdp.lines().map(general).partition(is_candidate);
    lines.extend(candidates.into_iter().collect::<BTreeSet<_>>());
    lines
}

fn general(line: &str) -> String {
    for prefix in [
        "o=- ",
        "a=fingerprint:sha-256 ",
        "a=ice-ufrag:",
        "a=ice-pwd:",
        "a=msid:",
    ] {
        if line.starts_with(prefix) {
            return prefix.to_owned();
        }
    }
    if let Some(candidate) = line.strip_prefix("a=candidate:") {
        let words: Vec<_> = candidate.split(' ').skip(1).take(3).collect();
        return format!("a=candidate {}", words.join(" "));
    }
    if let Some(group) = line.strip_prefix("a=ssrc-group:FID ") {
        return format!("FID of {}", group.split(' ').count());
    }
    if let Some(source) = line.strip_prefix("a=ssrc:") {
        let attribute = source.split([' ', ':']).nth(1).unwrap_or_default();
        return format!("a=ssrc {attribute}");
    }
    line.to_owned()
}

fn fixture(name: &str) -> String {
    let folder = format!("{}/../data/sdp", env!("CARGO_MANIFEST_DIR"));
    let path = format!("{folder}/{name}.offer.sdp");
    std::fs::read_to_string(path).expect("the fixture is readable")
}

fn peer() -> SfuPeer {
    let config = SfuConfig {
        udp: ([127, 0, 0, 1], 7_882).into(),
        tcp: Some(([127, 0, 0, 1], 7_881).into()),
        seed: 1,
    };
    SfuPeer::new(config, start())
}

/// A peer whose first offer is answered, by the answer of the fixture.
fn answered() -> SfuPeer {
    let mut peer = peer();
    peer.offer();
    let answer = fixture("01-data-only").replace("actpass", "passive");
    peer.answer(&answer).expect("the answer is usable");
    peer
}

fn track(sid: &str, codec: Codec) -> OutgoingTrack {
    OutgoingTrack {
        sid: TrackSid(sid.into()),
        participant_sid: "PA_x".into(),
        codec,
    }
}
