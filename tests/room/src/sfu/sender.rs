//! One outgoing stream, and the repair of audio.

use std::collections::VecDeque;
use std::time::Instant;

use str0m::media::{Mid, Pt};
use str0m::rtp::rtcp::Nack;
use str0m::rtp::{RtpWrite, SeqNo, Ssrc, StreamTx};

use super::interface::Repair;
use crate::media::{Codec, MediaPacket};
use crate::rtc::payload_types;

/// The state of one track's stream to a subscriber.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) mid: Mid,
    pub(super) ssrc: Ssrc,
    pub(super) rtx: Option<Ssrc>,
    /// Whether the subscriber's answer took the track.
    pub(super) is_bound: bool,
    pub(super) codec: Codec,
    next: SeqNo,
    timestamp_base: u32,
    /// Audio that may be asked for again; video is kept by the engine, for RTX.
    kept: VecDeque<Kept>,
}

/// A packet that may be sent again.
#[derive(Debug)]
struct Kept {
    sequence_number: SeqNo,
    timestamp: u32,
    sent_at: Instant,
    packet: MediaPacket,
    resent: u32,
}

impl Sender {
    /// Creates a stream whose first packet has these numbers.
    pub(super) fn new(
        codec: Codec,
        mid: Mid,
        (ssrc, rtx): (Ssrc, Option<Ssrc>),
        (sequence_number, timestamp): (u16, u32),
    ) -> Self {
        Self {
            mid,
            ssrc,
            rtx,
            is_bound: false,
            codec,
            next: u64::from(sequence_number).into(),
            timestamp_base: timestamp,
            kept: VecDeque::new(),
        }
    }

    /// Sends a packet and returns its sequence number and timestamp.
    pub(super) fn send(
        &mut self,
        stream: &mut StreamTx,
        packet: &MediaPacket,
        repair: Repair,
        now: Instant,
    ) -> (u16, u32) {
        let kept = Kept {
            sequence_number: self.next.inc(),
            timestamp: self.timestamp_base.wrapping_add(packet.timestamp),
            sent_at: now,
            packet: packet.clone(),
            resent: 0,
        };
        let nackable = repair == Repair::Possible && self.rtx.is_some();
        stream.write_rtp(kept.write(self.codec).nackable(nackable));
        let sent = (kept.sequence_number.as_u16(), kept.timestamp);
        if repair == Repair::Possible && self.rtx.is_none() {
            self.kept.push_back(kept);
            if self.kept.len() > KEPT_PACKETS {
                self.kept.pop_front();
            }
        }
        sent
    }

    /// Answers a NACK on the stream itself, as LiveKit does for audio: the same packet again.
    pub(super) fn resend(&mut self, stream: &mut StreamTx, nack: &Nack) {
        let last = self.next;
        let wanted = nack
            .reports
            .iter()
            .flat_map(|entry| entry.into_iter(last))
            .collect::<Vec<_>>();
        for kept in &mut self.kept {
            if wanted.contains(&kept.sequence_number) && kept.resent < RESENT_AT_MOST {
                kept.resent += 1;
                stream.write_rtp(kept.write(self.codec));
            }
        }
    }
}

impl Kept {
    /// Writing it twice gives the same ciphertext twice, so the key is not misused.
    fn write(&self, codec: Codec) -> RtpWrite {
        RtpWrite::new(
            Pt::from(payload_types(codec).media),
            self.sequence_number,
            self.timestamp,
            self.sent_at,
            &*self.packet.payload,
        )
        .marker(self.packet.marker)
    }
}

/// LiveKit's sequencer remembers about as much audio.
const KEPT_PACKETS: usize = 200;
/// LiveKit sends a packet again three times at most.
const RESENT_AT_MOST: u32 = 3;
