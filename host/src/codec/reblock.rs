//! Blocks of any lengths → blocks of one length, each with its place in time.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use super::CodecError;
use crate::media::{AudioBlock, AudioFormat, Marks, Pts};

/// Cuts sound anew. Call [`push`](Self::push) for each block, then [`pull`](Self::pull) until `None`.
///
/// Where sound is missing between two blocks, or overlaps, the block before the seam is filled up
/// with silence, and the next one begins where the sound after the seam does. A block is marked
/// with what holds for any of the sound in it; as silent, if all of it is.
#[derive(Debug)]
pub struct Reblocker {
    format: AudioFormat,
    /// Samples per channel of a block that comes out.
    len: usize,
    /// The block that is being filled, shorter than `len`.
    filling: Option<AudioBlock>,
    /// Where the stretch without seams began that is being cut, and samples per channel of it that
    /// were taken: places are derived from both, so that no rounding adds up.
    origin: Pts,
    taken: u64,
    ready: VecDeque<AudioBlock>,
}

impl Reblocker {
    /// Makes blocks of `len` samples per channel.
    pub const fn new(format: AudioFormat, len: NonZeroUsize) -> Self {
        Self {
            format,
            len: len.get(),
            filling: None,
            origin: Pts(0),
            taken: 0,
            ready: VecDeque::new(),
        }
    }

    /// Adds a block. The caller pulls what is ready before the next one: it is kept in memory.
    ///
    /// # Errors
    /// [`CodecError::Format`] if the block is in another format; it is left out.
    pub fn push(&mut self, block: &AudioBlock) -> Result<(), CodecError> {
        if block.format != self.format {
            return Err(CodecError::Format {
                expected: self.format,
                found: block.format,
            });
        }
        if self.filling.is_none() && self.taken == 0 || self.is_seam(block) {
            self.fill_up();
            (self.origin, self.taken) = (block.pts, 0);
        }
        let mut marks = Marks {
            last: false,
            ..block.marks
        };
        let mut rest = block.samples.as_slice();
        while !rest.is_empty() {
            rest = self.fill(rest, block, marks);
            // The seam is in front of the first sample only.
            marks.discontinuity = false;
        }
        if block.marks.last {
            self.end();
        }
        Ok(())
    }

    /// The next whole block.
    pub fn pull(&mut self) -> Option<AudioBlock> {
        self.ready.pop_front()
    }

    /// Ends the stretch: fills the last block up with silence, for [`pull`](Self::pull).
    pub fn flush(&mut self) {
        self.fill_up();
        self.taken = 0;
    }

    /// Samples per channel that are held back.
    pub fn held(&self) -> usize {
        let filling = self.filling.as_ref();
        filling.map_or(0, AudioBlock::len_per_channel)
    }

    /// Whether `block` does not follow on what came before it.
    fn is_seam(&self, block: &AudioBlock) -> bool {
        let off = block.pts.since(self.place(self.taken)).unsigned_abs();
        block.marks.discontinuity || off > TOLERANCE
    }

    /// Moves sound into the block that is being filled; what does not fit is left.
    fn fill<'a>(&mut self, sound: &'a [f32], from: &AudioBlock, marks: Marks) -> &'a [f32] {
        let values = self.format.values(self.len);
        let mut block = self.filling.take().unwrap_or_else(|| AudioBlock {
            format: self.format,
            pts: self.place(self.taken),
            rtp_timestamp: from.rtp_timestamp,
            marks: Marks {
                silence: true,
                ..Marks::default()
            },
            samples: Vec::with_capacity(values),
        });
        let room = values.saturating_sub(block.samples.len());
        let (fits, rest) = sound.split_at(sound.len().min(room));
        block.samples.extend_from_slice(fits);
        block.marks = joined(block.marks, marks);
        self.taken += (fits.len() / self.format.channels.count()) as u64;
        if block.samples.len() == values {
            self.ready.push_back(block);
        } else {
            self.filling = Some(block);
        }
        rest
    }

    fn fill_up(&mut self) {
        if let Some(mut block) = self.filling.take() {
            block.samples.resize(self.format.values(self.len), 0.0);
            self.ready.push_back(block);
        }
    }

    /// The last block says that it is; one of silence, if all others are gone.
    fn end(&mut self) {
        if self.filling.is_none() && self.ready.is_empty() {
            let pts = self.place(self.taken);
            let silence = AudioBlock::silence(self.format, pts, self.len);
            self.ready.push_back(silence);
        }
        self.flush();
        if let Some(block) = self.ready.back_mut() {
            block.marks.last = true;
        }
    }

    fn place(&self, samples: u64) -> Pts {
        self.origin.plus(self.format.rate.ticks(samples))
    }
}

const fn joined(a: Marks, b: Marks) -> Marks {
    Marks {
        concealed: a.concealed || b.concealed,
        silence: a.silence && b.silence,
        discontinuity: a.discontinuity || b.discontinuity,
        muted: a.muted || b.muted,
        last: a.last || b.last,
    }
}

/// 1 ms in 48 kHz ticks: what whoever counts in another rate, or reads a sender's clock, may be off.
const TOLERANCE: u64 = 48;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::{Channels, SampleRate};

    #[test]
    fn ten_minutes_of_odd_pieces_keep_their_places() {
        for rate in SampleRate::ALL {
            let format = AudioFormat::new(rate, Channels::Mono);
            let ten_minutes = u64::from(rate.get()) * 600;
            let mut reblocker = reblocker(format, rate.get() as usize / 50);
            let (mut sent, mut came) = (0_u64, 0_u64);
            let mut sizes = [1, 77, 320, 1_001, 5].into_iter().cycle();
            while sent < ten_minutes {
                let size = sizes.next().unwrap();
                reblocker
                    .push(&block(format, rate.ticks(sent), size))
                    .unwrap();
                sent += size as u64;
                came = pull_all(&mut reblocker, came);
                assert_eq!(came + reblocker.held() as u64, sent);
            }
        }
    }

    /// Whatever is ready is in its place behind `came` samples; how many there are then.
    fn pull_all(reblocker: &mut Reblocker, mut came: u64) -> u64 {
        while let Some(block) = reblocker.pull() {
            assert_eq!(block.len_per_channel(), reblocker.len);
            assert_eq!(block.pts, Pts(block.format.rate.ticks(came)));
            came += reblocker.len as u64;
        }
        came
    }

    #[test]
    fn a_seam_fills_up_and_begins_anew() {
        let format = AudioFormat::OPUS;
        for pts in [5_000, 100] {
            let mut reblocker = reblocker(format, 960);
            reblocker.push(&block(format, 0, 500)).unwrap();

            reblocker.push(&block(format, pts, 960)).unwrap();

            let first = reblocker.pull().unwrap();
            assert_eq!(first.pts, Pts(0));
            assert_eq!(first.samples[..1_000], [0.5; 1_000]);
            assert_eq!(first.samples[1_000..], [0.0; 920]);
            let second = reblocker.pull().unwrap();
            assert_eq!((second.pts, reblocker.pull()), (Pts(pts), None));
        }
    }

    #[test]
    fn a_clock_that_is_off_by_less_than_a_millisecond_makes_no_seam() {
        let format = AudioFormat::OPUS;
        let mut reblocker = reblocker(format, 960);
        for (pts, len) in [(7, 480), (480, 480), (1_000, 960)] {
            reblocker.push(&block(format, pts, len)).unwrap();
        }

        let places: Vec<_> = std::iter::from_fn(|| reblocker.pull())
            .map(|block| block.pts)
            .collect();

        assert_eq!(places, [Pts(7), Pts(967)]);
        assert_eq!(reblocker.held(), 0);
    }

    #[test]
    fn marks_hold_for_any_of_the_sound_and_silence_for_all_of_it() {
        let format = AudioFormat::OPUS;
        let mut reblocker = reblocker(format, 960);
        let concealed = AudioBlock {
            marks: Marks {
                concealed: true,
                ..Marks::default()
            },
            rtp_timestamp: Some(7),
            ..block(format, 0, 480)
        };
        reblocker.push(&concealed).unwrap();
        reblocker
            .push(&AudioBlock::silence(format, Pts(480), 960 + 480))
            .unwrap();

        let mixed = reblocker.pull().unwrap();
        let silent = reblocker.pull().unwrap();

        assert_eq!(mixed.rtp_timestamp, Some(7));
        assert!(mixed.marks.concealed && !mixed.marks.silence);
        assert!(!silent.marks.concealed && silent.marks.silence);
    }

    #[test]
    fn the_last_block_says_so_however_it_is_cut() {
        let format = AudioFormat::OPUS;
        for len in [0, 1, 959, 960, 961, 1_920] {
            let mut reblocker = reblocker(format, 960);
            let mut last = block(format, 0, len);
            last.marks.last = true;

            reblocker.push(&last).unwrap();

            let blocks: Vec<_> = std::iter::from_fn(|| reblocker.pull()).collect();
            assert_eq!(blocks.len(), len.div_ceil(960).max(1), "{len}");
            let says_last: Vec<_> = blocks.iter().map(|block| block.marks.last).collect();
            assert!(says_last.ends_with(&[true]));
            assert_eq!(says_last.iter().filter(|last| **last).count(), 1);
        }
    }

    #[test]
    fn another_format_is_refused() {
        let mut reblocker = reblocker(AudioFormat::OPUS, 960);

        let found = reblocker.push(&block(AudioFormat::G711, 0, 160));

        assert!(matches!(found, Err(CodecError::Format { .. })));
        assert_eq!(reblocker.pull(), None);
    }

    proptest! {
        /// All sound comes out once, in order, and is where it was.
        #[test]
        fn sound_is_cut_and_not_changed(
            sizes in prop::collection::vec(0..3_000_usize, 1..30),
            len in 1..2_000_usize,
        ) {
            let format = AudioFormat::new(SampleRate::HZ_16000, Channels::Stereo);
            let mut reblocker = reblocker(format, len);
            let all: usize = sizes.iter().sum();
            let sound: Vec<f32> = (0..format.values(all)).map(|value| value as f32).collect();
            let mut came = Vec::new();
            let mut at = 0;
            for size in sizes {
                let samples = sound[format.values(at)..format.values(at + size)].to_vec();
                let pts = Pts(format.rate.ticks(at as u64));
                reblocker.push(&AudioBlock { samples, ..block(format, pts.0, 0) }).unwrap();
                at += size;
                while let Some(block) = reblocker.pull() {
                    let place = format.rate.samples_at(block.pts);
                    prop_assert_eq!(place, (came.len() / 2) as u64);
                    came.extend(block.samples);
                }
            }
            reblocker.flush();
            came.extend(reblocker.pull().map(|block| block.samples).unwrap_or_default());

            prop_assert_eq!(&came[..sound.len()], &sound[..]);
            prop_assert!(came.len() < sound.len() + format.values(len));
        }
    }

    fn reblocker(format: AudioFormat, len: usize) -> Reblocker {
        Reblocker::new(format, NonZeroUsize::new(len).unwrap())
    }

    fn block(format: AudioFormat, pts: u64, len: usize) -> AudioBlock {
        AudioBlock {
            format,
            pts: Pts(pts),
            rtp_timestamp: None,
            marks: Marks::default(),
            samples: vec![0.5; format.values(len)],
        }
    }
}
