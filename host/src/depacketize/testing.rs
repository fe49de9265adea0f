//! What the tests of all payload formats share: packets in a row, and what becomes of them.

use std::time::Instant;

use bytes::Bytes;

use super::{PayloadError, for_codec};
use crate::media::{AccessUnit, Codec, Integrity, MediaTime, Pts, SeqNo, Ssrc};
use crate::rtp::RtpPacket;

/// Packets of one stream in sequence order.
#[derive(Debug)]
pub(super) struct Packets {
    codec: Codec,
    /// Each with whether packets are missing in front of it.
    packets: Vec<(bool, RtpPacket)>,
    is_hole: bool,
}

/// What a depacketizer made of packets.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) units: Vec<AccessUnit>,
    pub(super) errors: Vec<PayloadError>,
    pub(super) skipped: u32,
}

impl Packets {
    pub(super) fn of(codec: Codec) -> Self {
        Self {
            codec,
            packets: Vec::new(),
            is_hole: false,
        }
    }

    /// A packet without marker.
    pub(super) fn add(&mut self, pts: u64, payload: impl Into<Vec<u8>>) -> &mut Self {
        self.packets
            .push((self.is_hole, self.make(pts, payload.into())));
        self.is_hole = false;
        self
    }

    /// A packet with the marker.
    pub(super) fn add_last(&mut self, pts: u64, payload: impl Into<Vec<u8>>) -> &mut Self {
        self.add(pts, payload);
        if let Some((_, packet)) = self.packets.last_mut() {
            packet.marker = true;
        }
        self
    }

    /// The next packet stands behind a hole.
    pub(super) fn lose(&mut self) -> &mut Self {
        self.is_hole = true;
        self
    }

    pub(super) fn packet(&self, index: usize) -> &RtpPacket {
        &self.packets[index].1
    }

    #[expect(clippy::disallowed_methods, reason = "the arrival means nothing here")]
    fn make(&self, pts: u64, payload: Vec<u8>) -> RtpPacket {
        RtpPacket {
            ssrc: Ssrc(0xabcd),
            sequence_number: SeqNo(self.packets.len() as u64),
            timestamp: MediaTime(pts),
            codec: self.codec,
            marker: false,
            arrival: Instant::now(),
            payload: Bytes::from(payload),
        }
    }
}

/// Depacketizes all of them.
pub(super) fn run(packets: &Packets) -> Outcome {
    let mut depacketizer = for_codec(packets.codec);
    let mut outcome = Outcome {
        units: Vec::new(),
        errors: Vec::new(),
        skipped: 0,
    };
    for (is_behind_hole, packet) in &packets.packets {
        if *is_behind_hole {
            depacketizer.lost();
        }
        let pushed = depacketizer.push(packet, Pts(packet.timestamp.0));
        outcome.errors.extend(pushed.err());
        outcome
            .units
            .extend(std::iter::from_fn(|| depacketizer.pull()));
    }
    if packets.is_hole {
        depacketizer.lost();
    }
    depacketizer.finish();
    outcome
        .units
        .extend(std::iter::from_fn(|| depacketizer.pull()));
    outcome.skipped = depacketizer.take_skipped();
    outcome
}

/// Depacketizes all of them, where nothing may be refused or skipped.
pub(super) fn units(packets: &Packets) -> Vec<AccessUnit> {
    let outcome = run(packets);
    assert_eq!(outcome.errors, []);
    assert_eq!(outcome.skipped, 0);
    outcome.units
}

/// What a test compares: time, integrity, whether it is a keyframe, and bytes.
pub(super) fn summary(unit: &AccessUnit) -> (u64, Integrity, bool, &[u8]) {
    (unit.pts.0, unit.integrity, unit.is_keyframe, &unit.data)
}
