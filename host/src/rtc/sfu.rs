//! Tests only: the server's end of a peer connection, by str0m with all that we leave out. It
//! makes the offers and sends the tracks, without I/O.

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::time::Instant;

use str0m::change::{SdpAnswer, SdpApi, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive, TcpType, Transmit};
use str0m::rtp::{RtpWrite, SeqNo};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::Transport;
use crate::media::{Codec, Ssrc, TrackSid};
use crate::rtp::StreamDescription;

/// A sending peer.
#[derive(Debug)]
pub(crate) struct Sfu {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    tracks: Vec<(Mid, TrackSid, MediaKind)>,
    /// The last offer with all that we strip from it.
    full_offer: String,
    pub(crate) timeout: Instant,
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) is_connected: bool,
    pub(crate) keyframe_requests: usize,
}

impl Sfu {
    pub(crate) fn new(now: Instant) -> Self {
        let rtc = RtcConfig::new()
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .build(now);
        Self {
            rtc,
            pending: None,
            tracks: Vec::new(),
            full_offer: String::new(),
            timeout: now,
            transmits: VecDeque::new(),
            is_connected: false,
            keyframe_requests: 0,
        }
    }

    pub(crate) fn add_udp(&mut self, address: SocketAddr) -> Candidate {
        let candidate = Candidate::host(address, Protocol::Udp).unwrap();
        self.rtc.add_local_candidate(candidate).unwrap().clone()
    }

    pub(crate) fn add_tcp(&mut self, address: SocketAddr) -> Candidate {
        let builder = Candidate::builder().tcp().host(address);
        let candidate = builder.tcptype(TcpType::Passive).build().unwrap();
        self.rtc.add_local_candidate(candidate).unwrap().clone()
    }

    /// Adds a track to the offer and tells its m-line.
    pub(crate) fn publish(&mut self, track: &str, kind: MediaKind) -> (String, Mid) {
        let mut mid = None;
        let offer = self.offer(|api| {
            mid = Some(api.add_media(kind, Direction::SendOnly, None, None, None));
        });
        self.tracks.push((mid.unwrap(), track.into(), kind));
        (offer, mid.unwrap())
    }

    /// Sends another track over an m-line, under a new SSRC, as a server does that reuses it.
    pub(crate) fn replace(&mut self, mid: Mid, track: &str, ssrc: u32) -> String {
        let mut api = self.rtc.direct_api();
        let rtx = api.stream_tx_by_mid(mid, None).unwrap().rtx();
        let rtx = rtx.map(|_| (ssrc + 1).into());
        api.reset_stream_tx(mid, None, ssrc.into(), rtx).unwrap();
        for entry in &mut self.tracks {
            if entry.0 == mid {
                entry.1 = track.into();
            }
        }
        self.offer(|api| {
            api.add_channel("again".to_owned());
        })
    }

    /// An offer, rewritten as `signal::sdp` does it: str0m does not see the SSRCs.
    pub(crate) fn offer(&mut self, change: impl FnOnce(&mut SdpApi<'_>)) -> String {
        let mut api = self.rtc.sdp_api();
        change(&mut api);
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        let text = offer.to_sdp_string();
        let is_kept = |line: &&str| !line.starts_with("a=ssrc");
        let rewritten = text.split_inclusive('\n').filter(is_kept).collect();
        self.full_offer = text;
        rewritten
    }

    pub(crate) fn accept_answer(&mut self, answer: &str, now: Instant) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        let pending = self.pending.take().unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.drain(now);
    }

    /// What the last offer says about the tracks.
    pub(crate) fn streams(&self) -> Vec<StreamDescription> {
        let describe = |(mid, track, kind): &(Mid, TrackSid, MediaKind)| {
            let (ssrc, rtx) = ssrcs(&self.full_offer, *mid);
            let (codec, payload_type) = match kind {
                MediaKind::Audio => (Codec::Opus, OPUS),
                MediaKind::Video => (Codec::Vp8, VP8),
            };
            StreamDescription {
                track: track.clone(),
                ssrc,
                rtx,
                formats: vec![(payload_type, codec)],
                rtx_formats: vec![(VP8 + 1, VP8)],
            }
        };
        self.tracks.iter().map(describe).collect()
    }

    /// Sends one packet of a track.
    pub(crate) fn send(&mut self, now: Instant, mid: Mid, sequence_number: u64, payload: &[u8]) {
        let is_video = self
            .tracks
            .iter()
            .any(|track| track.0 == mid && track.2 == MediaKind::Video);
        let (payload_type, step) = if is_video { (VP8, 3_000) } else { (OPUS, 960) };
        let time = u32::try_from(sequence_number).unwrap() * step;
        let sequence_number = SeqNo::from(sequence_number);
        let packet = RtpWrite::new(payload_type.into(), sequence_number, time, now, payload);
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, None).unwrap();
        stream.write_rtp(packet.nackable(true));
        self.handle_timeout(now);
    }

    /// Sends something over a data channel that an offer opened.
    pub(crate) fn say(&mut self, now: Instant, channel: ChannelId, data: &[u8]) {
        let mut channel = self.rtc.channel(channel).unwrap();
        assert!(channel.write(true, data).unwrap());
        self.handle_timeout(now);
    }

    pub(crate) fn receive(
        &mut self,
        now: Instant,
        transport: Transport,
        (source, destination): (SocketAddr, SocketAddr),
        datagram: &[u8],
    ) {
        let received = Receive::new(transport.into(), source, destination, datagram).unwrap();
        self.rtc
            .handle_input(Input::Receive(now, received))
            .unwrap();
        self.drain(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(timeout)) => {
                    self.timeout = timeout;
                    return;
                }
                Ok(Output::Transmit(transmit)) => self.transmits.push_back(transmit),
                Ok(Output::Event(Event::Connected)) => self.is_connected = true,
                Ok(Output::Event(Event::KeyframeRequest(_))) => self.keyframe_requests += 1,
                Ok(Output::Event(_)) => {}
                Err(error) => {
                    // The other side has to notice; this one only stops.
                    tracing::debug!(%error, "The server's end failed.");
                    self.timeout = now + std::time::Duration::from_secs(3_600);
                    return;
                }
            }
        }
    }
}

/// The media SSRC of an m-line, and its RTX SSRC.
fn ssrcs(offer: &str, mid: Mid) -> (Ssrc, Option<Ssrc>) {
    let line = format!("a=mid:{mid}");
    let mut media = offer.split("m=").filter(|media| media.contains(&line));
    let media = media.next().unwrap();
    let number = |text: &str| Ssrc(text.split(' ').next().unwrap().parse().unwrap());
    let mut ssrcs = media
        .lines()
        .filter_map(|line| line.strip_prefix("a=ssrc:"));
    let mut groups = media
        .lines()
        .filter_map(|line| line.strip_prefix("a=ssrc-group:FID "));
    match groups.next().and_then(|group| group.split_once(' ')) {
        Some((ssrc, rtx)) => (number(ssrc), Some(number(rtx))),
        None => (number(ssrcs.next().unwrap()), None),
    }
}

const OPUS: u8 = 111;
const VP8: u8 = 96;
