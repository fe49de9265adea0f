//! One subscriber's peer connection from the server's side; no sockets and no clock.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::channel::ChannelId;
use str0m::crypto::Fingerprint;
use str0m::media::{MediaKind, Mid};
use str0m::rtp::Ssrc;
use str0m::{Candidate, IceCreds, RtcConfig};

use super::answer::Answer;
use super::interface::{Channel, OutgoingTrack, Repair, SfuConfig, SfuError, SfuOutput};
use super::offer::{self, Line, Offer, Session, SocketCandidate, Stream};
use super::sender::Sender;
use crate::media::{Codec, MediaPacket};
use crate::publisher::TrackSid;
use crate::random::Random;
use crate::rtc::{Datagram, Transport, provider, register};

/// Sends tracks to one subscriber, who receives what LiveKit would send.
#[derive(Debug)]
pub struct SfuPeer {
    pub(super) transport: Transport,
    config: SfuConfig,
    random: Random,
    session_id: u64,
    credentials: IceCreds,
    /// Credentials that are offered but not answered yet, while ICE restarts.
    restarting: Option<IceCreds>,
    offer_id: u32,
    offered: bool,
    lines: Vec<Line>,
    repair: Repair,
    pub(super) senders: BTreeMap<TrackSid, Sender>,
    pub(super) channels: Channels,
    /// Those that are open on both sides, by label.
    pub(super) open_channels: BTreeMap<String, ChannelId>,
    pub(super) connection: Connection,
    pub(super) outputs: VecDeque<SfuOutput>,
}

/// How far the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    New,
    Answered,
    Connected,
    /// The subscriber ended it; what is written now would pile up in the engine.
    Closed,
}

/// Whether the data channels were created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channels {
    Missing,
    Created,
}

impl SfuPeer {
    /// Creates a peer connection without tracks.
    #[must_use]
    pub fn new(config: SfuConfig, now: Instant) -> Self {
        let mut random = Random::new(config.seed);
        let credentials = new_credentials(&mut random);
        let rtc = register(
            RtcConfig::new()
                .set_rtp_mode(true)
                .set_crypto_provider(provider())
                .set_local_ice_credentials(credentials.clone())
                .set_rtcp_report_interval_audio(SENDER_REPORTS)
                .set_rtcp_report_interval_video(SENDER_REPORTS)
                // The only way to see NACKs for audio, which the engine does not answer.
                .enable_raw_packets(true),
        );
        let mut transport = Transport::new(rtc, config.udp, now);
        if let Some(tcp) = config.tcp {
            transport.add_passive_tcp(tcp);
        }
        transport.rtc().direct_api().set_ice_controlling(true);
        Self {
            transport,
            session_id: random.next() >> 1,
            offer_id: random.next_u32() >> 1,
            random,
            credentials,
            restarting: None,
            offered: false,
            lines: Vec::new(),
            repair: Repair::default(),
            senders: BTreeMap::new(),
            channels: Channels::Missing,
            open_channels: BTreeMap::new(),
            connection: Connection::New,
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Adds a track, on a free m-line of its kind if there is one. The next offer has it.
    pub fn add_track(&mut self, track: &OutgoingTrack) {
        let is_video = track.codec.is_video();
        let index = self.free_line(is_video);
        let Some(line) = self.lines.get_mut(index) else {
            return;
        };
        let ssrc = self.random.next_u32();
        let rtx = is_video.then(|| self.random.next_u32());
        line.stream = Some(Stream {
            stream_id: format!("{}|{}", track.participant_sid, track.sid),
            track_id: track.sid.0.clone(),
            ssrc,
            rtx,
        });
        let mid = Mid::from(line.mid.as_str());
        let ssrcs = (Ssrc::from(ssrc), rtx.map(Ssrc::from));
        let mut direct = self.transport.rtc().direct_api();
        let stream = direct.declare_stream_tx(ssrcs.0, ssrcs.1, mid, None);
        stream.set_rtx_cache(RTX_PACKETS, RTX_AGE, None);
        let first = u16::try_from(self.random.next() & 0x7fff).unwrap_or_default();
        let start = (first, self.random.next_u32());
        let sender = Sender::new(track.codec, mid, ssrcs, start);
        self.senders.insert(track.sid.clone(), sender);
    }

    /// Takes a track away. Its m-line is free in the next offer.
    pub fn remove_track(&mut self, sid: &TrackSid) {
        if let Some(sender) = self.senders.remove(sid) {
            let mut direct = self.transport.rtc().direct_api();
            direct.remove_stream_tx(sender.ssrc);
        }
        for line in &mut self.lines {
            line.stream
                .take_if(|stream| stream.track_id == sid.0.as_str());
        }
    }

    /// Writes the next offer. Tracks are sent once it is answered.
    pub fn offer(&mut self) -> Offer {
        let first = self.connection == Connection::New;
        let hides_candidates = first || self.restarting.is_some();
        let candidates = if hides_candidates {
            Vec::new()
        } else {
            self.socket_candidates()
        };
        if self.offered {
            self.offer_id += 1;
        }
        self.offered = true;
        let direct = self.transport.rtc().direct_api();
        let fingerprint = direct.local_dtls_fingerprint().to_string();
        let session = Session {
            id: self.session_id,
            version: FIRST_VERSION + u64::from(self.offer_id),
            fingerprint,
            credentials: self.restarting.as_ref().unwrap_or(&self.credentials),
            candidates: &candidates,
        };
        Offer {
            id: self.offer_id,
            sdp: offer::render(&session, &self.lines),
            mids: self.mids(),
        }
    }

    /// Offers new ICE credentials from the next offer on.
    pub fn restart_ice(&mut self) {
        self.restarting = Some(new_credentials(&mut self.random));
    }

    /// Returns the server's candidates, as `Trickle` carries them.
    #[must_use]
    pub fn candidates(&self) -> Vec<String> {
        let credentials = self.restarting.as_ref().unwrap_or(&self.credentials);
        self.socket_candidates()
            .into_iter()
            .map(|candidate| candidate.to_sdp(1, &credentials.ufrag))
            .collect()
    }

    /// Tells whether ICE and DTLS have stood, and the subscriber has not ended them.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connection == Connection::Connected
    }

    /// Returns the ICE user name by which datagrams of unknown origin find this connection.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        &self.credentials.ufrag
    }

    /// Takes the answer to the last offer.
    ///
    /// # Errors
    ///
    /// If there was no offer, or the answer has no credentials or no usable fingerprint.
    pub fn answer(&mut self, sdp: &str) -> Result<(), SfuError> {
        if !self.offered {
            return Err(SfuError::NotOffered);
        }
        let answer = Answer::parse(sdp);
        let remote = answer.credentials.clone();
        let remote = remote.ok_or(SfuError::Missing("ICE credentials"))?;
        let mut direct = self.transport.rtc().direct_api();
        if let Some(credentials) = self.restarting.take() {
            direct.set_local_ice_credentials(credentials.clone());
            self.credentials = credentials;
        }
        direct.set_remote_ice_credentials(remote);
        if self.connection == Connection::New {
            self.start(&answer)?;
        }
        for candidate in &answer.candidates {
            self.add_remote_candidate(candidate);
        }
        self.bind(&answer);
        Ok(())
    }

    /// Adds a candidate of the subscriber, as `Trickle` or `a=candidate` carries it.
    pub fn add_remote_candidate(&mut self, candidate: &str) {
        match Candidate::from_sdp_string(candidate) {
            Ok(candidate) => self.transport.rtc().add_remote_candidate(candidate),
            Err(error) => tracing::debug!(%error, candidate, "Not a candidate."),
        }
    }

    /// Sends one packet of a track and returns its sequence number and timestamp; `None` if the
    /// track is not answered yet or the connection does not stand: then nothing leaves.
    pub fn send(
        &mut self,
        sid: &TrackSid,
        packet: &MediaPacket,
        now: Instant,
    ) -> Option<(u16, u32)> {
        self.write(sid, packet, self.repair, now)
    }

    /// Sends one made-up packet, which cannot be asked for again.
    pub fn send_injected(
        &mut self,
        sid: &TrackSid,
        packet: &MediaPacket,
        now: Instant,
    ) -> Option<(u16, u32)> {
        self.write(sid, packet, Repair::Impossible, now)
    }

    /// Sends a packet over a data channel; returns whether it leaves: the channel is open, and its buffer
    /// has room.
    pub fn send_data(&mut self, channel: Channel, packet: &[u8]) -> bool {
        let id = self.open_channels.get(channel.label()).copied();
        let channel = id.and_then(|id| self.transport.rtc().channel(id));
        channel.is_some_and(|mut channel| channel.write(true, packet).unwrap_or(false))
    }

    /// Sends the next packets of a track as another codec. The m-line has them all, so there is no
    /// new offer.
    pub fn change_codec(&mut self, sid: &TrackSid, codec: Codec) {
        if let Some(sender) = self.senders.get_mut(sid) {
            sender.codec = codec;
        }
    }

    /// Tells whether packets of a track would leave.
    #[must_use]
    pub fn can_send(&self, sid: &TrackSid) -> bool {
        let is_bound = self.senders.get(sid).is_some_and(|sender| sender.is_bound);
        is_bound && self.is_connected()
    }

    /// Decides whether packets of tracks can be asked for again from now on.
    pub const fn set_repair(&mut self, repair: Repair) {
        self.repair = repair;
    }

    /// Takes one datagram that came to the address `to`.
    pub fn handle_datagram(&mut self, datagram: &Datagram, to: SocketAddr, now: Instant) {
        self.transport.handle_datagram(datagram, to, now);
        self.collect(now);
    }

    /// Runs the timers that are due and everything that was sent or changed since.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.transport.handle_timeout(now);
        self.collect(now);
    }

    /// Takes the next output.
    pub fn poll_output(&mut self) -> Option<SfuOutput> {
        self.outputs.pop_front()
    }

    /// Returns when [`Self::handle_timeout`] has to be called at the latest.
    #[must_use]
    pub const fn poll_timeout(&self) -> Instant {
        self.transport.deadline()
    }

    fn free_line(&mut self, is_video: bool) -> usize {
        let free = |line: &Line| line.is_video == is_video && line.stream.is_none();
        if let Some(index) = self.lines.iter().position(free) {
            return index;
        }
        let mid = (self.lines.len() + 1).to_string();
        let kind = if is_video {
            MediaKind::Video
        } else {
            MediaKind::Audio
        };
        let mut direct = self.transport.rtc().direct_api();
        direct.declare_media(Mid::from(mid.as_str()), kind);
        self.lines.push(Line {
            mid,
            is_video,
            stream: None,
        });
        self.lines.len() - 1
    }

    fn mids(&self) -> BTreeMap<String, String> {
        let tracks = self.lines.iter().filter_map(|line| {
            let stream = line.stream.as_ref()?;
            Some((line.mid.clone(), stream.track_id.clone()))
        });
        tracks.collect()
    }

    fn socket_candidates(&self) -> Vec<SocketCandidate> {
        let tcp = self.config.tcp.map(SocketCandidate::Tcp);
        std::iter::once(SocketCandidate::Udp(self.config.udp))
            .chain(tcp)
            .collect()
    }

    /// Starts DTLS and SCTP with the first answer; the server is the client of both.
    fn start(&mut self, answer: &Answer) -> Result<(), SfuError> {
        let text = answer.fingerprint.as_deref();
        let text = text.ok_or(SfuError::Missing("fingerprint"))?;
        let fingerprint: Fingerprint = text
            .parse()
            .map_err(|_| SfuError::Fingerprint(text.to_owned()))?;
        let mut direct = self.transport.rtc().direct_api();
        direct.set_remote_fingerprint(fingerprint);
        direct
            .start_dtls(answer.is_passive)
            .map_err(|error| SfuError::Dtls(error.to_string()))?;
        direct.start_sctp(answer.is_passive);
        self.connection = Connection::Answered;
        Ok(())
    }

    /// A track is sent once the subscriber has taken its m-line.
    fn bind(&mut self, answer: &Answer) {
        for sender in self.senders.values_mut() {
            let mid: &str = &sender.mid;
            sender.is_bound |= answer.receives.get(mid.trim_end()) == Some(&true);
        }
    }

    fn write(
        &mut self,
        sid: &TrackSid,
        packet: &MediaPacket,
        repair: Repair,
        now: Instant,
    ) -> Option<(u16, u32)> {
        let sender = self.senders.get_mut(sid);
        let sender = sender.filter(|sender| sender.is_bound)?;
        if self.connection != Connection::Connected {
            return None;
        }
        let mut direct = self.transport.rtc().direct_api();
        let stream = direct.stream_tx(&sender.ssrc)?;
        Some(sender.send(stream, packet, repair, now))
    }
}

fn new_credentials(random: &mut Random) -> IceCreds {
    IceCreds {
        ufrag: random.text(16),
        pass: random.text(32),
    }
}

const SENDER_REPORTS: Duration = Duration::from_secs(3);
const RTX_PACKETS: usize = 2_000;
const RTX_AGE: Duration = Duration::from_secs(3);
/// pion counts from the time of day; any number will do.
const FIRST_VERSION: u64 = 1_795_360_775;
