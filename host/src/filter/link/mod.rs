//! One filter of a chain: adapt ─ filter ─ adapt, and what goes by it.

mod sessions;

use std::collections::VecDeque;
use std::time::Instant;

use super::adapt::{Adapter, Outcome, Shape};
use super::chain::{Event, Gaps, Halt, Item, Text};
use super::changes::Changes;
use super::failure::{Breaker, OnError, Restart};
use super::known::Known;
use super::switch::{Change, Switch};
use super::{Account, EventVerdict, Filter, FilterError, Open, TrackEvent, Turn, Verdict};
use crate::media::{AudioBlock, AudioFormat, Channels, Pts, SampleRate};

/// A filter of a chain.
#[derive(Debug)]
pub struct Setup {
    /// Opens its sessions.
    pub open: Box<dyn Open>,
    /// What becomes of the sound while it is out of order.
    pub on_error: OnError,
    /// When it is opened again.
    pub restart: Restart,
    /// Where to look for what is to take its place while it runs; what does so goes on with it.
    pub changes: Option<Changes>,
}

/// One filter of a chain with all that surrounds it.
#[derive(Debug)]
pub(super) struct Link {
    setup: Setup,
    material: Material,
    gaps: Gaps,
    session: Session,
    known: Known,
    breaker: Breaker,
    adapter: Adapter,
    /// What waits for the sound in front of it to be decided.
    held: VecDeque<Held>,
    next: Option<Next>,
    /// What was replaced last, and until when it may come back.
    previous: Option<(Setup, Instant)>,
    /// Blocks that came to it.
    blocks: u64,
    /// Blocks go by it, because its thread is too slow.
    is_bypassed: bool,
    /// Blocks that went by it since the last call.
    lost_before: u32,
    /// Samples of a restarted filter that are none yet.
    warm_up: u64,
    halt: Option<Halt>,
    /// What it did, but for what the present session has cost.
    account: Account,
}

/// What goes through a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Material {
    /// Sound, and what happens beside it.
    Sound(AudioFormat),
    /// What happens to a track without sound.
    Events,
}

#[derive(Debug)]
enum Session {
    New,
    Open(Box<dyn Filter>),
    Waiting { until: Instant },
    GivenUp,
}

#[derive(Debug)]
enum Held {
    /// A block without its samples, and how many they are per channel.
    Block(AudioBlock, usize),
    Other(Item),
}

/// What takes the place of a filter at the next block.
#[derive(Debug)]
struct Next {
    setup: Setup,
    change: Change,
    reason: String,
}

impl Link {
    pub(super) fn new(setup: Setup, material: Material, gaps: Gaps) -> Self {
        let format = material.format();
        let shape = Shape::new(setup.open.wants(), format);
        Self {
            breaker: Breaker::new(setup.restart.clone()),
            adapter: Adapter::new(format, shape, 0),
            setup,
            material,
            gaps,
            session: Session::New,
            known: Known::default(),
            held: VecDeque::new(),
            next: None,
            previous: None,
            blocks: 0,
            is_bypassed: false,
            lost_before: 0,
            warm_up: 0,
            halt: None,
            account: Account::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.setup.open.name()
    }

    /// What it did so far.
    pub(super) fn account(&self) -> Account {
        let mut account = self.account.clone();
        account.filter = self.name().to_owned();
        if let Session::Open(filter) = &self.session {
            account.add(filter.report());
        }
        account
    }

    pub(super) const fn halt(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    pub(super) fn into_setup(self) -> Setup {
        self.setup
    }

    /// See [`Chain::replace`](super::Chain::replace).
    pub(super) fn replace(&mut self, setup: Setup) {
        self.next = Some(Next {
            setup,
            change: Change::Replaced,
            reason: "the operator changed it".into(),
        });
    }

    /// See [`Chain::bypass`](super::Chain::bypass).
    pub(super) const fn bypass(&mut self, is_bypassed: bool) {
        self.is_bypassed = is_bypassed;
    }

    /// Takes the next item, and hands on what is decided.
    pub(super) fn take(&mut self, item: Item, now: Instant, out: &mut VecDeque<Item>) {
        match item {
            Item::Block(block) | Item::Gap(block) => self.sound(block, now, out),
            Item::Event(event) => self.event(event, now, out),
            other => self.held.push_back(Held::Other(other)),
        }
        self.release(out);
    }

    /// No item follows: hands on all that is still held.
    pub(super) fn finish(&mut self, now: Instant, out: &mut VecDeque<Item>) {
        self.give_rest(now);
        let tail = self.finish_session(now);
        self.drain(&tail, out);
    }

    fn sound(&mut self, mut block: AudioBlock, now: Instant, out: &mut VecDeque<Item>) {
        self.look_for_changes();
        self.install_next(block.pts, now, out);
        self.open_if_due(block.pts, now, out);
        self.adapter.push(&block);
        let len = block.len_per_channel();
        block.samples = Vec::new();
        self.held.push_back(Held::Block(block, len));
        while let Some(block) = self.adapter.pull() {
            self.process(block, now);
        }
    }

    /// Gives the filter what is less than a block.
    fn give_rest(&mut self, now: Instant) {
        self.adapter.close();
        while let Some(block) = self.adapter.pull().or_else(|| self.adapter.pull_rest()) {
            self.process(block, now);
        }
    }

    /// Has the filter work on one of its blocks.
    fn process(&mut self, mut block: AudioBlock, now: Instant) {
        let mut outcome = self.call(&mut block, now);
        let len = block.len_per_channel() as u64;
        if self.warm_up > 0 && outcome == Outcome::Wet {
            self.warm_up = self.warm_up.saturating_sub(len);
            outcome = Outcome::Dry;
        }
        self.adapter.give(&block.samples, outcome);
    }

    fn call(&mut self, block: &mut AudioBlock, now: Instant) -> Outcome {
        let number = self.blocks;
        self.blocks += 1;
        let Session::Open(filter) = &mut self.session else {
            return self.miss();
        };
        if self.is_bypassed {
            return self.miss();
        }
        let values = block.samples.len();
        let turn = Turn {
            number,
            lost_before: std::mem::take(&mut self.lost_before),
            now,
        };
        let verdict = filter
            .process(block, turn)
            .and_then(|verdict| check(verdict, block, values));
        self.hear();
        block.samples.resize(values, 0.0);
        match verdict {
            Ok(verdict) => self.judge(verdict),
            Err(error) => {
                self.fail(&error, block.pts, now);
                block.samples.fill(0.0);
                self.miss()
            }
        }
    }

    const fn judge(&mut self, verdict: Verdict) -> Outcome {
        match verdict {
            Verdict::Pass => {
                self.account.counts.passed += 1;
                Outcome::Dry
            }
            Verdict::Changed => {
                self.account.counts.changed += 1;
                Outcome::Wet
            }
            Verdict::Silence => {
                self.account.counts.silenced += 1;
                Outcome::Silence
            }
            Verdict::Drop => {
                self.account.counts.dropped += 1;
                match self.gaps {
                    Gaps::Allowed => Outcome::Gap,
                    Gaps::Silent => Outcome::Silence,
                }
            }
        }
    }

    /// A block goes without the filter.
    const fn miss(&mut self) -> Outcome {
        self.account.counts.missed += 1;
        self.lost_before = self.lost_before.saturating_add(1);
        match self.setup.on_error {
            OnError::Bypass => Outcome::Dry,
            OnError::Silence | OnError::StopTrack | OnError::FailEgress => Outcome::Silence,
        }
    }

    fn event(&mut self, mut event: Event, now: Instant, out: &mut VecDeque<Item>) {
        if self.material == Material::Events {
            self.look_for_changes();
            self.install_next(event.pts, now, out);
        }
        self.open_if_due(event.pts, now, out);
        if event.event == TrackEvent::Unpublished {
            self.give_rest(now);
        }
        match self.tell(&event.event, event.pts, now) {
            EventVerdict::Pass => {}
            EventVerdict::Replace(text) => event.text = Text::Replaced(text),
            EventVerdict::Drop => event.text = Text::Dropped,
        }
        self.known.note(&event.event);
        self.held.push_back(Held::Other(Item::Event(event)));
    }

    /// Has the filter hear of an event.
    fn tell(&mut self, event: &TrackEvent, at: Pts, now: Instant) -> EventVerdict {
        let Session::Open(filter) = &mut self.session else {
            return EventVerdict::Pass;
        };
        let verdict = filter.event(event, now);
        self.hear();
        verdict.unwrap_or_else(|error| {
            self.fail(&error, at, now);
            EventVerdict::Pass
        })
    }

    /// Takes what the filter said.
    fn hear(&mut self) {
        let Session::Open(filter) = &mut self.session else {
            return;
        };
        while let Some(emission) = filter.poll_emission() {
            let filter = self.setup.open.name().to_owned();
            self.held
                .push_back(Held::Other(Item::Emission { filter, emission }));
        }
    }

    /// Decides on all that is held, by the last sound the filter gave.
    fn drain(&mut self, tail: &[f32], out: &mut VecDeque<Item>) {
        self.adapter.give_last(tail);
        self.release(out);
    }

    /// Hands on what is decided.
    fn release(&mut self, out: &mut VecDeque<Item>) {
        while let Some(held) = self.held.pop_front() {
            match self.decide(held) {
                Ok(item) => out.push_back(item),
                Err(held) => return self.held.push_front(held),
            }
        }
    }

    /// Gives a block its sound; gives it back if that is not decided.
    fn decide(&mut self, held: Held) -> Result<Item, Held> {
        let (mut block, len) = match held {
            Held::Other(item) => return Ok(item),
            Held::Block(block, len) => (block, len),
        };
        let Some((samples, is_gap)) = self.adapter.take(len) else {
            return Err(Held::Block(block, len));
        };
        block.samples = samples;
        Ok(match is_gap {
            true => Item::Gap(block),
            false => Item::Block(block),
        })
    }

    fn report(&mut self, change: Change, pts: Pts, reason: String) {
        let filter = self.name().to_owned();
        self.held.push_back(Held::Other(Item::Switch(Switch {
            filter,
            pts,
            change,
            reason,
        })));
    }

    fn shape(&self) -> Shape {
        Shape::new(self.setup.open.wants(), self.material.format())
    }
}

impl Material {
    /// How sound is laid out; of any kind where there is none.
    const fn format(self) -> AudioFormat {
        match self {
            Self::Sound(format) => format,
            Self::Events => AudioFormat::new(SampleRate::HZ_48000, Channels::Mono),
        }
    }
}

/// What a filter made of a block must be as long, and sound.
fn check(verdict: Verdict, block: &AudioBlock, values: usize) -> Result<Verdict, FilterError> {
    if verdict != Verdict::Changed {
        return Ok(verdict);
    }
    if block.samples.len() != values {
        let found = block.samples.len();
        let reason = format!("{found} values came out of a block of {values}");
        return Err(FilterError::Fatal(reason));
    }
    if block.samples.iter().any(|sample| !sample.is_finite()) {
        let reason = "a sample that came out is not a number, or infinite";
        return Err(FilterError::Fatal(reason.into()));
    }
    Ok(verdict)
}
