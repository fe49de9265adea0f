//! What livekit-server really sent, sealed again and sent over a network that loses and reorders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;

#[test]
fn every_packet_of_every_capture_comes_out_exactly_once() {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/rtp");
    let mut count = 0;
    for entry in std::fs::read_dir(captures).expect("the captures") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "rtp") {
            for seed in 0..3 {
                replay(&path, seed);
            }
            count += 1;
        }
    }
    assert_eq!(count, 12);
}

/// Sends a capture over a network that loses a tenth and delays a tenth of it. The sender answers
/// every NACK 20 ms later: video by RTX, sound by the same packet.
fn replay(path: &Path, seed: u64) {
    let packets = read(path);
    let mut network = Network::new(seed, &packets);
    let mut session = session();
    let start = session.now;
    let end = network.last_arrival() + Duration::from_secs(1);
    let mut came = BTreeSet::new();
    let mut at = Duration::ZERO;
    while at < end {
        session.now = start + at;
        while let Some((index, is_repeat)) = network.arrive(at) {
            let packet = &packets[&index];
            if let Some(received) = deliver(&mut session, index, packet, is_repeat) {
                assert_eq!(
                    received.payload,
                    &packet[12..],
                    "{} {index}",
                    path.display()
                );
                assert_eq!(received.timestamp.wire().to_be_bytes(), packet[4..8]);
                assert!(came.insert(received.sequence_number.0), "{index} twice");
            }
        }
        for number in session.asked() {
            let newest = *came.last().expect("a packet came");
            let distance = number.wrapping_sub(SeqNo(newest).wire()).cast_signed();
            let index = newest.saturating_add_signed(distance.into());
            // What is missing in the capture itself cannot be repeated.
            if packets.contains_key(&index) {
                network.queue(at + Duration::from_millis(20), index, true);
            }
        }
        at += Duration::from_millis(1);
    }

    let sent: BTreeSet<_> = packets.into_keys().collect();
    assert_eq!(came, sent, "{}", path.display());
}

fn session() -> Session {
    let mut session = Session::new();
    session.receiver.set_streams(&[StreamDescription {
        track: "TR_capture".into(),
        ssrc: MEDIA,
        rtx: Some(RTX),
        formats: vec![
            (96, Codec::Vp8),
            (111, Codec::Opus),
            (102, Codec::H264),
            (108, Codec::H264),
            (125, Codec::H264),
        ],
        rtx_formats: vec![(97, 96), (112, 111), (103, 102), (109, 108), (126, 125)],
    }]);
    session
}

fn deliver(session: &mut Session, index: u64, packet: &[u8], is_repeat: bool) -> Option<RtpPacket> {
    let (header, payload) = packet.split_at(12);
    let mut header = header.to_vec();
    let is_sound = header[1] & 0x7f == 111;
    if !is_repeat || is_sound {
        header[8..].copy_from_slice(&MEDIA.0.to_be_bytes());
        return session.rtp(SeqNo(index), &header, payload);
    }
    let rtx = SeqNo(session.rtx_count);
    session.rtx_count += 1;
    let payload = [&header[2..4], payload].concat();
    header[1] += 1;
    header[2..4].copy_from_slice(&rtx.wire().to_be_bytes());
    header[8..].copy_from_slice(&RTX.0.to_be_bytes());
    session.rtp(rtx, &header, &payload)
}

/// Reads a capture (format: its README) by index, in the second round of the sequence number.
fn read(path: &Path) -> BTreeMap<u64, Vec<u8>> {
    let capture = std::fs::read(path).expect("a capture");
    let mut rest = &capture[..];
    let mut packets = BTreeMap::new();
    let mut newest = None;
    while let Some((head, tail)) = rest.split_first_chunk::<10>() {
        let (packet, tail) = tail.split_at(u16::from_le_bytes([head[8], head[9]]).into());
        rest = tail;
        let wire = u16::from_be_bytes([packet[2], packet[3]]);
        let near = newest.unwrap_or_else(|| 65_536 + u64::from(wire));
        let distance = wire.wrapping_sub(SeqNo(near).wire()).cast_signed();
        let index = near.saturating_add_signed(distance.into());
        newest = Some(index.max(near));
        packets.insert(index, packet.to_vec());
    }
    packets
}

/// Datagrams under way, by the time of their arrival.
struct Network {
    random: u64,
    under_way: BTreeMap<(Duration, usize), (u64, bool)>,
    sent: usize,
}

impl Network {
    /// A packet is sent each 2 ms. The first and the last arrive: nobody can miss what he never
    /// heard of.
    fn new(seed: u64, packets: &BTreeMap<u64, Vec<u8>>) -> Self {
        let mut network = Self {
            random: (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            under_way: BTreeMap::new(),
            sent: 0,
        };
        let mut at = Duration::ZERO;
        for (position, index) in packets.keys().enumerate() {
            let is_end = position == 0 || position == packets.len() - 1;
            match network.roll() {
                0 if !is_end => {}
                1 if !is_end => network.queue(at + Duration::from_millis(15), *index, false),
                _ => network.queue(at, *index, false),
            }
            at += Duration::from_millis(2);
        }
        network
    }

    fn queue(&mut self, at: Duration, index: u64, is_repeat: bool) {
        self.under_way.insert((at, self.sent), (index, is_repeat));
        self.sent += 1;
    }

    fn arrive(&mut self, now: Duration) -> Option<(u64, bool)> {
        let next = self.under_way.first_entry()?;
        (next.key().0 <= now).then(|| next.remove())
    }

    fn last_arrival(&self) -> Duration {
        let (at, _) = *self.under_way.keys().last().expect("a packet");
        at
    }

    /// 0 to 9, by xorshift.
    fn roll(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % 10
    }
}
