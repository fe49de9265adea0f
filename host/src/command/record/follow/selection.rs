use crate::media::{ParticipantIdentity, TrackSid, TrackSource};
use crate::signal::Publication;

/// Which tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command::record) enum Selection {
    /// One publication; the recording ends with it.
    Track(TrackSid),
    /// What a participant publishes, or one source of it.
    Participant {
        identity: ParticipantIdentity,
        source: Option<TrackSource>,
    },
    /// Everything, also what is published later.
    All,
}

impl Selection {
    pub(super) fn covers(&self, publication: &Publication) -> bool {
        match self {
            Self::Track(sid) => publication.sid == *sid,
            Self::Participant { identity, source } => {
                publication.publisher.identity == *identity
                    && source.is_none_or(|source| publication.source == source)
            }
            Self::All => true,
        }
    }
}
