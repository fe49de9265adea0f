use crate::media::{Codec, Ssrc, TrackSid};

/// What the SDP says about one track that is sent to us: one receiving m-line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDescription {
    /// The track, from `a=msid`.
    pub track: TrackSid,
    /// Its media stream.
    pub ssrc: Ssrc,
    /// Its retransmission stream, [RFC 4588](https://www.rfc-editor.org/rfc/rfc4588), from
    /// `a=ssrc-group:FID`.
    pub rtx: Option<Ssrc>,
    /// Payload type → codec.
    pub formats: Vec<(u8, Codec)>,
    /// RTX payload type → payload type (`apt`).
    pub rtx_formats: Vec<(u8, u8)>,
}
