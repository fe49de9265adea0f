//! The server's peer and a subscriber, joined by a network in virtual time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::net::Protocol;
use trackmill_room::media::{MediaPacket, Player};
use trackmill_room::network::{Conditions, Network};
use trackmill_room::publisher::TrackSid;
use trackmill_room::sfu::{Datagram, OutgoingTrack, SfuConfig, SfuEvent, SfuOutput, SfuPeer};
use trackmill_room::subscriber::Subscriber;

use crate::fixtures;

/// The two ends and the network between them.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) subscriber: Subscriber,
    pub(crate) offer: String,
    pub(crate) events: Vec<SfuEvent>,
    protocol: Protocol,
    now: Instant,
    sfu: SfuPeer,
    down: Network<Vec<u8>>,
    up: Network<Vec<u8>>,
    players: BTreeMap<TrackSid, Player>,
}

impl Pair {
    /// Joins the two over UDP and waits until the connection stands.
    pub(crate) fn connected() -> Self {
        Self::connect(Protocol::Udp)
    }

    /// Joins the two over ICE-TCP and waits until the connection stands.
    pub(crate) fn connected_by_tcp() -> Self {
        Self::connect(Protocol::Tcp)
    }

    fn connect(protocol: Protocol) -> Self {
        let now = fixtures::start();
        let config = SfuConfig {
            udp: SERVER,
            tcp: Some(SERVER),
            seed: 1,
        };
        let subscriber = match protocol {
            Protocol::Udp => Subscriber::new(CLIENT, now),
            _ => Subscriber::over_tcp(CLIENT, now),
        };
        let mut pair = Self {
            protocol,
            subscriber,
            offer: String::new(),
            events: Vec::new(),
            now,
            sfu: SfuPeer::new(config, now),
            down: Network::new(Conditions::default(), 2),
            up: Network::new(Conditions::default(), 3),
            players: BTreeMap::new(),
        };
        pair.negotiate();
        pair.trickle();
        pair.run(Duration::from_secs(2));
        assert!(pair.events.contains(&SfuEvent::Connected));
        pair
    }

    pub(crate) fn add(&mut self, track: &OutgoingTrack) {
        self.sfu.add_track(track);
        self.negotiate();
        let player = Player::new(fixtures::media(track.codec), 1.0, self.now);
        self.players.insert(track.sid.clone(), player);
    }

    pub(crate) fn remove(&mut self, sid: &TrackSid) {
        self.sfu.remove_track(sid);
        self.negotiate();
        self.players.remove(sid);
    }

    pub(crate) fn restart_ice(&mut self) {
        self.sfu.restart_ice();
        self.negotiate();
        self.trickle();
    }

    pub(crate) fn request_keyframe(&mut self, sid: &TrackSid) {
        self.subscriber.request_keyframe(sid, self.now);
    }

    pub(crate) fn worsen(&mut self, conditions: Conditions) {
        self.down.change(conditions);
        self.up.change(conditions);
    }

    pub(crate) fn lost(&self) -> u64 {
        self.down.tally().lost
    }

    /// Plays all tracks for a while and returns the payloads that left, track by track.
    pub(crate) fn play(&mut self, duration: Duration) -> BTreeMap<TrackSid, Vec<Bytes>> {
        let end = self.now + duration;
        let mut sent = BTreeMap::<_, Vec<_>>::new();
        while self.now < end {
            for (sid, packet) in self.due() {
                let left = self.sfu.send(&sid, &packet, self.now);
                let payload = left.map(|_| packet.payload.clone());
                sent.entry(sid).or_default().extend(payload);
            }
            self.sfu.handle_timeout(self.now);
            let next = self.players.values().map(Player::next_at).min();
            let next = next.unwrap_or(end).min(end);
            self.run(next - self.now);
        }
        self.run(Duration::from_millis(100));
        sent
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.step();
            let timers = [self.subscriber.poll_timeout(), self.sfu.poll_timeout()];
            let arrivals = [self.down.next_at(), self.up.next_at()];
            let next = arrivals.into_iter().flatten().chain(timers).min();
            let next = next.unwrap_or(end);
            if next > end || self.now >= end {
                self.now = end;
                return;
            }
            // Time never stands still, so that a timer that is always due cannot hang the test.
            self.now = next.max(self.now + Duration::from_micros(100));
        }
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

    fn negotiate(&mut self) {
        self.offer = self.sfu.offer().sdp;
        let answer = self.subscriber.answer(&self.offer, self.now);
        let answer = answer.expect("the offer is acceptable");
        self.sfu.answer(&answer).expect("the answer is usable");
        self.sfu.handle_timeout(self.now);
    }

    fn trickle(&mut self) {
        for candidate in self.sfu.candidates() {
            self.subscriber.add_remote_candidate(&candidate);
        }
    }

    fn step(&mut self) {
        while let Some(bytes) = self.up.receive(self.now) {
            let datagram = self.datagram(CLIENT, bytes);
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
            let datagram = self.datagram(SERVER, bytes);
            self.subscriber.handle_datagram(&datagram, self.now);
        }
        if self.subscriber.poll_timeout() <= self.now {
            self.subscriber.handle_timeout(self.now);
        }
        while let Some(datagram) = self.subscriber.poll_output() {
            self.up.send(datagram.bytes, self.now);
        }
    }

    const fn datagram(&self, remote: SocketAddr, bytes: Vec<u8>) -> Datagram {
        Datagram {
            protocol: self.protocol,
            remote,
            bytes,
        }
    }
}

const LOCALHOST: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const SERVER: SocketAddr = SocketAddr::new(LOCALHOST, 7_882);
const CLIENT: SocketAddr = SocketAddr::new(LOCALHOST, 40_000);
