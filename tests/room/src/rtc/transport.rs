//! The sans-IO engine with its outputs taken out after every input, as str0m demands.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::error::IceError;
use str0m::net::{Protocol, Receive, TcpType};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

/// A datagram to or from the other end of a peer connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// UDP, or TCP with the framing of RFC 4571, whose length field is not part of the bytes.
    pub protocol: Protocol,
    /// Address of the other end.
    pub remote: SocketAddr,
    /// The content.
    pub bytes: Vec<u8>,
}

/// ICE, DTLS, SRTP and SCTP of one peer connection on one UDP address.
#[derive(Debug)]
pub(crate) struct Transport {
    /// Several kilobytes, which would make every future that holds a peer large.
    rtc: Box<Rtc>,
    datagrams: VecDeque<Datagram>,
    events: VecDeque<Event>,
    deadline: Instant,
}

impl Transport {
    /// Creates an engine that receives on the UDP address `local`.
    pub(crate) fn new(config: RtcConfig, local: SocketAddr, now: Instant) -> Self {
        let mut transport = Self::without_candidates(config, now);
        transport.add_candidate(Candidate::host(local, Protocol::Udp));
        transport
    }

    /// Creates an engine that has called the server from the TCP address `local`.
    pub(crate) fn new_active_tcp(config: RtcConfig, local: SocketAddr, now: Instant) -> Self {
        let mut transport = Self::without_candidates(config, now);
        transport.add_candidate(tcp_candidate(local, TcpType::Active));
        transport
    }

    fn without_candidates(config: RtcConfig, now: Instant) -> Self {
        Self {
            rtc: Box::new(config.build(now)),
            datagrams: VecDeque::new(),
            events: VecDeque::new(),
            deadline: now,
        }
    }

    /// Also waits for calls by ICE-TCP on `address`.
    pub(crate) fn add_passive_tcp(&mut self, address: SocketAddr) {
        self.add_candidate(tcp_candidate(address, TcpType::Passive));
    }

    fn add_candidate(&mut self, candidate: Result<Candidate, IceError>) {
        match candidate {
            Ok(candidate) => {
                self.rtc.add_local_candidate(candidate);
            }
            Err(error) => tracing::error!(%error, "Not an address for ICE."),
        }
    }

    /// Changes the engine; what follows from the change comes out by the next input or timeout.
    pub(crate) fn rtc(&mut self) -> &mut Rtc {
        &mut self.rtc
    }

    /// Takes one datagram that arrived on `local`. Bytes that are no WebRTC are ignored.
    pub(crate) fn handle_datagram(&mut self, datagram: &Datagram, local: SocketAddr, now: Instant) {
        let Datagram {
            protocol,
            remote,
            bytes,
        } = datagram;
        if let Ok(receive) = Receive::new(*protocol, *remote, local, bytes) {
            self.handle(Input::Receive(now, receive));
        }
    }

    /// Runs the timers that are due, and whatever [`Self::rtc`] was used for.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.handle(Input::Timeout(now));
    }

    /// Returns when [`Self::handle_timeout`] has to be called at the latest.
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Takes the next datagram to send.
    pub(crate) fn poll_datagram(&mut self) -> Option<Datagram> {
        self.datagrams.pop_front()
    }

    /// Takes the next thing that happened.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn handle(&mut self, input: Input<'_>) {
        let now = match &input {
            Input::Timeout(now) | Input::Receive(now, _) => *now,
        };
        if let Err(error) = self.rtc.handle_input(input) {
            tracing::warn!(%error, "The engine refused an input.");
        }
        self.drain(now);
    }

    /// str0m has one packet slot: an output that is not taken before the next input is lost.
    fn drain(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.deadline = at.min(now + LONGEST_SLEEP);
                    return;
                }
                Ok(Output::Transmit(transmit)) => self.datagrams.push_back(Datagram {
                    protocol: transmit.proto,
                    remote: transmit.destination,
                    bytes: transmit.contents.into(),
                }),
                Ok(Output::Event(event)) => self.events.push_back(event),
                Err(error) => {
                    tracing::warn!(%error, "The engine failed.");
                    self.deadline = now + LONGEST_SLEEP;
                    return;
                }
            }
        }
    }
}

fn tcp_candidate(address: SocketAddr, kind: TcpType) -> Result<Candidate, IceError> {
    let candidate = Candidate::builder().tcp().host(address);
    candidate.tcptype(kind).build()
}

/// str0m's own deadline may be days away.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
