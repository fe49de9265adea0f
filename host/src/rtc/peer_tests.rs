//! [`Peer`] against a sending str0m, in memory and virtual time; ICE, DTLS and SRTP are real.

use core::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::crypto::dtls::SrtpProfile;
use str0m::media::{MediaKind, Mid};

use super::dtls::Agreement;
use super::output::{Output, PeerError, Route};
use super::peer::{Peer, Settings};
use super::sfu::Sfu;
use super::{OfferError, Transport, clock};
use crate::media::Ssrc;
use crate::rtp::RtpPacket;

/// A peer and a server with a network between them that delivers at once.
struct Call {
    now: Instant,
    peer: Peer,
    sfu: Sfu,
    packets: Vec<RtpPacket>,
    events: Vec<Output>,
    /// Which RTP packets of the server, counted from 0, get lost.
    is_lost: fn(usize) -> bool,
    sent: usize,
}

impl Call {
    fn new() -> Self {
        let now = clock::now();
        let settings = Settings {
            local: Ssrc(77),
            cname: "test".to_owned(),
            tcp_after: Duration::from_secs(1),
        };
        let mut call = Self {
            now,
            peer: Peer::new(settings, now),
            sfu: Sfu::new(now),
            packets: Vec::new(),
            events: Vec::new(),
            is_lost: |_| false,
            sent: 0,
        };
        call.peer.add_local_candidate(ours(), Transport::Udp, now);
        call.sfu.add_udp(theirs());
        call
    }

    /// A call whose first offer has one track.
    fn with(track: &str, kind: MediaKind) -> (Self, Mid) {
        let mut call = Self::new();
        let (offer, mid) = call.sfu.publish(track, kind);
        call.negotiate(&offer);
        call.run(Duration::from_secs(2));
        assert!(call.peer.is_connected() && call.sfu.is_connected);
        (call, mid)
    }

    fn negotiate(&mut self, offer: &str) {
        let streams = self.sfu.streams();
        let answer = self.peer.accept_offer(offer, &streams, self.now).unwrap();
        self.sfu.accept_answer(&answer, self.now);
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.exchange();
            let wake = [self.peer.poll_timeout(self.now), Some(self.sfu.timeout)];
            let wake = wake.into_iter().flatten().min().unwrap_or(end);
            self.now = wake.clamp(self.now + Duration::from_millis(1), end);
            self.sfu.handle_timeout(self.now);
            self.peer.handle_timeout(self.now);
        }
        self.exchange();
    }

    /// Delivers all datagrams, and the answers to them.
    fn exchange(&mut self) {
        loop {
            if let Some(output) = self.peer.poll_output() {
                self.perform(output);
            } else if let Some(transmit) = self.sfu.transmits.pop_front() {
                self.deliver(&mut transmit.contents.to_vec());
            } else {
                return;
            }
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Transmit(route, datagram) => {
                let path = (route.local, route.remote);
                self.sfu.receive(self.now, route.transport, path, &datagram);
            }
            other => self.events.push(other),
        }
    }

    fn deliver(&mut self, datagram: &mut [u8]) {
        if super::demux::classify(datagram) == super::demux::Kind::Rtp {
            self.sent += 1;
            if (self.is_lost)(self.sent - 1) {
                return;
            }
        }
        let packet = self.peer.handle_datagram(self.now, route(), datagram);
        self.packets.extend(packet);
    }

    /// Sends packets with a payload of their own, 20 ms apart.
    fn send(&mut self, mid: Mid, sequence_numbers: std::ops::Range<u64>) {
        for sequence_number in sequence_numbers {
            self.sfu
                .send(self.now, mid, sequence_number, &payload(sequence_number));
            self.run(Duration::from_millis(20));
        }
    }

    fn received(&self) -> Vec<(u64, Vec<u8>)> {
        let mut received: Vec<_> = self
            .packets
            .iter()
            .map(|packet| (packet.sequence_number.0, packet.payload.to_vec()))
            .collect();
        received.sort();
        received
    }

    fn count(&self, is_meant: fn(&Output) -> bool) -> usize {
        self.events.iter().filter(|event| is_meant(event)).count()
    }
}

fn ours() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 4_000))
}

fn theirs() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 7_882))
}

fn route() -> Route {
    Route {
        transport: Transport::Udp,
        local: ours(),
        remote: theirs(),
    }
}

fn payload(sequence_number: u64) -> Vec<u8> {
    format!("\x10 payload {sequence_number}").into_bytes()
}

fn payloads(sequence_numbers: std::ops::Range<u64>) -> Vec<(u64, Vec<u8>)> {
    sequence_numbers
        .map(|number| (number, payload(number)))
        .collect()
}

#[test]
fn opus_arrives_bit_exact() {
    let (mut call, mid) = Call::with("TR_a", MediaKind::Audio);

    call.send(mid, 100..150);

    assert_eq!(call.received(), payloads(100..150));
    assert_eq!(
        call.count(|event| matches!(event, Output::Connected(Transport::Udp))),
        1
    );
    assert_eq!(call.peer.counters().held_back, 0);
}

#[test]
fn lost_video_comes_again_as_rtx() {
    let (mut call, mid) = Call::with("TR_v", MediaKind::Video);
    call.is_lost = |sent| sent % 10 == 5;

    call.send(mid, 100..200);
    call.run(Duration::from_secs(1));

    assert_eq!(call.received(), payloads(100..200));
}

#[test]
fn a_keyframe_request_reaches_the_server() {
    let (mut call, mid) = Call::with("TR_v", MediaKind::Video);
    call.send(mid, 100..110);
    let ssrc = call.sfu.streams()[0].ssrc;

    call.peer.request_keyframe(ssrc);
    call.run(Duration::from_millis(100));

    assert_eq!(call.sfu.keyframe_requests, 1);
}

#[test]
fn a_reused_m_line_carries_its_new_track() {
    let (mut call, mid) = Call::with("TR_a", MediaKind::Audio);
    call.send(mid, 100..110);

    let offer = call.sfu.replace(mid, "TR_b", 4_711);
    call.negotiate(&offer);
    call.send(mid, 500..510);

    let new: Vec<_> = call
        .packets
        .iter()
        .filter(|packet| packet.ssrc == Ssrc(4_711))
        .collect();
    assert_eq!(new.len(), 10);
    assert_eq!(call.packets.len(), 20);
}

#[test]
fn an_ice_restart_loses_nothing() {
    let (mut call, mid) = Call::with("TR_a", MediaKind::Audio);
    call.send(mid, 100..110);

    let offer = call.sfu.offer(|api| drop(api.ice_restart(true)));
    call.negotiate(&offer);
    call.run(Duration::from_secs(1));
    call.send(mid, 110..120);

    assert_eq!(call.received(), payloads(100..120));
    assert!(call.peer.is_connected());
}

#[test]
fn a_forged_certificate_is_refused_before_any_packet() {
    let mut call = Call::new();
    let (offer, mid) = call.sfu.publish("TR_a", MediaKind::Audio);

    call.negotiate(&with_another_fingerprint(&offer));
    call.run(Duration::from_secs(2));
    call.send(mid, 100..110);

    assert_eq!(
        call.count(|event| matches!(event, Output::Failed(PeerError::Engine(_)))),
        1
    );
    assert_eq!(call.count(|event| matches!(event, Output::Connected(_))), 0);
    assert!(call.packets.is_empty());
}

fn with_another_fingerprint(offer: &str) -> String {
    let line = offer
        .lines()
        .find(|line| line.starts_with("a=fingerprint:sha-256 "))
        .unwrap();
    let mut forged = line.to_owned();
    let last = forged.pop().unwrap();
    forged.push(if last == '0' { '1' } else { '0' });
    offer.replace(line, &forged)
}

#[test]
fn without_gcm_there_is_no_connection() {
    let agreement = Agreement {
        profile: SrtpProfile::AES128_CM_SHA1_80,
        material: vec![0; 60],
        is_client: false,
    };

    let error = agreement.keys().unwrap_err();

    assert!(
        error.to_string().contains("enable AEAD_AES_256_GCM"),
        "{error}"
    );
}

#[test]
fn what_comes_over_the_channels_of_messages_is_told_and_of_others_only_counted() {
    let mut call = Call::new();
    let labels = ["_reliable", "_data_track", "_lossy", ""];
    let mut channels = Vec::new();
    let offer = call.sfu.offer(|api| {
        channels.extend(labels.map(|label| api.add_channel(label.to_owned())));
    });
    call.negotiate(&offer);
    call.run(Duration::from_secs(2));

    for (channel, label) in channels.into_iter().zip(labels) {
        let text = format!("from {label}");
        call.sfu.say(call.now, channel, text.as_bytes());
        call.run(Duration::from_millis(100));
    }

    let told = call.events.iter().filter_map(|output| match output {
        Output::Data(_, packet) => Some(String::from_utf8_lossy(packet)),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, ["from _reliable", "from _lossy"]);
    let bytes: u64 = labels.iter().map(|label| 5 + label.len() as u64).sum();
    assert_eq!(call.peer.counters().data_bytes, bytes);
}

#[test]
fn candidates_may_come_before_their_offer() {
    let mut call = Call::new();
    call.peer.add_remote_candidate("garbage", call.now);
    let text = "a=candidate:1 1 udp 2130706431 10.0.0.2 7882 typ host generation 0";
    call.peer.add_remote_candidate(text, call.now);
    let (offer, _) = call.sfu.publish("TR_a", MediaKind::Audio);
    let without = |line: &&str| !line.starts_with("a=candidate");
    let offer: String = offer.split_inclusive('\n').filter(without).collect();

    call.negotiate(&offer);
    call.run(Duration::from_secs(2));

    assert!(call.peer.is_connected());
}

#[test]
fn garbage_does_no_harm() {
    let (mut call, mid) = Call::with("TR_a", MediaKind::Audio);

    for first in 0..=u8::MAX {
        for length in [1, 2, 13, 20, 100, 1_400] {
            let mut datagram = vec![first; length];
            let packet = call.peer.handle_datagram(call.now, route(), &mut datagram);
            assert_eq!(packet, None);
        }
    }
    call.run(Duration::from_millis(100));
    call.send(mid, 100..110);

    assert!(call.peer.is_connected());
    assert_eq!(call.received(), payloads(100..110));
}

#[test]
fn tcp_is_dialled_where_udp_does_not_connect() {
    let mut call = Call::new();
    call.sfu.add_tcp(theirs());
    let (offer, _) = call.sfu.publish("TR_a", MediaKind::Audio);
    let streams = call.sfu.streams();

    call.peer.accept_offer(&offer, &streams, call.now).unwrap();
    let start = call.now;
    while call.now < start + Duration::from_secs(3) {
        call.now += Duration::from_millis(10);
        call.peer.handle_timeout(call.now);
    }

    let outputs: Vec<_> = std::iter::from_fn(|| call.peer.poll_output()).collect();
    let is_dial = |output: &&Output| matches!(output, Output::Dial(remote) if *remote == theirs());
    assert_eq!(outputs.iter().filter(is_dial).count(), 1);
}

#[test]
fn the_offers_of_a_real_server_are_accepted_in_sequence() {
    for session in [&OFFERS[..9], &OFFERS[9..10], &OFFERS[10..11], &OFFERS[11..]] {
        let mut call = Call::new();
        for (name, offer) in session {
            let offer = rewrite(offer);

            let answer = call.peer.accept_offer(&offer, &[], call.now).unwrap();

            assert_eq!(
                of_kind(&answer, "m=").len(),
                of_kind(&offer, "m=").len(),
                "{name}"
            );
            assert_eq!(
                of_kind(&answer, "a=mid:"),
                of_kind(&offer, "a=mid:"),
                "{name}"
            );
            assert!(answer.contains("a=setup:passive"), "{name}");
            assert!(
                !answer.contains("a=sendrecv\r\n") || !answer.contains("m=audio"),
                "{name}"
            );
            assert!(!answer.contains("rtpmap:63"), "{name}: RED");
            assert!(!answer.contains("a=extmap:"), "{name}");
        }
    }
}

#[test]
fn every_codec_of_the_server_is_accepted() {
    let (_, offer) = OFFERS[4];
    let mut call = Call::new();

    let answer = call
        .peer
        .accept_offer(&rewrite(offer), &[], call.now)
        .unwrap();

    for format in of_kind(offer, "a=rtpmap:") {
        assert!(answer.contains(format), "{format} is missing in {answer}");
    }
}

#[test]
fn an_offer_that_is_not_sdp_is_an_error() {
    let mut call = Call::new();

    let error = call.peer.accept_offer("v=1\r\nnonsense", &[], call.now);

    assert!(matches!(error, Err(OfferError::Syntax(_))), "{error:?}");
}

fn rewrite(offer: &str) -> String {
    offer
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("a=ssrc"))
        .collect::<String>()
        .replace("a=sendrecv\r\n", "a=sendonly\r\n")
        .replace("a=recvonly\r\n", "a=inactive\r\n")
}

fn of_kind<'a>(sdp: &'a str, prefix: &str) -> Vec<&'a str> {
    sdp.lines()
        .filter(|line| line.starts_with(prefix))
        .collect()
}

macro_rules! offers {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../tests/data/sdp/", $name, ".offer.sdp")))),*]
    };
}

const OFFERS: [(&str, &str); 13] = offers![
    "01-data-only",
    "02-audio-added",
    "03-audio-unpublished",
    "04-audio-mline-reused",
    "05-video-added",
    "06-audio-unsubscribed",
    "07-all-unsubscribed",
    "08-audio-resubscribed",
    "09-video-resubscribed",
    "10-ice-restart",
    "12-libwebrtc-simulcast-vp8",
    "13-libwebrtc-simulcast-h264",
    "14-fifty-audio",
];
