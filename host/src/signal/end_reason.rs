use std::time::Duration;

use super::message::LeaveReason;
use super::open_error::OpenError;
use crate::media::RoomName;

/// Why a session is over for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndReason {
    /// We were asked to leave.
    #[error("left on request")]
    Requested,
    /// Everyone else left, and the server closed the room.
    #[error("the room was closed because everyone left")]
    RoomClosed,
    /// Somebody deleted the room through the API.
    #[error("the room was deleted")]
    RoomDeleted,
    /// Somebody removed us through the API.
    #[error("the server removed the recorder from the room, as an API call asked it to")]
    Removed,
    /// Somebody else joined with our identity.
    #[error(
        "another participant joined with the recorder's identity; give each recording an identity of its own"
    )]
    DuplicateIdentity,
    /// The server moved us to another room, and we do not follow.
    #[error("the server moved the recorder to room {room}; record that room, or allow moves")]
    RoomMoved {
        /// Where to.
        room: RoomName,
    },
    /// The server sent us away for a reason of its own.
    #[error("the server ended the session ({reason:?})")]
    Disconnected {
        /// As far as the server told.
        reason: LeaveReason,
    },
    /// The server does not let us in, and will not.
    #[error(transparent)]
    Refused(OpenError),
    /// No attempt succeeded for as long as we were to try.
    #[error("gave up after {attempts} attempts in {} s; the last failure: {cause}", lasted.as_secs())]
    GaveUp {
        /// How many.
        attempts: u32,
        /// From the first failure to the last.
        lasted: Duration,
        /// Why the last one failed.
        cause: String,
    },
}

impl EndReason {
    /// Whether a session is expected to end like this: the room is over, or we were told to leave.
    pub const fn is_expected(&self) -> bool {
        matches!(self, Self::Requested | Self::RoomClosed | Self::RoomDeleted)
    }

    /// What a `Leave` without a way back means; `None` if the reason itself says that a new session
    /// may succeed.
    pub(super) const fn of_leave(reason: LeaveReason) -> Option<Self> {
        Some(match reason {
            LeaveReason::RoomClosed => Self::RoomClosed,
            LeaveReason::RoomDeleted => Self::RoomDeleted,
            LeaveReason::DuplicateIdentity => Self::DuplicateIdentity,
            LeaveReason::ParticipantRemoved => Self::Removed,
            LeaveReason::ServerShutdown
            | LeaveReason::StateMismatch
            | LeaveReason::JoinFailure
            | LeaveReason::Migration
            | LeaveReason::SignalClose
            | LeaveReason::ConnectionTimeout
            | LeaveReason::MediaFailure => return None,
            LeaveReason::Unknown | LeaveReason::ClientInitiated | LeaveReason::Other(_) => {
                Self::Disconnected { reason }
            }
        })
    }
}
