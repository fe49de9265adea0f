//! A subscriber on str0m, to check the simulated server, or a real one, without our own code.
//!
//! It receives only; signalling, sockets and time are the caller's.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use str0m::change::SdpOffer;
use str0m::media::KeyframeRequestKind;
use str0m::net::Protocol;
use str0m::{Candidate, Event, RtcConfig, RtcError};

use crate::publisher::TrackSid;
use crate::rtc::{Datagram, Transport, provider, register};

/// A packet as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Sequence number, extended by the roll-over counter.
    pub sequence_number: u64,
    /// RTP timestamp, extended.
    pub timestamp: u64,
    /// The marker bit.
    pub marker: bool,
    /// The payload.
    pub payload: Bytes,
    /// When it came.
    pub at: Instant,
}

/// What was noticed besides packets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notices {
    /// Whether ICE and DTLS stand.
    pub is_connected: bool,
    /// Labels of the open data channels.
    pub channels: Vec<String>,
    /// Number of sender reports.
    pub sender_reports: usize,
}

/// One subscriber connection.
#[derive(Debug)]
pub struct Subscriber {
    transport: Transport,
    protocol: Protocol,
    local: SocketAddr,
    /// Which track an SSRC carries; SSRCs of earlier offers stay known.
    tracks: BTreeMap<u32, TrackSid>,
    current: Vec<u32>,
    /// Candidates that came before the first offer, as LiveKit may trickle them.
    early: Vec<Candidate>,
    has_offer: bool,
    received: BTreeMap<TrackSid, BTreeMap<(u32, u64), Received>>,
    notices: Notices,
    outputs: VecDeque<Datagram>,
}

impl Subscriber {
    /// Creates a subscriber that receives on the UDP address `local`.
    #[must_use]
    pub fn new(local: SocketAddr, now: Instant) -> Self {
        Self::over(Transport::new(config(), local, now), Protocol::Udp, local)
    }

    /// Creates a subscriber that has called the server's passive candidate from `local`.
    #[must_use]
    pub fn over_tcp(local: SocketAddr, now: Instant) -> Self {
        let transport = Transport::new_active_tcp(config(), local, now);
        Self::over(transport, Protocol::Tcp, local)
    }

    const fn over(transport: Transport, protocol: Protocol, local: SocketAddr) -> Self {
        Self {
            transport,
            protocol,
            local,
            tracks: BTreeMap::new(),
            current: Vec::new(),
            early: Vec::new(),
            has_offer: false,
            received: BTreeMap::new(),
            notices: Notices {
                is_connected: false,
                channels: Vec::new(),
                sender_reports: 0,
            },
            outputs: VecDeque::new(),
        }
    }

    /// Answers an offer: every track is taken.
    ///
    /// # Errors
    ///
    /// If the offer cannot be used.
    pub fn answer(&mut self, offer: &str, now: Instant) -> Result<String, RtcError> {
        let streams = streams(offer);
        let ssrcs: Vec<u32> = streams.iter().map(|(ssrc, _)| *ssrc).collect();
        for gone in self.current.iter().filter(|ssrc| !ssrcs.contains(ssrc)) {
            let mut direct = self.transport.rtc().direct_api();
            direct.remove_stream_rx((*gone).into());
        }
        // The server offers `sendrecv`, but wants no media from us.
        let text = offer
            .replace("a=sendrecv\r\n", "a=sendonly\r\n")
            .replace("a=recvonly\r\n", "a=inactive\r\n");
        let parsed = SdpOffer::from_sdp_string(&text)
            .map_err(|error| RtcError::RemoteSdp(error.to_string()))?;
        let answer = self.transport.rtc().sdp_api().accept_offer(parsed)?;
        for ssrc in &ssrcs {
            let mut direct = self.transport.rtc().direct_api();
            if let Some(stream) = direct.stream_rx(&(*ssrc).into()) {
                // Audio has no RTX, but the server answers NACKs for it.
                stream.suppress_nack(false);
            }
        }
        self.has_offer = true;
        for candidate in std::mem::take(&mut self.early) {
            self.transport.rtc().add_remote_candidate(candidate);
        }
        self.current = ssrcs;
        self.tracks.extend(streams);
        self.handle_timeout(now);
        Ok(answer.to_sdp_string())
    }

    /// Adds a candidate of the server; those of the other protocol are left alone.
    pub fn add_remote_candidate(&mut self, candidate: &str) {
        match Candidate::from_sdp_string(candidate) {
            Ok(candidate) if candidate.proto() != self.protocol => {}
            Ok(candidate) if self.has_offer => {
                self.transport.rtc().add_remote_candidate(candidate);
            }
            Ok(candidate) => self.early.push(candidate),
            Err(error) => tracing::warn!(%error, candidate, "Not a candidate."),
        }
    }

    /// Asks for a keyframe of a track that is subscribed.
    pub fn request_keyframe(&mut self, sid: &TrackSid, now: Instant) {
        let wanted = |ssrc: &&u32| self.tracks.get(ssrc) == Some(sid);
        let ssrc = self.current.iter().find(wanted).copied();
        if let Some(ssrc) = ssrc {
            let mut direct = self.transport.rtc().direct_api();
            if let Some(stream) = direct.stream_rx(&ssrc.into()) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
            }
        }
        self.handle_timeout(now);
    }

    /// Takes one datagram.
    pub fn handle_datagram(&mut self, datagram: &Datagram, now: Instant) {
        self.transport.handle_datagram(datagram, self.local, now);
        self.collect(now);
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.transport.handle_timeout(now);
        self.collect(now);
    }

    /// Takes the next datagram to send.
    pub fn poll_output(&mut self) -> Option<Datagram> {
        self.outputs.pop_front()
    }

    /// Returns when [`Self::handle_timeout`] has to be called at the latest.
    #[must_use]
    pub const fn poll_timeout(&self) -> Instant {
        self.transport.deadline()
    }

    /// Returns what came of a track, in the order of sequence numbers.
    #[must_use]
    pub fn received(&self, sid: &TrackSid) -> Vec<Received> {
        let packets = self.received.get(sid).into_iter();
        packets
            .flat_map(|packets| packets.values().cloned())
            .collect()
    }

    /// Returns what was noticed besides packets.
    #[must_use]
    pub const fn notices(&self) -> &Notices {
        &self.notices
    }

    fn collect(&mut self, now: Instant) {
        while let Some(event) = self.transport.poll_event() {
            match event {
                Event::Connected => self.notices.is_connected = true,
                Event::ChannelOpen(_, label) => self.notices.channels.push(label),
                Event::SenderFeedback(_) => self.notices.sender_reports += 1,
                Event::RtpPacket(packet) => self.keep(&packet, now),
                _ => {}
            }
        }
        while let Some(datagram) = self.transport.poll_datagram() {
            self.outputs.push_back(datagram);
        }
    }

    fn keep(&mut self, packet: &str0m::rtp::RtpPacket, now: Instant) {
        let ssrc = *packet.header.ssrc;
        let Some(sid) = self.tracks.get(&ssrc) else {
            return;
        };
        let received = Received {
            sequence_number: *packet.seq_no,
            timestamp: packet.time.numer(),
            marker: packet.header.marker,
            payload: Bytes::copy_from_slice(&packet.payload),
            at: now,
        };
        let packets = self.received.entry(sid.clone()).or_default();
        packets.insert((ssrc, *packet.seq_no), received);
    }
}

fn config() -> RtcConfig {
    let config = RtcConfig::new().set_rtp_mode(true);
    register(config.set_crypto_provider(provider()))
}

/// Finds the first SSRC and the track of every m-line that carries one.
fn streams(offer: &str) -> Vec<(u32, TrackSid)> {
    let lines = offer.split("\r\nm=").skip(1);
    lines
        .filter_map(|line| {
            let ssrc = value(line, "a=ssrc-group:FID ").or_else(|| value(line, "a=ssrc:"))?;
            let track = line.lines().find_map(|text| text.strip_prefix("a=msid:"))?;
            let sid = track.split(' ').nth(1)?;
            Some((ssrc.parse().ok()?, TrackSid(sid.to_owned())))
        })
        .collect()
}

/// Returns the first word behind a prefix.
fn value<'a>(media: &'a str, prefix: &str) -> Option<&'a str> {
    let mut lines = media.lines();
    lines.find_map(|line| line.strip_prefix(prefix)?.split(' ').next())
}
