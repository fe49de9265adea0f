//! Streams of real encoders: packetized as publishers do, depacketized, and compared with what went
//! in, byte by byte and by ffmpeg's decoder.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use trackmill::bitstream::{nal, vp9};
use trackmill::media::{AccessUnit, Codec, Integrity, Pts};
use trackmill::rtp::RtpPacket;
use trackmill_tests::capture::{self, Step};
use trackmill_tests::depacketized::Depacketized;
use trackmill_tests::{elementary, packetize};

#[test]
fn h264_of_an_encoder_comes_back_nal_by_nal() {
    let parameters = "aud=1:slices=3:keyint=10:bframes=2";
    let encoder = ["-c:v", "libx264", "-x264-params", parameters];
    let stream = elementary::encode(30, &encoder, "h264").expect("libx264");
    let pictures = elementary::split_annex_b(&stream, is_h264_delimiter);
    let payloads = pictures.iter().map(|nals| packetize::h264(nals, 300));

    let outcome = Depacketized::of(sent(Codec::H264, &payloads.collect::<Vec<_>>()));

    comes_back_nal_by_nal(&outcome, &pictures);
    decodes_alike(&elementary::annex_b(&outcome.units), &stream, "h264");
}

#[test]
fn h265_of_an_encoder_comes_back_nal_by_nal() {
    let parameters = "aud=1:repeat-headers=1:keyint=10:bframes=2:slices=2:log-level=none";
    let encoder = ["-c:v", "libx265", "-x265-params", parameters];
    let stream = elementary::encode(30, &encoder, "hevc").expect("libx265");
    let pictures = elementary::split_annex_b(&stream, is_h265_delimiter);
    let payloads = pictures.iter().map(|nals| packetize::h265(nals, 300));

    let outcome = Depacketized::of(sent(Codec::H265, &payloads.collect::<Vec<_>>()));

    comes_back_nal_by_nal(&outcome, &pictures);
    decodes_alike(&elementary::annex_b(&outcome.units), &stream, "hevc");
}

#[test]
fn vp8_of_an_encoder_comes_back_frame_by_frame() {
    let encoder = ["-c:v", "libvpx", "-g", "10", "-deadline", "realtime"];
    let frames = elementary::split_ivf(&elementary::encode(30, &encoder, "ivf").expect("libvpx"));
    let frames = frames.expect("an IVF file");

    let payloads: Vec<_> = frames
        .iter()
        .map(|frame| packetize::vp8(frame, 300))
        .collect();
    let outcome = Depacketized::of(sent(Codec::Vp8, &payloads));

    assert_eq!(outcome.tally(), [0, 30, 0, 3, 0]);
    assert_eq!(bytes_of(&outcome), frames);
}

#[test]
fn vp9_layer_frames_become_a_superframe_that_ffmpeg_takes_apart() {
    let stream = elementary::encode(30, &VP9, "ivf").expect("libvpx-vp9");
    let frames = elementary::split_ivf(&stream).expect("an IVF file");
    // Two frames that follow one another stand in for two spatial layers.
    let pictures: Vec<Vec<&[u8]>> = frames
        .chunks(2)
        .map(|pair| pair.iter().map(|frame| &frame[..]).collect())
        .collect();

    let payloads: Vec<_> = pictures
        .iter()
        .map(|layers| packetize::vp9(layers, 300))
        .collect();
    let outcome = Depacketized::of(sent(Codec::Vp9, &payloads));

    assert_eq!(outcome.tally(), [0, 15, 0, 3, 0]);
    let units = outcome.units.iter();
    let layers: Vec<_> = units
        .clone()
        .filter_map(|unit| vp9::frames(&unit.data))
        .collect();
    assert_eq!(layers, pictures);
    let written = elementary::ivf(*b"VP90", units.map(|unit| &unit.data[..]));
    decodes_alike(&written, &stream, "ivf");
}

#[test]
fn vp9_frames_of_one_layer_come_back_as_they_were() {
    let stream = elementary::encode(30, &VP9, "ivf").expect("libvpx-vp9");
    let frames = elementary::split_ivf(&stream).expect("an IVF file");

    let payloads: Vec<_> = frames
        .iter()
        .map(|frame| packetize::vp9(&[frame], 300))
        .collect();
    let outcome = Depacketized::of(sent(Codec::Vp9, &payloads));

    assert_eq!(outcome.tally(), [0, 30, 0, 3, 0]);
    assert_eq!(bytes_of(&outcome), frames);
}

#[test]
fn av1_of_three_encoders_comes_back_unit_by_unit() {
    // The keyframes of rav1e are those that ffprobe counts: it takes two for changes of scene.
    let encoders: [(&str, &[&str], usize); 3] = [
        ("libaom-av1", &["-usage", "realtime", "-cpu-used", "8"], 3),
        ("libsvtav1", &["-preset", "12"], 3),
        ("librav1e", &["-speed", "10"], 5),
    ];
    for (name, options, keyframes) in encoders {
        let encoder = [&["-c:v", name, "-g", "10"], options].concat();
        let stream = elementary::encode(30, &encoder, "ivf").expect(name);
        let units = elementary::split_ivf(&stream).expect("an IVF file");

        let payloads: Vec<_> = units.iter().map(|unit| packetize::av1(unit, 300)).collect();
        let outcome = Depacketized::of(sent(Codec::Av1, &payloads));

        assert_eq!(outcome.tally(), [0, 30, 0, keyframes, 0], "{name}");
        let sent: Vec<_> = units
            .iter()
            .map(|unit| unit.strip_prefix(&[0x12, 0]).unwrap())
            .collect();
        assert_eq!(bytes_of(&outcome), sent, "{name}");
        let written = elementary::ivf(*b"AV01", outcome.units.iter().map(|unit| &unit.data[..]));
        decodes_alike(&written, &stream, "ivf");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_unit_of_an_encoder_is_whole_only_if_all_of_it_came(
        stream in 0..4_usize,
        numbers in vec(0..100_u8, 97..130),
        percent in 0..60_u8,
    ) {
        let packets = &lossless_streams()[stream];
        let steps = capture::in_order(packets.clone());
        let whole: BTreeMap<Pts, AccessUnit> =
            Depacketized::of(steps).units.into_iter().map(|unit| (unit.pts, unit)).collect();

        for unit in Depacketized::of(lossy(packets, &numbers, percent)).units {
            if unit.integrity == Integrity::Whole {
                prop_assert_eq!(Some(&unit), whole.get(&unit.pts));
            }
        }
    }
}

/// H.264, H.265, VP9 and AV1 of small packets; without delimiters, whose loss nothing tells.
fn lossless_streams() -> &'static [Vec<RtpPacket>; 4] {
    static STREAMS: OnceLock<[Vec<RtpPacket>; 4]> = OnceLock::new();
    STREAMS.get_or_init(|| {
        let encode = |encoder: &[&str], format| {
            elementary::encode(30, &[encoder, &["-g", "10"]].concat(), format).expect("a stream")
        };
        let h264 = encode(
            &["-c:v", "libx264", "-x264-params", "aud=1:slices=3"],
            "h264",
        );
        let h264 = elementary::split_annex_b(&h264, is_h264_delimiter);
        let h265 = "aud=1:repeat-headers=1:slices=2:log-level=none";
        let h265 = encode(&["-c:v", "libx265", "-x265-params", h265], "hevc");
        let h265 = elementary::split_annex_b(&h265, is_h265_delimiter);
        let vp9 = encode(&VP9, "ivf");
        let vp9 = elementary::split_ivf(&vp9).expect("an IVF file");
        let pairs = vp9
            .chunks(2)
            .map(|pair| pair.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let av1 = encode(
            &["-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8"],
            "ivf",
        );
        let av1 = elementary::split_ivf(&av1).expect("an IVF file");
        let stream = |codec, pictures: Vec<_>| packetize::stream(codec, &pictures, 3_000);
        [
            stream(
                Codec::H264,
                h264.iter()
                    .map(|nals| packetize::h264(without_delimiter(nals), 300))
                    .collect(),
            ),
            stream(
                Codec::H265,
                h265.iter()
                    .map(|nals| packetize::h265(without_delimiter(nals), 300))
                    .collect(),
            ),
            stream(
                Codec::Vp9,
                pairs.map(|pair| packetize::vp9(&pair, 300)).collect(),
            ),
            stream(
                Codec::Av1,
                av1.iter().map(|unit| packetize::av1(unit, 300)).collect(),
            ),
        ]
    })
}

/// Thirty pictures with three keyframes, each NAL unit as it was.
fn comes_back_nal_by_nal(outcome: &Depacketized, pictures: &[Vec<Vec<u8>>]) {
    assert_eq!(outcome.tally(), [0, 30, 0, 3, 0]);
    assert_eq!(nals_of(outcome), pictures);
}

fn decodes_alike(written: &[u8], stream: &[u8], format: &str) {
    let decoded = |stream| elementary::decode(stream, format).expect("a stream");
    assert_eq!(decoded(written), decoded(stream), "{format}");
}

fn is_h264_delimiter(nal: &[u8]) -> bool {
    nal.first().is_some_and(|header| header & 0x1f == 9)
}

fn is_h265_delimiter(nal: &[u8]) -> bool {
    nal.first().is_some_and(|header| header >> 1 & 0x3f == 35)
}

fn without_delimiter(nals: &[Vec<u8>]) -> &[Vec<u8>] {
    nals.split_first().map_or(nals, |(_, others)| others)
}

/// Loses packets, each with a number of 0 to 99 below `percent`.
fn lossy(packets: &[RtpPacket], numbers: &[u8], percent: u8) -> Vec<Step> {
    let numbered = packets.iter().zip(numbers.iter().cycle());
    let kept = numbered.filter(|(_, number)| **number >= percent);
    let mut steps = vec![Step::Lost(1)];
    steps.extend(capture::in_order(
        kept.map(|(packet, _)| packet.clone()).collect(),
    ));
    steps
}

fn sent(codec: Codec, pictures: &[Vec<Vec<u8>>]) -> Vec<Step> {
    capture::in_order(packetize::stream(codec, pictures, 3_000))
}

fn nals_of(outcome: &Depacketized) -> Vec<Vec<Vec<u8>>> {
    let nals = |unit: &AccessUnit| nal::units(&unit.data).map(<[u8]>::to_vec).collect();
    outcome.units.iter().map(nals).collect()
}

fn bytes_of(outcome: &Depacketized) -> Vec<Vec<u8>> {
    outcome
        .units
        .iter()
        .map(|unit| unit.data.to_vec())
        .collect()
}

const VP9: [&str; 8] = [
    "-c:v",
    "libvpx-vp9",
    "-deadline",
    "realtime",
    "-cpu-used",
    "8",
    "-g",
    "10",
];
