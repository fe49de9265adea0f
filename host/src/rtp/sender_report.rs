use std::time::Instant;

use crate::media::{MediaTime, NtpTimestamp, Ssrc};

/// Where a stream's media clock stands at a wall-clock time,
/// [RFC 3550 §6.4.1](https://www.rfc-editor.org/rfc/rfc3550#section-6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    /// The stream.
    pub ssrc: Ssrc,
    /// The publisher's wall clock; LiveKit passes it through.
    pub ntp: NtpTimestamp,
    /// The same moment on the media clock, extended like that of the stream's packets.
    pub timestamp: MediaTime,
    /// When the report came in.
    pub arrival: Instant,
}
