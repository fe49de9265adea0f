use std::collections::VecDeque;
use std::time::Duration;

use crate::media::Pts;
use crate::sink::websocket::message::Audio;
use crate::sink::websocket::outcome::DropReason;

/// What waits to be handed over, in order. Bounded: when too much sound waits the oldest is dropped
/// and leaves a note where it was; when too many texts wait the oldest is dropped, mute texts last.
#[derive(Debug)]
pub(super) struct Buffer {
    entries: VecDeque<Entry>,
    longest: Duration,
    audio: Duration,
    texts: usize,
    text_bytes: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Audio(Audio),
    Text(Words),
    Dropped(Dropped),
}

/// A text that is ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) text: String,
    /// Whether it says that the track is muted, or is not.
    pub(super) is_mute: bool,
}

/// Where sound is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) pts: Pts,
    pub(super) duration: Duration,
    pub(super) reason: DropReason,
}

impl Buffer {
    /// Holds so much sound, and always the newest message.
    pub(super) const fn new(longest: Duration) -> Self {
        Self {
            entries: VecDeque::new(),
            longest,
            audio: Duration::ZERO,
            texts: 0,
            text_bytes: 0,
        }
    }

    /// Appends sound. Returns how much of the oldest was dropped for it.
    pub(super) fn push_audio(&mut self, audio: Audio, reason: DropReason) -> Duration {
        let before = self.longest.saturating_sub(weight(&audio));
        let mut dropped = Duration::ZERO;
        while self.audio > before {
            let Some(oldest) = self.drop_oldest_audio(reason) else {
                break;
            };
            dropped += oldest;
        }
        self.audio += weight(&audio);
        self.entries.push_back(Entry::Audio(audio));
        dropped
    }

    /// Appends a text. Returns how many of the oldest were dropped for it.
    pub(super) fn push_text(&mut self, words: Words) -> u64 {
        let mut dropped = 0;
        while self.texts >= MAX_TEXTS || self.text_bytes + words.text.len() > MAX_TEXT_BYTES {
            if !self.drop_oldest_text() {
                break;
            }
            dropped += 1;
        }
        self.texts += 1;
        self.text_bytes += words.text.len();
        self.entries.push_back(Entry::Text(words));
        dropped
    }

    /// Takes what is next.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.forget(&entry);
        Some(entry)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where the sound begins that is next, or was to be.
    pub(super) fn next_pts(&self) -> Option<Pts> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Audio(audio) => Some(audio.pts),
            Entry::Dropped(dropped) => Some(dropped.pts),
            Entry::Text(_) => None,
        })
    }

    fn drop_oldest_audio(&mut self, reason: DropReason) -> Option<Duration> {
        // Only texts and notes stand before the oldest sound, and there are never many.
        let is_audio = |entry: &Entry| matches!(entry, Entry::Audio(_));
        let oldest = self.entries.iter().position(is_audio)?;
        let Some(Entry::Audio(audio)) = self.entries.remove(oldest) else {
            return None;
        };
        self.audio = self.audio.saturating_sub(weight(&audio));
        let before = oldest.checked_sub(1).and_then(|n| self.entries.get_mut(n));
        match before {
            Some(Entry::Dropped(note)) if note.reason == reason => note.duration += audio.duration,
            _ => {
                let note = Dropped {
                    pts: audio.pts,
                    duration: audio.duration,
                    reason,
                };
                self.entries.insert(oldest, Entry::Dropped(note));
            }
        }
        Some(audio.duration)
    }

    fn drop_oldest_text(&mut self) -> bool {
        let is_text = |entry: &Entry| matches!(entry, Entry::Text(words) if !words.is_mute);
        let is_mute = |entry: &Entry| matches!(entry, Entry::Text(_));
        let mut entries = self.entries.iter();
        let oldest = entries
            .position(is_text)
            .or_else(|| self.entries.iter().position(is_mute));
        let dropped = oldest.and_then(|oldest| self.entries.remove(oldest));
        if let Some(entry) = &dropped {
            self.forget(entry);
        }
        dropped.is_some()
    }

    fn forget(&mut self, entry: &Entry) {
        match entry {
            Entry::Audio(audio) => self.audio = self.audio.saturating_sub(weight(audio)),
            Entry::Text(words) => {
                self.texts -= 1;
                self.text_bytes -= words.text.len();
            }
            Entry::Dropped(_) => {}
        }
    }
}

/// Sound without a duration would fill the buffer without end.
fn weight(audio: &Audio) -> Duration {
    audio.duration.max(SHORTEST)
}

/// No Opus packet is shorter.
const SHORTEST: Duration = Duration::from_micros(2_500);
/// Twice what a plugin may say in the ten seconds of sound that wait by default.
pub(super) const MAX_TEXTS: usize = 1_024;
pub(super) const MAX_TEXT_BYTES: usize = 1 << 20;
