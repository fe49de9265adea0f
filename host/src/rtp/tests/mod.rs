//! The receiver against a sender that seals what the tests say, in virtual time.

mod authenticity;
mod captures;
mod reports;
mod repair;
mod streams;

use std::time::{Duration, Instant};

use super::{Receiver, RtpPacket, StreamDescription};
use crate::media::{Codec, SeqNo, Ssrc};
use crate::srtp::{DtlsRole, Keys, Profile, Source};

const LOCAL: Ssrc = Ssrc(1);
const MEDIA: Ssrc = Ssrc(100);
const RTX: Ssrc = Ssrc(101);
const SOUND: Ssrc = Ssrc(200);

/// A receiver with keys and a video and an audio stream, and its sender.
struct Session {
    receiver: Receiver,
    sender: Keys,
    /// Reads what the receiver sends.
    reports: Source,
    now: Instant,
    rtx_count: u64,
}

impl Session {
    fn new() -> Self {
        let mut receiver = Receiver::new(LOCAL, "recorder".to_owned());
        receiver.set_keys(keys(DtlsRole::Server));
        receiver.set_streams(&[video(), sound()]);
        Self {
            receiver,
            sender: keys(DtlsRole::Client),
            reports: Source::new(LOCAL),
            now: any_instant(),
            rtx_count: 0,
        }
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    /// A video packet arrives, with its index as payload and timestamp.
    fn media(&mut self, index: u64) -> Option<RtpPacket> {
        let header = header(MEDIA, 96, SeqNo(index), false);
        self.rtp(SeqNo(index), &header, &index.to_be_bytes())
    }

    fn sound(&mut self, index: u64) -> Option<RtpPacket> {
        let header = header(SOUND, 111, SeqNo(index), false);
        self.rtp(SeqNo(index), &header, &index.to_be_bytes())
    }

    /// The retransmission of a video packet arrives.
    fn repair(&mut self, index: u64) -> Option<RtpPacket> {
        let mut header = header(RTX, 97, SeqNo(self.rtx_count), false);
        header[4..8].copy_from_slice(&timestamp(SeqNo(index)));
        let original = SeqNo(index).wire().to_be_bytes();
        let payload = [&original[..], &index.to_be_bytes()].concat();
        self.rtx_count += 1;
        self.rtp(SeqNo(self.rtx_count - 1), &header, &payload)
    }

    fn rtp(&mut self, index: SeqNo, header: &[u8], payload: &[u8]) -> Option<RtpPacket> {
        let mut datagram = self.seal(index, header, payload);
        self.receiver.handle_rtp(self.now, &mut datagram)
    }

    fn seal(&self, index: SeqNo, header: &[u8], payload: &[u8]) -> Vec<u8> {
        let sealed = self.sender.outbound.seal_rtp(index, header, payload);
        sealed.expect("sealed")
    }

    fn rtcp(&mut self, clear: &[u8]) {
        let mut datagram = clear.to_vec();
        let sealed = self.sender.outbound.seal_rtcp(&mut datagram);
        sealed.expect("sealed");
        self.receiver.handle_rtcp(self.now, &mut datagram);
    }

    /// Everything the receiver sends, opened, as `(type, format, part)`.
    fn sent(&mut self) -> Vec<(u8, u8, Vec<u8>)> {
        let mut parts = Vec::new();
        while let Some(mut datagram) = self.receiver.poll_transmit(self.now) {
            let opened = self.reports.open_rtcp(&self.sender.inbound, &mut datagram);
            let mut rest = &datagram[..opened.expect("authentic")];
            while !rest.is_empty() {
                let length = 4 * (1 + usize::from(u16::from_be_bytes([rest[2], rest[3]])));
                parts.push((rest[1], rest[0] & 0x1f, rest[..length].to_vec()));
                rest = &rest[length..];
            }
        }
        parts
    }

    /// The sequence numbers that the receiver asks for.
    fn asked(&mut self) -> Vec<u16> {
        let mut asked = Vec::new();
        for (kind, format, part) in self.sent() {
            if (kind, format) != (205, 1) {
                continue;
            }
            for word in part[12..].chunks(4) {
                let first = u16::from_be_bytes([word[0], word[1]]);
                let mask = u16::from_be_bytes([word[2], word[3]]);
                asked.push(first);
                let following = (0..16).filter(|bit| mask >> bit & 1 == 1);
                asked.extend(following.map(|bit| first.wrapping_add(bit + 1)));
            }
        }
        asked
    }

    /// How many keyframes the receiver asks for.
    fn keyframes(&mut self) -> usize {
        let sent = self.sent();
        sent.iter().filter(|part| part.0 == 206).count()
    }
}

fn keys(role: DtlsRole) -> Keys {
    let material: Vec<u8> = (0..88).collect();
    Keys::from_dtls(Profile::Aes256Gcm, &material, role).expect("keys")
}

fn video() -> StreamDescription {
    StreamDescription {
        track: "TR_video".into(),
        ssrc: MEDIA,
        rtx: Some(RTX),
        formats: vec![(96, Codec::Vp8), (125, Codec::H264)],
        rtx_formats: vec![(97, 96), (107, 125), (99, 98)],
    }
}

fn sound() -> StreamDescription {
    StreamDescription {
        track: "TR_sound".into(),
        ssrc: SOUND,
        rtx: None,
        formats: vec![(111, Codec::Opus)],
        rtx_formats: Vec::new(),
    }
}

fn header(ssrc: Ssrc, payload_type: u8, index: SeqNo, has_padding: bool) -> Vec<u8> {
    let mut header = vec![0x80 | u8::from(has_padding) << 5, payload_type];
    header.extend(index.wire().to_be_bytes());
    header.extend(timestamp(index));
    header.extend(ssrc.0.to_be_bytes());
    header
}

/// 30 frames a second; wraps between packets 65,699 and 65,700.
fn timestamp(index: SeqNo) -> [u8; 4] {
    wire_timestamp(index).to_be_bytes()
}

fn wire_timestamp(index: SeqNo) -> u32 {
    let ticks = ((1 << 32) + index.0 * 3_000 - 65_700 * 3_000) & 0xffff_ffff;
    u32::try_from(ticks).expect("32 bits")
}

#[expect(clippy::disallowed_methods, reason = "virtual time starts anywhere")]
pub(super) fn any_instant() -> Instant {
    Instant::now()
}
