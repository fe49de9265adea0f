//! RTP payloads → access units. One file a payload format.
//!
//! A depacketizer gets the packets of one stream in sequence order, with holes announced, and
//! gives access units. It never waits: what it cannot use it reports and forgets.
//!
//! ```text
//! audio   a packet is a unit (single_packet)
//! video   RtpPacket ─ assembler (where units begin and end, loss, limits) ─► AccessUnit
//!                         └ format: h264, h265 ─ nal (parameter sets) · vp8 · vp9 · av1
//! ```

mod assembler;
mod av1;
mod g711;
mod gathered;
mod h264;
mod h265;
mod nal;
mod opus;
#[cfg(test)]
mod oracle;
mod single_packet;
#[cfg(test)]
mod testing;
mod vp8;
mod vp9;

use assembler::Assembler;

use crate::media::{AccessUnit, Codec, Pts, SeqNo, Ssrc};
use crate::rtp::RtpPacket;

/// The longest access unit, in bytes of RTP payload. A longer one is an error, and is dropped: it
/// is an attack or a sender that never begins a new picture.
pub const MAX_ACCESS_UNIT: usize = 8 * 1024 * 1024;

/// A depacketizer for the packets of one stream, as long as they have this codec.
pub fn for_codec(codec: Codec) -> Box<dyn Depacketizer> {
    match codec {
        Codec::Opus => Box::new(opus::depacketizer()),
        Codec::Pcmu | Codec::Pcma => Box::new(g711::depacketizer()),
        Codec::H264 => Box::new(Assembler::new(h264::H264::new())),
        Codec::H265 => Box::new(Assembler::new(h265::H265::new())),
        Codec::Vp8 => Box::new(Assembler::new(vp8::Vp8::default())),
        Codec::Vp9 => Box::new(Assembler::new(vp9::Vp9::default())),
        Codec::Av1 => Box::new(Assembler::new(av1::Av1::default())),
    }
}

/// Puts the access units of one stream together.
///
/// Call [`push`](Self::push) for each packet in sequence order, then [`pull`](Self::pull) until
/// `None`. Announce missing packets by [`lost`](Self::lost) before the packet behind the hole.
///
/// A unit ends with the marker or with a new `pts`, because the marker is only advisory: some
/// senders omit it. Packets with an empty payload (padding) are passed over.
///
/// What loss does to a unit:
///
/// * Its beginning is missing: H.264 and H.265 give the whole NAL units that came, as damaged; the
///   other formats give nothing and count it as [skipped](Self::take_skipped).
/// * Something later is missing: the whole NAL units, or the bytes in front of the hole, as damaged.
/// * The hole lies between two units: neither is damaged, unless the payload format tells that the
///   beginning of the second is missing. Without a marker the first is damaged, as its end may have
///   been lost.
/// * Only what H.264 and H.265 may put in front of a picture (delimiter, SEI) is missing: nothing
///   tells, and the unit is given as whole without it.
/// * All of it is missing: nobody can know; the caller sees it by the gap in time.
pub trait Depacketizer: std::fmt::Debug + Send {
    /// Takes the next packet, which is presented at `pts`. Packets of one access unit have the
    /// same `pts`.
    ///
    /// # Errors
    /// The payload is not what the payload format allows. The packet is dropped, the unit it
    /// belongs to is given as damaged or not at all, and the next packet can be pushed.
    fn push(&mut self, packet: &RtpPacket, pts: Pts) -> Result<(), PayloadError>;

    /// Packets are missing before the next one. Also to be called in place of a packet that is
    /// kept from the depacketizer, such as an injected video packet.
    fn lost(&mut self);

    /// The next access unit that is finished.
    fn pull(&mut self) -> Option<AccessUnit>;

    /// How many access units were given up since the last call, because their beginning is missing,
    /// because nothing of them could be used, or because they were too long. Packets of each had
    /// come, so the caller counts them as dropped units.
    fn take_skipped(&mut self) -> u32;

    /// No packet follows: finishes the last access unit if there is one. Without a marker it is
    /// given as damaged, because nothing tells whether its end came.
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
