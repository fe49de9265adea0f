//! What those hear who listen to a track while it goes on, in virtual time (media.md §9).

use std::time::{Duration, Instant};

use trackmill::filter::Halt;
use trackmill::media::{Codec, MediaTime, SeqNo, Ssrc};
use trackmill::pipeline::decoded::{OnMute, Outlet, Sound, Work};
use trackmill::pipeline::{Event, EventKind, GapReason, Message, Output};
use trackmill::rtp::{Restart, RestartCause, RtpPacket};
use trackmill_room::media::Media;
use trackmill_tests::media;

use super::recording::Recording;

#[test]
fn s5_a_packet_is_a_message_as_soon_as_it_is_there() {
    for mut recording in listeners() {
        for (number, packet) in (1..).zip(stereo(recording.start, 50)) {
            let arrival = packet.arrival;
            recording.packet(packet);

            let mut messages = recording.other.iter().filter_map(message);
            assert_eq!(messages.clone().count(), number);
            assert_eq!(messages.next_back().unwrap().made_at, arrival);
        }
    }
}

#[test]
fn s3_what_the_network_lost_is_told_where_it_is_missing() {
    for mut recording in listeners() {
        let mut sent = stereo(recording.start, 50);
        sent.drain(20..23);
        recording.packets(sent);

        let outputs = recording.finish_other();

        assert_eq!(gaps(&outputs), [(20 * 960, 60, GapReason::Lost)]);
        let place = |is_it: &dyn Fn(&Output) -> bool| outputs.iter().position(is_it);
        let gap = place(&|output| is_gap(output)).unwrap();
        let before = place(&|output| begins_at(output, 19 * 960)).unwrap();
        let behind = place(&|output| begins_at(output, 24 * 960)).unwrap();
        assert!((before..behind).contains(&gap), "{before} {gap} {behind}");
    }
}

#[test]
fn s3_a_track_that_was_gone_tells_for_how_long() {
    for mut recording in listeners() {
        let sent = stereo(recording.start, 75);
        recording.packets(sent[..50].iter().cloned());
        recording.pipeline.interrupt(recording.now);
        recording.wait(Duration::from_secs(2));
        let restart = Restart {
            track: "TR_2".into(),
            cause: RestartCause::Republished,
        };
        recording.pipeline.restart(restart, recording.now);
        let back = recording.now;
        recording.packets(sent[50..].iter().map(|packet| RtpPacket {
            ssrc: Ssrc(2),
            arrival: back + (packet.arrival - sent[50].arrival),
            ..packet.clone()
        }));

        let gaps = gaps(&recording.finish_other());

        let [(at, millis, GapReason::Interrupted)] = gaps[..] else {
            panic!("{gaps:?}");
        };
        assert_eq!(at, 50 * 960);
        assert!(millis.abs_diff(1_980) <= 20, "{millis}");
    }
}

/// An encoder that has nothing to say sends nothing.
#[test]
fn s3_a_pause_of_speech_is_no_gap() {
    for mut recording in listeners() {
        let mut sent = stereo(recording.start, 100);
        sent.drain(20..35);
        for (number, packet) in (0..).zip(&mut sent) {
            packet.sequence_number = SeqNo(number);
        }
        recording.packets(sent);

        assert_eq!(gaps(&recording.finish_other()), []);
    }
}

/// A receiver of PCM without `start` texts would not notice.
#[test]
fn s2_the_format_stays_when_the_codec_changes() {
    let mut recording = Recording::decoding(Sound::new(AS_THE_SOURCE));
    let sent = stereo(recording.start, 50);
    let last = sent[49].clone();
    recording.packets(sent);
    recording.packets((1..50).map(|number| RtpPacket {
        codec: Codec::Pcmu,
        sequence_number: SeqNo(49 + number),
        timestamp: MediaTime(last.timestamp.0 + number * 160),
        arrival: last.arrival + Duration::from_millis(20 * number),
        payload: vec![0xff; 160].into(),
        ..last.clone()
    }));

    let outputs = recording.finish_other();

    let formats: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Open(opening) => Some(opening.format.channels.count()),
            _ => None,
        })
        .collect();
    assert_eq!(formats, [2, 2]);
    let lengths = outputs.iter().filter_map(message);
    let lengths = lengths.map(|message| message.bytes.len());
    assert!(lengths.clone().all(|length| length == 3_840));
    assert_eq!(lengths.count(), 99);
}

#[test]
fn s2_a_track_of_another_codec_has_no_opus_packets_and_says_so() {
    let mut recording = Recording::of_packets(OnMute::Silence);
    let sent = stereo(recording.start, 10);
    recording.packets(sent.into_iter().map(|packet| RtpPacket {
        codec: Codec::Pcmu,
        ..packet
    }));

    let outputs = recording.finish_other();

    let [Output::Halt(Halt::Egress(reason))] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    assert!(
        reason.contains("pcmu") && reason.contains("ask for PCM"),
        "{reason}"
    );
}

/// Of samples, and of packets.
fn listeners() -> [Recording; 2] {
    [
        Recording::decoding(Sound::new(AS_THE_SOURCE)),
        Recording::of_packets(OnMute::Silence),
    ]
}

/// Packets of the clip, which arrive at once.
fn stereo(start: Instant, count: usize) -> Vec<RtpPacket> {
    let clip = Media::open(media::path("opus.ogg")).expect("the clip");
    let packets = (0..).zip(clip.packets.iter().take(count));
    let packet = |(number, packet): (u64, &trackmill_room::media::MediaPacket)| RtpPacket {
        ssrc: Ssrc(1),
        sequence_number: SeqNo(number),
        timestamp: MediaTime(1_000_000 + number * 960),
        codec: Codec::Opus,
        marker: false,
        arrival: start + Duration::from_millis(20 * number),
        payload: packet.payload.clone(),
    };
    packets.map(packet).collect()
}

/// Where, how many ms, and why.
fn gaps(outputs: &[Output]) -> Vec<(u64, u128, GapReason)> {
    let gaps = outputs.iter().filter_map(|output| match output {
        Output::Event(Event {
            pts,
            kind: EventKind::Gap { duration, reason },
        }) => Some((pts.0, duration.as_millis(), *reason)),
        _ => None,
    });
    gaps.collect()
}

const fn message(output: &Output) -> Option<&Message> {
    match output {
        Output::Message(message) => Some(message),
        _ => None,
    }
}

const fn is_gap(output: &Output) -> bool {
    matches!(
        output,
        Output::Event(Event {
            kind: EventKind::Gap { .. },
            ..
        })
    )
}

fn begins_at(output: &Output, pts: u64) -> bool {
    message(output).is_some_and(|message| message.pts.0 == pts)
}

const AS_THE_SOURCE: Outlet = Outlet::Messages {
    format: Work {
        rate: None,
        channels: None,
    },
    frame: Duration::from_millis(20),
};
