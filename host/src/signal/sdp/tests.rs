use std::fs;

use proptest::prelude::*;

use super::*;
use crate::media::{Codec, TrackKind};

/// What each offer of a real server sends: MID, track, SSRC, RTX. 01 to 09 are one session, in
/// which m-lines are freed and used again.
const FIXTURES: [(&str, &[Stream]); 12] = [
    ("01-data-only", &[]),
    (
        "02-audio-added",
        &[("1", "TR_AM8rcrytbuMTPy", 2_968_205_182, None)],
    ),
    ("03-audio-unpublished", &[]),
    (
        "04-audio-mline-reused",
        &[("1", "TR_AMp2CZLYTNe4X9", 2_162_326_052, None)],
    ),
    (
        "05-video-added",
        &[
            ("1", "TR_AMp2CZLYTNe4X9", 2_162_326_052, None),
            ("2", "TR_VCpahyVnECLHqX", 2_418_665_885, Some(610_813_454)),
        ],
    ),
    (
        "06-audio-unsubscribed",
        &[("2", "TR_VCpahyVnECLHqX", 2_418_665_885, Some(610_813_454))],
    ),
    ("07-all-unsubscribed", &[]),
    (
        "08-audio-resubscribed",
        &[("1", "TR_AMp2CZLYTNe4X9", 2_164_210_189, None)],
    ),
    (
        "09-video-resubscribed",
        &[
            ("1", "TR_AMp2CZLYTNe4X9", 2_164_210_189, None),
            ("2", "TR_VCpahyVnECLHqX", 2_592_747_619, Some(3_901_221_275)),
        ],
    ),
    (
        "10-ice-restart",
        &[
            ("1", "TR_AME69zprNiYr4k", 2_536_060_377, None),
            ("2", "TR_VC7gwxrWEtD4JL", 3_061_517_080, Some(419_653_657)),
        ],
    ),
    (
        "12-libwebrtc-simulcast-vp8",
        &[
            ("1", "TR_VCPwDo96CNTKtj", 2_217_536_217, Some(887_426_607)),
            ("2", "TR_AMuqzDnuZp68pL", 638_869_119, None),
        ],
    ),
    (
        "13-libwebrtc-simulcast-h264",
        &[
            ("1", "TR_AM2U8m2QR9N2k2", 4_042_706_320, None),
            ("2", "TR_VCpZaj8csYP9yo", 2_397_873_339, Some(3_463_920_213)),
        ],
    ),
];

type Stream = (&'static str, &'static str, u32, Option<u32>);

#[test]
fn every_offer_of_a_real_server_is_read() {
    for (name, expected) in FIXTURES {
        let sections = scan(&fixture(name)).expect(name);

        let sending = sections.iter().filter_map(|section| {
            let stream = section.stream()?;
            let rtx = stream.rtx.map(|rtx| rtx.0);
            Some((
                section.mid.clone(),
                stream.track.to_string(),
                stream.ssrc.0,
                rtx,
            ))
        });
        let expected = expected
            .iter()
            .map(|(mid, track, ssrc, rtx)| ((*mid).to_owned(), (*track).to_owned(), *ssrc, *rtx));
        assert!(sending.eq(expected), "{name}: {sections:?}");
    }
}

#[test]
fn the_codecs_of_an_m_line_are_those_that_can_be_recorded() {
    use Codec::{Av1, H264, H265, Opus, Pcma, Pcmu, Vp8, Vp9};
    let sections = scan(&fixture("12-libwebrtc-simulcast-vp8")).unwrap();

    let [data, video, audio] = sections.as_slice() else {
        panic!("{sections:?}");
    };
    assert_eq!((data.kind, data.formats.len()), (None, 0));
    assert_eq!(audio.kind, Some(TrackKind::Audio));
    // RED (63) is refused.
    assert_eq!(audio.formats, [(111, Opus), (0, Pcmu), (8, Pcma)]);
    assert_eq!(video.kind, Some(TrackKind::Video));
    let (payload_types, codecs): (Vec<_>, Vec<_>) = video.formats.iter().copied().unzip();
    assert_eq!(payload_types, [96, 98, 100, 125, 108, 104, 102, 35, 116]);
    assert_eq!(codecs, [Vp8, Vp9, Vp9, H264, H264, H264, H264, Av1, H265]);
    for (rtx, payload_type) in &video.rtx_formats {
        assert_eq!(*rtx, payload_type + 1);
    }
    assert_eq!(video.rtx_formats.len(), 9);
}

#[test]
fn fifty_tracks_are_fifty_streams() {
    let sections = scan(&fixture("14-fifty-audio")).unwrap();

    let streams: Vec<_> = sections.iter().filter_map(MediaSection::stream).collect();

    assert_eq!((sections.len(), streams.len()), (51, 50));
    let tracks: BTreeSet<_> = streams.iter().map(|stream| &stream.track).collect();
    assert_eq!(tracks.len(), 50);
}

#[test]
fn a_rewritten_offer_promises_nothing_to_us_but_media() {
    for (name, expected) in FIXTURES {
        let offer = fixture(name);

        let rewritten = receive_only(&offer);

        assert!(!rewritten.contains("a=sendrecv") && !rewritten.contains("a=recvonly"));
        assert!(!rewritten.contains("a=ssrc"), "{name}");
        // The data channel is an m-line too.
        let sending = rewritten.matches("a=sendonly\r\n").count();
        assert_eq!(sending, expected.len() + 1, "{name}");
        assert_eq!(receive_only(&rewritten), rewritten);
        let kept = |sdp: &str| {
            sdp.lines()
                .filter(|line| !line.starts_with("a=ssrc") && !DIRECTIONS.contains(line))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(kept(&rewritten), kept(&offer), "{name}");
    }
}

#[test]
fn the_map_of_the_server_must_agree_with_the_sdp() {
    let offer = |mid: &str, track: &str| Offer {
        id: 1,
        sdp: fixture("05-video-added"),
        tracks: [(mid.to_owned(), track.into())].into(),
    };

    assert_eq!(
        streams(&offer("2", "TR_VCpahyVnECLHqX")).map(|s| s.len()),
        Ok(2)
    );
    assert_eq!(streams(&offer("7", "TR_whatever")).map(|s| s.len()), Ok(2));
    let conflict = streams(&offer("2", "TR_other")).unwrap_err();
    let text =
        "mid \"2\" is track TR_VCpahyVnECLHqX in the SDP, but TR_other in the map of the offer";
    assert_eq!(conflict.to_string(), text);
}

#[test]
fn a_freed_m_line_may_disagree_with_the_map() {
    let offer = Offer {
        id: 1,
        sdp: fixture("03-audio-unpublished"),
        tracks: [("1".to_owned(), "TR_stale".into())].into(),
    };

    assert_eq!(streams(&offer), Ok(vec![]));
}

#[test]
fn an_sdp_that_contradicts_itself_or_is_beyond_bounds_is_refused() {
    let twice = |attribute: &str| format!("m=audio 9 x 0\na={attribute}\n").repeat(2);
    for (sdp, error) in [
        (twice("mid:1"), SdpError::DuplicateMid("1".to_owned())),
        (twice("ssrc:7 cname:x"), SdpError::DuplicateSsrc(Ssrc(7))),
        ("m=audio\n".repeat(513), SdpError::TooManySections),
        (
            format!("m=audio\na=mid:1\n{}", "a=x\n".repeat(1_000)),
            SdpError::TooManyAttributes("1".to_owned()),
        ),
        ("x".repeat((1 << 20) + 1), SdpError::TooLong((1 << 20) + 1)),
        (
            "m=video 9 x 0\na=ssrc-group:FID 5 5\n".to_owned(),
            SdpError::DuplicateSsrc(Ssrc(5)),
        ),
    ] {
        assert_eq!(scan(&sdp), Err(error));
    }
}

#[test]
fn a_track_that_nothing_could_be_told_to_belong_to_is_refused() {
    let offer = |direction: &str| Offer {
        id: 1,
        sdp: format!("m=audio 9 x 111\na=mid:1\na=msid:PA_x TR_x\na={direction}\n"),
        tracks: BTreeMap::new(),
    };

    let missing = SdpError::MissingSsrc {
        mid: "1".to_owned(),
        track: "TR_x".into(),
    };
    assert_eq!(streams(&offer("sendrecv")), Err(missing));
    assert_eq!(streams(&offer("recvonly")), Ok(Vec::new()));
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let sdp = "a=mid:early\nm=audio\na=mid\na=msid\na=msid:only\na=ssrc:\na=ssrc:-1 x\na=ssrc:4294967296 x\n\
        a=ssrc-group:FID 1\na=ssrc-group:SIM 1 2\na=rtpmap:128 opus/48000\na=rtpmap:111 opus/8000\n\
        a=rtpmap:96 VP8/90000\na=rtpmap:111\na=fmtp:97 apt=\na=fmtp:97 apt=300\na=fmtp\na=\na\n=\n";

    let sections = scan(sdp).unwrap();

    assert_eq!(sections, [MediaSection::new("audio")]);
    assert_eq!(sections[0].stream(), None);
}

proptest! {
    #[test]
    fn no_text_makes_the_scanner_panic(text in text()) {
        let rewritten = receive_only(&text);

        prop_assert!(rewritten.len() <= text.len() + 8 * text.matches("a=").count());
        if let Ok(sections) = scan(&text) {
            prop_assert!(sections.len() <= MAX_SECTIONS);
        }
    }
}

/// Lines of an offer in any order, with anything between them.
fn text() -> impl Strategy<Value = String> {
    let lines: Vec<String> = fixture("12-libwebrtc-simulcast-vp8")
        .split_inclusive('\n')
        .map(str::to_owned)
        .collect();
    let line = prop_oneof![prop::sample::select(lines), "(a=)?\\PC{0,20}\r?\n?"];
    prop::collection::vec(line, 0..60).prop_map(|lines| lines.concat())
}

/// V6: livekit-server 1.13.5 knows no orientation extension, neither towards us nor towards
/// publishers, who therefore turn their pictures before they encode them. A server that offers it
/// would have pictures that must be turned by the player.
#[test]
fn v6_no_server_offers_the_orientation_of_pictures() {
    for (name, _) in FIXTURES {
        let offer = fixture(name);
        assert!(!offer.contains("urn:3gpp:video-orientation"), "{name}");
    }
}

fn fixture(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/sdp");
    fs::read_to_string(format!("{folder}/{name}.offer.sdp")).expect("a fixture")
}

const DIRECTIONS: [&str; 4] = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];
