//! A publisher in virtual time, with sound that can be told apart and pictures that decode.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trackmill::media::{ClockRate, Codec, MediaTime, SeqNo, Ssrc};
use trackmill::rtp::RtpPacket;
use trackmill_tests::{capture, elementary, packetize};

/// Sends packets that arrive at once. A keyframe comes each second.
#[derive(Debug)]
pub(super) struct Publisher {
    codec: Codec,
    ssrc: Ssrc,
    next: SeqNo,
    time: MediaTime,
    /// When the next unit is sent.
    clock: Instant,
    /// How many units were sent.
    index: usize,
    sent: Vec<Bytes>,
    parameter_sets: ParameterSets,
}

impl Publisher {
    /// Of Opus packets of 20 ms. Both counters are about to wrap.
    pub(super) const fn sound(start: Instant) -> Self {
        Self::new(Codec::Opus, start)
    }

    /// Of 30 pictures a second.
    pub(super) const fn video(codec: Codec, start: Instant) -> Self {
        Self::new(codec, start)
    }

    const fn new(codec: Codec, start: Instant) -> Self {
        Self {
            codec,
            ssrc: Ssrc(1),
            next: SeqNo((2 << 16) - 20),
            time: MediaTime((2 << 32) - 20_000),
            clock: start,
            index: 0,
            sent: Vec::new(),
            parameter_sets: ParameterSets::Sent,
        }
    }

    /// The next `count` packets of sound, no two of which are alike.
    pub(super) fn sounds(&mut self, count: usize) -> Vec<RtpPacket> {
        let packets = (0..count).map(|_| {
            let payload = sound(self.index);
            self.sent.push(payload.clone());
            let packet = self.packet(payload, false);
            self.index += 1;
            self.pause(Duration::from_millis(20));
            packet
        });
        packets.collect()
    }

    /// The packets of the next `count` pictures.
    pub(super) fn pictures(&mut self, count: usize) -> Vec<RtpPacket> {
        let mut packets = Vec::new();
        for _ in 0..count {
            let picture = self.picture();
            for (left, payload) in (0..picture.len()).rev().zip(picture) {
                packets.push(self.packet(payload, left == 0));
            }
            self.end_picture();
        }
        packets
    }

    /// What the SFU puts in at the end of a track, or for a second at a mute.
    pub(super) fn injected(&mut self, count: usize) -> Vec<RtpPacket> {
        let payload = injected(self.codec);
        let (clock, time) = (self.clock, self.time);
        let packets = (0..count).map(|number| {
            // The first one repeats the time of the last real packet; the steps are off the grid.
            let step = Duration::from_micros(20_900) * u32::try_from(number).expect("few");
            self.clock = clock + step;
            self.time.0 = time.0 - 960 + ClockRate::OPUS.ticks(step);
            self.packet(payload.clone(), true)
        });
        let packets = packets.collect();
        (self.clock, self.time) = (clock, time);
        packets
    }

    /// Time passes without anything to send.
    pub(super) fn pause(&mut self, duration: Duration) {
        self.clock += duration;
        self.time.0 += self.codec.clock_rate().ticks(duration);
    }

    /// Pictures that nobody sends.
    pub(super) fn skip_pictures(&mut self, count: usize) {
        (0..count).for_each(|_| self.end_picture());
    }

    /// The media clock jumps.
    pub(super) const fn jump(&mut self, ticks: i64) {
        self.time.0 = self.time.0.wrapping_add_signed(ticks);
    }

    /// Sequence numbers are given to other packets.
    pub(super) const fn take_back(&mut self, packets: u64) {
        self.next.0 -= packets;
    }

    /// Another payload type in the same stream, beginning with a keyframe.
    pub(super) const fn change_codec(&mut self, codec: Codec) {
        self.codec = codec;
        self.index = 0;
    }

    /// Another stream begins at `now`.
    pub(super) const fn restart(&mut self, now: Instant) {
        self.ssrc.0 += 1;
        self.next = SeqNo(40_000);
        self.time = MediaTime(77_777);
        self.clock = now;
    }

    /// What keyframes of H.264 have in front of them.
    pub(super) const fn parameter_sets(&mut self, sets: ParameterSets) {
        self.parameter_sets = sets;
    }

    pub(super) const fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    pub(super) const fn next_timestamp(&self) -> MediaTime {
        self.time
    }

    /// The packets of sound that were sent.
    pub(super) fn payloads(&self) -> &[Bytes] {
        &self.sent
    }

    fn picture(&self) -> Vec<Bytes> {
        let clip = clip(self.codec);
        let picture = clip[self.index % clip.len()].iter();
        let sets = self.parameter_sets;
        picture.filter_map(|payload| sets.of(payload)).collect()
    }

    fn end_picture(&mut self) {
        self.index += 1;
        self.pause(PICTURE);
    }

    fn packet(&mut self, payload: Bytes, marker: bool) -> RtpPacket {
        let sequence_number = self.next;
        self.next = sequence_number.next();
        RtpPacket {
            ssrc: self.ssrc,
            sequence_number,
            timestamp: self.time,
            codec: self.codec,
            marker,
            arrival: self.clock,
            payload,
        }
    }
}

/// What keyframes of H.264 have in front of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParameterSets {
    Sent,
    Missing,
    /// The first one says nothing that makes sense.
    Broken,
}

impl ParameterSets {
    fn of(self, payload: &Bytes) -> Option<Bytes> {
        let is_sets = payload[0] == STAP_A;
        match self {
            Self::Missing if is_sets => None,
            Self::Broken if is_sets => {
                let mut broken = payload.to_vec();
                let size = usize::from(u16::from_be_bytes([broken[1], broken[2]]));
                broken[4..3 + size].fill(0);
                Some(broken.into())
            }
            _ => Some(payload.clone()),
        }
    }
}

/// A packet of 20 ms that no other and no filler looks like.
pub(super) fn sound(index: usize) -> Bytes {
    [&[0x78, 1][..], &index.to_be_bytes(), &[7; 20]]
        .concat()
        .into()
}

/// The bytes of a second of pictures.
pub(super) fn second(codec: Codec) -> usize {
    clip(codec).iter().flatten().map(Bytes::len).sum()
}

/// The payloads of a second of pictures, the first of which is a keyframe.
fn clip(codec: Codec) -> &'static [Vec<Bytes>] {
    static VP8: OnceLock<Vec<Vec<Bytes>>> = OnceLock::new();
    static H264: OnceLock<Vec<Vec<Bytes>>> = OnceLock::new();
    match codec {
        Codec::Vp8 => VP8.get_or_init(vp8),
        Codec::H264 => H264.get_or_init(h264),
        other => unreachable!("no pictures of {other}"),
    }
}

fn vp8() -> Vec<Vec<Bytes>> {
    // Not in real time: there the pictures, and so their packets, depend on how busy the machine is.
    let encoder = [
        "-c:v",
        "libvpx",
        "-g",
        "30",
        "-deadline",
        "good",
        "-cpu-used",
        "5",
        "-b:v",
        "1M",
    ];
    let stream = elementary::encode(30, &encoder, "ivf").expect("libvpx");
    let frames = elementary::split_ivf(&stream).expect("an IVF file");
    payloads(frames.iter().map(|frame| packetize::vp8(frame, MTU)))
}

fn h264() -> Vec<Vec<Bytes>> {
    let parameters = "aud=1:scenecut=0:slices=1";
    let encoder = [
        "-c:v",
        "libx264",
        "-bf",
        "0",
        "-g",
        "30",
        "-x264-params",
        parameters,
    ];
    let stream = elementary::encode(30, &encoder, "h264").expect("libx264");
    let pictures = elementary::split_annex_b(&stream, |nal| nal[0] & 0x1f == 9);
    payloads(pictures.iter().map(|nals| {
        let is_media = |nal: &&Vec<u8>| !matches!(nal[0] & 0x1f, 6 | 9);
        let nals: Vec<_> = nals.iter().filter(is_media).cloned().collect();
        packetize::h264(&nals, MTU)
    }))
}

fn payloads(pictures: impl Iterator<Item = Vec<Vec<u8>>>) -> Vec<Vec<Bytes>> {
    pictures
        .map(|picture| picture.into_iter().map(Bytes::from).collect())
        .collect()
}

/// What a real SFU put in, which comes last in these captures.
fn injected(codec: Codec) -> Bytes {
    let name = match codec {
        Codec::Opus => "opus-pion-unsubscribe",
        Codec::Vp8 => "vp8-pion-unpublish",
        _ => "h264-pion-unsubscribe",
    };
    #[expect(clippy::disallowed_methods, reason = "the arrival means nothing here")]
    let packets = capture::packets(name, Instant::now()).expect(name);
    let last = packets.last().expect("a packet");
    last.payload.clone()
}

/// As `packetize` makes it.
const STAP_A: u8 = 0x78;

const MTU: usize = 1_100;

/// How long a picture is shown: 3,000 ticks.
const PICTURE: Duration = Duration::from_nanos(33_333_333);
