//! H.264, H.265 or AV1 in MP4: legal while it grows, plain when it is finished (media.md §5).
//!
//! ```text
//! growing    ftyp │ free(16)    │ moov (mvex) │ prft moof mdat │ prft moof mdat │ …
//! finished   ftyp │ mdat header │ ··········· │ ·············· │ ·············· │ moov
//!                 └─ one mdat, 64-bit size: swallows all up to the index ──────┘
//! ```
//!
//! While it grows it is a fragmented MP4 (ISO/IEC 14496-12 §8.8). At the end an index of all
//! samples, wherever they are, is appended, and sixteen bytes behind `ftyp` turn everything before
//! it into the data that the index refers to. A crash between any two bytes leaves a file that
//! [`recover`] can finish in the same way.

mod boxes;
mod file;
mod fragment;
mod index;
mod movie;
mod recover;
mod sample_entry;
mod tags;
mod timeline;

use std::collections::VecDeque;
use std::num::NonZeroU32;

use bytes::Bytes;

use self::file::Unfinished;
use self::fragment::Fragment;
use self::sample_entry::Stream;
use self::timeline::{Sample, Timeline};
use super::{Metadata, MuxError, Muxer, Output};
use crate::media::{AccessUnit, ClockRate, NtpTimestamp, Pts};

pub use self::recover::{is_mp4, recover};

/// Writes one H.264, H.265 or AV1 track into an MP4 file.
///
/// Nothing is written before the first keyframe, and nothing at all if none comes. Parameter sets
/// stay in the access units, so the size of the pictures may change at any keyframe (M3).
#[derive(Debug)]
pub struct Mp4Muxer {
    metadata: Metadata,
    state: State,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    /// No keyframe came yet.
    Waiting,
    Writing(Box<Track>),
    Finished,
}

/// The file from the first keyframe on.
#[derive(Debug)]
struct Track {
    /// The wall-clock time of the first unit.
    started_at: NtpTimestamp,
    timeline: Timeline,
    fragment: Fragment,
    fragment_count: u32,
    file: Unfinished,
}

impl Mp4Muxer {
    /// A file for `metadata.codec`. Any other than H.264, H.265 and AV1 is refused with the first
    /// access unit.
    pub const fn new(metadata: Metadata) -> Self {
        Self {
            metadata,
            state: State::Waiting,
            outputs: VecDeque::new(),
        }
    }

    /// Bytes of memory that the index of the samples takes: 4 to 5 a sample, at most twice that
    /// while it grows.
    pub fn index_bytes(&self) -> usize {
        match &self.state {
            State::Writing(track) => track.file.index().memory(),
            State::Waiting | State::Finished => 0,
        }
    }

    fn start(&mut self, first: &AccessUnit) -> Result<(), MuxError> {
        let (track, head) = Track::start(&self.metadata, first)?;
        self.outputs.push_back(Output::Append(head));
        self.state = State::Writing(Box::new(track));
        Ok(())
    }
}

impl Muxer for Mp4Muxer {
    fn write(&mut self, unit: &AccessUnit) -> Result<(), MuxError> {
        if unit.data.is_empty() || unit.data.len() > MAX_UNIT_LEN {
            return Err(MuxError::Unit("it is empty or above 256 MiB"));
        }
        if matches!(self.state, State::Waiting) {
            self.start(unit)?;
        }
        let State::Writing(track) = &mut self.state else {
            return Err(MuxError::Unit("the file is finished"));
        };
        track.push(unit)?;
        let fragments = std::iter::from_fn(|| track.next_fragment());
        self.outputs.extend(fragments);
        Ok(())
    }

    /// The picture before the hole lasts longer.
    fn fill(&mut self, _: Pts) {}

    fn flush(&mut self) {
        if let State::Writing(track) = &mut self.state {
            self.outputs.extend(track.close_fragment());
        }
    }

    fn finish(&mut self, end: Pts) {
        if let State::Writing(track) = std::mem::replace(&mut self.state, State::Finished) {
            self.outputs.extend(track.finish(end));
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

impl Track {
    /// The track and the bytes that its file begins with.
    fn start(metadata: &Metadata, unit: &AccessUnit) -> Result<(Self, Bytes), MuxError> {
        if !unit.is_keyframe {
            return Err(MuxError::Start("not a keyframe"));
        }
        let stream = Stream::parse(metadata.codec, &unit.data)?;
        let started_at = metadata.started_at.plus(unit.pts.duration(CLOCK));
        let movie = movie::without_samples(metadata, started_at, &stream);
        let (file, head) = Unfinished::new(file::file_type(metadata.codec), movie)
            .ok_or(MuxError::Start("its parameter sets are too long"))?;
        let track = Self {
            started_at,
            timeline: Timeline::new(unit.pts, stream.reorder_depth),
            fragment: Fragment::default(),
            fragment_count: 0,
            file,
        };
        Ok((track, head))
    }

    fn push(&mut self, unit: &AccessUnit) -> Result<(), MuxError> {
        if self.file.is_full() {
            return Err(MuxError::Unit("the file has no place for more"));
        }
        if unit.is_keyframe {
            self.file.note_keyframe(&unit.data);
        }
        self.timeline.push(unit);
        Ok(())
    }

    /// Hands out the next fragment that is complete.
    fn next_fragment(&mut self) -> Option<Output> {
        while let Some(sample) = self.timeline.pop() {
            let fragment = self.add(sample);
            if fragment.is_some() {
                return fragment;
            }
        }
        None
    }

    /// Adds a sample to the fragment, which is complete if the next one does not belong to it.
    fn add(&mut self, sample: Sample) -> Option<Output> {
        self.fragment.push(sample);
        let (decode_time, is_keyframe) = self.timeline.next()?;
        if self.fragment.ends_before(decode_time, is_keyframe) {
            self.close_fragment()
        } else {
            None
        }
    }

    /// Hands out the fragment as it is, if it holds anything.
    fn close_fragment(&mut self) -> Option<Output> {
        let fragment = std::mem::take(&mut self.fragment);
        let start = fragment.start()?;
        self.fragment_count = self.fragment_count.wrapping_add(1);
        let wall_clock = self.started_at.plus(CLOCK.duration(start));
        let bytes = fragment.encode(self.fragment_count, wall_clock);
        let header_len = fragment.header_len() as u64;
        self.file.push_fragment(header_len, fragment.entries());
        Some(Output::Append(bytes.into()))
    }

    fn finish(mut self, end: Pts) -> Vec<Output> {
        let mut outputs = Vec::new();
        while let Some(sample) = self.timeline.pop_last(end) {
            outputs.extend(self.add(sample));
        }
        outputs.extend(self.close_fragment());
        outputs.extend(self.file.finish());
        outputs
    }
}

/// Of every video track.
const CLOCK: ClockRate = ClockRate::VIDEO;

/// The same as MP4 says it, for the track and the movie alike.
const TIMESCALE: NonZeroU32 = NonZeroU32::new(CLOCK.get()).expect("a clock rate is not zero");

/// The only track of the file.
const TRACK_ID: u32 = 1;

/// Far above what any encoder makes; keeps every box of a fragment below 4 GiB.
const MAX_UNIT_LEN: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Codec, Integrity};

    #[test]
    fn nothing_is_written_before_a_keyframe_with_parameter_sets() {
        let mut muxer = muxer(Codec::H264);

        assert_eq!(
            muxer.write(&unit(0, false, KEYFRAME)),
            Err(MuxError::Start("not a keyframe"))
        );
        assert_eq!(
            muxer.write(&unit(0, true, PICTURE)),
            Err(MuxError::Start("no H.264 sequence parameter set"))
        );
        muxer.finish(Pts(0));

        assert_eq!(muxer.poll_output(), None);
    }

    #[test]
    fn codecs_that_have_other_containers_are_refused() {
        for codec in [Codec::Opus, Codec::Vp8, Codec::Vp9] {
            let refused = muxer(codec).write(&unit(0, true, KEYFRAME));

            assert!(matches!(refused, Err(MuxError::Start(_))), "{codec}");
        }
    }

    #[test]
    fn a_fragment_is_handed_out_with_the_keyframe_that_follows_it() {
        let mut muxer = muxer(Codec::H264);

        muxer.write(&unit(0, true, KEYFRAME)).unwrap();
        muxer.write(&unit(3_000, false, PICTURE)).unwrap();
        assert_eq!(appended(&mut muxer).len(), 1, "the head alone");
        muxer.write(&unit(6_000, true, KEYFRAME)).unwrap();

        let fragments = appended(&mut muxer);
        assert_eq!(fragments.len(), 1);
        assert!(fragments[0].ends_with(&[KEYFRAME, PICTURE].concat()));
    }

    #[test]
    fn a_fragment_is_handed_out_after_a_second_without_a_keyframe() {
        let mut muxer = muxer(Codec::H264);
        muxer.write(&unit(0, true, KEYFRAME)).unwrap();
        for number in 1..=60 {
            muxer.write(&unit(3_000 * number, false, PICTURE)).unwrap();
        }

        assert_eq!(appended(&mut muxer).len(), 3, "the head and two seconds");
    }

    #[test]
    fn a_flush_hands_out_all_but_the_unit_whose_duration_is_unknown() {
        let mut muxer = muxer(Codec::H264);
        muxer.write(&unit(0, true, KEYFRAME)).unwrap();
        muxer.write(&unit(3_000, false, PICTURE)).unwrap();
        appended(&mut muxer);

        muxer.flush();
        muxer.flush();

        let fragments = appended(&mut muxer);
        assert_eq!(fragments.len(), 1);
        assert!(fragments[0].ends_with(KEYFRAME));
    }

    #[test]
    fn a_finished_file_takes_no_more_units() {
        let mut muxer = muxer(Codec::H264);
        muxer.write(&unit(0, true, KEYFRAME)).unwrap();
        muxer.finish(Pts(3_000));
        let written = std::iter::from_fn(|| muxer.poll_output()).count();

        muxer.finish(Pts(6_000));

        assert_eq!(written, 4, "head, fragment, index, head once more");
        assert_eq!(muxer.poll_output(), None);
        assert!(matches!(
            muxer.write(&unit(6_000, true, KEYFRAME)),
            Err(MuxError::Unit(_))
        ));
    }

    fn muxer(codec: Codec) -> Mp4Muxer {
        Mp4Muxer::new(Metadata {
            codec,
            room: "room".into(),
            participant: "participant".into(),
            track: "TR_track".into(),
            started_at: NtpTimestamp(0),
        })
    }

    fn unit(pts: u64, is_keyframe: bool, data: &'static [u8]) -> AccessUnit {
        AccessUnit {
            pts: Pts(pts),
            is_keyframe,
            integrity: Integrity::Whole,
            data: Bytes::from_static(data),
        }
    }

    fn appended(muxer: &mut Mp4Muxer) -> Vec<Bytes> {
        std::iter::from_fn(|| muxer.poll_output())
            .map(|output| match output {
                Output::Append(bytes) => bytes,
                Output::PatchHead(_) => panic!("only a finished file is patched"),
            })
            .collect()
    }

    /// Parameter sets of 16 × 16 pixels in Baseline, and a slice that nobody decodes.
    const KEYFRAME: &[u8] = b"\0\0\0\x15\x67\x42\xc0\x0a\xda\x7b\x01\x10\0\0\x03\0\x10\0\0\x03\
        \x03\xc0\xf1\x22\x6a\0\0\0\x04\x68\xce\x0f\xc8\0\0\0\x02\x65\x88";
    const PICTURE: &[u8] = b"\0\0\0\x02\x41\x9a";
}
