//! Somebody who sends a tone.

use std::time::{Duration, Instant};

use trackmill::codec::encode::{self, OpusEncoder};
use trackmill::media::{AudioFormat, Channels, Codec, MediaTime, SampleRate, SeqNo, Ssrc};
use trackmill::rtp::RtpPacket;

/// Sends a tone in packets of 20 ms, with redundancy, which arrive at once. Its peaks are at 0.5.
pub(crate) struct Sender {
    encoder: OpusEncoder,
    pub(super) now: Instant,
    number: u64,
    time: u64,
}

impl Sender {
    pub(crate) fn new(start: Instant) -> Self {
        let mono = AudioFormat::new(SampleRate::HZ_48000, Channels::Mono);
        Self {
            encoder: OpusEncoder::new(mono, QUICK).expect("an encoder"),
            now: start,
            number: 0,
            time: 0,
        }
    }

    pub(crate) fn send(&mut self, count: usize) -> Vec<RtpPacket> {
        (0..count).map(|_| self.packet()).collect()
    }

    pub(super) fn pause(&mut self, pause: Duration) {
        self.now += pause;
        self.time += SampleRate::HZ_48000.samples(pause);
    }

    #[expect(clippy::cast_precision_loss, reason = "the tests are short")]
    fn packet(&mut self) -> RtpPacket {
        let tone = (self.time..self.time + 960).map(|at| (at as f32 * TONE).sin() * 0.5);
        let tone: Vec<f32> = tone.collect();
        let packet = RtpPacket {
            ssrc: Ssrc(1),
            sequence_number: SeqNo(self.number),
            timestamp: MediaTime(1_000_000 + self.time),
            codec: Codec::Opus,
            marker: false,
            arrival: self.now,
            payload: self.encoder.encode(&tone).expect("a packet"),
        };
        self.number += 1;
        self.pause(Duration::from_millis(20));
        packet
    }
}

/// An encoder for tests that listen to little more than how loud it is.
pub(super) const QUICK: encode::Settings = encode::Settings {
    bit_rate: Some(32_000),
    complexity: 0,
};
/// 440 Hz at 48 kHz.
const TONE: f32 = 440.0 * std::f32::consts::TAU / 48_000.0;
