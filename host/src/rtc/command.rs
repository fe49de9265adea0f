//! What the control side tells a media worker, and the way there.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use nix::sys::eventfd::EventFd;
use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use super::load::Load;
use super::socket::Udp;
use super::{Consumer, ConsumerId, Notice, OfferError, PeerEvent, PeerStatistics};
use crate::media::{DataMessage, TrackSid};
use crate::rtp::StreamDescription;

/// Commands to a worker.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) commands: SyncSender<Command>,
    /// Ends the worker's sleep.
    pub(crate) wake: Arc<EventFd>,
    /// How busy the worker is.
    pub(crate) load: Arc<Load>,
}

impl Link {
    /// Sends a command; waits while the queue is full.
    pub(crate) fn send(&self, command: Command) -> Result<(), Ended> {
        self.commands.send(command).map_err(|_| Ended)?;
        self.wake();
        Ok(())
    }

    /// Sends a command unless the queue is full.
    pub(crate) fn try_send(&self, command: Command) -> Result<(), Ended> {
        self.commands.try_send(command).map_err(|_| Ended)?;
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        // It fails only when the counter is full, and then the worker is awake already.
        if let Err(error) = self.wake.write(1) {
            debug!(%error, "The media worker is awake already.");
        }
    }
}

/// The worker takes no more commands, or no more at present.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended;

/// A peer connection; unique within the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PeerId(pub(crate) u64);

/// What a worker can be told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Begin a peer.
    Open(PeerId, Box<Opening>),
    /// Something for one peer.
    Peer(PeerId, PeerCommand),
    /// End all peers and the thread.
    Shutdown,
}

/// What a peer begins with.
#[derive(Debug)]
pub(crate) struct Opening {
    /// The server, for the choice of our own address.
    pub(crate) server: IpAddr,
    /// Its socket.
    pub(crate) udp: Udp,
    /// To the control side.
    pub(crate) events: mpsc::Sender<PeerEvent>,
}

/// What a peer can be told; see [`PeerHandle`](super::PeerHandle).
#[derive(Debug)]
pub(crate) enum PeerCommand {
    AcceptOffer {
        sdp: String,
        streams: Vec<StreamDescription>,
        answer: oneshot::Sender<Result<String, OfferError>>,
    },
    AddCandidate(String),
    Restart,
    Attach {
        id: ConsumerId,
        track: TrackSid,
        consumer: Box<dyn Consumer>,
    },
    Retarget {
        id: ConsumerId,
        track: TrackSid,
    },
    Detach {
        id: ConsumerId,
    },
    Notice {
        track: TrackSid,
        notice: Notice,
    },
    Message {
        message: Arc<DataMessage>,
        at: Instant,
    },
    MessagesDropped(u64),
    Statistics(oneshot::Sender<PeerStatistics>),
    Close,
}
