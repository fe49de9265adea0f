//! The subscriber peer connection: datagrams ⇄ ICE, DTLS, SCTP (by str0m) and our own media plane,
//! on media workers (D2, D7).
//!
//! ```text
//! control (tokio)           media worker (one thread a core)
//! Workers ─ open ─► PeerHandle ─ commands ─► worker ─► seat ┬─ sockets   UDP, ICE-TCP
//!                   PeerEvent ◄────────────────────────────  ├─ peer ─ demux ┬ str0m
//!                                                            │               └ rtp::Receiver
//!                                                            └─ tracks ─► Consumer
//! ```
//!
//! `peer`, `tracks` and what they are made of are pure; `worker`, `seat`, `sockets`, `socket`,
//! `connection`, `poller` and `clock` do I/O; `handle` is what the control side sees.

mod attached;
mod candidate;
mod channels;
mod clock;
mod command;
mod connection;
mod demux;
mod dialer;
mod dtls;
mod engine;
pub mod framing;
mod handle;
mod load;
mod output;
mod peer;
#[cfg(test)]
mod peer_tests;
mod poller;
mod seat;
#[cfg(test)]
mod sfu;
mod silence;
mod socket;
mod sockets;
mod timers;
mod tracks;
mod worker;
#[cfg(test)]
mod worker_tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::media::{Attributes, DataMessage};
use crate::rtp::{Restart, RtpPacket, SenderReport, StreamStatistics};

pub use handle::{
    ConsumerId, OfferError, OpenError, PeerEvent, PeerHandle, PeerStatistics, Settings,
    TrackStatistics, Transport, Workers,
};

/// Who receives one subscribed track, on the media worker's own thread (D2). It must not block.
pub trait Consumer: std::fmt::Debug + Send {
    /// What it wants to hear; asked once, when it is attached.
    fn interest(&self) -> Interest {
        Interest::Media
    }

    /// The next packet as it arrived: perhaps out of order, never twice.
    fn packet(&mut self, packet: RtpPacket);

    /// A sender report of the stream.
    fn sender_report(&mut self, report: SenderReport);

    /// What the media plane counted of the stream since it is this consumer's. Called now and then;
    /// the last time before [`Notice::Restarted`] or [`Notice::Ended`] it is final, unless the peer
    /// crashed.
    fn statistics(&mut self, counted: StreamStatistics);

    /// Something the signalling said, in order with the packets as far as it can be known.
    fn notice(&mut self, notice: Notice, now: Instant);

    /// A data message of the room, which came at `at`. Only told to whom it is of [`Interest`].
    fn message(&mut self, _message: Arc<DataMessage>, _at: Instant) {}

    /// So many data messages of the room were dropped: they were too large, or too many. Only told to
    /// whom they are of [`Interest`].
    fn messages_dropped(&mut self, _count: u64) {}

    /// So many packets and reports were dropped before they reached it, behind the last that did: it
    /// lives on another thread, and was too slow.
    fn overrun(&mut self, _count: u64) {}

    /// How long packets may wait at the socket, so that the thread finds many at a time. The most
    /// impatient consumer of a thread decides for all of it. It never changes.
    fn patience(&self) -> Duration {
        PATIENCE
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Time has passed.
    fn handle_timeout(&mut self, now: Instant);

    /// Whether a keyframe is needed since the last call (media.md V1). The media plane sends at
    /// most one PLI a second and stream.
    fn take_keyframe_request(&mut self) -> bool;
}

/// What a [`Consumer`] wants to hear. It hears the notices of its track in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Packets and reports.
    Media,
    /// Packets and reports, and the data messages of the room.
    All,
    /// Data messages of the room.
    Messages,
}

impl Interest {
    /// Whether it wants packets and reports.
    pub const fn in_media(self) -> bool {
        matches!(self, Self::Media | Self::All)
    }

    /// Whether it wants data messages.
    pub const fn in_messages(self) -> bool {
        matches!(self, Self::All | Self::Messages)
    }
}

/// What a [`Consumer`] hears beside packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The publisher muted the track.
    Muted,
    /// The publisher unmuted the track.
    Unmuted,
    /// These are the attributes of the publisher, all of them.
    Attributes(Arc<Attributes>),
    /// The track is gone, perhaps for good: the recording ends here unless packets follow.
    Interrupted,
    /// Packets come from another stream from here on: counters and clock start anew (media.md T4).
    Restarted(Restart),
    /// No packet follows. The consumer is dropped after this.
    Ended,
}

/// The patience of whoever says nothing else. A turn of a worker costs about 25 µs before its first
/// packet, which in a room of 50 audio tracks 25 packets share then.
pub const PATIENCE: Duration = Duration::from_millis(10);
