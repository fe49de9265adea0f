//! The receive plane in front of the pipeline: what is asked for and comes again is no loss.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use trackmill::media::{Codec, SeqNo, Ssrc, TrackKind};
use trackmill::rtp::{Receiver, RtpPacket, StreamDescription};
use trackmill::srtp::{DtlsRole, Keys, Profile, Source};
use trackmill_room::network::{Conditions, Network};

use super::Recording;
use super::publisher::Publisher;
use super::sound::heard;

/// Of 10 % loss in both directions nearly all comes again on request, and the rest is counted.
#[test]
fn what_is_lost_on_the_wire_comes_again_or_is_counted() {
    let mut recording = Recording::new(TrackKind::Audio);
    let mut publisher = Publisher::sound(recording.start);
    let sent = publisher.sounds(1_500);
    let mut wire = Wire::new();

    for packet in &sent {
        wire.carry_until(packet.arrival, &mut recording);
        wire.send(packet);
    }
    let end = sent[sent.len() - 1].arrival + Duration::from_secs(1);
    wire.carry_until(end, &mut recording);

    let statistics = wire.receiver.statistics(Ssrc(1)).expect("a stream");
    let lost_once = wire.downlink.tally().lost;
    recording.pipeline.statistics(statistics);
    let (file, summary) = recording.finish_one();
    assert!(lost_once > 100, "{lost_once}");
    assert!(statistics.recovered > 100, "{statistics:?}");
    assert!(summary.lost < 15, "{}", summary.lost);
    assert_eq!(summary.recovered, statistics.recovered);
    // Two delays of up to 9 ms differ by 3 ms in the mean.
    let jitter = summary.jitter.expect("packets came");
    let plausible = Duration::from_millis(1)..Duration::from_millis(9);
    assert!(plausible.contains(&jitter.last), "{jitter:?}");
    assert!(plausible.contains(&jitter.peak), "{jitter:?}");
    assert!(jitter.last <= jitter.peak);
    // The last packets may be lost without anything behind them.
    let last = wire.newest.expect("packets came");
    let first = sent[0].sequence_number;
    let between = last.0 - first.0 + 1;
    assert_eq!(summary.received + summary.lost, between);
    // A packet that was given up may come all the same.
    assert!(summary.late <= summary.lost, "{}", summary.late);
    assert_eq!(summary.duplicates, 0);
    let (heard, _) = heard(&file.bytes);
    let spoken = heard.iter().filter(|heard| !heard.is_filler());
    assert_eq!(spoken.count() as u64, summary.received);
}

/// A sender that answers NACKs, and a receiver behind a lossy network.
struct Wire {
    receiver: Receiver,
    keys: Keys,
    reports: Source,
    downlink: Network<Vec<u8>>,
    uplink: Network<Vec<u8>>,
    sent: BTreeMap<u16, Vec<u8>>,
    newest: Option<SeqNo>,
}

impl Wire {
    fn new() -> Self {
        let mut receiver = Receiver::new(LOCAL, "recorder".to_owned());
        receiver.set_keys(keys(DtlsRole::Server));
        receiver.set_streams(&[StreamDescription {
            track: "TR_sound".into(),
            ssrc: Ssrc(1),
            rtx: None,
            formats: vec![(111, Codec::Opus)],
            rtx_formats: Vec::new(),
        }]);
        let conditions = Conditions {
            loss: 0.1,
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(9),
            ..Conditions::default()
        };
        Self {
            receiver,
            keys: keys(DtlsRole::Client),
            reports: Source::new(LOCAL),
            downlink: Network::new(conditions, 5),
            uplink: Network::new(conditions, 6),
            sent: BTreeMap::new(),
            newest: None,
        }
    }

    fn send(&mut self, packet: &RtpPacket) {
        let mut header = vec![0x80, 111];
        header.extend(packet.sequence_number.wire().to_be_bytes());
        header.extend(packet.timestamp.wire().to_be_bytes());
        header.extend(packet.ssrc.0.to_be_bytes());
        let outbound = &self.keys.outbound;
        let sealed = outbound.seal_rtp(packet.sequence_number, &header, &packet.payload);
        let datagram = sealed.expect("it is sealed");
        let wire = packet.sequence_number.wire();
        self.sent.insert(wire, datagram.clone());
        self.downlink.send(datagram, packet.arrival);
    }

    /// Lets the network and both ends work until `end`, a millisecond at a time.
    fn carry_until(&mut self, end: Instant, recording: &mut Recording) {
        while recording.now < end {
            recording.wait(Duration::from_millis(1).min(end - recording.now));
            self.carry(recording);
        }
    }

    fn carry(&mut self, recording: &mut Recording) {
        let now = recording.now;
        while let Some(mut datagram) = self.downlink.receive(now) {
            if let Some(packet) = self.receiver.handle_rtp(now, &mut datagram) {
                self.newest = self.newest.max(Some(packet.sequence_number));
                recording.packet(packet);
            }
        }
        while let Some(datagram) = self.receiver.poll_transmit(now) {
            self.uplink.send(datagram, now);
        }
        while let Some(datagram) = self.uplink.receive(now) {
            self.answer(datagram, now);
        }
    }

    /// Sends again what a NACK asks for.
    fn answer(&mut self, mut datagram: Vec<u8>, now: Instant) {
        let opened = self.reports.open_rtcp(&self.keys.inbound, &mut datagram);
        let mut rest = &datagram[..opened.expect("authentic")];
        while !rest.is_empty() {
            let length = 4 * (1 + usize::from(u16::from_be_bytes([rest[2], rest[3]])));
            if (rest[0] & 0x1f, rest[1]) == (1, 205) {
                let words = rest[12..length].chunks(4);
                words.for_each(|word| self.repeat([word[0], word[1]], [word[2], word[3]], now));
            }
            rest = &rest[length..];
        }
    }

    fn repeat(&mut self, first: [u8; 2], mask: [u8; 2], now: Instant) {
        let (first, mask) = (u16::from_be_bytes(first), u16::from_be_bytes(mask));
        let following = (0..16).filter(|bit| mask >> bit & 1 == 1);
        let asked = std::iter::once(first).chain(following.map(|bit| first.wrapping_add(bit + 1)));
        for number in asked {
            if let Some(datagram) = self.sent.get(&number) {
                self.downlink.send(datagram.clone(), now);
            }
        }
    }
}

fn keys(role: DtlsRole) -> Keys {
    let material: Vec<u8> = (0..88).collect();
    Keys::from_dtls(Profile::Aes256Gcm, &material, role).expect("keys")
}

const LOCAL: Ssrc = Ssrc(9);
