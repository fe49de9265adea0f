//! What a [`Peer`](super::peer::Peer) wants done.

use core::net::SocketAddr;
use std::time::Instant;

use str0m::RtcError;
use str0m::crypto::dtls::SrtpProfile;
use str0m::net::Protocol;

use super::Transport;
use crate::srtp::KeyError;

/// The way a datagram came or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// UDP, or RFC 4571 frames over TCP.
    pub(crate) transport: Transport,
    /// Our own address.
    pub(crate) local: SocketAddr,
    /// The server's address.
    pub(crate) remote: SocketAddr,
}

/// What a [`Peer`] wants done.
#[derive(Debug)]
pub(crate) enum Output {
    /// Send a datagram.
    Transmit(Route, Vec<u8>),
    /// The server can be reached at this address over UDP: make sure that one of our sockets is
    /// bound where the route there starts, and [`Peer::add_local_candidate`](super::peer::Peer::add_local_candidate).
    Reach(SocketAddr),
    /// Open a TCP connection: then [`Peer::add_local_candidate`](super::peer::Peer::add_local_candidate), and
    /// [`Peer::connection_closed`](super::peer::Peer::connection_closed) when it ends or cannot be made.
    Dial(SocketAddr),
    /// ICE and DTLS are up: packets flow.
    Connected(Transport),
    /// A packet of one of the server's data channels came, and when.
    Data(Instant, Vec<u8>),
    /// ICE has lost its way to the server. It may come back, or ICE may be restarted.
    Disconnected,
    /// The end of this peer.
    Failed(PeerError),
}

/// Why a peer connection failed for good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    /// The handshake failed; most often the fingerprint in the SDP is not that of the certificate.
    #[error("the WebRTC engine failed")]
    Engine(#[from] RtcError),
    /// We speak AEAD GCM only (RFC 7714).
    #[error(
        "the server chose the SRTP profile {0:?}, which is not supported: \
         enable AEAD_AES_256_GCM or AEAD_AES_128_GCM on the server"
    )]
    Profile(SrtpProfile),
    /// DTLS came up without exporting SRTP keys.
    #[error("DTLS exported no SRTP keys")]
    NoKeys,
    /// The exported keys are of no use.
    #[error("DTLS exported unusable SRTP keys")]
    Keys(#[from] KeyError),
    /// The server closed DTLS.
    #[error("the server closed the connection")]
    Closed,
}

impl From<Transport> for Protocol {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Udp => Self::Udp,
            Transport::Tcp => Self::Tcp,
        }
    }
}
