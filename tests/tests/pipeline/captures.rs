//! What a real server sent, through the whole pipeline in its own time.

use std::time::Duration;

use trackmill::media::{Integrity, MediaTime, Pts, TrackKind};
use trackmill::pipeline::{OnLoss, Settings, Summary};
use trackmill::rtp::RtpPacket;
use trackmill::rtp::injected::is_injected;
use trackmill_tests::capture::{self, Step};
use trackmill_tests::depacketized::Depacketized;
use trackmill_tests::inspect::{mkvinfo, opusinfo};
use trackmill_tests::probe::decode;

use super::sound::{find, heard};
use super::{File, OnDisk, Recording, seconds};

/// O1, O4, T3: a recording holds the packets that were published and no others, each at its time.
#[test]
fn o1_captured_sound_is_in_the_file_bit_by_bit_and_in_time() -> anyhow::Result<()> {
    for name in capture::NAMES
        .iter()
        .filter(|name| name.starts_with("opus"))
    {
        let (file, summary, packets) = record(name, Settings::default());
        let published = published(packets);

        let (heard, end) = heard(&file.bytes);

        let places = find(&heard, published.iter().map(|packet| &packet.payload));
        let origin = published[0].timestamp;
        for (place, packet) in places.iter().zip(&published) {
            let wanted = packet.timestamp.since(origin).cast_unsigned();
            assert!(place.0.abs_diff(wanted) <= 960, "{name}: {place:?}");
        }
        let last = published[published.len() - 1].timestamp.since(origin) + 960;
        assert!(end.0.abs_diff(last.cast_unsigned()) <= 960, "{name}");
        assert_eq!(summary.units.written, published.len() as u64, "{name}");
        assert_eq!(summary.lost, 0, "{name}");
        let on_disk = OnDisk::new(&file);
        opusinfo(&on_disk.path)?;
        decode(&on_disk.path)?;
        let duration = summary.duration.as_secs_f64();
        let played = seconds(&on_disk.probe()["format"]["duration"]);
        assert!((duration - played).abs() < 0.02, "{name}: {played}");
    }
    Ok(())
}

/// O4: a second of the SFU's silence is not in the file; the mute is, as long as it was.
#[test]
fn o4_a_captured_mute_is_as_long_in_the_file_as_it_was() {
    for name in ["opus-libwebrtc-mute", "opus-pion-mute"] {
        let (file, summary, packets) = record(name, Settings::default());
        let published = published(packets);

        let (heard, _) = heard(&file.bytes);

        let steps = published.windows(2).map(|pair| ticks(&pair[0], &pair[1]));
        let muted = steps.max().unwrap() - 960;
        let filled = heard.iter().filter(|heard| heard.is_filler()).count() as u64 * 960;
        assert!(muted > 90_000, "{name}");
        assert!(filled.abs_diff(muted) <= 960, "{name}: {filled} of {muted}");
        assert_eq!(summary.injected, 51, "{name}");
    }
}

/// V1, V3, M5: every picture from the first keyframe on is decoded at its time, and none of the
/// SFU's is.
#[test]
fn v3_captured_pictures_are_all_decoded_and_none_of_the_sfu() -> anyhow::Result<()> {
    for name in capture::NAMES {
        if name.starts_with("opus") || name.contains("loss") {
            continue;
        }
        let (file, summary, packets) = record(name, Settings::default());
        let sent = Depacketized::of(capture::in_order(packets));
        let shown: Vec<_> = sent
            .units
            .iter()
            .skip_while(|unit| !unit.is_keyframe)
            .collect();

        let on_disk = OnDisk::new(&file);

        let probed = on_disk.probe();
        assert_eq!(decode(&on_disk.path)?, shown.len() as u64, "{name}");
        let wanted: Vec<_> = shown
            .iter()
            .map(|unit| unit.pts.0 - shown[0].pts.0)
            .collect();
        assert_times(name, &probed, &wanted);
        assert_eq!(summary.units.written, shown.len() as u64, "{name}");
        let before = (sent.units.len() - shown.len()) as u64;
        assert_eq!(summary.units.before_keyframe, before, "{name}");
        assert_eq!(summary.injected, sent.injected as u64, "{name}");
        assert_eq!(summary.lost, 0, "{name}");
        assert_duration(name, &summary, &probed);
        if name.starts_with("vp8") {
            mkvinfo(&on_disk.path)?;
        }
    }
    Ok(())
}

/// V5: sizes are listed where layers switch, from second 0 on.
#[test]
fn v5_sizes_are_listed_where_layers_switch() {
    let expected: [(&str, &[(u32, u32)]); 4] = [
        ("h264-libwebrtc-layers", &[(320, 180), (1_280, 720)]),
        ("h264-libwebrtc-unpublish", &[(1_280, 720)]),
        (
            "vp8-libwebrtc-layers-pause",
            &[(1_280, 720), (640, 360), (320, 180), (1_280, 720)],
        ),
        ("vp8-pion-unpublish", &[(640, 360)]),
    ];
    for (name, sizes) in expected {
        let (_, summary, _) = record(name, Settings::default());

        let listed = summary.sizes.first.iter();
        let found: Vec<_> = listed.map(|size| (size.width, size.height)).collect();
        assert_eq!(found, sizes, "{name}");
        assert_eq!(summary.sizes.first[0].at, Pts(0), "{name}");
        assert!(summary.sizes.first.is_sorted_by_key(|size| size.at));
    }
}

/// V1, V2: with loss, what is missing is counted exactly; what came is kept by default.
#[test]
fn v2_pictures_after_a_captured_loss_are_kept_and_counted() {
    for name in ["vp8-pion-loss5-rtx", "vp8-pion-loss20-rtx"] {
        let (file, summary, packets) = record(name, Settings::default());
        let steps = capture::in_order(packets);
        let missing = missing(&steps);
        let sent = Depacketized::of(steps);
        let is_start = |unit: &&_| is_whole_keyframe(unit);
        let shown: Vec<_> = sent
            .units
            .iter()
            .skip_while(|unit| !is_start(unit))
            .collect();
        let damaged = shown
            .iter()
            .filter(|unit| unit.integrity == Integrity::Damaged);

        let probed = OnDisk::new(&file).probe();

        assert_eq!((summary.lost, summary.late), (missing, 0), "{name}");
        assert_eq!(summary.units.written, shown.len() as u64, "{name}");
        assert_eq!(summary.units.damaged, damaged.count() as u64, "{name}");
        assert_eq!(summary.units.skipped, sent.skipped as u64, "{name}");
        let before = (sent.units.len() - shown.len()) as u64;
        assert_eq!(summary.units.before_keyframe, before, "{name}");
        let wanted: Vec<_> = shown
            .iter()
            .map(|unit| unit.pts.0 - shown[0].pts.0)
            .collect();
        assert_times(name, &probed, &wanted);
        assert_duration(name, &summary, &probed);
    }
}

/// V2: what is left when pictures after a loss are dropped is decoded without an error.
#[test]
fn v2_what_is_left_without_pictures_after_a_loss_is_decoded() -> anyhow::Result<()> {
    for name in ["vp8-pion-loss5-rtx", "vp8-pion-loss20-rtx"] {
        let settings = Settings {
            on_loss: OnLoss::Drop,
            ..Settings::default()
        };
        let (file, summary, packets) = record(name, settings);
        let sent = Depacketized::of(capture::in_order(packets));

        let units = summary.units;
        let on_disk = OnDisk::new(&file);
        assert_eq!(decode(&on_disk.path)?, units.written, "{name}");
        assert!(units.written > 0 && units.after_loss > 0, "{name}");
        assert_eq!(units.damaged, 0, "{name}");
        let all = units.written + units.before_keyframe + units.after_loss;
        assert_eq!(all, sent.units.len() as u64, "{name}");
    }
    Ok(())
}

/// V1: a track that begins inside a picture asks for a keyframe and begins with it.
#[test]
fn v1_a_capture_that_begins_inside_a_keyframe_begins_at_the_next() {
    let mut recording = Recording::new(TrackKind::Video);
    let packets = capture::packets("vp8-pion-loss20-rtx", recording.start).unwrap();
    recording.packets(packets);

    let first_request = recording.keyframe_requests.first().copied();
    let (_, summary) = recording.finish_one();

    assert!(first_request.is_some_and(|at| at < Duration::from_secs(2)));
    assert!(summary.units.before_keyframe > 0);
    assert!(summary.units.keyframes > 0);
}

fn record(name: &str, settings: Settings) -> (File, Summary, Vec<RtpPacket>) {
    let kind = if name.starts_with("opus") {
        TrackKind::Audio
    } else {
        TrackKind::Video
    };
    let mut recording = Recording::with(kind, settings);
    let packets = capture::packets(name, recording.start).expect(name);
    recording.packets(packets.iter().cloned());
    let (file, summary) = recording.finish_one();
    (file, summary, packets)
}

/// What the publisher sent, in order.
fn published(packets: Vec<RtpPacket>) -> Vec<RtpPacket> {
    let packets = capture::in_order(packets).into_iter();
    let packets = packets.filter_map(|step| match step {
        Step::Packet(packet) => Some(packet),
        Step::Lost(_) => None,
    });
    packets.filter(|packet| !is_injected(packet)).collect()
}

fn ticks(from: &RtpPacket, to: &RtpPacket) -> u64 {
    MediaTime::since(to.timestamp, from.timestamp).cast_unsigned()
}

fn missing(steps: &[Step]) -> u64 {
    let lost = steps.iter().map(|step| match step {
        Step::Lost(count) => *count,
        Step::Packet(_) => 0,
    });
    lost.sum()
}

fn is_whole_keyframe(unit: &trackmill::media::AccessUnit) -> bool {
    unit.is_keyframe && unit.integrity == Integrity::Whole
}

/// Each picture is shown at its time, to the tick in MP4 and to the millisecond in WebM, where none
/// is shown together with the one before.
fn assert_times(name: &str, probed: &serde_json::Value, wanted: &[u64]) {
    let packets = probed["packets"].as_array().expect("packets");
    assert_eq!(packets.len(), wanted.len(), "{name}");
    for (packet, wanted) in packets.iter().zip(wanted) {
        let found = seconds(&packet["pts_time"]);
        let wanted = Duration::from_micros(wanted * 100 / 9).as_secs_f64();
        assert!((found - wanted).abs() < 0.002, "{name}: {found} {wanted}");
    }
}

/// The summary says how long the file plays.
fn assert_duration(name: &str, summary: &Summary, probed: &serde_json::Value) {
    let played = seconds(&probed["format"]["duration"]);
    let said = summary.duration.as_secs_f64();
    assert!((said - played).abs() < 0.002, "{name}: {said} {played}");
}
