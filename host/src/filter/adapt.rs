use std::collections::VecDeque;

use super::Wants;
use crate::codec::resample::Converter;
use crate::media::{AudioBlock, AudioFormat, Marks, Pts, SampleRate};

/// Gives a filter the blocks it wants, and puts what it made of them where it belongs: what goes
/// out has the place and the length of what came in.
///
/// The sound as it came is kept until it goes out, so that any block can go on without the filter.
#[derive(Debug)]
pub(super) struct Adapter {
    outer: AudioFormat,
    shape: Shape,
    inward: Converter,
    outward: Converter,
    /// Where the sound that came in belongs.
    notes: VecDeque<Note>,
    /// Sound that is less than a block, as the filter wants it.
    pending: Samples,
    /// The sound as it came, from `given` on.
    dry: Samples,
    /// The sound as the filter made it, from `given` on.
    wet: Samples,
    /// Values that come out of the filter before the first that went in.
    skip: usize,
    /// What a converter gave.
    converted: Vec<f32>,
    /// What goes out, up to which sample.
    spans: VecDeque<(u64, Outcome)>,
    /// Samples the filter was given, as it counts them.
    pulled: u64,
    /// By how many of them its output is behind.
    latency: u64,
    taken: u64,
    given: u64,
}

/// What a filter gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) format: AudioFormat,
    /// Samples per channel.
    pub(super) block: usize,
}

/// What goes out in the place of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The sound as it came.
    Dry,
    /// What the filter made of it.
    Wet,
    Silence,
    /// Nothing.
    Gap,
}

#[derive(Debug)]
struct Note {
    start: u64,
    end: u64,
    /// Where the sample `end` would be.
    end_pts: Pts,
    rtp_timestamp: Option<u32>,
    marks: Marks,
}

impl Shape {
    /// What a filter gets that wants this of a track with `outer`.
    pub(super) fn new(wants: Wants, outer: AudioFormat) -> Self {
        let rate = wants.rate.unwrap_or_else(|| usual(outer.rate));
        let channels = wants.channels.unwrap_or(outer.channels);
        let usual = usize::try_from(rate.get() / 50).unwrap_or(usize::MAX);
        Self {
            format: AudioFormat::new(rate, channels),
            block: wants.block.unwrap_or(usual).max(1),
        }
    }
}

impl Adapter {
    pub(super) fn new(outer: AudioFormat, shape: Shape, latency: usize) -> Self {
        Self {
            outer,
            inward: Converter::new(outer, shape.format),
            outward: Converter::new(shape.format, outer),
            shape,
            notes: VecDeque::new(),
            pending: Samples::default(),
            dry: Samples::default(),
            wet: Samples::default(),
            skip: shape.format.values(latency),
            converted: Vec::new(),
            spans: VecDeque::new(),
            pulled: 0,
            latency: latency as u64,
            taken: 0,
            given: 0,
        }
    }

    pub(super) const fn latency(&self) -> u64 {
        self.latency
    }

    /// Takes sound as it comes.
    pub(super) fn push(&mut self, block: &AudioBlock) {
        let start = self.taken;
        self.taken += block.len_per_channel() as u64;
        self.notes.push_back(Note {
            start,
            end: self.taken,
            end_pts: block.end(),
            rtp_timestamp: block.rtp_timestamp,
            marks: block.marks,
        });
        self.dry.push(&block.samples);
        self.converted.clear();
        self.inward.push(&block.samples, &mut self.converted);
        self.pending.push(&self.converted);
    }

    /// No sound follows.
    pub(super) fn close(&mut self) {
        self.converted.clear();
        self.inward.flush(&mut self.converted);
        self.pending.push(&self.converted);
    }

    /// The next whole block for the filter.
    pub(super) fn pull(&mut self) -> Option<AudioBlock> {
        let values = self.shape.format.values(self.shape.block);
        (self.pending.len() >= values).then(|| self.pull_block())
    }

    /// What is less than a block, made one by silence.
    pub(super) fn pull_rest(&mut self) -> Option<AudioBlock> {
        (self.pending.len() > 0).then(|| self.pull_block())
    }

    /// Takes what the filter made of the block pulled last, as long as it was.
    pub(super) fn give(&mut self, samples: &[f32], outcome: Outcome) {
        self.give_wet(samples);
        let end = self.outer_index(self.pulled.saturating_sub(self.latency));
        self.spans.push_back((end.min(self.taken), outcome));
    }

    /// Takes what was still inside the filter. Nothing follows: what it did not give goes out as it
    /// came.
    pub(super) fn give_last(&mut self, samples: &[f32]) {
        self.give_wet(samples);
        self.converted.clear();
        self.outward.flush(&mut self.converted);
        self.wet.push(&self.converted);
        let made = self.wet.len() / self.outer.channels.count();
        let end = self.given + made as u64;
        self.spans.push_back((end.min(self.taken), Outcome::Wet));
        self.spans.push_back((self.taken, Outcome::Dry));
        let missing = usize::try_from(self.taken - self.given).unwrap_or(usize::MAX);
        self.wet.pad_to(self.outer.values(missing));
    }

    fn give_wet(&mut self, samples: &[f32]) {
        let skipped = self.skip.min(samples.len());
        self.skip -= skipped;
        let (_, samples) = samples.split_at(skipped);
        self.converted.clear();
        self.outward.push(samples, &mut self.converted);
        self.wet.push(&self.converted);
    }

    /// The next `len` samples that go out, and whether all of them are a gap; `None` if they are not
    /// decided yet.
    pub(super) fn take(&mut self, len: usize) -> Option<(Vec<f32>, bool)> {
        let end = self.given + len as u64;
        let is_decided = self
            .spans
            .back()
            .is_some_and(|(decided, _)| *decided >= end);
        if !is_decided || self.wet.len() < self.outer.values(len) {
            return None;
        }
        let mut out = Vec::with_capacity(self.outer.values(len));
        let mut is_gap = true;
        while self.given < end {
            let (until, outcome) = *self.spans.front()?;
            let part = usize::try_from(until.min(end).saturating_sub(self.given)).ok()?;
            is_gap &= outcome == Outcome::Gap || part == 0;
            self.take_span(self.outer.values(part), outcome, &mut out);
            self.given += part as u64;
            if until <= self.given {
                self.spans.pop_front();
            }
        }
        Some((out, is_gap))
    }

    fn take_span(&mut self, values: usize, outcome: Outcome, out: &mut Vec<f32>) {
        match outcome {
            Outcome::Dry => self.dry.take(values, out),
            Outcome::Wet => self.wet.take(values, out),
            Outcome::Silence | Outcome::Gap => out.resize(out.len() + values, 0.0),
        }
        if outcome != Outcome::Dry {
            self.dry.drop(values);
        }
        if outcome != Outcome::Wet {
            self.wet.drop(values);
        }
    }

    fn pull_block(&mut self) -> AudioBlock {
        let start = self.outer_index(self.pulled);
        self.pulled += self.shape.block as u64;
        let mut block = self.describe(start, self.outer_index(self.pulled));
        let values = self.shape.format.values(self.shape.block);
        let there = values.min(self.pending.len());
        self.pending.take(there, &mut block.samples);
        block.samples.resize(values, 0.0);
        block
    }

    /// A block without sound, for the samples from `start` to `end`.
    fn describe(&mut self, start: u64, end: u64) -> AudioBlock {
        while self.notes.len() > 1 && self.notes.front().is_some_and(|note| note.end <= start) {
            self.notes.pop_front();
        }
        let mut block = AudioBlock {
            format: self.shape.format,
            pts: Pts(0),
            rtp_timestamp: None,
            marks: Marks::default(),
            samples: Vec::new(),
        };
        if let Some(note) = self.notes.front() {
            let before_end = self.outer.rate.ticks(note.end.saturating_sub(start));
            block.pts = Pts(note.end_pts.0.saturating_sub(before_end));
            block.rtp_timestamp = note.rtp_timestamp;
        }
        for note in self.notes.iter().filter(|note| note.start < end) {
            join(&mut block.marks, note.marks);
        }
        block
    }

    /// Where a sample as the filter counts it is in the sound as it comes.
    fn outer_index(&self, inner: u64) -> u64 {
        let (outer, rate) = (self.outer.rate.get(), self.shape.format.rate.get());
        inner * u64::from(outer) / u64::from(rate)
    }
}

/// The rate of a filter that leaves it open: the track's, unless no filter need know that one.
fn usual(rate: SampleRate) -> SampleRate {
    match rate.get() {
        8_000 | 16_000 | 24_000 => rate,
        _ => SampleRate::HZ_48000,
    }
}

/// A block is what any part of it is.
const fn join(marks: &mut Marks, other: Marks) {
    marks.concealed |= other.concealed;
    marks.silence |= other.silence;
    marks.discontinuity |= other.discontinuity;
    marks.muted |= other.muted;
    marks.last |= other.last;
}

/// Interleaved values, first in, first out.
#[derive(Debug, Default)]
struct Samples(VecDeque<f32>);

impl Samples {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, values: &[f32]) {
        self.0.extend(values);
    }

    /// Moves at most `count` values.
    fn take(&mut self, count: usize, out: &mut Vec<f32>) {
        let count = count.min(self.0.len());
        let (front, back) = self.0.as_slices();
        let from_front = count.min(front.len());
        out.extend(front.iter().take(from_front));
        out.extend(back.iter().take(count - from_front));
        self.0.drain(..count);
    }

    fn drop(&mut self, count: usize) {
        self.0.drain(..count.min(self.0.len()));
    }

    fn pad_to(&mut self, len: usize) {
        if self.0.len() < len {
            self.0.resize(len, 0.0);
        }
    }
}
