//! Plugins as filters of a track: real guests, in a chain and in a recording.

mod egress;
mod mistakes;
mod neighbours;
mod session;

use std::time::{Duration, Instant};

use trackmill::filter::wasm::Opener;
use trackmill::filter::{Chain, Change, Gaps, Item, OnError, Report, Restart, Setup};
use trackmill::media::{AudioBlock, AudioFormat, Channels, Marks, Pts, SampleRate};
use trackmill::plugins::Limits;

use crate::plugins::{load, start, track};

/// A guest of `tests/guests` as a filter.
pub(crate) fn filter(guest: &str) -> Setup {
    with_settings(guest, "")
}

/// … with settings.
pub(crate) fn with_settings(guest: &str, settings: &str) -> Setup {
    let opener = Opener::new(load(guest), settings.into(), generous(), track());
    Setup {
        open: Box::new(opener),
        on_error: OnError::Bypass,
        restart: Restart::default(),
        changes: None,
    }
}

/// A CPU share that virtual time, which runs faster than the clock, does not use up.
fn generous() -> Limits {
    Limits {
        cpu_share: Duration::from_secs(1_000),
        ..Limits::default()
    }
}

/// A chain and what came out of it.
struct Run {
    chain: Chain,
    format: AudioFormat,
    items: Vec<Item>,
    next: u64,
    now: Instant,
}

impl Run {
    fn new(setups: Vec<Setup>) -> Self {
        Self::of(setups, STEREO)
    }

    fn of(setups: Vec<Setup>, format: AudioFormat) -> Self {
        Self {
            chain: Chain::new(setups, format, Gaps::Silent),
            format,
            items: Vec::new(),
            next: 0,
            now: start(),
        }
    }

    /// Blocks of 20 ms, of which every sample is 0.5.
    fn blocks(&mut self, count: usize) {
        for _ in 0..count {
            self.block(vec![0.5; self.format.values(960)], Marks::default());
        }
    }

    fn block(&mut self, samples: Vec<f32>, marks: Marks) {
        let block = AudioBlock {
            format: self.format,
            pts: Pts(self.next),
            rtp_timestamp: Some(7),
            marks,
            samples,
        };
        self.next += 960;
        self.chain.process(block, self.now);
        self.collect();
        self.now += Duration::from_millis(20);
    }

    fn finish(&mut self) {
        self.chain.finish(self.now);
        self.collect();
    }

    fn collect(&mut self) {
        self.items.extend(std::iter::from_fn(|| self.chain.poll()));
    }

    fn sound(&self) -> Vec<f32> {
        let blocks = self.items.iter().filter_map(|item| match item {
            Item::Block(block) => Some(block.samples.clone()),
            _ => None,
        });
        blocks.flatten().collect()
    }

    /// The first sample of each block.
    fn levels(&self) -> Vec<f32> {
        let values = self.format.values(960);
        self.sound().iter().copied().step_by(values).collect()
    }

    /// Which changes happened at which block, and why.
    fn switches(&self) -> Vec<(u64, Change, &str)> {
        let switches = self.items.iter().filter_map(|item| match item {
            Item::Switch(switch) => {
                Some((switch.pts.0 / 960, switch.change, switch.reason.as_str()))
            }
            _ => None,
        });
        switches.collect()
    }

    /// What the only plugin of the only filter has cost.
    fn report(&self) -> Report {
        let mut accounts = self.chain.accounts();
        assert_eq!(accounts.len(), 1);
        let mut plugins = accounts.remove(0).plugins;
        assert_eq!(plugins.len(), 1);
        plugins.remove(0)
    }
}

const STEREO: AudioFormat = AudioFormat::OPUS;
const MONO: AudioFormat = AudioFormat::new(SampleRate::HZ_48000, Channels::Mono);
