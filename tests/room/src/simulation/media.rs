//! Media: publishers' packets, subscribers' datagrams, and the network between.

use std::net::SocketAddr;
use std::time::Instant;

use super::publication::State;
use super::subscriber::Subscriber;
use super::{Output, Simulation};
use crate::publisher::TrackSid;
use crate::sfu::{Datagram, SfuEvent, SfuOutput};

impl Simulation {
    /// Takes one datagram of a subscriber.
    pub fn handle_datagram(&mut self, datagram: Datagram, now: Instant) {
        if self.blocks_datagrams() {
            return;
        }
        if is_media(&datagram.bytes) {
            self.uplink.send(datagram, now);
        } else {
            self.deliver(&datagram, now);
        }
    }

    /// Runs everything that is due: media, made-up frames, offers, timers.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(datagram) = self.uplink.receive(now) {
            self.deliver(&datagram, now);
        }
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let timer = entry.remove();
            self.run_timer(timer, now);
        }
        self.play(now);
        for subscriber in self.subscribers.values_mut() {
            subscriber.run(now);
        }
        self.collect(now);
        self.negotiate(now);
        while let Some(datagram) = self.downlink.receive(now) {
            self.outputs.push_back(Output::Datagram(datagram));
        }
    }

    /// Lets the publishers send what is due.
    fn play(&mut self, now: Instant) {
        let wall = self.wall(now);
        for (sid, publication) in &mut self.publications {
            let packets = publication.pull(now, wall);
            if packets.is_empty() || publication.state != State::Live {
                continue;
            }
            let mut awaits_keyframe = false;
            for subscriber in self.subscribers.values_mut() {
                awaits_keyframe |= subscriber.forward(sid, &packets, now);
            }
            if awaits_keyframe {
                publication.make_keyframe(now);
            }
        }
    }

    fn deliver(&mut self, datagram: &Datagram, now: Instant) {
        let Some(sid) = self.owner(datagram) else {
            return;
        };
        let to = match datagram.protocol {
            str0m::net::Protocol::Udp => Some(self.config.udp),
            _ => self.config.tcp,
        };
        if let (Some(subscriber), Some(to)) = (self.subscribers.get_mut(&sid), to) {
            subscriber.peer.handle_datagram(datagram, to, now);
        }
    }

    /// Finds whose datagram it is: by address, else by the ICE user name.
    fn owner(&mut self, datagram: &Datagram) -> Option<String> {
        if let Some(sid) = self.addresses.get(&datagram.remote) {
            return Some(sid.clone());
        }
        let ufrag = stun_ufrag(&datagram.bytes)?;
        let mut subscribers = self.subscribers.iter();
        let (sid, _) = subscribers.find(|(_, subscriber)| subscriber.peer.ufrag() == ufrag)?;
        let (remote, sid): (SocketAddr, String) = (datagram.remote, sid.clone());
        self.addresses.insert(remote, sid.clone());
        Some(sid)
    }

    /// Takes the outputs of all peer connections.
    fn collect(&mut self, now: Instant) {
        let mut requested = Vec::new();
        let mut datagrams = Vec::new();
        for subscriber in self.subscribers.values_mut() {
            while let Some(output) = subscriber.poll_output() {
                match output {
                    SfuOutput::Datagram(datagram) => datagrams.push(datagram),
                    SfuOutput::Event(event) => requested.extend(notice(subscriber, event)),
                }
            }
        }
        for datagram in datagrams {
            if is_media(&datagram.bytes) {
                self.downlink.send(datagram, now);
            } else {
                self.outputs.push_back(Output::Datagram(datagram));
            }
        }
        for sid in requested {
            if let Some(publication) = self.publications.get_mut(&sid) {
                publication.keyframe_requests += 1;
                publication.make_keyframe(now);
            }
        }
    }
}

/// Remembers an event; returns the track of a keyframe request.
fn notice(subscriber: &mut Subscriber, event: SfuEvent) -> Option<TrackSid> {
    let requested = match &event {
        SfuEvent::KeyframeRequested(sid) => Some(sid.clone()),
        _ => None,
    };
    subscriber.events.push(event);
    requested
}

/// RTP and RTCP begin with 128 to 191 ([RFC 7983](https://www.rfc-editor.org/rfc/rfc7983)).
fn is_media(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|byte| (128..192).contains(byte))
}

/// Reads the receiver's half of the user name in a STUN binding request
/// ([RFC 8445 §7.2.2](https://www.rfc-editor.org/rfc/rfc8445#section-7.2.2)).
fn stun_ufrag(bytes: &[u8]) -> Option<&str> {
    let mut attributes = bytes.get(STUN_HEADER..)?;
    loop {
        let kind = u16::from_be_bytes(attributes.get(0..2)?.try_into().ok()?);
        let length = u16::from_be_bytes(attributes.get(2..4)?.try_into().ok()?);
        let length = usize::from(length);
        if kind == STUN_USERNAME {
            let name = std::str::from_utf8(attributes.get(4..4 + length)?).ok()?;
            return name.split(':').next();
        }
        attributes = attributes.get(4 + length.next_multiple_of(4)..)?;
    }
}

const STUN_HEADER: usize = 20;
const STUN_USERNAME: u16 = 0x0006;
