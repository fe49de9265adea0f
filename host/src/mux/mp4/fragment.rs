//! A second of media as `prft`, `moof` and `mdat`.
//!
//! ```text
//! prft                      the wall-clock time of the first sample
//! moof ┬ mfhd               fragment number
//!      └ traf ┬ tfhd        track, offsets count from the moof
//!             ├ tfdt        decode time of the first sample
//!             └ trun        per sample: duration, size, flags, composition offset if any has one
//! mdat                      the samples
//! ```

use bytes::{Buf, BufMut};

use super::boxes::{self, put};
use super::index::Entry;
use super::timeline::{Sample, Timing};
use super::{TIMESCALE, TRACK_ID};
use crate::media::NtpTimestamp;

/// The samples that are written together next.
#[derive(Debug, Default)]
pub(super) struct Fragment {
    samples: Vec<Sample>,
    data_len: usize,
}

impl Fragment {
    /// Adds the next sample.
    pub(super) fn push(&mut self, sample: Sample) {
        self.data_len += sample.data.len();
        self.samples.push(sample);
    }

    /// The decode time of the first sample; `None` if there is none.
    pub(super) fn start(&self) -> Option<u64> {
        Some(self.samples.first()?.decode_time)
    }

    /// Whether a sample with that decode time begins another fragment (media.md M2).
    pub(super) fn ends_before(&self, decode_time: u64, is_keyframe: bool) -> bool {
        let Some(start) = self.start() else {
            return false;
        };
        is_keyframe
            || decode_time.saturating_sub(start) >= MAX_DURATION
            || self.samples.len() >= MAX_SAMPLES
            || self.data_len >= MAX_DATA
    }

    /// The boxes of fragment `number` (from 1), whose first sample was captured at `wall_clock`.
    pub(super) fn encode(&self, number: u32, wall_clock: NtpTimestamp) -> Vec<u8> {
        let decode_time = self.start().unwrap_or(0);
        let mut out = Vec::with_capacity(self.header_len() + self.data_len);
        put(&mut out, *b"prft", |out| {
            out.put_u32(1 << 24 | CAPTURE_TIME);
            out.put_u32(TRACK_ID);
            out.put_u64(wall_clock.0);
            out.put_u64(decode_time);
        });
        put(&mut out, *b"moof", |out| {
            put(out, *b"mfhd", |out| out.put_u64(number.into()));
            put(out, *b"traf", |out| self.put_track(out, decode_time));
        });
        put(&mut out, *b"mdat", |out| {
            self.samples.iter().for_each(|s| out.put_slice(&s.data));
        });
        out
    }

    /// Bytes of the encoded fragment before the first sample's data.
    pub(super) fn header_len(&self) -> usize {
        PRFT_LEN + self.movie_fragment_len() + MDAT_HEADER_LEN
    }

    /// What the index keeps of the samples.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.samples.iter().map(|sample| Entry {
            size: fits(sample.data.len()),
            timing: sample.timing,
        })
    }

    fn put_track(&self, out: &mut Vec<u8>, decode_time: u64) {
        put(out, *b"tfhd", |out| {
            out.put_u32(DEFAULT_BASE_IS_MOOF);
            out.put_u32(TRACK_ID);
        });
        put(out, *b"tfdt", |out| {
            out.put_u32(1 << 24);
            out.put_u64(decode_time);
        });
        put(out, *b"trun", |out| self.put_run(out));
    }

    fn put_run(&self, out: &mut Vec<u8>) {
        let has_offsets = self.has_offsets();
        out.put_u32(if has_offsets { RUN_WITH_OFFSETS } else { RUN });
        out.put_u32(fits(self.samples.len()));
        out.put_u32(fits(self.movie_fragment_len() + MDAT_HEADER_LEN));
        for Entry { size, timing } in self.entries() {
            out.put_u32(timing.duration);
            out.put_u32(size);
            out.put_u32(if timing.is_keyframe { SYNC } else { NOT_SYNC });
            if has_offsets {
                out.put_i32(timing.composition_offset);
            }
        }
    }

    fn movie_fragment_len(&self) -> usize {
        let sample_len = if self.has_offsets() { 16 } else { 12 };
        EMPTY_MOOF_LEN + self.samples.len() * sample_len
    }

    fn has_offsets(&self) -> bool {
        self.samples
            .iter()
            .any(|sample| sample.timing.composition_offset != 0)
    }
}

/// Reads the samples of a `moof` that [`Fragment::encode`] wrote, without its header. `None` if it
/// did not.
pub(super) fn parse_movie_fragment(content: &[u8]) -> Option<Vec<Entry>> {
    let track = boxes::find(content, *b"traf")?;
    let mut run = boxes::find(track, *b"trun")?;
    let has_offsets = match run.try_get_u32().ok()? {
        RUN => false,
        RUN_WITH_OFFSETS => true,
        _ => return None,
    };
    let sample_count = run.try_get_u32().ok()?;
    run.try_get_u32().ok()?; // Where the data begins: behind the header of the `mdat`.
    (0..sample_count)
        .map(|_| parse_sample(&mut run, has_offsets))
        .collect()
}

fn parse_sample(run: &mut &[u8], has_offsets: bool) -> Option<Entry> {
    let duration = run.try_get_u32().ok()?;
    let size = run.try_get_u32().ok()?;
    let flags = run.try_get_u32().ok()?;
    let composition_offset = if has_offsets {
        run.try_get_i32().ok()?
    } else {
        0
    };
    Some(Entry {
        size,
        timing: Timing {
            duration,
            composition_offset,
            is_keyframe: flags & NOT_SYNC_BIT == 0,
        },
    })
}

/// A length that the limits below keep far below 4 GiB.
fn fits(len: usize) -> u32 {
    u32::try_from(len).expect("a fragment is limited to far below 4 GiB")
}

/// One second.
const MAX_DURATION: u64 = TIMESCALE.get() as u64;
/// Samples a fragment, so that a sender whose clock stands still cannot make it grow for ever.
const MAX_SAMPLES: usize = 4_096;
/// Bytes a fragment, for the same reason; one sample may exceed it.
const MAX_DATA: usize = 16 << 20;

/// The longest `moof`.
pub(super) const MAX_MOOF_LEN: u64 = (EMPTY_MOOF_LEN + MAX_SAMPLES * 16) as u64;
const EMPTY_MOOF_LEN: usize = 8 + 16 + 8 + 16 + 20 + 20;
const PRFT_LEN: usize = 32;
const MDAT_HEADER_LEN: usize = 8;

/// `prft`: the time is that of capture, consistent over the file.
const CAPTURE_TIME: u32 = 24;
/// `tfhd`: offsets count from the beginning of the `moof`.
const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;
/// `trun`, version 1: offset of the data; duration, size and flags of each sample.
const RUN: u32 = 1 << 24 | 0x701;
/// The same with composition offsets.
const RUN_WITH_OFFSETS: u32 = 1 << 24 | 0xf01;
/// Depends on no other sample.
const SYNC: u32 = 0x0200_0000;
/// Depends on others.
const NOT_SYNC: u32 = 0x0100_0000 | NOT_SYNC_BIT;
const NOT_SYNC_BIT: u32 = 0x0001_0000;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_is_encoded_is_read_back() {
        for composition_offset in [0, -3_000] {
            let mut fragment = Fragment::default();
            fragment.push(sample(0, 0));
            fragment.push(sample(3_000, composition_offset));

            let encoded = fragment.encode(7, NtpTimestamp(1));

            let header_len = fragment.header_len();
            assert_eq!(&encoded[header_len..], b"picturepicture");
            let movie_fragment = boxes::find(&encoded, *b"moof").unwrap();
            let read = parse_movie_fragment(movie_fragment).unwrap();
            assert_eq!(read, fragment.entries().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_run_that_claims_more_samples_than_it_holds_is_refused() {
        let mut fragment = Fragment::default();
        fragment.push(sample(0, 0));
        let encoded = fragment.encode(1, NtpTimestamp(1));
        let mut movie_fragment = boxes::find(&encoded, *b"moof").unwrap().to_vec();
        let count = movie_fragment.len() - 20;

        movie_fragment[count..count + 4].fill(0xff);

        assert_eq!(parse_movie_fragment(&movie_fragment), None);
    }

    #[test]
    fn a_fragment_ends_before_a_keyframe_or_after_a_second() {
        let mut fragment = Fragment::default();
        assert!(!fragment.ends_before(0, true));

        fragment.push(sample(90_000, 0));

        assert!(fragment.ends_before(93_000, true));
        assert!(!fragment.ends_before(179_999, false));
        assert!(fragment.ends_before(180_000, false));
    }

    fn sample(decode_time: u64, composition_offset: i32) -> Sample {
        Sample {
            decode_time,
            timing: Timing {
                duration: 3_000,
                composition_offset,
                is_keyframe: decode_time == 0,
            },
            data: Bytes::from_static(b"picture"),
        }
    }
}
