//! RTP payloads → access units. One file a payload format.
//!
//! A depacketizer gets the packets of one stream in sequence order, with holes announced, and
//! gives access units. It never waits: what it cannot use it reports and forgets.

use crate::media::{AccessUnit, Pts, SeqNo, Ssrc};
use crate::rtp::RtpPacket;

/// Puts the access units of one stream together.
///
/// Call [`push`](Self::push) for each packet in sequence order, then [`pull`](Self::pull) until
/// `None`. Announce missing packets by [`lost`](Self::lost) before the packet behind the hole.
pub trait Depacketizer: std::fmt::Debug + Send {
    /// Takes the next packet, which is presented at `pts`. Packets of one access unit have the
    /// same `pts`.
    ///
    /// # Errors
    /// The payload is not what the payload format allows. The packet is dropped, the unit it
    /// belongs to is given as damaged or not at all, and the next packet can be pushed.
    fn push(&mut self, packet: &RtpPacket, pts: Pts) -> Result<(), PayloadError>;

    /// Packets are missing before the next one.
    fn lost(&mut self);

    /// The next access unit that is finished.
    fn pull(&mut self) -> Option<AccessUnit>;

    /// No packet follows: finishes the last access unit if there is one.
    fn finish(&mut self);
}

/// A payload that breaks its payload format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (ssrc {ssrc}, seq {sequence_number})")]
pub struct PayloadError {
    /// The stream.
    pub ssrc: Ssrc,
    /// The packet.
    pub sequence_number: SeqNo,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl PayloadError {
    fn new(packet: &RtpPacket, reason: &'static str) -> Self {
        Self {
            ssrc: packet.ssrc,
            sequence_number: packet.sequence_number,
            reason,
        }
    }
}
