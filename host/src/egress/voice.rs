use tokio::sync::mpsc::error::TrySendError;
use tracing::warn;

use super::recorder::{Delivery, Words};
use crate::pipeline::Output;

/// The way of filters that only look to the sink of the recording. When the channel is full, what they
/// say is dropped: the recording goes first.
#[derive(Debug)]
pub(super) struct Voice {
    words: Words,
    dropped: u64,
    /// Data messages that they did not get.
    pub(super) messages_dropped: u64,
}

impl Voice {
    pub(super) const fn new(words: Words) -> Self {
        Self {
            words,
            dropped: 0,
            messages_dropped: 0,
        }
    }

    pub(super) fn say(&mut self, output: Output) {
        if let Err(TrySendError::Full(_)) = self.words.try_send(Delivery::Next(output)) {
            self.dropped += 1;
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        if self.dropped > 0 {
            let dropped = self.dropped;
            warn!(dropped, "The sink was too slow for what an inspector said.");
        }
        if self.messages_dropped > 0 {
            let dropped = self.messages_dropped;
            warn!(
                dropped,
                "An inspector did not get some data messages of the room."
            );
        }
    }
}
