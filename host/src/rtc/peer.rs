//! One subscriber peer connection without I/O: str0m for ICE, DTLS, SCTP and SDP, our own media
//! plane for RTP and RTCP (D7).
//!
//! ```text
//!             ┌ STUN, DTLS ─► str0m ──────────► Output::{Transmit, Connected, …}
//! datagram ─ demux                │ keys, once DTLS is verified
//!             └ RTP, RTCP ──► rtp::Receiver ──► RtpPacket, SenderReport; Output::Transmit
//! ```

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::net::{Protocol, Receive, TcpType};
use str0m::{Candidate, Event, IceConnectionState, Input, Rtc};

use super::channels::Channels;
use super::demux::{self, Kind};
use super::dialer::Dialer;
use super::dtls::KeyTap;
use super::output::{Output, PeerError, Route};
use super::{OfferError, Transport, candidate, engine};
use crate::media::Ssrc;
use crate::rtp::{Dropped, Receiver, RtpPacket, SenderReport, StreamDescription, StreamStatistics};

/// A peer connection that only receives.
#[derive(Debug)]
pub(crate) struct Peer {
    rtc: Rtc,
    /// Forgotten as soon as the keys are in use.
    keys: Option<KeyTap>,
    receiver: Receiver,
    state: State,
    channels: Channels,
    candidates: candidate::Inbox,
    dialer: Dialer,
    /// Where RTCP goes: the last proven way to the server.
    route: Option<Route>,
    engine_timeout: Instant,
    outputs: VecDeque<Output>,
    counters: Counters,
}

/// What a [`Peer`] is made with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Our SSRC in receiver reports.
    pub(crate) local: Ssrc,
    /// Our canonical name, [RFC 7022](https://www.rfc-editor.org/rfc/rfc7022).
    pub(crate) cname: String,
    /// How long UDP may take to connect before TCP is tried.
    pub(crate) tcp_after: Duration,
}

/// What went by without effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Datagrams that are neither STUN nor DTLS, RTP or RTCP, or not well-formed.
    pub(crate) unknown: u64,
    /// RTP and RTCP of str0m that was kept from leaving: it holds the same keys, and a nonce must
    /// not be used twice.
    pub(crate) held_back: u64,
    /// RTCP of ours for which there was no way.
    pub(crate) unroutable: u64,
    /// Bytes that came over data channels.
    pub(crate) data_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// DTLS is not up yet.
    Connecting,
    Connected,
    /// ICE lost its way; DTLS and keys are kept.
    Disconnected,
    /// Takes no input.
    Dead,
}

impl Peer {
    pub(crate) fn new(settings: Settings, now: Instant) -> Self {
        let (rtc, keys) = engine::build(now);
        Self {
            rtc,
            keys: Some(keys),
            receiver: Receiver::new(settings.local, settings.cname),
            state: State::Connecting,
            channels: Channels::default(),
            candidates: candidate::Inbox::default(),
            dialer: Dialer::new(settings.tcp_after),
            route: None,
            engine_timeout: now,
            outputs: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Takes one of our own addresses.
    pub(crate) fn add_local_candidate(
        &mut self,
        address: SocketAddr,
        transport: Transport,
        now: Instant,
    ) {
        let candidate = match transport {
            Transport::Udp => Candidate::host(address, Protocol::Udp),
            Transport::Tcp => Candidate::builder()
                .tcp()
                .host(address)
                .tcptype(TcpType::Active)
                .build(),
        };
        match candidate {
            Ok(candidate) => drop(self.rtc.add_local_candidate(candidate)),
            Err(error) => tracing::warn!(%address, %error, "A local address is of no use."),
        }
        self.check_candidates(now);
    }

    /// Takes a trickled candidate; what cannot be used is ignored. It waits for its offer.
    pub(crate) fn add_remote_candidate(&mut self, text: &str, now: Instant) {
        self.learn_candidate(text, now);
        self.check_candidates(now);
    }

    /// Answers an offer that was rewritten so that we only receive, without `a=ssrc` lines:
    /// `streams` says what they said.
    ///
    /// # Errors
    /// If the offer is not understood. The peer connection is then of no more use.
    pub(crate) fn accept_offer(
        &mut self,
        sdp: &str,
        streams: &[StreamDescription],
        now: Instant,
    ) -> Result<String, OfferError> {
        if self.state == State::Dead {
            return Err(OfferError::Closed);
        }
        let (description, candidates): (Vec<&str>, Vec<&str>) = sdp
            .split_inclusive('\n')
            .partition(|line| !line.starts_with("a=candidate:"));
        let offer = SdpOffer::from_sdp_string(&description.concat())
            .map_err(|error| OfferError::Syntax(error.to_string()))?;
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(offer)
            .map_err(|error| OfferError::Refused(error.to_string()))?;
        self.receiver.set_streams(streams);
        self.meet_candidates(sdp, &candidates, now);
        self.check_candidates(now);
        Ok(answer.to_sdp_string())
    }

    /// Takes a datagram; `now` is when it came in. It is decrypted in place.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        route: Route,
        datagram: &mut [u8],
    ) -> Option<RtpPacket> {
        match demux::classify(datagram) {
            Kind::Rtp => {
                let packet = self.receiver.handle_rtp(now, datagram)?;
                self.route = Some(route);
                return Some(packet);
            }
            Kind::Rtcp => self.receiver.handle_rtcp(now, datagram),
            Kind::Stun | Kind::Dtls => self.handle_engine_datagram(now, route, datagram),
            Kind::Unknown => self.counters.unknown += 1,
        }
        None
    }

    /// A connection asked for by [`Output::Dial`] has ended, or was never made.
    pub(crate) fn connection_closed(&mut self, now: Instant) {
        self.dialer.closed(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.state == State::Dead {
            return None;
        }
        let dial = match self.rtc.is_connected() {
            true => None,
            false => self.dialer.poll_timeout(),
        };
        [
            Some(self.engine_timeout),
            self.receiver.poll_timeout(now),
            dial,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.state == State::Dead {
            return;
        }
        if self.engine_timeout <= now {
            self.handle_engine_input(Input::Timeout(now), now);
        }
        if !self.rtc.is_connected()
            && let Some(remote) = self.dialer.poll(now)
        {
            self.outputs.push_back(Output::Dial(remote));
        }
        while let Some(packet) = self.receiver.poll_transmit(now) {
            match self.route {
                Some(route) => self.outputs.push_back(Output::Transmit(route, packet)),
                None => self.counters.unroutable += 1,
            }
        }
    }

    /// The next thing to be done.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next sender report that came in.
    pub(crate) fn poll_sender_report(&mut self) -> Option<SenderReport> {
        self.receiver.poll_sender_report()
    }

    /// Asks the server for a keyframe; at most once a second and stream.
    pub(crate) fn request_keyframe(&mut self, ssrc: Ssrc) {
        self.receiver.request_keyframe(ssrc);
    }

    /// Says good-bye to the server. Nothing but outputs is left.
    pub(crate) fn close(&mut self, now: Instant) {
        if self.state == State::Dead {
            return;
        }
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "Could not close DTLS.");
        }
        self.drain(now);
        self.state = State::Dead;
    }

    /// Whether ICE and DTLS are up.
    pub(crate) fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// The transport in use.
    pub(crate) fn transport(&self) -> Option<Transport> {
        self.route.map(|route| route.transport)
    }

    /// What went by without effect.
    pub(crate) const fn counters(&self) -> Counters {
        self.counters
    }

    /// What the media plane dropped.
    pub(crate) fn dropped(&self) -> Dropped {
        self.receiver.dropped()
    }

    /// The reception statistics of a described stream.
    pub(crate) fn statistics(&self, ssrc: Ssrc) -> Option<StreamStatistics> {
        self.receiver.statistics(ssrc)
    }

    /// Sorts out which candidates belong to the offer just accepted.
    fn meet_candidates(&mut self, sdp: &str, own: &[&str], now: Instant) {
        let ufrag = sdp
            .lines()
            .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
            .unwrap_or_default();
        if self.candidates.is_restart(ufrag) {
            self.dialer.restart();
        }
        let early = self.candidates.offered(ufrag);
        for candidate in early {
            self.use_remote_candidate(candidate, now);
        }
        for line in own {
            self.learn_candidate(line, now);
        }
    }

    fn learn_candidate(&mut self, text: &str, now: Instant) {
        let Some(candidate) = candidate::parse(text) else {
            tracing::debug!(candidate = text, "Ignored an ICE candidate.");
            return;
        };
        if candidate.proto() == Protocol::Udp {
            self.outputs.push_back(Output::Reach(candidate.addr()));
        }
        if let Some(candidate) = self.candidates.add(candidate) {
            self.use_remote_candidate(candidate, now);
        }
    }

    fn use_remote_candidate(&mut self, candidate: Candidate, now: Instant) {
        match (candidate.proto(), candidate.tcptype()) {
            (Protocol::Udp, _) => self.dialer.add_udp(now),
            (Protocol::Tcp, Some(TcpType::Passive)) => self.dialer.add_tcp(now, candidate.addr()),
            _ => return,
        }
        self.rtc.add_remote_candidate(candidate);
    }

    /// Has new candidates checked at once. Left to itself the ICE agent would not notice them
    /// before its next timeout, which without candidates is seconds away.
    fn check_candidates(&mut self, now: Instant) {
        self.handle_engine_input(Input::Timeout(now), now);
    }

    fn handle_engine_datagram(&mut self, now: Instant, route: Route, datagram: &[u8]) {
        match Receive::new(route.transport.into(), route.remote, route.local, datagram) {
            Ok(received) => self.handle_engine_input(Input::Receive(now, received), now),
            Err(_) => self.counters.unknown += 1,
        }
    }

    /// The one door to str0m, which must be drained after each of its inputs.
    fn handle_engine_input(&mut self, input: Input<'_>, now: Instant) {
        if self.state == State::Dead {
            return;
        }
        match self.rtc.handle_input(input) {
            // Anyone can send us a malformed record: once DTLS is up that must not end it.
            Err(_) if self.state != State::Connecting && self.rtc.is_alive() => {
                self.counters.unknown += 1;
            }
            Err(error) => return self.fail(error.into()),
            Ok(()) => {}
        }
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        while self.state != State::Dead {
            match self.rtc.poll_output() {
                Ok(str0m::Output::Timeout(timeout)) => {
                    self.engine_timeout = timeout.min(now + LONGEST_SLEEP);
                    return;
                }
                Ok(str0m::Output::Transmit(transmit)) => self.transmit(transmit),
                Ok(str0m::Output::Event(event)) => self.handle_event(event, now),
                Err(error) => self.fail(error.into()),
            }
        }
    }

    fn transmit(&mut self, transmit: str0m::net::Transmit) {
        let route = Route {
            transport: match transmit.proto {
                Protocol::Udp => Transport::Udp,
                Protocol::Tcp | Protocol::SslTcp | Protocol::Tls => Transport::Tcp,
            },
            local: transmit.source,
            remote: transmit.destination,
        };
        match demux::classify(&transmit.contents) {
            Kind::Rtp | Kind::Rtcp => {
                self.counters.held_back += 1;
                return;
            }
            // str0m sends DTLS over the nominated pair.
            Kind::Dtls => self.route = Some(route),
            Kind::Stun | Kind::Unknown => {}
        }
        let contents = transmit.contents.into();
        self.outputs.push_back(Output::Transmit(route, contents));
    }

    fn handle_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Connected => match self.arm() {
                Ok(()) => self.connected(),
                Err(error) => self.fail(error),
            },
            Event::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) if self.state == State::Disconnected => self.connected(),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected)
                if self.state == State::Connected =>
            {
                self.state = State::Disconnected;
                self.route = None;
                self.outputs.push_back(Output::Disconnected);
            }
            Event::ChannelOpen(id, label) => self.channels.opened(id, &label),
            Event::ChannelClose(id) => self.channels.closed(id),
            Event::ChannelData(data) => {
                self.counters.data_bytes += u64::try_from(data.data.len()).unwrap_or(u64::MAX);
                if self.channels.carry_messages(data.id) {
                    self.outputs.push_back(Output::Data(now, data.data));
                }
            }
            Event::Closed => self.fail(PeerError::Closed),
            _ => {}
        }
    }

    fn connected(&mut self) {
        let transport = self.transport().unwrap_or(Transport::Udp);
        self.state = State::Connected;
        self.dialer.connected(transport);
        self.outputs.push_back(Output::Connected(transport));
    }

    /// Gives the keys to the media plane. str0m has verified the fingerprint by now.
    fn arm(&mut self) -> Result<(), PeerError> {
        let tap = self.keys.take().ok_or(PeerError::NoKeys)?;
        let keys = tap.agreement().ok_or(PeerError::NoKeys)?.keys()?;
        self.receiver.set_keys(keys);
        Ok(())
    }

    fn fail(&mut self, error: PeerError) {
        self.state = State::Dead;
        self.outputs.push_back(Output::Failed(error));
    }
}

/// str0m's "never" is decades away.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
