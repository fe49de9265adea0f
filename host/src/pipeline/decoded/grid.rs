use super::steps::Unit;
use crate::codec::Decoder;
use crate::media::{AudioBlock, AudioFormat, Marks, Pts};
use crate::pipeline::summary::Sounds;

/// Access units, each at its place → sound without gaps: sample *n* is where the timeline has it,
/// to 2.5 ms (media.md T3, O3).
///
/// What is missing up to 120 ms the decoder makes up, by the redundancy of the next unit where it
/// has any; longer gaps are the caller's, by [`silence`](Self::silence). Where a unit begins before
/// the sound ends, its beginning is cut off: the sender's clock is slow, or silence was put there
/// in its stead.
#[derive(Debug)]
pub(super) struct Grid {
    decoder: Box<dyn Decoder>,
    format: AudioFormat,
    /// Samples per channel from the track's origin up to the end of the sound.
    position: u64,
    /// What comes next does not follow on what came before.
    is_broken: bool,
}

impl Grid {
    pub(super) fn new(decoder: Box<dyn Decoder>) -> Self {
        Self {
            format: decoder.format(),
            decoder,
            position: 0,
            is_broken: false,
        }
    }

    pub(super) const fn format(&self) -> AudioFormat {
        self.format
    }

    /// Where the sound ends.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// Whether more is missing before a unit that begins at `at` than the decoder makes up.
    pub(super) fn is_far(&self, at: u64) -> bool {
        at.saturating_sub(self.position) > self.samples(LONGEST_CONCEALED)
    }

    /// Decodes a unit, and makes up what is missing before it.
    pub(super) fn unit(&mut self, unit: &Unit, counts: &mut Sounds, out: &mut Vec<AudioBlock>) {
        let Unit {
            at,
            rtp_timestamp,
            ref data,
        } = *unit;
        let tolerance = self.samples(TOLERANCE);
        let gap = at.saturating_sub(self.position);
        if gap >= tolerance {
            self.conceal(gap, data, counts, out);
        }
        let mut samples = Vec::new();
        if self.decoder.decode(data, &mut samples).is_err() {
            counts.undecodable += 1;
            return;
        }
        let overlap = self.position.saturating_sub(at);
        if overlap >= tolerance {
            let len = samples.len() / self.format.channels.count();
            let cut = usize::try_from(overlap).unwrap_or(len).min(len);
            samples.drain(..self.format.values(cut));
            counts.removed += cut as u64;
        }
        let block = self.block(samples, Marks::default());
        counts.decoded += self.put(
            AudioBlock {
                rtp_timestamp,
                ..block
            },
            out,
        );
    }

    /// `count` samples of silence.
    pub(super) fn silence(
        &mut self,
        count: u64,
        is_muted: bool,
        counts: &mut Sounds,
        out: &mut Vec<AudioBlock>,
    ) {
        let len = usize::try_from(count).unwrap_or(usize::MAX);
        let marks = Marks {
            silence: true,
            muted: is_muted,
            ..Marks::default()
        };
        let samples = vec![0.0; self.format.values(len)];
        let block = self.block(samples, marks);
        counts.silent += self.put(block, out);
    }

    /// Leaves everything up to `at` out.
    pub(super) const fn jump(&mut self, at: u64) {
        if at > self.position {
            self.position = at;
            self.is_broken = true;
        }
    }

    fn conceal(&mut self, gap: u64, next: &[u8], counts: &mut Sounds, out: &mut Vec<AudioBlock>) {
        let len = usize::try_from(gap).unwrap_or(usize::MAX);
        let mut samples = Vec::new();
        if self.decoder.conceal(len, Some(next), &mut samples).is_err() {
            return self.silence(gap, false, counts, out);
        }
        let marks = Marks {
            concealed: true,
            ..Marks::default()
        };
        let block = self.block(samples, marks);
        counts.concealed += self.put(block, out);
    }

    /// Sound that comes at the end, made up unless something else is said.
    fn block(&self, samples: Vec<f32>, marks: Marks) -> AudioBlock {
        AudioBlock {
            format: self.format,
            pts: Pts(self.format.rate.ticks(self.position)),
            rtp_timestamp: None,
            marks,
            samples,
        }
    }

    /// Puts sound at the end; how many samples.
    fn put(&mut self, mut block: AudioBlock, out: &mut Vec<AudioBlock>) -> u64 {
        let len = block.len_per_channel() as u64;
        if len > 0 {
            block.marks.discontinuity = std::mem::take(&mut self.is_broken);
            self.position += len;
            out.push(block);
        }
        len
    }

    /// How many samples last so many 48 kHz ticks.
    fn samples(&self, ticks: u64) -> u64 {
        self.format.rate.samples_at(Pts(ticks))
    }
}

/// Up to here the decoder makes up what is missing: 120 ms (media.md O3).
const LONGEST_CONCEALED: u64 = 5_760;
/// By less than 2.5 ms a unit may be off its place: senders and servers round, and Opus makes up no
/// less.
const TOLERANCE: u64 = 120;
