use std::collections::VecDeque;
use std::time::Instant;

use super::link::{Link, Material, Setup};
use super::switch::Switch;
use super::{Account, Emission, TrackEvent};
use crate::media::{AudioBlock, AudioFormat, Pts};

/// Several filters in order, and what becomes of the sound when one fails.
///
/// It gives as many samples as it takes, in blocks of the same lengths, each with its place and
/// marks. They come later the more the filters look ahead: by the sum of their latencies, and by
/// what it takes to fill their blocks.
#[derive(Debug)]
pub struct Chain {
    links: Vec<Link>,
    ready: VecDeque<Item>,
}

/// What comes out of a chain, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Sound.
    Block(AudioBlock),
    /// The place of a block that a filter dropped.
    Gap(AudioBlock),
    /// Something that happened to the track.
    Event(Event),
    /// Something that a filter said.
    Emission {
        /// The filter.
        filter: String,
        /// What it said.
        emission: Emission,
    },
    /// A filter began or ceased to do its work.
    Switch(Switch),
}

/// Something that happens to a track, on its way through a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where it happens: 48 kHz ticks since the track's origin.
    pub pts: Pts,
    /// What happens.
    pub event: TrackEvent,
    /// What the outside hears of it.
    pub text: Text,
}

/// What the outside hears of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Text {
    /// The host's own words.
    #[default]
    Own,
    /// Those of a filter.
    Replaced(String),
    /// Nothing.
    Dropped,
}

/// Whether blocks may be left out of what goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gaps {
    /// A dropped block leaves a gap.
    Allowed,
    /// A dropped block is silence.
    Silent,
}

/// What a filter that may not be passed by asks for when it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The track ends, complete so far.
    Track(String),
    /// The egress fails.
    Egress(String),
}

impl Chain {
    /// A chain for sound of this format; filters are opened with the first block or event.
    pub fn new(setups: Vec<Setup>, format: AudioFormat, gaps: Gaps) -> Self {
        Self::of(setups, Material::Sound(format), gaps)
    }

    /// A chain for what happens to a track without sound; filters are opened with the first event.
    pub fn without_sound(setups: Vec<Setup>) -> Self {
        Self::of(setups, Material::Events, Gaps::Silent)
    }

    fn of(setups: Vec<Setup>, material: Material, gaps: Gaps) -> Self {
        let links = setups
            .into_iter()
            .map(|setup| Link::new(setup, material, gaps))
            .collect();
        Self {
            links,
            ready: VecDeque::new(),
        }
    }

    /// Whether there is no filter in it.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Takes the next block.
    pub fn process(&mut self, block: AudioBlock, now: Instant) {
        self.run(Item::Block(block), now);
    }

    /// Takes what happens to the track behind the last block.
    pub fn event(&mut self, pts: Pts, event: TrackEvent, now: Instant) {
        let text = Text::Own;
        self.run(Item::Event(Event { pts, event, text }), now);
    }

    /// Puts another filter, or the same with other settings, in the place of filter number `index`
    /// at the next block. If it fails for good within a minute, the one before it comes back.
    pub fn replace(&mut self, index: usize, setup: Setup) {
        if let Some(link) = self.links.get_mut(index) {
            link.replace(setup);
        }
    }

    /// Whether the blocks from here on go by the filters, because their thread is too slow; they learn
    /// of it by the next block they get. Events reach them as ever.
    pub fn bypass(&mut self, is_bypassed: bool) {
        for link in &mut self.links {
            link.bypass(is_bypassed);
        }
    }

    /// No block follows: gives out what is still inside.
    pub fn finish(&mut self, now: Instant) {
        for index in 0..self.links.len() {
            let mut tail = VecDeque::new();
            if let Some(link) = self.links.get_mut(index) {
                link.finish(now, &mut tail);
            }
            for item in tail {
                self.run_from(index + 1, item, now);
            }
        }
    }

    /// The next thing that comes out.
    pub fn poll(&mut self) -> Option<Item> {
        self.ready.pop_front()
    }

    /// What a filter asks for that failed and may not be passed by.
    pub fn halt(&self) -> Option<&Halt> {
        self.links.iter().find_map(Link::halt)
    }

    /// What the filters did so far, in order.
    pub fn accounts(&self) -> Vec<Account> {
        self.links.iter().map(Link::account).collect()
    }

    /// The filters it was made of, as they were replaced last.
    pub fn into_setups(self) -> Vec<Setup> {
        self.links.into_iter().map(Link::into_setup).collect()
    }

    fn run(&mut self, item: Item, now: Instant) {
        self.run_from(0, item, now);
    }

    /// Sends an item through the filters from number `index` on.
    fn run_from(&mut self, index: usize, item: Item, now: Instant) {
        let mut items = VecDeque::from([item]);
        let mut next = VecDeque::new();
        for link in self.links.iter_mut().skip(index) {
            for item in items.drain(..) {
                link.take(item, now, &mut next);
            }
            std::mem::swap(&mut items, &mut next);
        }
        self.ready.append(&mut items);
    }
}
