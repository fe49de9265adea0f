//! Captures from a real server, depacketized and judged by ffmpeg; and loss of every kind.

use std::collections::BTreeMap;
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::*;
use trackmill::bitstream::{h264, nal, vp8};
use trackmill::media::{AccessUnit, Integrity, Pts};
use trackmill_tests::capture::{self, Step};
use trackmill_tests::depacketized::Depacketized;
use trackmill_tests::{elementary, fuzz};

#[test]
fn captures_give_the_units_that_were_sent() {
    // Name, injected packets, units, of these damaged, keyframes, skipped.
    let expected = [
        ("h264-libwebrtc-layers", [0, 353, 0, 3, 0]),
        ("h264-libwebrtc-unpublish", [6, 68, 0, 1, 0]),
        ("h264-pion-mute", [0, 238, 0, 3, 0]),
        ("h264-pion-unsubscribe", [6, 88, 0, 1, 0]),
        ("opus-libwebrtc-mute", [51, 750, 0, 750, 0]),
        ("opus-pion-loss5-nack", [0, 601, 0, 601, 0]),
        ("opus-pion-mute", [51, 650, 0, 650, 0]),
        ("opus-pion-unsubscribe", [11, 251, 0, 251, 0]),
        ("vp8-libwebrtc-layers-pause", [0, 239, 0, 5, 0]),
        ("vp8-pion-loss20-rtx", [0, 402, 21, 4, 18]),
        ("vp8-pion-loss5-rtx", [0, 474, 4, 6, 6]),
        ("vp8-pion-unpublish", [6, 149, 0, 1, 0]),
    ];
    assert_eq!(expected.map(|(name, _)| name), capture::NAMES);
    let found = capture::NAMES.map(|name| (name, Depacketized::of(captured(name)).tally()));

    assert_eq!(found, expected);
}

#[test]
fn sizes_change_as_layers_do() {
    let expected: [(&str, &[[u32; 2]]); 6] = [
        ("h264-libwebrtc-layers", &[[320, 180], [1_280, 720]]),
        ("h264-libwebrtc-unpublish", &[[1_280, 720]]),
        ("h264-pion-mute", &[[640, 360]]),
        (
            "vp8-libwebrtc-layers-pause",
            &[[1_280, 720], [640, 360], [320, 180], [1_280, 720]],
        ),
        ("vp8-pion-loss5-rtx", &[[640, 360]]),
        ("vp8-pion-unpublish", &[[640, 360]]),
    ];
    for (name, sizes) in expected {
        let mut found: Vec<[u32; 2]> = Vec::new();
        for unit in Depacketized::of(captured(name)).units {
            found.extend(size(&unit));
        }
        found.dedup();

        assert_eq!(found, sizes, "{name}");
    }
}

#[test]
fn ffmpeg_decodes_every_frame_of_the_lossless_video_captures() {
    for name in capture::NAMES {
        if name.starts_with("opus") || name.contains("loss") {
            continue;
        }
        let mut units = Depacketized::of(captured(name)).units;
        // Captures are cuts; a recording begins at a keyframe, too.
        let before = units.iter().take_while(|unit| !unit.is_keyframe).count();
        units.drain(..before);
        let (stream, format) = if name.starts_with("vp8") {
            let frames = units.iter().map(|unit| &unit.data[..]);
            (elementary::ivf(*b"VP80", frames), "ivf")
        } else {
            (elementary::annex_b(&units), "h264")
        };

        let decoded = elementary::decode(&stream, format).expect(name);

        assert_eq!(decoded.len(), units.len(), "{name}");
    }
}

/// Loses packets of a capture, each with a number of 0 to 99 below `percent`.
fn lossy(name: &str, numbers: &[u8], percent: u8) -> Vec<Step> {
    let packets = capture::packets(name, epoch()).expect(name);
    let first = packets.first().cloned();
    let kept = packets.into_iter().zip(numbers.iter().cycle());
    let kept = kept
        .filter(|(_, number)| **number >= percent)
        .map(|(packet, _)| packet);
    // The first is lost for sure, and the stream still begins there.
    let mut steps = capture::in_order(first.into_iter().chain(kept).collect());
    if let Some(step) = steps.first_mut() {
        *step = Step::Lost(1);
    }
    steps
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_unit_is_whole_only_if_all_of_it_came(
        capture in 0..4_usize,
        numbers in vec(0..100_u8, 257..300),
        percent in 0..60_u8,
    ) {
        let names = ["h264-libwebrtc-layers", "h264-libwebrtc-unpublish", "h264-pion-unsubscribe", "vp8-libwebrtc-layers-pause"];
        let name = names[capture];
        let whole: BTreeMap<Pts, AccessUnit> =
            Depacketized::of(captured(name)).units.into_iter().map(|unit| (unit.pts, unit)).collect();

        for unit in Depacketized::of(lossy(name, &numbers, percent)).units {
            if unit.integrity == Integrity::Whole {
                prop_assert_eq!(Some(&unit), whole.get(&unit.pts), "{}", name);
            }
        }
    }

    #[test]
    fn no_bytes_make_a_depacketizer_panic(data in vec(any::<u8>(), 0..2_000)) {
        fuzz::depacketize(&data);
        fuzz::bitstream(&data);
    }

    #[test]
    fn no_packets_make_a_depacketizer_panic(
        codec in any::<u8>(),
        packets in vec((0..8_u8, payload()), 0..40),
    ) {
        let mut data = vec![codec];
        for (flags, payload) in packets {
            data.push(flags);
            data.extend(u16::try_from(payload.len()).unwrap().to_le_bytes());
            data.extend(payload);
        }

        fuzz::depacketize(&data);
    }
}

/// Payloads whose first bytes mean something to one payload format or another.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let heads: Vec<Vec<u8>> = vec![
        vec![0x7c, 0x85],
        vec![0x7c, 0x05],
        vec![0x7c, 0x45],
        vec![0x78, 0, 4, 0x67, 0x42, 0xc0, 0x1e, 0, 3, 0x68, 0xeb, 0xe3],
        vec![0x65, 0x88, 0x84],
        vec![0x62, 1, 0x94],
        vec![0x62, 1, 0x54],
        vec![0x60, 1, 0, 4, 0x40, 1, 0x0c, 1, 0, 4, 0x44, 1, 0xc1, 0x72],
        vec![0x90, 0x80, 0x81, 5],
        vec![0xac, 0x81, 5, 0, 7, 0x82, 0x49, 0x83, 0x42],
        vec![0xa8, 0x81, 5, 3, 7],
        vec![
            0x28, 12, 8, 0, 0, 0, 4, 0x3d, 6, 0xd4, 0xda, 0xf9, 0, 0x40, 0x30, 0x10,
        ],
        vec![0x50, 0x30],
        vec![0xd0, 0x10],
        vec![0x00, 2, 0x30],
        vec![],
    ];
    (proptest::sample::select(heads), vec(any::<u8>(), 0..40))
        .prop_map(|(head, tail)| [head, tail].concat())
}

fn captured(name: &str) -> Vec<Step> {
    capture::in_order(capture::packets(name, epoch()).expect(name))
}

/// The size that a keyframe says.
fn size(unit: &AccessUnit) -> Option<[u32; 2]> {
    if let Some(set) = nal::units(&unit.data).find_map(h264::SequenceParameterSet::parse) {
        return Some([set.width, set.height]);
    }
    let size = vp8::FrameHeader::parse(&unit.data)?.size?;
    Some([size.width.into(), size.height.into()])
}

#[expect(clippy::disallowed_methods, reason = "the arrival means nothing here")]
fn epoch() -> Instant {
    Instant::now()
}
