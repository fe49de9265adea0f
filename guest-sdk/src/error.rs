//! Why a call of a plugin failed, and whose problem that is.

use std::fmt::Display;

use crate::events::EmitError;

/// What most functions of a plugin return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed, and whose problem that is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A setting is wrong: shown to the operator, and not tried again.
    #[error("{key}: {reason}")]
    Config {
        /// Path of the setting, such as `bands[2].gain_db`.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Only this call failed: the next frame is tried.
    #[error("{0}")]
    Transient(String),
    /// The plugin cannot go on: the operator's failure policy applies.
    #[error("{0}")]
    Fatal(String),
}

impl Error {
    /// A setting is wrong; names its key.
    pub fn config(key: impl Into<String>, reason: impl Display) -> Self {
        Self::Config {
            key: key.into(),
            reason: reason.to_string(),
        }
    }

    /// Only this call failed.
    pub fn transient(reason: impl Display) -> Self {
        Self::Transient(reason.to_string())
    }

    /// The plugin cannot go on.
    pub fn fatal(reason: impl Display) -> Self {
        Self::Fatal(reason.to_string())
    }
}

impl From<EmitError> for Error {
    /// A message that was not taken is no reason to stop.
    fn from(error: EmitError) -> Self {
        Self::transient(error)
    }
}
