use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::Setup;

/// Where a running filter looks for what is to take its place, at the beginning of each block.
#[derive(Debug)]
pub struct Changes(Receiver<Setup>);

/// Changes a running filter from afar.
#[derive(Clone, Debug)]
pub struct Changer(SyncSender<Setup>);

/// Why a filter cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Four changes wait already.
    #[error("the track has not taken the changes before this one: try again later")]
    Full,
    /// The track is over.
    #[error("the track is over")]
    Gone,
}

/// The two ends of a way to a filter: the one is for its [`Setup`].
pub fn changes() -> (Changer, Changes) {
    let (changer, changes) = sync_channel(MAX_WAITING);
    (Changer(changer), Changes(changes))
}

impl Changer {
    /// Puts another filter, or the same with other settings, in its place at the next block, see
    /// [`Chain::replace`](super::Chain::replace).
    ///
    /// # Errors
    /// It cannot be told.
    pub fn replace(&self, setup: Setup) -> Result<(), ChangeError> {
        self.0.try_send(setup).map_err(|error| match error {
            TrySendError::Full(_) => ChangeError::Full,
            TrySendError::Disconnected(_) => ChangeError::Gone,
        })
    }
}

impl Changes {
    /// What is to take the filter's place: the last of what waits.
    pub(super) fn latest(&self) -> Option<Setup> {
        self.0.try_iter().last()
    }
}

/// More than an operator changes in 20 ms.
const MAX_WAITING: usize = 4;
