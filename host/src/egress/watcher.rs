use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::error::TrySendError;

use super::manifest::Inspector;
use super::notices::{self, Notices};
use super::recorder::RETRY_AFTER;
use super::words::{LastRoom, Word, Words};
use crate::filter::{Chain, Item, Setup, Switch, TrackEvent};
use crate::media::{ClockRate, DataMessage, Pts};
use crate::pipeline::decoded::switches;
use crate::pipeline::{Event, EventKind, Progress, Sounds, Source};
use crate::rtc::{Consumer, Interest, Notice};
use crate::rtp::{RtpPacket, SenderReport, StreamStatistics};

/// A second consumer of a track without sound, for a filter that only looks: it sees what happens to
/// the track, and no packet of it (plugins.md P10). What it says goes where the recording goes.
#[derive(Debug)]
pub(super) struct Watcher {
    chain: Chain,
    notices: Notices,
    /// The track's SID, for the log.
    track: String,
    /// Knows where the recording begins.
    progress: Arc<Progress>,
    state: State,
    words: Words,
    /// For what is left at the end, whatever waits then.
    last: Option<LastRoom>,
    /// What the channel did not take.
    waiting: VecDeque<Event>,
    retry_at: Option<Instant>,
    /// What became of the filter.
    counts: Sounds,
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
        (source, progress): (&Source, Arc<Progress>),
        words: Words,
        now: Instant,
    ) -> Self {
        Self {
            chain: Chain::without_sound(vec![filter]),
            notices,
            track: source.track.clone(),
            progress,
            state: State::New(now),
            last: words.reserve_last(),
            words,
            waiting: VecDeque::new(),
            retry_at: None,
            counts: Sounds::default(),
        }
    }

    /// Tells the filter that the track is there, once.
    fn begin(&mut self, now: Instant) {
        if let State::New(_) = self.state {
            self.state = State::Live;
            self.chain.event(Pts(0), TrackEvent::Published, now);
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
        self.event(TrackEvent::Unpublished, now);
        self.state = State::Ended;
        self.chain.finish(now);
        self.hear();
        self.counts.filters = self.chain.accounts();
        let mut rest: Vec<Word> = self.waiting.drain(..).map(Word::Event).collect();
        let inspector = Inspector::of(&self.counts, 0).map(Box::new);
        rest.extend(inspector.map(|inspector| Word::Inspected {
            segment: 0,
            inspector,
        }));
        if let Some(room) = self.last.take() {
            room.say(rest);
        }
    }

    /// Where a moment is in the recording; its beginning, until that is known.
    fn place(&self, at: Instant) -> Pts {
        let since = self
            .progress
            .begun()
            .map(|begun| at.saturating_duration_since(begun));
        Pts(ClockRate::OPUS.ticks(since.unwrap_or_default()))
    }

    /// Takes what the filter said.
    fn hear(&mut self) {
        while let Some(item) = self.chain.poll() {
            let (pts, kind) = match item {
                Item::Emission { filter, emission } => {
                    (emission.pts, EventKind::Emission(filter, emission.content))
                }
                Item::Switch(switch) => (switch.pts, self.switched(switch)),
                // Whoever only looks says nothing of what others say.
                Item::Event(_) | Item::Block(_) | Item::Gap(_) => continue,
            };
            if self.waiting.len() < MAX_WAITING {
                self.waiting.push_back(Event { pts, kind });
            } else {
                self.counts.events_dropped += 1;
            }
        }
    }

    fn switched(&mut self, switch: Switch) -> EventKind {
        switches::log(&self.track, &switch);
        self.counts.switches.push(switch.clone());
        EventKind::Switch(switch)
    }

    /// Hands over what the channel takes of what was said.
    fn deliver(&mut self, now: Instant) {
        self.hear();
        self.retry_at = None;
        while !self.waiting.is_empty() {
            match self.words.reserve() {
                Ok(room) => match self.waiting.pop_front() {
                    Some(event) => room.say(Word::Event(event)),
                    None => break,
                },
                Err(TrySendError::Full(())) => {
                    self.retry_at = Some(now + RETRY_AFTER);
                    break;
                }
                Err(TrySendError::Closed(())) => self.waiting.clear(),
            }
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
        self.counts.messages_dropped += count;
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::New(since) => Some(since),
            State::Live | State::Muted => self.retry_at,
            State::Ended => None,
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.begin(now);
        self.deliver(now);
    }

    fn take_keyframe_request(&mut self) -> bool {
        false
    }
}

/// What may wait for a slow sink: what a plugin may say in a second, and the host beside it.
const MAX_WAITING: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;
    use crate::clock;
    use crate::egress::recorder::Delivery;
    use crate::filter::{
        Content, Emission, EventVerdict, Filter, FilterError, OnError, Open, Restart, Turn, Verdict,
    };
    use crate::media::{Attributes, AudioBlock, AudioFormat, TrackKind};

    #[test]
    fn a_filter_without_sound_hears_all_that_happens_once_and_has_its_say() {
        let (deliveries, mut heard) = mpsc::channel(3);
        let filter = Setup {
            open: Box::new(Echo::default()),
            on_error: OnError::Bypass,
            restart: Restart::default(),
        };
        let (now, progress) = (clock::now(), Arc::default());
        let notices = Notices::new(Arc::default());
        let (words, source) = (Words::Files(deliveries), source());
        let mut watcher = Watcher::new(filter, notices, (&source, progress), words, now);
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

        let mut said = Vec::new();
        let mut inspector = None;
        while let Ok(Delivery::Words(words)) = heard.try_recv() {
            for word in words {
                match word {
                    Word::Event(event) => said.push(text(event)),
                    Word::Inspected { inspector: it, .. } => inspector = Some(it),
                }
            }
        }
        let expected = [
            "Published",
            "Muted",
            "AttributesChanged",
            "Unmuted",
            "Unpublished",
            "end",
        ];
        assert_eq!(
            said, expected,
            "the channel takes less than half of it at a time"
        );
        let inspector = inspector.expect("what it did is told last");
        assert_eq!(
            (inspector.filter.name.as_str(), inspector.events_dropped),
            ("echo", 0)
        );
    }

    fn text(event: Event) -> String {
        match event.kind {
            EventKind::Emission(_, Content::Text { text, .. }) => text,
            other => panic!("{other:?}"),
        }
    }

    fn source() -> Source {
        Source {
            kind: TrackKind::Video,
            room: "room".into(),
            participant: "alice".into(),
            track: "TR_1".into(),
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
