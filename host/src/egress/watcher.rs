use std::sync::Arc;
use std::time::Instant;

use super::inspection::Inspection;
use super::notices::{self, Notices};
use super::voice::Voice;
use super::words::Word;
use crate::filter::{Chain, Item, Setup, Switch, TrackEvent};
use crate::media::{ClockRate, DataMessage, Pts};
use crate::pipeline::{Event, EventKind, Listed, Progress};
use crate::rtc::{Consumer, Interest, Notice};
use crate::rtp::{RtpPacket, SenderReport, StreamStatistics};

/// A second consumer of a track without sound, for a filter that only looks: it sees what happens to
/// the track, and no packet of it (plugins.md P10). What it says goes where the recording goes.
#[derive(Debug)]
pub(super) struct Watcher {
    chain: Chain,
    notices: Notices,
    /// Knows where the recording begins.
    progress: Arc<Progress>,
    voice: Voice,
    state: State,
    switches: Listed<Switch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The filter is to be told at this time that the track is there.
    New(Instant),
    Live,
    Muted,
    Ended,
}

impl Watcher {
    /// A watcher of a track that is there since `now`.
    pub(super) fn new(
        filter: Setup,
        notices: Notices,
        progress: Arc<Progress>,
        voice: Voice,
        now: Instant,
    ) -> Self {
        Self {
            chain: Chain::without_sound(vec![filter]),
            notices,
            progress,
            voice,
            state: State::New(now),
            switches: Listed::default(),
        }
    }

    /// Tells the filter that the track is there, once.
    fn begin(&mut self, now: Instant) {
        if let State::New(_) = self.state {
            self.state = State::Live;
            self.chain.event(Pts(0), TrackEvent::Published, now);
            self.deliver(now);
        }
    }

    fn event(&mut self, event: TrackEvent, now: Instant) {
        self.begin(now);
        let at = self.place(now);
        self.chain.event(at, event, now);
        self.deliver(now);
    }

    fn set_muted(&mut self, is_muted: bool, now: Instant) {
        let (state, event) = match is_muted {
            true => (State::Muted, TrackEvent::Muted),
            false => (State::Live, TrackEvent::Unmuted),
        };
        let was_muted = self.state == State::Muted;
        if was_muted != is_muted {
            self.event(event, now);
            self.state = state;
        }
    }

    fn end(&mut self, now: Instant) {
        if self.state == State::Ended {
            return;
        }
        self.event(TrackEvent::Unpublished, now);
        self.state = State::Ended;
        self.chain.finish(now);
        self.deliver(now);
        let inspected = self.inspected();
        self.voice.say(Word::Inspected(Box::new(inspected)), now);
        self.voice.finish();
    }

    /// Where a moment is in the recording; its beginning, until that is known.
    fn place(&self, at: Instant) -> Pts {
        let since = self
            .progress
            .begun()
            .map(|begun| at.saturating_duration_since(begun));
        Pts(ClockRate::OPUS.ticks(since.unwrap_or_default()))
    }

    /// Hands over what was said.
    fn deliver(&mut self, now: Instant) {
        while let Some(item) = self.chain.poll() {
            let (pts, kind) = match item {
                Item::Emission { filter, emission } => {
                    (emission.pts, EventKind::Emission(filter, emission.content))
                }
                Item::Switch(switch) => {
                    self.switches.push(switch.clone());
                    (switch.pts, EventKind::Switch(switch))
                }
                // Whoever only looks says nothing of what others say.
                Item::Event(_) | Item::Block(_) | Item::Gap(_) => continue,
            };
            self.voice.say(Word::Event(Event { pts, kind }), now);
        }
    }

    fn inspected(&mut self) -> Inspection {
        Inspection {
            inspector: self.voice.inspector,
            segment: 0,
            account: self.chain.accounts().into_iter().next().unwrap_or_default(),
            overrun: 0,
            events_dropped: self.voice.dropped,
            messages_dropped: self.voice.messages_dropped,
            switches: std::mem::take(&mut self.switches),
        }
    }
}

impl Consumer for Watcher {
    fn interest(&self) -> Interest {
        Interest::Messages
    }

    fn packet(&mut self, _packet: RtpPacket) {}

    fn sender_report(&mut self, _report: SenderReport) {}

    fn statistics(&mut self, _counted: StreamStatistics) {}

    fn notice(&mut self, notice: Notice, now: Instant) {
        match notice {
            Notice::Muted => self.set_muted(true, now),
            Notice::Unmuted => self.set_muted(false, now),
            Notice::Attributes(attributes) => {
                if let Some(event) = self.notices.changed(attributes) {
                    self.event(event, now);
                }
            }
            Notice::Interrupted | Notice::Restarted(_) => {}
            Notice::Ended => self.end(now),
        }
    }

    fn message(&mut self, message: Arc<DataMessage>, at: Instant) {
        self.event(notices::event(&message), at);
    }

    fn messages_dropped(&mut self, count: u64) {
        self.voice.messages_dropped += count;
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::New(since) => Some(since),
            State::Live | State::Muted | State::Ended => self.voice.poll_timeout(),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.begin(now);
        self.voice.flush(now);
    }

    fn take_keyframe_request(&mut self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;
    use crate::clock;
    use crate::egress::recorder::Delivery;
    use crate::egress::words::Words;
    use crate::filter::{
        Content, Emission, EventVerdict, Filter, FilterError, OnError, Open, Restart, Turn, Verdict,
    };
    use crate::media::{Attributes, AudioBlock, AudioFormat};

    #[test]
    fn a_filter_without_sound_hears_all_that_happens_once_and_has_its_say() {
        let (words, mut heard) = mpsc::channel(64);
        let filter = Setup {
            open: Box::new(Echo::default()),
            on_error: OnError::Bypass,
            restart: Restart::default(),
            changes: None,
        };
        let (now, progress) = (clock::now(), Arc::default());
        let notices = Notices::new(Arc::default());
        let voice = Voice::new(0, Words::Files(words));
        let mut watcher = Watcher::new(filter, notices, progress, voice, now);
        let attributes = Arc::new(Attributes::from([("role".to_owned(), "host".to_owned())]));

        assert_eq!(watcher.poll_timeout(), Some(now));
        watcher.handle_timeout(now);
        watcher.notice(Notice::Unmuted, now);
        watcher.notice(Notice::Attributes(Arc::default()), now);
        watcher.notice(Notice::Muted, now);
        watcher.notice(Notice::Muted, now);
        for _ in 0..2 {
            watcher.notice(Notice::Attributes(Arc::clone(&attributes)), now);
        }
        watcher.notice(Notice::Interrupted, now);
        watcher.notice(Notice::Unmuted, now);
        watcher.notice(Notice::Ended, now + Duration::from_secs(1));
        drop(watcher);

        let mut words = Vec::new();
        while let Ok(Delivery::Words(more)) = heard.try_recv() {
            words.extend(more);
        }
        let Some(Word::Inspected(inspection)) = words.pop() else {
            panic!("what it did comes last");
        };
        assert_eq!(inspection.account.filter, "echo");
        let said: Vec<_> = words.into_iter().map(text).collect();
        let expected = [
            "Published",
            "Muted",
            "AttributesChanged",
            "Unmuted",
            "Unpublished",
            "end",
        ];
        assert_eq!(said, expected);
    }

    fn text(word: Word) -> String {
        match word {
            Word::Event(Event {
                kind: EventKind::Emission(_, Content::Text { text, .. }),
                ..
            }) => text,
            other => panic!("{other:?}"),
        }
    }

    /// Says what it hears.
    #[derive(Clone, Debug, Default)]
    struct Echo(Vec<Emission>);

    impl Echo {
        fn say(&mut self, text: &str) {
            let content = Content::Text {
                topic: "heard".to_owned(),
                text: text.to_owned(),
            };
            let pts = Pts(0);
            self.0.push(Emission { pts, content });
        }
    }

    impl Open for Echo {
        fn name(&self) -> &str {
            "echo"
        }

        fn open(
            &mut self,
            _: AudioFormat,
            _: usize,
            _: Instant,
        ) -> Result<Box<dyn Filter>, FilterError> {
            panic!("there is no sound")
        }

        fn open_without_sound(&mut self, _: Instant) -> Result<Box<dyn Filter>, FilterError> {
            Ok(Box::new(self.clone()))
        }
    }

    impl Filter for Echo {
        fn process(&mut self, _: &mut AudioBlock, _: Turn) -> Result<Verdict, FilterError> {
            panic!("there is no sound")
        }

        fn event(&mut self, event: &TrackEvent, _: Instant) -> Result<EventVerdict, FilterError> {
            let debug = format!("{event:?}");
            self.say(debug.split('(').next().unwrap_or_default());
            Ok(EventVerdict::Pass)
        }

        fn finish(&mut self, _: Instant) -> Result<Option<Vec<f32>>, FilterError> {
            self.say("end");
            Ok(None)
        }

        fn poll_emission(&mut self) -> Option<Emission> {
            (!self.0.is_empty()).then(|| self.0.remove(0))
        }
    }
}
