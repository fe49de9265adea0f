//! What goes into a subscriber's peer connection and what comes out of it.

use std::net::SocketAddr;

use str0m::IceConnectionState;

use crate::media::Codec;
use crate::publisher::TrackSid;
use crate::rtc::Datagram;

/// How a subscriber's peer connection is set up.
#[derive(Debug, Clone)]
pub struct SfuConfig {
    /// The UDP address at which the server receives.
    pub udp: SocketAddr,
    /// The TCP address at which the server waits to be called, for ICE-TCP.
    pub tcp: Option<SocketAddr>,
    /// Decides SSRCs, sequence numbers, timestamps and credentials.
    pub seed: u64,
}

/// A track to send to the subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingTrack {
    /// The track's id, second part of `a=msid`.
    pub sid: TrackSid,
    /// The publishing participant's id, `PA_…`; the first part of `a=msid` begins with it.
    pub participant_sid: String,
    /// The codec that will be sent.
    pub codec: Codec,
}

/// Whether a packet can be asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repair {
    /// The server remembers it for a while.
    #[default]
    Possible,
    /// The server does not, as with the packets that it makes up.
    Impossible,
}

/// One of the data channels that carry messages among participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Ordered, and sent again until it arrives.
    Reliable,
    /// Sent once.
    Lossy,
}

impl Channel {
    /// What LiveKit calls it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Reliable => "_reliable",
            Self::Lossy => "_lossy",
        }
    }
}

/// What comes out of a peer connection.
#[derive(Debug)]
pub enum SfuOutput {
    /// A datagram to send.
    Datagram(Datagram),
    /// Something happened.
    Event(SfuEvent),
}

/// What happened on a peer connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SfuEvent {
    /// ICE and DTLS stand; tracks that are answered are sent from here on.
    Connected,
    /// The state of ICE changed.
    Ice(IceConnectionState),
    /// A data channel is open on both sides.
    ChannelOpen(String),
    /// The subscriber asked for a keyframe by PLI or FIR.
    KeyframeRequested(TrackSid),
    /// The subscriber asked for lost packets, so many in one NACK.
    Nacked(TrackSid, usize),
    /// The subscriber closed the connection.
    Closed,
}

/// Why an answer cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SfuError {
    /// The answer lacks a line.
    #[error("answer without {0}")]
    Missing(&'static str),
    /// The fingerprint is none.
    #[error("answer with fingerprint {0:?}")]
    Fingerprint(String),
    /// An answer came without an offer.
    #[error("answer without an offer")]
    NotOffered,
    /// The DTLS engine failed.
    #[error("start DTLS: {0}")]
    Dtls(String),
}
