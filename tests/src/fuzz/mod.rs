//! Entries for fuzzers and property tests: bytes in, a panic where a promise is broken.

mod framing;
mod mutate;
mod path;
mod payload;
pub mod seeds;
mod signal;
mod sound;
mod target;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use trackmill::media::{Codec, SeqNo, Ssrc};
use trackmill::mux::recovery::{Repair, RepairError, Source};
use trackmill::mux::{mp4, ogg, wav, webm};
use trackmill::rtp::{Receiver, StreamDescription};
use trackmill::srtp::{DtlsRole, Keys, Profile};

use crate::file::Growing;

pub use framing::tcp_framing;
pub use mutate::Mutator;
pub use path::path_template;
pub use payload::{CODECS, LOST, MARKER, NEW_TIME, bitstream, depacketize};
pub use signal::{sdp, signal_message};
pub use sound::{decode_opus, read_sound};
pub use target::{TARGETS, Target, directory};

/// Feeds a receiver with the datagrams that `data` describes: raw ones, and what a sender with the
/// right keys but no manners would send. The same `data` does the same.
///
/// # Panics
///
/// If a packet comes out twice or of no stream, or if what is sent does not fit a datagram.
pub fn receive(data: &[u8]) {
    let mut session = Session::new();
    let mut rest = data;
    while let Some(([action, millis, length], after)) = rest.split_first_chunk() {
        let (body, after) = after.split_at(after.len().min((*length).into()));
        rest = after;
        session.now += Duration::from_millis(u64::from(*millis) * 16);
        session.act(*action, body);
        session.drain();
    }
}

/// Repairs `data` as a torn MP4 file, if that is possible, and demands that it is whole then.
///
/// # Panics
/// If the repaired file needs another repair.
pub fn recover_mp4(data: &[u8]) {
    repair_twice(data, mp4::recover);
}

/// Repairs `data` as a torn Ogg file, if that is possible, and demands that it is whole then.
///
/// # Panics
/// If the repaired file needs another repair.
pub fn recover_ogg(data: &[u8]) {
    repair_twice(data, ogg::recover);
}

/// Repairs `data` as a torn WebM file, if that is possible, and demands that it is whole then.
///
/// # Panics
/// If the repaired file needs another repair.
pub fn recover_webm(data: &[u8]) {
    repair_twice(data, webm::recover);
}

/// Repairs `data` as a torn WAV file, if that is possible, and demands that it is whole then.
///
/// # Panics
/// If the repaired file needs another repair.
pub fn recover_wav(data: &[u8]) {
    repair_twice(data, wav::recover);
}

struct Session {
    receiver: Receiver,
    sender: Keys,
    now: Instant,
    /// The sender's packet index.
    index: SeqNo,
    came: BTreeSet<(Ssrc, SeqNo)>,
}

impl Session {
    fn new() -> Self {
        let mut receiver = Receiver::new(Ssrc(1), "fuzz".to_owned());
        receiver.set_keys(keys(DtlsRole::Server));
        receiver.set_streams(&[stream(Codec::Vp8), stream(Codec::Opus)]);
        Self {
            receiver,
            sender: keys(DtlsRole::Client),
            now: start(),
            index: SeqNo(65_500),
            came: BTreeSet::new(),
        }
    }

    fn act(&mut self, action: u8, body: &[u8]) {
        match action % 8 {
            0 => self.rtp(&mut body.to_vec()),
            1 => self.receiver.handle_rtcp(self.now, &mut body.to_vec()),
            2 => self.sealed_rtcp(action, body),
            3 => self.offer(body),
            _ => self.sealed_rtp(action, body),
        }
    }

    fn rtp(&mut self, datagram: &mut [u8]) {
        let Some(packet) = self.receiver.handle_rtp(self.now, datagram) else {
            return;
        };
        let is_ours = [Codec::Vp8, Codec::Opus].contains(&packet.codec);
        assert!(is_ours, "{packet:?} is of no stream");
        let place = (packet.ssrc, packet.sequence_number);
        assert!(self.came.insert(place), "{packet:?} comes twice");
    }

    /// A packet with any flags, of a stream of ours, somewhere near the last one.
    fn sealed_rtp(&mut self, action: u8, body: &[u8]) {
        let Some(([flags, kind, high, low], payload)) = body.split_first_chunk() else {
            return;
        };
        let step = i64::from(i16::from_be_bytes([*high, *low]));
        self.index = SeqNo(self.index.0.saturating_add_signed(step / 16));
        let mut header = vec![0x80 | flags & 0x3f, *kind];
        header.extend(self.index.wire().to_be_bytes());
        header.extend([*high, *low, *flags, *kind]);
        header.extend(ssrc(action >> 3).0.to_be_bytes());
        // What the flags promise must be there, or it is not even parsed.
        header.extend([0; 4].repeat(usize::from(flags & 0x0f)));
        if flags & 0x10 != 0 {
            header.extend([0xbe, 0xde, 0, 1, 0, 0, 0, 0]);
        }
        let sealed = self.sender.outbound.seal_rtp(self.index, &header, payload);
        if let Ok(mut datagram) = sealed {
            self.rtp(&mut datagram);
        }
    }

    fn sealed_rtcp(&mut self, action: u8, body: &[u8]) {
        let mut datagram = vec![0x80, 200, 0, 6];
        datagram.extend(ssrc(action >> 3).0.to_be_bytes());
        datagram.extend(body);
        if self.sender.outbound.seal_rtcp(&mut datagram).is_ok() {
            self.receiver.handle_rtcp(self.now, &mut datagram);
        }
    }

    /// Streams come and go.
    fn offer(&mut self, body: &[u8]) {
        let offered = match body.first() {
            Some(0..64) => vec![stream(Codec::Vp8)],
            Some(64..128) => vec![stream(Codec::Opus)],
            _ => vec![stream(Codec::Opus), stream(Codec::Vp8)],
        };
        self.receiver.set_streams(&offered);
        self.receiver.request_keyframe(ssrc(0));
    }

    /// What the driver does after each datagram.
    fn drain(&mut self) {
        while let Some(report) = self.receiver.poll_sender_report() {
            assert!(report.ssrc == ssrc(0) || report.ssrc == ssrc(2));
        }
        while let Some(datagram) = self.receiver.poll_transmit(self.now) {
            assert!((28..=1_400).contains(&datagram.len()), "{}", datagram.len());
        }
        let is_due = self.receiver.poll_timeout(self.now);
        assert!(
            is_due.is_none_or(|at| at > self.now),
            "nothing is left over"
        );
    }
}

fn repair_twice(data: &[u8], recover: impl Fn(&dyn Source) -> Result<Repair, RepairError>) {
    let Ok(repair) = recover(&data) else {
        return;
    };
    let (units, duration) = (repair.units, repair.duration);
    let mut file = Growing::from_bytes(data);
    file.repair(repair);
    let again = recover(&file.bytes()).expect("a repaired file is one of ours");
    assert_eq!(again.outputs, [], "a repaired file is whole");
    assert_eq!(again.keep, file.bytes().len() as u64);
    assert_eq!((again.units, again.duration), (units, duration));
}

/// Video, its RTX, sound, its RTX.
const fn ssrc(which: u8) -> Ssrc {
    match which % 4 {
        0 => Ssrc(100),
        1 => Ssrc(101),
        2 => Ssrc(200),
        _ => Ssrc(201),
    }
}

fn stream(codec: Codec) -> StreamDescription {
    let (media, rtx) = match codec {
        Codec::Opus => (ssrc(2), ssrc(3)),
        _ => (ssrc(0), ssrc(1)),
    };
    StreamDescription {
        track: "TR_fuzz".into(),
        ssrc: media,
        rtx: Some(rtx),
        formats: (0..64).map(|kind| (kind, codec)).collect(),
        rtx_formats: (64..96).map(|kind| (kind, kind - 64)).collect(),
    }
}

fn keys(role: DtlsRole) -> Keys {
    let material: Vec<u8> = (0..88).collect();
    Keys::from_dtls(Profile::Aes256Gcm, &material, role).expect("keys")
}

#[expect(clippy::disallowed_methods, reason = "virtual time starts anywhere")]
fn start() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_receiver_keeps_its_promises(data in prop::collection::vec(any::<u8>(), 0..4_000)) {
            receive(&data);
        }
    }
}
