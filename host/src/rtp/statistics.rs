use std::time::Duration;

use crate::srtp::OpenError;

/// What came of one stream, since the SDP named it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStatistics {
    /// Authenticated packets on the stream's own SSRC.
    pub received: u64,
    /// Packets that came only after they were asked for.
    pub recovered: u64,
    /// Packets that nobody asks for any more: six requests were in vain, or the gap was too large
    /// for any. The frames that the server makes itself (the silence of a mute) end here too when
    /// they are lost; it keeps no copy of them.
    pub given_up: u64,
    /// Packets that are being asked for.
    pub missing: usize,
    /// Retransmissions of what was there.
    pub duplicates: u64,
    /// [RFC 3550 §A.8](https://www.rfc-editor.org/rfc/rfc3550#appendix-A.8).
    pub jitter: Duration,
    /// The largest that `jitter` was.
    pub jitter_peak: Duration,
    /// From a NACK to its answer, smoothed over all streams of the connection.
    pub round_trip: Option<Duration>,
}

impl StreamStatistics {
    /// What came after `earlier`, a reading of the same stream. What is no count stays as it is.
    #[must_use]
    pub const fn since(self, earlier: &Self) -> Self {
        Self {
            received: self.received.saturating_sub(earlier.received),
            recovered: self.recovered.saturating_sub(earlier.recovered),
            given_up: self.given_up.saturating_sub(earlier.given_up),
            duplicates: self.duplicates.saturating_sub(earlier.duplicates),
            ..self
        }
    }
}

/// Datagrams that were thrown away, RTP and RTCP together, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// They came before the keys.
    pub no_keys: u64,
    /// They are not RTP or RTCP, or contradict themselves.
    pub malformed: u64,
    /// No m-line names their SSRC.
    pub unknown_ssrc: u64,
    /// Their m-line does not name their payload type.
    pub unknown_payload_type: u64,
    /// They came before, or are too old to tell.
    pub replayed: u64,
    /// Their tag is wrong.
    pub not_authentic: u64,
    /// RTX without a packet in it: a bandwidth probe.
    pub rtx_probes: u64,
    /// RTX of a packet that was there.
    pub rtx_duplicates: u64,
    /// RTX of a packet newer than all, or before the first: nobody can tell its place.
    pub rtx_unplaced: u64,
}

impl Dropped {
    pub(super) const fn count(&mut self, reason: Reason) {
        let counter = match reason {
            Reason::NoKeys => &mut self.no_keys,
            Reason::Malformed => &mut self.malformed,
            Reason::UnknownSsrc => &mut self.unknown_ssrc,
            Reason::UnknownPayloadType => &mut self.unknown_payload_type,
            Reason::Replayed => &mut self.replayed,
            Reason::NotAuthentic => &mut self.not_authentic,
            Reason::RtxProbe => &mut self.rtx_probes,
            Reason::RtxDuplicate => &mut self.rtx_duplicates,
            Reason::RtxUnplaced => &mut self.rtx_unplaced,
        };
        *counter += 1;
    }
}

/// Why a datagram is thrown away. One for each counter of [`Dropped`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    NoKeys,
    Malformed,
    UnknownSsrc,
    UnknownPayloadType,
    Replayed,
    NotAuthentic,
    RtxProbe,
    RtxDuplicate,
    RtxUnplaced,
}

impl From<OpenError> for Reason {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TooShort => Self::Malformed,
            OpenError::NotEncrypted | OpenError::NotAuthentic => Self::NotAuthentic,
            OpenError::Replayed => Self::Replayed,
        }
    }
}
