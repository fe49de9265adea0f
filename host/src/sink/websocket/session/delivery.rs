use std::time::Instant;

use super::buffer::{Entry, Words};
use super::{Audio, Event, Frame, KeepAlive, Output, Phase, Session};
use crate::sink::websocket::text::{self, Start, Texts};

/// What a connection hears before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// What it gets.
    Start,
    /// Whether the track is muted, as the connection before has heard last.
    Mute,
}

impl Session {
    /// The next frame for a socket that has room, at `now`; `None` until something happens again.
    /// What is taken here counts as handed over.
    pub fn poll_frame(&mut self, now: Instant) -> Option<Frame> {
        let Phase::Open(keep_alive) = &mut self.phase else {
            return None;
        };
        if let Some(ping) = keep_alive.take_ping() {
            return Some(Frame::Ping(ping));
        }
        // The start tells where the sound begins: it waits for it.
        if self.buffer.is_empty() && self.finish.is_none() {
            return None;
        }
        self.greet()
            .or_else(|| self.next_entry(now))
            .or_else(|| self.farewell())
    }

    fn greet(&mut self) -> Option<Frame> {
        while let Some(greeting) = self.greetings.pop_front() {
            let text = match greeting {
                Greeting::Start => self.start(),
                Greeting::Mute => self.mute.clone(),
            };
            if let Some(text) = text {
                return Some(self.hand_over_text(text));
            }
        }
        None
    }

    fn start(&self) -> Option<String> {
        let start = Start {
            identity: &self.identity,
            format: self.format,
            anchor: self.anchor,
            pts: self.buffer.next_pts(),
            connection: self.counters.connections,
            unconfirmed: self.unconfirmed,
        };
        self.tells_all().then(|| start.compose())
    }

    fn next_entry(&mut self, now: Instant) -> Option<Frame> {
        loop {
            match self.buffer.pop()? {
                Entry::Audio(audio) => return Some(self.hand_over_audio(audio, now)),
                Entry::Text(words) => return Some(self.hand_over_words(words)),
                Entry::Dropped(note) if self.tells_all() => {
                    let text = text::dropped(note.pts, note.duration, note.reason);
                    return Some(self.hand_over_text(text));
                }
                Entry::Dropped(_) => {}
            }
        }
    }

    fn farewell(&mut self) -> Option<Frame> {
        let tells_all = self.tells_all();
        let finish = self.finish.as_mut()?;
        if tells_all && !std::mem::replace(&mut finish.is_told, true) {
            let text = text::end(&finish.reason, &self.counters);
            return Some(self.hand_over_text(text));
        }
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Open(keep_alive) => self.phase = Phase::Closing(keep_alive),
            other => self.phase = other,
        }
        Some(Frame::Close)
    }

    fn hand_over_audio(&mut self, audio: Audio, now: Instant) -> Frame {
        self.counters.audio_messages += 1;
        self.counters.bytes += audio.bytes.len() as u64;
        self.counters.audio += audio.duration;
        self.last_delay = now.saturating_duration_since(audio.made_at);
        self.delays.record(self.last_delay);
        if let Phase::Open(keep_alive) = &mut self.phase {
            KeepAlive::hand_over(keep_alive, audio.duration);
        }
        self.keep_up();
        Frame::Binary(audio.bytes)
    }

    /// A burst of drops is over when the server has caught up.
    fn keep_up(&mut self) {
        if !self.buffer.is_empty() {
            return;
        }
        if let Some(before) = self.dropped_before.take() {
            let dropped = self.counters.dropped().saturating_sub(before);
            self.outputs
                .push_back(Output::Event(Event::KeptUp { dropped }));
        }
    }

    fn hand_over_words(&mut self, words: Words) -> Frame {
        if words.is_mute {
            self.mute = Some(words.text.clone());
        }
        self.hand_over_text(words.text)
    }

    fn hand_over_text(&mut self, text: String) -> Frame {
        self.counters.text_messages += 1;
        self.counters.bytes += text.len() as u64;
        Frame::Text(text)
    }

    fn tells_all(&self) -> bool {
        self.settings.texts == Texts::All
    }
}
