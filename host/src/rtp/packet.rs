use std::time::Instant;

use bytes::Bytes;

use crate::media::{Codec, MediaTime, SeqNo, Ssrc};

/// One RTP packet after SRTP, with its counters unrolled and RTX undone,
/// [RFC 3550 §5.1](https://www.rfc-editor.org/rfc/rfc3550#section-5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpPacket {
    /// The media stream it belongs to; never the RTX stream.
    pub ssrc: Ssrc,
    /// Its place in the stream.
    pub sequence_number: SeqNo,
    /// Its time in ticks of the stream's clock.
    pub timestamp: MediaTime,
    /// What `payload` is encoded with, from its payload type. It may change within a stream.
    pub codec: Codec,
    /// What the payload format makes of it; for video the last packet of a picture.
    pub marker: bool,
    /// When the datagram came in.
    pub arrival: Instant,
    /// The media bytes, without padding. Empty for a padding-only packet.
    pub payload: Bytes,
}
