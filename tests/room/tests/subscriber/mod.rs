//! A subscriber on str0m, joined to the server's peer by a simulated network.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::media::KeyframeRequestKind;
use str0m::net::{Protocol, Receive};
use str0m::rtp::SeqNo;
use str0m::{Candidate, Event, Input, Output, Rtc};
use trackmill_room::media::{MediaPacket, Player};
use trackmill_room::network::{Conditions, Network};
use trackmill_room::publisher::TrackSid;
use trackmill_room::sfu::{Datagram, OutgoingTrack, SfuConfig, SfuEvent, SfuOutput, SfuPeer};

/// A packet as the subscriber got it.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) sequence_number: SeqNo,
    pub(crate) payload: Vec<u8>,
}

/// The server's peer, a subscriber, and the network between them.
#[derive(Debug)]
pub(crate) struct Pair {
    now: Instant,
    sfu: SfuPeer,
    rtc: Rtc,
    deadline: Instant,
    down: Network<Vec<u8>>,
    up: Network<Vec<u8>>,
    players: BTreeMap<TrackSid, Player>,
    received: BTreeMap<u32, BTreeMap<SeqNo, Vec<u8>>>,
    offer: String,
    events: Vec<SfuEvent>,
    channels: Vec<String>,
    sender_reports: usize,
}

impl Pair {
    /// Joins the two and waits until the connection stands.
    pub(crate) fn connected(conditions: Conditions) -> Self {
        let now = start();
        let config = SfuConfig {
            udp: SERVER,
            tcp: None,
            seed: 1,
        };
        let mut rtc = Rtc::builder()
            .set_rtp_mode(true)
            .enable_raw_packets(true)
            .build(now);
        rtc.add_local_candidate(Candidate::host(CLIENT, "udp").expect("a concrete address"));
        let mut pair = Self {
            now,
            sfu: SfuPeer::new(config, now),
            rtc,
            deadline: now,
            down: Network::new(conditions, 2),
            up: Network::new(conditions, 3),
            players: BTreeMap::new(),
            received: BTreeMap::new(),
            offer: String::new(),
            events: Vec::new(),
            channels: Vec::new(),
            sender_reports: 0,
        };
        pair.negotiate();
        for candidate in pair.sfu.candidates() {
            let candidate =
                Candidate::from_sdp_string(&candidate).expect("the server's own candidate");
            pair.rtc.add_remote_candidate(candidate);
        }
        pair.run(Duration::from_secs(2));
        assert!(
            pair.events.contains(&SfuEvent::Connected),
            "{:?}",
            pair.events
        );
        pair
    }

    pub(crate) fn add(&mut self, track: &OutgoingTrack) {
        self.sfu.add_track(track);
        self.negotiate();
        let player = Player::new(super::media(track.codec), 1.0, self.now);
        self.players.insert(track.sid.clone(), player);
    }

    pub(crate) fn remove(&mut self, sid: &TrackSid) {
        let ssrc = self.ssrc_of(sid);
        self.sfu.remove_track(sid);
        self.negotiate();
        self.rtc.direct_api().remove_stream_rx(ssrc.into());
        self.players.remove(sid);
    }

    pub(crate) fn restart_ice(&mut self) {
        self.sfu.restart_ice();
        self.negotiate();
        for candidate in self.sfu.candidates() {
            let candidate =
                Candidate::from_sdp_string(&candidate).expect("the server's own candidate");
            self.rtc.add_remote_candidate(candidate);
        }
    }

    pub(crate) fn request_keyframe(&mut self, sid: &TrackSid) {
        let ssrc = self.ssrc_of(sid);
        let mut direct = self.rtc.direct_api();
        let stream = direct
            .stream_rx(&ssrc.into())
            .expect("the track is subscribed");
        stream.request_keyframe(KeyframeRequestKind::Pli);
    }

    pub(crate) fn worsen(&mut self, conditions: Conditions) {
        self.down.change(conditions);
        self.up.change(conditions);
    }

    /// Plays all tracks for a while and returns the payloads that left, track by track.
    pub(crate) fn play(&mut self, duration: Duration) -> BTreeMap<TrackSid, Vec<Vec<u8>>> {
        let end = self.now + duration;
        let mut sent = BTreeMap::<_, Vec<_>>::new();
        while self.now < end {
            for (sid, packet) in self.due() {
                let left = self.sfu.send(&sid, &packet, self.now);
                let payload = left.map(|_| packet.payload.to_vec());
                sent.entry(sid).or_default().extend(payload);
            }
            self.sfu.handle_timeout(self.now);
            let next = self
                .players
                .values()
                .map(Player::next_at)
                .min()
                .unwrap_or(end);
            self.run(next.min(end) - self.now);
        }
        self.run(Duration::from_millis(100));
        sent
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.step();
            let timers = [self.deadline, self.sfu.poll_timeout()];
            let arrivals = [self.down.next_at(), self.up.next_at()];
            let next = arrivals
                .into_iter()
                .flatten()
                .chain(timers)
                .min()
                .unwrap_or(end);
            if next > end {
                self.now = end;
                return;
            }
            // Time never stands still, so that a timer that is always due cannot hang the test.
            self.now = next.max(self.now + Duration::from_micros(100));
        }
    }

    pub(crate) fn received(&self, sid: &TrackSid) -> Vec<Received> {
        let packets = self.received.get(&self.ssrc_of(sid));
        let packets = packets.into_iter().flatten();
        packets
            .map(|(sequence_number, payload)| Received {
                sequence_number: *sequence_number,
                payload: payload.clone(),
            })
            .collect()
    }

    pub(crate) fn ssrc(&self, mid: &str) -> u32 {
        let line = self
            .offer
            .split("m=")
            .find(|line| line.contains(&format!("a=mid:{mid}\r\n")));
        ssrc_in(line.expect("the offer has the track"))
    }

    pub(crate) fn lines(&self) -> usize {
        self.offer.matches("m=audio").count() + self.offer.matches("m=video").count()
    }

    pub(crate) fn last_offer(&self) -> &str {
        &self.offer
    }

    pub(crate) fn events(&self) -> &[SfuEvent] {
        &self.events
    }

    pub(crate) fn channels(&self) -> &[String] {
        &self.channels
    }

    pub(crate) fn sender_reports(&self) -> usize {
        self.sender_reports
    }

    pub(crate) fn lost(&self) -> u64 {
        self.down.tally().lost
    }

    fn ssrc_of(&self, sid: &TrackSid) -> u32 {
        let line = self.offer.split("m=").find(|line| line.contains(&sid.0));
        ssrc_in(line.expect("the offer has the track"))
    }

    fn negotiate(&mut self) {
        let offer = self.sfu.offer();
        let text = offer
            .sdp
            .replace("a=sendrecv\r\n", "a=sendonly\r\n")
            .replace("a=recvonly\r\n", "a=inactive\r\n");
        let parsed = SdpOffer::from_sdp_string(&text).expect("the offer parses");
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(parsed)
            .expect("the offer is acceptable");
        self.offer = offer.sdp;
        for line in self
            .offer
            .split("m=")
            .filter(|line| line.contains("a=ssrc:"))
        {
            let mut direct = self.rtc.direct_api();
            if let Some(stream) = direct.stream_rx(&ssrc_in(line).into()) {
                stream.suppress_nack(false);
            }
        }
        self.drain();
        self.sfu
            .answer(&answer.to_sdp_string())
            .expect("the answer is usable");
        self.sfu.handle_timeout(self.now);
    }

    fn due(&mut self) -> Vec<(TrackSid, MediaPacket)> {
        let now = self.now;
        let due = |(sid, player): (&TrackSid, &mut Player)| {
            let packets = std::iter::from_fn(|| player.pull(now));
            packets
                .map(|packet| (sid.clone(), packet))
                .collect::<Vec<_>>()
        };
        self.players.iter_mut().flat_map(due).collect()
    }

    fn step(&mut self) {
        while let Some(bytes) = self.up.receive(self.now) {
            let datagram = Datagram {
                protocol: Protocol::Udp,
                remote: CLIENT,
                bytes,
            };
            self.sfu.handle_datagram(&datagram, SERVER, self.now);
        }
        if self.sfu.poll_timeout() <= self.now {
            self.sfu.handle_timeout(self.now);
        }
        while let Some(output) = self.sfu.poll_output() {
            match output {
                SfuOutput::Datagram(datagram) => self.down.send(datagram.bytes, self.now),
                SfuOutput::Event(event) => self.events.push(event),
            }
        }
        while let Some(bytes) = self.down.receive(self.now) {
            let receive = Receive::new(Protocol::Udp, SERVER, CLIENT, &bytes).expect("WebRTC only");
            self.rtc
                .handle_input(Input::Receive(self.now, receive))
                .expect("the engine lives");
            self.drain();
        }
        if self.deadline <= self.now {
            self.rtc
                .handle_input(Input::Timeout(self.now))
                .expect("the engine lives");
            self.drain();
        }
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().expect("the engine lives") {
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
                Output::Transmit(transmit) => self.up.send(transmit.contents.into(), self.now),
                Output::Event(event) => self.notice(event),
            }
        }
    }

    fn notice(&mut self, event: Event) {
        match event {
            Event::RtpPacket(packet) => {
                let stream = self.received.entry(*packet.header.ssrc).or_default();
                stream.insert(packet.seq_no, packet.payload.to_vec());
            }
            Event::SenderFeedback(_) => self.sender_reports += 1,
            Event::ChannelOpen(_, label) => self.channels.push(label),
            _ => {}
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "virtual time starts at some instant"
)]
fn start() -> Instant {
    Instant::now()
}

fn ssrc_in(line: &str) -> u32 {
    let ssrc = line.split("a=ssrc:").nth(1).expect("the line has an SSRC");
    ssrc.split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .expect("an SSRC is a number")
}

const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7882);
const CLIENT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 40_000);
