use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::mpsc::error::TrySendError;

use super::recorder::RETRY_AFTER;
use super::words::{LastRoom, Word, Words};

/// The way of a filter that only looks to where the recording goes. What finds no room waits; when too
/// much does, what is said then is dropped: the recording goes first.
#[derive(Debug)]
pub(super) struct Voice {
    /// The number of the filter among those that look at the track.
    pub(super) inspector: usize,
    words: Words,
    waiting: VecDeque<Word>,
    /// For what waits at the end.
    last: Option<LastRoom>,
    retry_at: Option<Instant>,
    /// Words that were dropped.
    pub(super) dropped: u64,
    /// Data messages that it did not hear.
    pub(super) messages_dropped: u64,
}

impl Voice {
    pub(super) fn new(inspector: usize, words: Words) -> Self {
        Self {
            inspector,
            last: words.reserve_last(),
            words,
            waiting: VecDeque::new(),
            retry_at: None,
            dropped: 0,
            messages_dropped: 0,
        }
    }

    /// Says something, as soon as there is room.
    pub(super) fn say(&mut self, word: Word, now: Instant) {
        let has_room = self.waiting.len() < MAX_WAITING || matches!(word, Word::Inspected(_));
        if has_room {
            self.waiting.push_back(word);
        } else {
            self.dropped += 1;
        }
        self.flush(now);
    }

    /// Says what waits, if there is room.
    pub(super) fn flush(&mut self, now: Instant) {
        self.retry_at = None;
        while let Some(word) = self.waiting.pop_front() {
            match self.words.reserve() {
                Ok(room) => room.say(word),
                Err(TrySendError::Full(())) => {
                    self.waiting.push_front(word);
                    self.retry_at = Some(now + RETRY_AFTER);
                    return;
                }
                // Whoever is gone says himself why.
                Err(TrySendError::Closed(())) => self.waiting.clear(),
            }
        }
    }

    /// Says all that waits; nothing follows.
    pub(super) fn finish(&mut self) {
        self.retry_at = None;
        let rest = std::mem::take(&mut self.waiting);
        if let Some(room) = self.last.take() {
            room.say(rest.into());
        }
    }

    /// When [`flush`](Self::flush) is wanted.
    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.retry_at
    }
}

/// Words that may wait: 20 seconds of one that says as much as it may.
const MAX_WAITING: usize = 1_024;
