//! What a packet costs in each stage behind the receiver, and from `RtpPacket` to file bytes.
//!
//! An iteration is a whole recording of some seconds, by a stage of its own, so that pages, clusters
//! and fragments count as often as they come. Inputs are made outside; what comes out is dropped
//! inside, as the next stage would. Hot caches: a recorder of a thousand tracks pays more, which
//! `make load` shows.

mod capture;
mod plugin;
mod sound;
mod synthetic;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use trackmill::depacketize;
use trackmill::media::{AccessUnit, Codec, NtpTimestamp, Pts, TrackKind};
use trackmill::mux::{self, Container, Metadata};
use trackmill::pipeline::{Pipeline, Settings, Source};
use trackmill::rtp::RtpPacket;
use trackmill::rtp::jitter_buffer::{self, JitterBuffer};
use trackmill::rtp::timeline::WallClock;

fn main() {
    divan::main();
}

/// Opus as it came: in order, and with every twentieth packet late because it came by NACK.
#[divan::bench(args = ["opus-pion-mute", "opus-pion-loss5-nack"])]
fn jitter_buffer(bencher: Bencher<'_, '_>, name: &str) {
    let packets = capture::packets(name);
    bencher
        .counter(ItemsCount::new(packets.len()))
        .with_inputs(|| {
            (
                JitterBuffer::new(jitter_buffer::Settings::AUDIO),
                packets.clone(),
            )
        })
        .bench_local_values(|(mut buffer, packets)| {
            for packet in packets {
                let now = packet.arrival;
                if buffer.passes(&packet) {
                    black_box(packet);
                    continue;
                }
                buffer.push(packet);
                while let Some(release) = buffer.poll(now) {
                    black_box(release);
                }
            }
            buffer
        });
}

/// Synthetic: Opus of 100 bytes, pictures of five packets of 1,100 bytes.
#[divan::bench(args = [Codec::Opus, Codec::Pcmu, Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1])]
fn depacketizer(bencher: Bencher<'_, '_>, codec: Codec) {
    let packets = synthetic::packets(codec);
    assert_eq!(units(&packets).len(), synthetic::UNITS, "{codec}");
    bencher
        .counter(ItemsCount::new(packets.len()))
        .with_inputs(|| depacketize::for_codec(codec))
        .bench_local_values(|mut depacketizer| {
            for packet in &packets {
                let pts = Pts(packet.timestamp.0);
                assert!(depacketizer.push(packet, pts).is_ok(), "a legal payload");
                while let Some(unit) = depacketizer.pull() {
                    black_box(unit);
                }
            }
            depacketizer
        });
}

/// An item is an access unit: for audio a packet, for video a picture of several.
#[divan::bench(args = ["opus-pion-mute", "h264-pion-mute", "vp8-libwebrtc-layers-pause"])]
fn muxer(bencher: Bencher<'_, '_>, name: &str) {
    mux(bencher, &capture::packets(name));
}

/// The same for WAV, of which there is no capture.
#[divan::bench]
fn muxer_wav(bencher: Bencher<'_, '_>) {
    mux(bencher, &synthetic::packets(Codec::Pcmu));
}

/// From `RtpPacket` to file bytes; an item is a packet.
#[divan::bench(args = ["opus-pion-mute", "opus-pion-loss5-nack", "h264-pion-mute", "h264-libwebrtc-layers", "vp8-libwebrtc-layers-pause", "vp8-pion-loss5-rtx"])]
fn pipeline(bencher: Bencher<'_, '_>, name: &str) {
    let packets = capture::packets(name);
    let first = packets.first().expect("a capture has packets");
    let wall = WallClock {
        instant: first.arrival,
        ntp: STARTED_AT,
    };
    let source = source(first.codec.kind());
    bencher
        .counter(ItemsCount::new(packets.len()))
        .with_inputs(|| {
            let pipeline = Pipeline::new(source.clone(), Settings::default(), wall);
            (pipeline, packets.clone())
        })
        .bench_local_values(|(mut pipeline, packets)| {
            for packet in packets {
                let now = packet.arrival;
                if pipeline.poll_timeout().is_some_and(|due| due <= now) {
                    pipeline.handle_timeout(now);
                }
                pipeline.packet(packet);
                while let Some(output) = pipeline.poll_output() {
                    black_box(output);
                }
            }
            pipeline
        });
}

fn mux(bencher: Bencher<'_, '_>, packets: &[RtpPacket]) {
    let codec = packets.first().expect("packets").codec;
    let mut units = units(packets);
    // A file begins at a keyframe.
    let before = units.iter().take_while(|unit| !unit.is_keyframe).count();
    units.drain(..before);
    bencher
        .counter(ItemsCount::new(units.len()))
        .with_inputs(|| mux::for_codec(Container::of(codec), metadata(codec)))
        .bench_local_values(|mut muxer| {
            for unit in &units {
                assert!(muxer.write(unit).is_ok(), "a legal unit");
                while let Some(output) = muxer.poll_output() {
                    black_box(output);
                }
            }
            muxer
        });
}

/// What a depacketizer makes of packets, once they are in order.
fn units(packets: &[RtpPacket]) -> Vec<AccessUnit> {
    let mut packets = packets.to_vec();
    packets.sort_by_key(|packet| packet.sequence_number);
    let first = packets.first().expect("packets");
    let (codec, start) = (first.codec, first.timestamp.0);
    let mut depacketizer = depacketize::for_codec(codec);
    let mut units = Vec::new();
    for packet in &packets {
        let pts = Pts(packet.timestamp.0 - start);
        depacketizer.push(packet, pts).expect("a legal payload");
        units.extend(std::iter::from_fn(|| depacketizer.pull()));
    }
    units
}

fn source(kind: TrackKind) -> Source {
    Source {
        kind,
        room: "bench".into(),
        participant: "publisher".into(),
        track: "TR_bench".into(),
    }
}

fn metadata(codec: Codec) -> Metadata {
    let Source {
        room,
        participant,
        track,
        ..
    } = source(codec.kind());
    Metadata {
        codec,
        room,
        participant,
        track,
        started_at: STARTED_AT,
    }
}

/// Some day of this century.
const STARTED_AT: NtpTimestamp = NtpTimestamp(0xe800_0000 << 32);
