//! What the control side sees of the media workers.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::command::{Command, Link, Opening, PeerCommand, PeerId};
use super::socket::Udp;
use super::{Consumer, Notice, load, worker};
use crate::media::{DataMessage, Ssrc, TrackSid};
use crate::rtp::{Dropped, StreamDescription, StreamStatistics};

/// The media workers of the process: threads that own peer connections, their sockets and the
/// consumers of their tracks (D2).
///
/// Dropping it ends all peers and waits for the threads, which takes about one turn
/// ([`PATIENCE`](super::PATIENCE)).
#[derive(Debug)]
pub struct Workers {
    workers: Vec<worker::Running>,
    event_queue: usize,
    next_peer: AtomicU64,
}

/// How media workers run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long UDP may take to connect before ICE-TCP is tried. Default 1 s.
    pub tcp_after: Duration,
    /// How long a connected peer may hear nothing before [`PeerEvent::Stalled`]. Default 5 s: the
    /// server sends STUN or RTCP at least every 3 s.
    pub stall_after: Duration,
    /// Receive buffer of the socket of a peer that receives video or many tracks, in bytes. Default
    /// 1 MiB, a second of 50 audio tracks; the kernel caps it at `net.core.rmem_max`.
    pub large_receive_buffer: usize,
    /// Commands that may wait for one worker. Default 1,024. When full, the caller waits, except
    /// in [`PeerHandle::add_candidate`].
    pub command_queue: usize,
    /// Events of one peer that may wait for the control side. Default 256, several times what a
    /// peer of 50 tracks says at once. When full, the newest is dropped, logged and counted in
    /// [`PeerStatistics::events_dropped`].
    pub event_queue: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tcp_after: Duration::from_secs(1),
            stall_after: Duration::from_secs(5),
            large_receive_buffer: 1024 * 1024,
            command_queue: 1_024,
            event_queue: 256,
        }
    }
}

impl Workers {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the system gives no thread, epoll instance or event descriptor.
    pub fn start(threads: NonZeroUsize, settings: &Settings) -> io::Result<Self> {
        let workers = (0..threads.get())
            .map(|index| worker::start(index, settings))
            .collect::<io::Result<_>>()?;
        Ok(Self {
            workers,
            event_queue: settings.event_queue,
            next_peer: AtomicU64::new(0),
        })
    }

    /// Opens a peer connection; workers are filled one after the other. `server` is the address that
    /// signalling runs with: the route there says which of our addresses media will use.
    ///
    /// # Errors
    /// If there is no route to `server`, or no socket to be had.
    pub fn open(
        &self,
        server: IpAddr,
    ) -> Result<(PeerHandle, mpsc::Receiver<PeerEvent>), OpenError> {
        let loads = self.workers.iter().map(|worker| &*worker.link().load);
        let link = load::place(loads)
            .and_then(|index| self.workers.get(index))
            .map(worker::Running::link)
            .ok_or(OpenError::Closed)?;
        let udp = Udp::towards(server).map_err(|source| OpenError::Socket { server, source })?;
        let (events, receiver) = mpsc::channel(self.event_queue);
        let peer = PeerId(self.next_peer.fetch_add(1, Ordering::Relaxed));
        let opening = Opening {
            server,
            udp,
            events,
        };
        link.load.add_peer();
        link.send(Command::Open(peer, Box::new(opening)))
            .map_err(|_| OpenError::Closed)?;
        let handle = PeerHandle {
            peer,
            link: link.clone(),
            next_consumer: Arc::new(AtomicU64::new(0)),
        };
        Ok((handle, receiver))
    }
}

/// One peer connection on a media worker. Commands run on the worker's thread, in order. If the
/// workers have ended they do nothing.
///
/// Dropping it closes the peer; its consumers hear [`Notice::Ended`].
#[derive(Debug)]
pub struct PeerHandle {
    peer: PeerId,
    link: Link,
    next_consumer: Arc<AtomicU64>,
}

impl PeerHandle {
    /// Answers an offer that was rewritten so that we only receive: `sendrecv` → `sendonly`,
    /// `recvonly` → `inactive`, no `a=ssrc` lines. `streams` says what those lines said.
    ///
    /// # Errors
    /// [`OfferError`]; after one the peer is to be [restarted](Self::restart).
    pub async fn accept_offer(
        &self,
        sdp: String,
        streams: Vec<StreamDescription>,
    ) -> Result<String, OfferError> {
        let (answer, answered) = oneshot::channel();
        self.send(PeerCommand::AcceptOffer {
            sdp,
            streams,
            answer,
        });
        answered.await.unwrap_or(Err(OfferError::Closed))
    }

    /// Takes a trickled ICE candidate of the server, which may come before its offer. When the
    /// command queue is full it is dropped and logged: ICE needs one candidate, not all.
    pub fn add_candidate(&self, candidate: String) {
        if !self.try_send(PeerCommand::AddCandidate(candidate)) {
            tracing::warn!(
                peer = self.peer.0,
                "Dropped an ICE candidate: the media worker is overloaded or has ended."
            );
        }
    }

    /// Full reconnect: replaces the peer connection by a new one, on a new port, which waits for an
    /// offer. Consumers stay; they hear [`Notice::Restarted`] when their track is described again.
    pub fn restart(&self) {
        self.send(PeerCommand::Restart);
    }

    /// Gives the packets of `track` to `consumer`, from now on, or from when an offer describes it.
    /// A track may have any number of consumers.
    pub fn attach(&self, track: TrackSid, consumer: Box<dyn Consumer>) -> ConsumerId {
        let id = ConsumerId(self.next_consumer.fetch_add(1, Ordering::Relaxed));
        self.send(PeerCommand::Attach {
            id,
            track,
            consumer,
        });
        id
    }

    /// Gives a consumer the packets of another track: its publisher published anew. It hears
    /// [`Notice::Restarted`] before the first of them.
    pub fn retarget(&self, consumer: ConsumerId, track: TrackSid) {
        self.send(PeerCommand::Retarget {
            id: consumer,
            track,
        });
    }

    /// Ends a consumer: it hears [`Notice::Ended`] and is dropped on the worker's thread.
    pub fn detach(&self, consumer: ConsumerId) {
        self.send(PeerCommand::Detach { id: consumer });
    }

    /// Passes on what signalling says about a track to its consumers.
    pub fn notice(&self, track: TrackSid, notice: Notice) {
        self.send(PeerCommand::Notice { track, notice });
    }

    /// Gives a data message to all consumers that want it, whatever their track; `at` is when it came.
    /// `false` if the command queue is full: then it is dropped.
    #[must_use]
    pub fn message(&self, message: Arc<DataMessage>, at: Instant) -> bool {
        self.try_send(PeerCommand::Message { message, at })
    }

    /// Tells them that so many were dropped. `false` if the command queue is full.
    #[must_use]
    pub fn messages_dropped(&self, count: u64) -> bool {
        self.try_send(PeerCommand::MessagesDropped(count))
    }

    /// How reception goes. All zeros if the peer has ended.
    pub async fn statistics(&self) -> PeerStatistics {
        let (reply, replied) = oneshot::channel();
        self.send(PeerCommand::Statistics(reply));
        replied.await.unwrap_or_default()
    }

    fn try_send(&self, command: PeerCommand) -> bool {
        let command = Command::Peer(self.peer, command);
        self.link.try_send(command).is_ok()
    }

    /// Waits while the queue is full; the worker empties it every turn.
    fn send(&self, command: PeerCommand) {
        if self.link.send(Command::Peer(self.peer, command)).is_err() {
            tracing::debug!(peer = self.peer.0, "The media worker has ended.");
        }
    }
}

impl Drop for PeerHandle {
    fn drop(&mut self) {
        self.send(PeerCommand::Close);
    }
}

/// A consumer attached to a peer; unique within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsumerId(pub(super) u64);

/// What packets travel on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// ICE-TCP, [RFC 6544](https://www.rfc-editor.org/rfc/rfc6544).
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

/// What happens to a peer connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// Packets can flow, for the first time or again.
    Connected {
        /// What they travel on.
        transport: Transport,
    },
    /// ICE has lost its way to the server. It may find it again by itself; else signalling has to
    /// resume.
    Disconnected,
    /// The connection is of no more use; the text says why and who has to act. Only a
    /// [restart](PeerHandle::restart) helps.
    Failed(String),
    /// Nothing at all came for [`Settings::stall_after`], not even STUN, though ICE says that it is
    /// connected. Said once until something comes, which makes it [`Connected`](Self::Connected).
    Stalled,
    /// The first packet of a track's stream came.
    FirstPacket(TrackSid),
    /// A packet of the data channels `_reliable` and `_lossy`, at most 16 KiB. Comes only while a
    /// consumer wants messages, and while half of the [event queue](Settings::event_queue) is free.
    Data {
        /// When it came.
        at: Instant,
        /// A `DataPacket`, if the server is one of LiveKit's.
        packet: Bytes,
    },
}

/// Why an offer got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// The offer is not SDP as we know it.
    #[error("cannot read the server's offer: {0}")]
    Syntax(String),
    /// The offer does not fit the session so far.
    #[error("cannot accept the server's offer: {0}")]
    Refused(String),
    /// The peer has failed, or the workers have ended.
    #[error("the peer connection is closed")]
    Closed,
}

/// Why a peer could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No socket towards the server.
    #[error("cannot open a UDP socket towards {server}")]
    Socket {
        /// The server.
        server: IpAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The workers have ended.
    #[error("the media workers have ended")]
    Closed,
}

/// How reception goes on one peer connection. Counters start anew with a restart.
#[derive(Clone, Debug, Default)]
pub struct PeerStatistics {
    /// What packets travel on; `None` while there is no way to the server.
    pub transport: Option<Transport>,
    /// The streams of the last offer.
    pub tracks: Vec<TrackStatistics>,
    /// Sealed packets that were dropped, by reason.
    pub dropped: Dropped,
    /// Datagrams that are none of ours.
    pub unknown: u64,
    /// Datagrams that the system did not take for sending.
    pub unsent: u64,
    /// RTCP packets of ours for which there was no way to the server.
    pub unroutable: u64,
    /// RTP and RTCP packets of the WebRTC engine that were kept from leaving; 0 unless it misbehaves.
    pub held_back: u64,
    /// Bytes that came over data channels.
    pub data_bytes: u64,
    /// Packets of data channels that consumers wanted and did not get: too large, or too many for the
    /// control side.
    pub data_dropped: u64,
    /// Events dropped because the control side did not read them.
    pub events_dropped: u64,
    /// Consumers dropped because they panicked.
    pub consumers_panicked: u64,
}

/// How reception of one track goes.
#[derive(Clone, Debug)]
pub struct TrackStatistics {
    /// The track.
    pub track: TrackSid,
    /// Its stream.
    pub ssrc: Ssrc,
    /// The stream's counters; `None` before the media plane knows it.
    pub stream: Option<StreamStatistics>,
}
