use crate::media::TrackSid;
use crate::signal::message::ServerMessage;
use crate::signal::open_error::OpenError;

/// What happens to a [`Session`](super::Session).
///
/// What belongs to a socket that [`Output::CloseSocket`](super::Output::CloseSocket) gave up, or to
/// a peer connection that [`Output::RestartPeer`](super::Output::RestartPeer) replaced, must not be
/// handed in any more.
#[derive(Clone, Debug)]
pub enum Input {
    /// The WebSocket is up.
    Opened,
    /// There is no WebSocket.
    OpenFailed(OpenError),
    /// The server said something.
    Message(ServerMessage),
    /// The WebSocket broke, or the server closed it; it is of no use any more.
    SocketClosed {
        /// How, for people.
        reason: String,
    },
    /// The peer connection answered an offer.
    Answer {
        /// Which one.
        offer: u32,
        /// The answer.
        sdp: String,
    },
    /// The peer connection cannot answer an offer.
    AnswerFailed {
        /// Which one.
        offer: u32,
        /// Why, for people.
        reason: String,
    },
    /// ICE and DTLS are through.
    PeerConnected,
    /// The peer connection is broken, or carries nothing any more.
    PeerFailed {
        /// How, for people.
        reason: String,
    },
    /// Somebody wants a track.
    Subscribe {
        /// Which one.
        track: TrackSid,
    },
    /// Nobody wants a track any more.
    Unsubscribe {
        /// Which one.
        track: TrackSid,
    },
    /// Nobody needs the room any more.
    Leave,
}
