//! What may happen to a track while it is recorded (media.md T1, T2, T4, T5, V1, O4).

use std::time::Duration;

use trackmill::media::{Codec, MediaTime, Pts, TrackKind};
use trackmill::pipeline::{Cause, OnLoss, Seam, SeamReason, Settings, Span};
use trackmill::rtp::timeline::AnchorOrigin;
use trackmill::rtp::{Restart, RestartCause, SenderReport};
use trackmill_tests::probe::decode;

use super::publisher::{self, ParameterSets, Publisher};
use super::recording::WALL;
use super::sound::{find, heard};
use super::{OnDisk, Recording};

#[test]
fn a_change_of_codec_ends_one_file_and_begins_another() -> anyhow::Result<()> {
    let mut recording = Recording::new(TrackKind::Video);
    let mut publisher = Publisher::video(Codec::Vp8, recording.start);
    recording.packets(publisher.pictures(45));
    publisher.change_codec(Codec::H264);
    recording.packets(publisher.pictures(30));

    let files = recording.finish();

    let codecs: Vec<_> = files.iter().map(|file| file.start.metadata.codec).collect();
    assert_eq!(codecs, [Codec::Vp8, Codec::H264]);
    for (file, frames) in files.iter().zip([45, 30]) {
        let summary = file.summary.as_ref().expect("it is finished");
        assert_eq!(summary.codec, file.start.metadata.codec);
        assert_eq!(summary.units.written, frames);
        assert_eq!(decode(&OnDisk::new(file).path)?, frames);
    }
    let began = files[1].start.metadata.started_at;
    assert_near(began.since(WALL).unwrap(), ms(1_500), 20);
    Ok(())
}

/// T4: another stream with other counters goes on in the same file, where the clock says.
#[test]
fn t4_another_stream_goes_on_in_the_same_file() {
    let mut recording = Recording::new(TrackKind::Audio);
    let mut publisher = Publisher::sound(recording.start);
    recording.packets(publisher.sounds(100));
    recording.wait(ms(3_000));
    recording.pipeline.restart(republished(), recording.now);
    publisher.restart(recording.now);
    recording.packets(publisher.sounds(100));

    let (file, summary) = recording.finish_one();

    let places = find(&heard(&file.bytes).0, publisher.payloads());
    assert_eq!(places.len(), 200);
    // The restart came 3 s after the last packet, and that at 1.98 s.
    assert!(
        places[100].0.abs_diff(4_980 * 48) <= 960,
        "{:?}",
        places[100]
    );
    let reason = SeamReason::Restart(republished());
    let at = Pts(4_980 * 48);
    assert_eq!(summary.seams.first, [Seam { at, reason }]);
    assert_eq!(summary.lost, 0);
}

/// T4, V1: pictures of another stream need a keyframe of their own, which is asked for.
#[test]
fn t4_pictures_of_another_stream_begin_with_a_keyframe() -> anyhow::Result<()> {
    let mut recording = Recording::new(TrackKind::Video);
    let mut publisher = Publisher::video(Codec::H264, recording.start);
    recording.packets(publisher.pictures(10));
    assert!(recording.keyframe_requests.is_empty());
    recording.wait(ms(500));
    recording.pipeline.restart(republished(), recording.now);
    publisher.restart(recording.now);
    // Pictures 10 to 29 are no keyframes.
    recording.packets(publisher.pictures(50));
    let requests = recording.keyframe_requests.len();

    let (file, summary) = recording.finish_one();

    assert_eq!(requests, 1);
    assert_eq!(
        (summary.units.before_keyframe, summary.units.written),
        (20, 40)
    );
    assert_eq!(decode(&OnDisk::new(&file).path)?, 40);
    Ok(())
}

/// T2: a media clock that jumps by hours leaves no hole and no overlap.
#[test]
fn t2_a_jump_of_the_media_clock_is_not_written() {
    for jump in [48_000 * 3_600 * 5, -48_000 * 30] {
        let mut recording = Recording::new(TrackKind::Audio);
        let mut publisher = Publisher::sound(recording.start);
        recording.packets(publisher.sounds(100));
        publisher.jump(jump);
        recording.packets(publisher.sounds(100));

        let (file, summary) = recording.finish_one();

        let places = find(&heard(&file.bytes).0, publisher.payloads());
        for (place, wanted) in places.iter().zip((0..).step_by(960)) {
            assert!(place.0.abs_diff(wanted) <= 960, "{jump}: {place:?}");
        }
        let reasons = summary.seams.first.iter().map(|seam| &seam.reason);
        assert!(reasons.eq([&SeamReason::ClockJump]));
    }
}

/// T3: a track that ends while it is muted is as long as it was there.
#[test]
fn t3_a_mute_at_the_end_lasts_to_the_end() {
    let mut recording = Recording::new(TrackKind::Audio);
    let mut publisher = Publisher::sound(recording.start);
    recording.packets(publisher.sounds(100));
    recording.mute();
    recording.wait(ms(5_000));

    let (file, summary) = recording.finish_one();

    let (_, end) = heard(&file.bytes);
    assert!(end.0.abs_diff(6_980 * 48) <= 960, "{end:?}");
    assert_near(summary.duration, ms(6_980), 1);
    let (from, to) = (Pts(1_980 * 48), Pts(6_980 * 48));
    assert_eq!(summary.mutes.first, [Span { from, to }]);
}

/// T3: an encoder that sends nothing because nobody speaks (DTX) is heard until the end, but no longer
/// than it may be silent.
#[test]
fn t3_a_pause_in_speech_at_the_end_lasts_to_the_end() {
    for (pause, lasts) in [(300, 2_300), (5_000, 2_400)] {
        let mut recording = Recording::new(TrackKind::Audio);
        let mut publisher = Publisher::sound(recording.start);
        recording.packets(publisher.sounds(100));
        let mut last = publisher.sounds(1);
        last[0].payload.truncate(1);
        recording.packets(last);
        recording.wait(ms(pause));

        let (file, summary) = recording.finish_one();

        let (_, end) = heard(&file.bytes);
        assert!(end.0.abs_diff(lasts * 48) <= 960, "{end:?}");
        assert_near(summary.duration, ms(lasts), 20);
    }
}

/// The end of a track that went away is when it went, however long its return was waited for.
#[test]
fn a_track_that_went_away_ends_when_it_went() {
    let mut recording = Recording::new(TrackKind::Audio);
    let mut publisher = Publisher::sound(recording.start);
    recording.packets(publisher.sounds(100));
    recording.mute();
    recording.wait(ms(1_000));
    recording.pipeline.interrupt(recording.now);
    recording.wait(ms(30_000));

    let (file, _) = recording.finish_one();

    assert!(heard(&file.bytes).1.0.abs_diff(2_980 * 48) <= 960);
}

/// Signalling tells of the end of a mute after the first packets came.
#[test]
fn a_mute_is_listed_as_long_as_it_was_though_packets_come_before_its_end_is_told() {
    let mut recording = Recording::new(TrackKind::Audio);
    let mut publisher = Publisher::sound(recording.start);
    recording.packets(publisher.sounds(100));
    recording.mute();
    publisher.pause(ms(10_000));
    recording.packets(publisher.sounds(5));
    recording.unmute();
    recording.packets(publisher.sounds(5));

    let (_, summary) = recording.finish_one();

    let [mute] = summary.mutes.first[..] else {
        panic!("{:?}", summary.mutes)
    };
    assert_eq!((mute.from, mute.to), (Pts(1_980 * 48), Pts(12_080 * 48)));
}

/// T3, O3: silence is written while a mute lasts, not in one burst at its end.
#[test]
fn t3_hours_of_mute_are_no_burst() {
    let max_pending = 100_000;
    let settings = Settings {
        max_pending,
        ..Settings::default()
    };
    for hours in [1, 24] {
        let mut recording = Recording::with(TrackKind::Audio, settings);
        let mut publisher = Publisher::sound(recording.start);
        recording.packets(publisher.sounds(100));
        recording.mute();
        recording.wait(ms(hours * 3_600_000));
        recording.unmute();
        publisher.pause(ms(hours * 3_600_000));
        recording.sink_is_stuck = true;
        recording.packets(publisher.sounds(100));
        let pending = recording.drain();
        recording.sink_is_stuck = false;

        let (file, summary) = recording.finish_one();

        // A minute of silence is 12 KB, two seconds of sound are less.
        assert!(pending < 30_000, "{pending}");
        assert_eq!(summary.units.written, 200);
        let places = find(&heard(&file.bytes).0, publisher.payloads());
        assert_eq!(places.len(), 200);
        let wanted = (hours * 3_600_000 + 2_000) * 48;
        assert!(places[100].0.abs_diff(wanted) <= 960, "{:?}", places[100]);
    }
}

/// What comes from a sink that is too slow is bounded memory, counted, and decodable.
#[test]
fn a_stuck_sink_costs_counted_pictures_and_bounded_memory() -> anyhow::Result<()> {
    let max_pending = 200_000;
    let settings = Settings {
        max_pending,
        ..Settings::default()
    };
    for codec in [Codec::H264, Codec::Vp8] {
        let mut recording = Recording::with(TrackKind::Video, settings);
        let mut publisher = Publisher::video(codec, recording.start);
        recording.sink_is_stuck = true;
        recording.packets(publisher.pictures(300));
        let pending = recording.drain();
        recording.sink_is_stuck = false;
        assert!(!recording.keyframe_requests.is_empty());
        publisher.skip_pictures(10);
        // The first 20 of these are no keyframes.
        recording.packets(publisher.pictures(40));

        let (file, summary) = recording.finish_one();

        let units = summary.units;
        let fragment = publisher::second(codec) + HEAD;
        assert!(
            pending <= max_pending + fragment,
            "{pending} with {fragment}"
        );
        assert!(units.sink_full > 0);
        assert_eq!(units.written + units.sink_full + units.before_keyframe, 340);
        assert_eq!(decode(&OnDisk::new(&file).path)?, units.written, "{codec}");
        let gaps = summary.gaps.first;
        let mut causes = gaps.iter().map(|gap| gap.cause);
        assert!(causes.all(|cause| cause == Cause::SinkFull));
        let missing: u64 = gaps.iter().map(|gap| gap.packets).sum();
        assert_eq!(missing, units.sink_full);
        let lasted: Duration = gaps.iter().map(|gap| gap.duration).sum();
        let unwritten = 350 - units.written;
        assert_near(lasted, Duration::from_secs(unwritten) / 30, 20);
    }
    Ok(())
}

/// The same for sound: what could not be written is a silent gap.
#[test]
fn sound_that_a_stuck_sink_refused_is_a_gap() {
    let max_pending = 6_000;
    let settings = Settings {
        max_pending,
        ..Settings::default()
    };
    let mut recording = Recording::with(TrackKind::Audio, settings);
    let mut publisher = Publisher::sound(recording.start);
    recording.sink_is_stuck = true;
    recording.packets(publisher.sounds(1_000));
    let pending = recording.drain();
    recording.sink_is_stuck = false;
    recording.packets(publisher.sounds(100));

    let (file, summary) = recording.finish_one();

    assert!(pending <= max_pending + 2_000, "{pending}");
    assert_eq!(summary.units.written + summary.units.sink_full, 1_100);
    assert!(summary.units.sink_full > 500);
    assert!(heard(&file.bytes).1.0.abs_diff(1_100 * 960) <= 960);
}

/// V1: a picture that is no keyframe asks for one at once, and again every 2 s until one comes.
#[test]
fn v1_a_keyframe_is_asked_for_every_2_s_until_one_comes() {
    let mut recording = Recording::new(TrackKind::Video);
    let mut publisher = Publisher::video(Codec::Vp8, recording.start);
    publisher.skip_pictures(1);
    recording.packets(publisher.pictures(29));
    recording.wait(ms(4_000));
    let asked = recording.keyframe_requests.clone();
    publisher.pause(ms(4_000));
    recording.packets(publisher.pictures(60));
    recording.wait(ms(10_000));

    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] == ms(2_000)));
    assert_eq!(recording.keyframe_requests.len(), asked.len());
    let (_, summary) = recording.finish_one();
    assert_eq!(
        (summary.units.before_keyframe, summary.units.written),
        (29, 60)
    );
}

/// T1, T5: sender reports say when the recording began, and how fast the publisher's clock runs.
#[test]
fn t1_t5_sender_reports_give_the_anchor_and_the_drift() {
    let mut recording = Recording::new(TrackKind::Audio);
    let mut publisher = Publisher::sound(recording.start);
    let origin = publisher.next_timestamp();
    // The publisher's wall clock is 7 s ahead, its media clock 100 ppm fast.
    for second in 0..60_u64 {
        let since = Duration::from_secs(second);
        recording.packets(publisher.sounds(50));
        let ticks = second * 48_000 + second * 48_000 / 10_000;
        recording.pipeline.sender_report(SenderReport {
            ssrc: publisher.ssrc(),
            ntp: WALL.plus(ms(7_000) + since),
            timestamp: MediaTime(origin.0 + ticks),
            arrival: recording.now,
        });
    }

    let (file, summary) = recording.finish_one();

    let anchor = summary.started_at.expect("an anchor");
    assert_eq!(anchor.origin, AnchorOrigin::SenderReport);
    assert_near(anchor.ntp.since(WALL).unwrap(), ms(7_000), 1);
    let drift = summary.drift_ppm.expect("a drift");
    assert!((drift - 100.0).abs() < 1.0, "{drift}");
    // The file began before the first report.
    assert_eq!(file.start.metadata.started_at, WALL);
}

/// O2, M2: what came is readable a second after the last packet.
#[test]
fn what_came_is_readable_after_a_second_of_silence() -> anyhow::Result<()> {
    let mut recording = Recording::new(TrackKind::Audio);
    let mut publisher = Publisher::sound(recording.start);
    recording.packets(publisher.sounds(30));
    let before = recording.files[0].bytes.bytes().len();
    recording.wait(ms(1_000));
    let behind = recording.files[0].bytes.bytes().len();
    assert!(behind > before + 29 * 20, "{before} {behind}");

    for codec in [Codec::H264, Codec::Vp8] {
        let mut recording = Recording::new(TrackKind::Video);
        let mut publisher = Publisher::video(codec, recording.start);
        recording.packets(publisher.pictures(20));
        recording.wait(ms(1_000));

        let on_disk = OnDisk::new(&recording.files[0]);

        assert!(decode(&on_disk.path)? >= 19, "{codec}");
    }
    Ok(())
}

/// V3: the SFU closes a picture of which it never sends the rest.
#[test]
fn v3_a_picture_that_the_sfu_cut_off_is_damaged() {
    let mut recording = Recording::new(TrackKind::Video);
    let mut publisher = Publisher::video(Codec::Vp8, recording.start);
    recording.packets(publisher.pictures(30));
    // The keyframe has several packets, of which the first one comes.
    let mut cut = publisher.pictures(1);
    let rest = cut.split_off(1);
    assert!(!rest.is_empty());
    publisher.take_back(rest.len() as u64);
    recording.packets(cut);
    recording.packets(publisher.injected(6));
    publisher.pause(ms(1_000));
    recording.packets(publisher.pictures(40));

    let (_, summary) = recording.finish_one();

    assert_eq!(summary.injected, 6);
    assert_eq!((summary.units.written, summary.units.damaged), (71, 1));
    assert_eq!(summary.lost, 0);
}

/// V1, T1: a keyframe without parameter sets, or with such that nobody understands, is not the
/// beginning of a file, and another one is asked for.
#[test]
fn v1_a_keyframe_that_no_file_can_begin_with_begins_none() -> anyhow::Result<()> {
    for sets in [ParameterSets::Missing, ParameterSets::Broken] {
        let mut recording = Recording::new(TrackKind::Video);
        let mut publisher = Publisher::video(Codec::H264, recording.start);
        publisher.parameter_sets(sets);
        recording.packets(publisher.pictures(30));
        assert!(recording.files.is_empty(), "{sets:?}");
        assert!(!recording.keyframe_requests.is_empty(), "{sets:?}");
        publisher.parameter_sets(ParameterSets::Sent);
        recording.packets(publisher.pictures(30));

        let (file, summary) = recording.finish_one();

        assert_eq!(summary.units.before_keyframe, 30, "{sets:?}");
        assert_eq!(summary.units.written, 30, "{sets:?}");
        let on_disk = OnDisk::new(&file);
        assert_eq!(decode(&on_disk.path)?, 30, "{sets:?}");
        assert_near(summary.duration, ms(1_000), 1);
    }
    Ok(())
}

/// V2: by policy, nothing that refers to a lost picture is written.
#[test]
fn v2_by_policy_pictures_after_a_loss_are_dropped_until_a_keyframe() -> anyhow::Result<()> {
    for (on_loss, left_out) in [(OnLoss::Keep, 0), (OnLoss::Drop, 19)] {
        let settings = Settings {
            on_loss,
            ..Settings::default()
        };
        let mut recording = Recording::with(TrackKind::Video, settings);
        let mut publisher = Publisher::video(Codec::H264, recording.start);
        recording.packets(publisher.pictures(10));
        let lost = publisher.pictures(1).len() as u64;
        recording.packets(publisher.pictures(79));

        let requests = recording.keyframe_requests.len();
        let (file, summary) = recording.finish_one();

        assert_eq!(summary.lost, lost);
        assert_eq!(summary.units.after_loss, left_out);
        assert_eq!(summary.units.written, 89 - left_out);
        assert_eq!(
            requests, 0,
            "the next keyframe was there when the loss was sure"
        );
        if on_loss == OnLoss::Drop {
            assert_eq!(decode(&OnDisk::new(&file).path)?, 70);
        }
    }
    Ok(())
}

fn republished() -> Restart {
    Restart {
        track: "TR_AMx5".into(),
        cause: RestartCause::Republished,
    }
}

fn assert_near(found: Duration, wanted: Duration, tolerance: u64) {
    let apart = found.abs_diff(wanted);
    assert!(apart <= ms(tolerance), "{found:?} instead of {wanted:?}");
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a file has more than its media: at most the head of WebM.
const HEAD: usize = 70_000;
