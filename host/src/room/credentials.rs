use std::time::{Duration, SystemTime};

use crate::media::{ParticipantIdentity, RoomName};
use crate::signal::{AccessToken, ApiKey, Open, TokenError};

/// What lets us into a room.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// The server's key: we make our own tokens.
    Key {
        /// The key.
        key: ApiKey,
        /// The room.
        room: RoomName,
        /// Who we are there; further participants get a number behind it.
        identity: ParticipantIdentity,
    },
    /// A token somebody made for us. It is one identity, so there can be one participant only.
    Token(AccessToken),
}

impl Credentials {
    /// Whether they are valid at `now`, as far as can be told without the server.
    ///
    /// # Errors
    /// The token has expired, or is not valid yet: the server would refuse it.
    pub fn check(&self, now: SystemTime) -> Result<(), TokenError> {
        match self {
            Self::Key { .. } => Ok(()),
            Self::Token(token) => token.claims()?.check(now),
        }
    }

    /// The token for a WebSocket of participant `number`.
    ///
    /// # Errors
    /// The key, the room or the identity is empty.
    pub(super) fn token(&self, number: usize, open: &Open) -> Result<AccessToken, TokenError> {
        match (self, &open.token) {
            (_, Some(newest)) if open.resume.is_some() => Ok(newest.clone()),
            (Self::Token(_), Some(newest)) => Ok(newest.clone()),
            (Self::Token(token), None) => Ok(token.clone()),
            (
                Self::Key {
                    key,
                    room,
                    identity,
                },
                _,
            ) => AccessToken::of_recorder(key, room, &numbered(identity, number, open), TTL),
        }
    }

    /// Whether a further participant can join.
    pub(super) const fn can_join_twice(&self) -> bool {
        matches!(self, Self::Key { .. })
    }
}

/// Each session has an identity of its own: the server remembers by identity for five minutes that
/// UDP failed, and a ghost of the session before may still be there.
fn numbered(identity: &ParticipantIdentity, number: usize, open: &Open) -> ParticipantIdentity {
    match (number, open.attempt) {
        (0, 0 | 1) => identity.clone(),
        (number, attempt) => format!("{identity}-{number}-{attempt}").into(),
    }
}

/// Longer than the server takes to send a fresh one, and than any outage we survive.
const TTL: Duration = Duration::from_hours(6);
