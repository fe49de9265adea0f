use crate::media::TrackSid;

/// Another stream goes on where one ended (media.md T4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// The track it carries.
    pub track: TrackSid,
    /// Why it is another one.
    pub cause: RestartCause,
}

/// Why another stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartCause {
    /// The server sends the same track as another stream.
    NewStream,
    /// The publisher published the track again, or reconnected: it has another SID.
    Republished,
    /// We connected anew, and the track kept its SID.
    Reconnected,
}
