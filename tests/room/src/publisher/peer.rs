//! A publisher's peer connection: it offers, and sends packets as they are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, Reliability};
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::Protocol;
use str0m::rtp::{RtpWrite, SeqNo};
use str0m::{Candidate, Event, IceConnectionState, RtcConfig};

use super::{PublishError, SentPacket};
use crate::media::{Codec, MediaPacket};
use crate::rtc::{Datagram, Transport, payload_types, provider, register};

/// Sends tracks over one peer connection; no sockets and no clock.
#[derive(Debug)]
pub(crate) struct Peer {
    transport: Transport,
    local: SocketAddr,
    pending: Option<SdpPendingOffer>,
    senders: BTreeMap<String, Sender>,
    link: Link,
}

/// Whether packets reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Connecting,
    Up,
    Lost,
    Closed,
}

/// The outgoing stream of one track.
#[derive(Debug)]
struct Sender {
    mid: Mid,
    codec: Codec,
    sequence_number: SeqNo,
}

impl Peer {
    /// Creates a peer that receives on `local`.
    pub(crate) fn new(local: SocketAddr, now: Instant) -> Self {
        let config = register(
            RtcConfig::new()
                .set_rtp_mode(true)
                .set_crypto_provider(provider())
                .set_rtcp_report_interval_audio(SENDER_REPORTS)
                .set_rtcp_report_interval_video(SENDER_REPORTS),
        );
        Self {
            transport: Transport::new(config, local, now),
            local,
            pending: None,
            senders: BTreeMap::new(),
            link: Link::Connecting,
        }
    }

    /// Adds tracks, known to the server by these names, and returns the offer.
    pub(crate) fn add_tracks(&mut self, tracks: &[(String, Codec)]) -> Option<String> {
        let first = self.senders.is_empty();
        let mut changes = self.transport.rtc().sdp_api();
        if first {
            // The server waits for both channels before it calls the connection complete.
            changes.add_channel("_reliable".into());
            changes.add_channel_with_config(ChannelConfig {
                label: "_lossy".into(),
                ordered: false,
                reliability: Reliability::MaxRetransmits { retransmits: 0 },
                ..ChannelConfig::default()
            });
        }
        for (cid, codec) in tracks {
            let kind = if codec.is_video() {
                MediaKind::Video
            } else {
                MediaKind::Audio
            };
            let cid_in_sdp = Some(cid.clone());
            let mid = changes.add_media(
                kind,
                Direction::SendOnly,
                cid_in_sdp.clone(),
                cid_in_sdp,
                None,
            );
            let sender = Sender {
                mid,
                codec: *codec,
                sequence_number: FIRST_SEQUENCE_NUMBER.into(),
            };
            self.senders.insert(cid.clone(), sender);
        }
        let (offer, pending) = changes.apply()?;
        self.pending = Some(pending);
        Some(offer.to_sdp_string())
    }

    /// Stops a track for good and returns the offer that says so.
    pub(crate) fn remove_track(&mut self, cid: &str) -> Option<String> {
        let sender = self.senders.remove(cid)?;
        let mut changes = self.transport.rtc().sdp_api();
        changes.set_direction(sender.mid, Direction::Inactive);
        let (offer, pending) = changes.apply()?;
        self.pending = Some(pending);
        Some(offer.to_sdp_string())
    }

    /// Takes the answer to the last offer.
    pub(crate) fn answer(&mut self, sdp: &str) -> Result<(), PublishError> {
        let refused = |error: &dyn std::fmt::Display| PublishError::Answer(error.to_string());
        let answer = SdpAnswer::from_sdp_string(sdp).map_err(|error| refused(&error))?;
        let pending = self.pending.take();
        let pending = pending.ok_or_else(|| refused(&"there was no offer"))?;
        let changes = self.transport.rtc().sdp_api();
        changes
            .accept_answer(pending, answer)
            .map_err(|error| refused(&error))
    }

    /// Adds a candidate of the server; TCP candidates are left alone.
    pub(crate) fn add_remote_candidate(&mut self, candidate: &str) {
        match Candidate::from_sdp_string(candidate) {
            Ok(candidate) if candidate.proto() == Protocol::Udp => {
                self.transport.rtc().add_remote_candidate(candidate);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, candidate, "Not a candidate."),
        }
    }

    /// Sends one packet; `None` if the track is unknown or not negotiated yet.
    pub(crate) fn send(
        &mut self,
        cid: &str,
        packet: &MediaPacket,
        now: Instant,
    ) -> Option<(u16, u32)> {
        let sender = self.senders.get_mut(cid)?;
        let mut direct = self.transport.rtc().direct_api();
        let stream = direct.stream_tx_by_mid(sender.mid, None)?;
        let sequence_number = sender.sequence_number.inc();
        let timestamp = packet.timestamp.wrapping_add(FIRST_TIMESTAMP);
        let payload_type = Pt::from(payload_types(sender.codec).media);
        stream.write_rtp(
            RtpWrite::new(
                payload_type,
                sequence_number,
                timestamp,
                now,
                &*packet.payload,
            )
            .marker(packet.marker)
            .nackable(true),
        );
        Some((sequence_number.as_u16(), timestamp))
    }

    /// Takes one datagram from the socket.
    pub(crate) fn handle_datagram(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        let datagram = Datagram {
            protocol: Protocol::Udp,
            remote: from,
            bytes: bytes.to_vec(),
        };
        self.transport.handle_datagram(&datagram, self.local, now);
        self.notice();
    }

    /// Runs due timers and whatever was changed or sent since the last input.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.transport.handle_timeout(now);
        self.notice();
    }

    /// Returns when [`Self::handle_timeout`] has to be called at the latest.
    pub(crate) const fn deadline(&self) -> Instant {
        self.transport.deadline()
    }

    /// Takes the next datagram to send.
    pub(crate) fn poll_datagram(&mut self) -> Option<Datagram> {
        self.transport.poll_datagram()
    }

    /// Tells whether packets reach the server.
    pub(crate) fn is_connected(&self) -> bool {
        self.link == Link::Up
    }

    fn notice(&mut self) {
        while let Some(event) = self.transport.poll_event() {
            match event {
                Event::Connected => self.link = Link::Up,
                Event::Closed => {
                    tracing::warn!("The server closed the connection.");
                    self.link = Link::Closed;
                }
                Event::IceConnectionStateChange(state) => self.notice_ice(state),
                _ => {}
            }
        }
    }

    /// What is written while nobody can be reached piles up in the engine, so nothing is.
    fn notice_ice(&mut self, state: IceConnectionState) {
        match (self.link, state.is_disconnected()) {
            (Link::Up, true) => {
                tracing::warn!("The server is out of reach.");
                self.link = Link::Lost;
            }
            (Link::Lost, false) if state.is_connected() => self.link = Link::Up,
            _ => tracing::debug!(?state, "ICE"),
        }
    }
}

impl SentPacket {
    /// Remembers a packet that was just sent.
    pub(crate) fn new(
        packet: &MediaPacket,
        (sequence_number, timestamp): (u16, u32),
        at: std::time::SystemTime,
    ) -> Self {
        Self {
            payload: packet.payload.clone(),
            sequence_number,
            timestamp,
            marker: packet.marker,
            at,
        }
    }
}

const FIRST_SEQUENCE_NUMBER: u64 = 1_000;
const FIRST_TIMESTAMP: u32 = 90_000;
const SENDER_REPORTS: Duration = Duration::from_secs(3);
