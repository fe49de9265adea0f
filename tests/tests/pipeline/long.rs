//! Ten hours in virtual time (media.md T3, M5, O4).

use std::time::Duration;

use bytes::Bytes;
use mp4::Mp4Reader;
use trackmill::media::{Codec, MediaTime, Pts, SeqNo, Ssrc, TrackKind};
use trackmill::mux::recovery::Source as _;
use trackmill::pipeline::{Output, Summary};
use trackmill::rtp::RtpPacket;
use trackmill_tests::clip::TINY_KEYFRAME;
use trackmill_tests::sparse::Sparse;

use super::Recording;
use super::publisher::Publisher;
use super::sound::heard;
use crate::ogg::Random;

/// T3, O4: ten hours with 500 mutes, each with a second of the SFU's silence. Every packet is
/// within 20 ms of its time, and nothing piles up.
#[test]
fn t3_ten_hours_with_500_mutes_do_not_drift() {
    const TEN_HOURS: Duration = Duration::from_secs(36_000);
    let mut recording = Recording::new(TrackKind::Audio);
    let mut publisher = Publisher::sound(recording.start);
    let mut random = Random(11);
    let origin = publisher.next_timestamp();
    let mut wanted = Vec::new();
    for _ in 0..500 {
        let count = 1 + random.index(100);
        let spoken = publisher.sounds(count);
        wanted.extend(spoken.iter().map(|packet| packet.timestamp.0 - origin.0));
        recording.packets(spoken);
        recording.mute();
        recording.packets(publisher.injected(51));
        // Up to a bit more than two minutes, never a multiple of a packet.
        publisher.pause(Duration::from_micros(2_000_003 + random.below(136_000_000)));
        let first = publisher.sounds(1);
        wanted.extend(first.iter().map(|packet| packet.timestamp.0 - origin.0));
        recording.packets(first);
        recording.unmute();
    }
    publisher.pause(TEN_HOURS.saturating_sub(recording.now - recording.start));
    let last = publisher.sounds(1);
    wanted.extend(last.iter().map(|packet| packet.timestamp.0 - origin.0));
    recording.packets(last);
    let length = recording.now - recording.start + Duration::from_millis(20);

    let (file, summary) = recording.finish_one();

    assert!(length >= TEN_HOURS);
    let (heard, end) = heard(&file.bytes);
    let spoken: Vec<_> = heard.iter().filter(|heard| !heard.is_filler()).collect();
    assert_eq!(spoken.len(), wanted.len());
    for ((heard, wanted), payload) in spoken.iter().zip(&wanted).zip(publisher.payloads()) {
        assert_eq!(heard.packet, payload);
        assert!(heard.at.0.abs_diff(*wanted) <= 960, "{heard:?}: {wanted}");
    }
    assert!(end.0.abs_diff(wanted[wanted.len() - 1] + 960) <= 960);
    assert!(summary.duration.abs_diff(length) <= Duration::from_millis(20));
    assert_eq!((summary.injected, summary.lost), (500 * 51, 0));
    assert_eq!((summary.mutes.count, summary.seams.count), (500, 0));
}

/// T3, M5: ten hours of pictures in more than 4 GiB, over the wraps of both counters. The index has
/// every picture at its time, and 64-bit places.
#[test]
fn m5_ten_hours_of_h264_end_in_an_index_of_64_bits() -> anyhow::Result<()> {
    let mut file = Sparse::keeping(4 << 10, 64);
    // What `TINY_KEYFRAME` holds, and as much of the slice as says which parameter sets it needs.
    let (sps, pps) = (&TINY_KEYFRAME[4..25], &TINY_KEYFRAME[29..33]);
    let sets = [&[0x78, 0, 21], sps, &[0, 4], pps].concat();
    let keyframe = [&sets[..], &[0, 3, 0x65, 0x88, 0x84]].concat().into();
    let picture = vec![0x41; 4_100].into();

    let (summary, peak) = ten_hours(Codec::H264, [keyframe, picture], &mut file);

    assert!(file.len() > 4 << 30);
    assert!(peak < 1 << 20, "{peak} bytes at once");
    assert_whole(&summary);
    let reader = Mp4Reader::read_header(file.reader(), file.len())?;
    assert_eq!(u64::from(reader.sample_count(1)?), PICTURES);
    let track = &reader.tracks()[&1];
    let table = &track.trak.mdia.minf.stbl;
    let offsets = table.co64.as_ref().expect("64-bit places");
    assert!(offsets.entries.is_sorted());
    assert!(
        offsets
            .entries
            .last()
            .is_some_and(|offset| *offset > 4 << 30)
    );
    let mut time = 0;
    for run in &table.stts.entries {
        time += u64::from(run.sample_count) * u64::from(run.sample_delta);
    }
    assert!(time.abs_diff(PICTURES * 3_000) <= 1_800, "{time}");
    Ok(())
}

/// T3, W1: the same in WebM.
#[test]
fn w1_ten_hours_of_vp8_are_ten_hours_in_webm() -> anyhow::Result<()> {
    let mut file = Sparse::keeping(usize::MAX, 64);
    // 16x16 pixels.
    let keyframe = Bytes::from_static(&[0x10, 0x10, 2, 0, 0x9d, 1, 0x2a, 16, 0, 16, 0, 7, 7, 7]);
    let picture = Bytes::from_static(&[0x10, 0x11, 2, 0, 7, 7, 7, 7]);

    let (summary, peak) = ten_hours(Codec::Vp8, [keyframe, picture], &mut file);

    assert!(peak < 1 << 20, "{peak} bytes at once");
    assert_whole(&summary);
    let read = matroska::Matroska::open(file.reader())?;
    let duration = read.info.duration.expect("a duration");
    assert!(duration.abs_diff(Duration::from_secs(36_000)) <= Duration::from_millis(20));
    Ok(())
}

/// Records ten hours from shortly before both counters wrap. Returns what is said of it, and the
/// most bytes that a packet made, but for the index at the end.
fn ten_hours(codec: Codec, pictures: [Bytes; 2], file: &mut Sparse) -> (Summary, usize) {
    let mut recording = Recording::new(TrackKind::Video);
    recording.sink_is_stuck = true;
    let mut peak = 0;
    for number in 0..PICTURES {
        let payload = &pictures[usize::from(number % 300 != 0)];
        let since = Duration::from_nanos(number * 100_000_000 / 3);
        recording.packet(RtpPacket {
            ssrc: Ssrc(1),
            sequence_number: SeqNo((2 << 16) - 20 + number),
            timestamp: MediaTime((2 << 32) - 90_000 * 3_600 + number * 3_000),
            codec,
            marker: true,
            arrival: recording.start + since,
            payload: payload.clone(),
        });
        let (bytes, _) = take(&mut recording, file);
        peak = peak.max(bytes);
    }
    file.keep_everything();
    recording.pipeline.finish(recording.now);
    let (_, summary) = take(&mut recording, file);
    (summary.expect("it is finished"), peak)
}

fn take(recording: &mut Recording, file: &mut Sparse) -> (usize, Option<Summary>) {
    let (mut bytes, mut summary) = (0, None);
    while let Some(output) = recording.pipeline.poll_output() {
        match output {
            Output::Start(_) => {}
            Output::Bytes(output) => {
                bytes += super::recording::size(&output);
                file.apply(output);
            }
            Output::End(ended) => summary = Some(*ended),
            other => panic!("{other:?} of a file that is not decoded"),
        }
    }
    (bytes, summary)
}

fn assert_whole(summary: &Summary) {
    assert_eq!((summary.units.written, summary.lost), (PICTURES, 0));
    assert_eq!(summary.seams.count, 0);
    assert_eq!(summary.sizes.first[0].at, Pts(0));
    assert_eq!(summary.duration, Duration::from_secs(36_000));
}

const PICTURES: u64 = 36_000 * 30;
