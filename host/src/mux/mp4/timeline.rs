//! Presentation times in the order of decoding → decode times and durations.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use crate::media::{AccessUnit, ClockRate, Pts};

/// Gives each unit of a track its decode time and duration (media.md M5, M8).
///
/// RTP says when a picture is shown, not when it is decoded. Where pictures are decoded in the
/// order they are shown in (all but always), both times are the same, and a unit leaves when the
/// next one says how long it lasts. With B-frames the decode times are the presentation times in
/// ascending order: the n-th picture to be decoded gets the n-th time. The difference becomes the
/// composition offset, which is negative for a B-frame. The codec's reorder depth says how many
/// more units must come before the n-th time is certain.
#[derive(Debug)]
pub(super) struct Timeline {
    origin: Pts,
    reorder_depth: usize,
    /// In the order of decoding.
    waiting: VecDeque<Waiting>,
    /// The presentation times of `waiting`, all different, ascending.
    times: BTreeSet<u64>,
    /// How long a unit lasts when nothing follows it.
    typical_duration: u64,
}

#[derive(Debug)]
struct Waiting {
    time: u64,
    is_keyframe: bool,
    data: Bytes,
}

/// A unit with its place in time, which MP4 calls a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// Ticks since the first unit.
    pub(super) decode_time: u64,
    pub(super) timing: Timing,
    pub(super) data: Bytes,
}

/// What an index keeps of a sample besides its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timing {
    /// Ticks to the decode time of the next sample.
    pub(super) duration: u32,
    /// Presentation time − decode time.
    pub(super) composition_offset: i32,
    pub(super) is_keyframe: bool,
}

impl Timeline {
    /// A track whose first unit is shown at `origin` and whose pictures are decoded at most
    /// `reorder_depth` places before their turn.
    pub(super) const fn new(origin: Pts, reorder_depth: usize) -> Self {
        Self {
            origin,
            reorder_depth,
            waiting: VecDeque::new(),
            times: BTreeSet::new(),
            typical_duration: FIRST_DURATION,
        }
    }

    /// Takes the next unit. If its time is taken or past, it gets the next free one.
    pub(super) fn push(&mut self, unit: &AccessUnit) {
        let time = unit.pts.0.saturating_sub(self.origin.0).min(LATEST);
        let time = self.free_time(time);
        self.times.insert(time);
        self.waiting.push_back(Waiting {
            time,
            is_keyframe: unit.is_keyframe,
            data: unit.data.clone(),
        });
    }

    /// Hands out the next sample whose place in time is certain.
    pub(super) fn pop(&mut self) -> Option<Sample> {
        if self.times.len() < self.reorder_depth + 2 {
            return None;
        }
        let decode_time = self.times.pop_first()?;
        let duration = self.times.first()?.saturating_sub(decode_time);
        if duration <= ClockRate::VIDEO.get().into() {
            self.typical_duration = duration;
        }
        Some(self.waiting.pop_front()?.at(decode_time, duration))
    }

    /// Hands out what is left, when nothing follows. The track ends at `end`, but no sooner than
    /// the last sample would end at the usual rate.
    pub(super) fn pop_last(&mut self, end: Pts) -> Option<Sample> {
        let decode_time = self.times.pop_first()?;
        let end = end.0.saturating_sub(self.origin.0);
        let duration = match self.times.first() {
            Some(next) => next.saturating_sub(decode_time),
            None => end.saturating_sub(decode_time).max(self.typical_duration),
        };
        Some(self.waiting.pop_front()?.at(decode_time, duration))
    }

    /// The decode time of the sample that [`Timeline::pop`] hands out next, and whether it is a
    /// keyframe.
    pub(super) fn next(&self) -> Option<(u64, bool)> {
        Some((*self.times.first()?, self.waiting.front()?.is_keyframe))
    }

    /// `time`, or the first free one after it. The smallest waiting time is a decode time already.
    fn free_time(&self, time: u64) -> u64 {
        let earliest = self.times.first().map_or(0, |first| first + 1);
        let mut time = time.max(earliest);
        while self.times.contains(&time) {
            time += 1;
        }
        time
    }
}

impl Waiting {
    fn at(self, decode_time: u64, duration: u64) -> Sample {
        Sample {
            decode_time,
            timing: Timing {
                // A picture longer than 13 hours loses the rest: the format has 32 bits for it.
                duration: u32::try_from(duration).unwrap_or(u32::MAX),
                composition_offset: self
                    .time
                    .checked_signed_diff(decode_time)
                    .and_then(|offset| i32::try_from(offset).ok())
                    .unwrap_or(i32::MAX),
                is_keyframe: self.is_keyframe,
            },
            data: self.data,
        }
    }
}

/// How long the only unit of a track lasts: 1/30 s.
const FIRST_DURATION: u64 = 3_000;

/// No recording lasts three million years; room is left for times that move behind it.
const LATEST: u64 = u64::MAX / 2;

#[cfg(test)]
mod tests {
    use crate::media::Integrity;

    use super::*;

    #[test]
    fn a_unit_lasts_until_the_next_one() {
        let samples = timed(0, &[0, 3_000, 9_000, 900_000], 903_000);

        let durations: Vec<u32> = samples.iter().map(|s| s.timing.duration).collect();
        assert_eq!(durations, [3_000, 6_000, 891_000, 6_000]);
    }

    #[test]
    fn the_last_unit_lasts_until_the_end_of_the_track() {
        assert_eq!(last_duration(&[0, 3_000], 90_000), 87_000);
        assert_eq!(last_duration(&[0, 1_500], 0), 1_500);
        assert_eq!(last_duration(&[0], 0), 3_000);
    }

    #[test]
    fn a_time_that_is_taken_or_past_moves_one_tick_behind() {
        let samples = timed(0, &[0, 3_000, 3_000, 10, 6_000], 9_000);

        let times: Vec<u64> = samples.iter().map(|s| s.decode_time).collect();
        assert_eq!(times, [0, 3_000, 3_001, 3_002, 6_000]);
    }

    #[test]
    fn a_time_beyond_any_recording_does_no_harm() {
        let samples = timed(0, &[0, u64::MAX, u64::MAX, 1], u64::MAX);

        let times: Vec<u64> = samples.iter().map(|s| s.decode_time).collect();
        assert_eq!(times, [0, LATEST, LATEST + 1, LATEST + 2]);
    }

    #[test]
    fn decode_times_of_b_frames_ascend_and_lead_to_their_presentation_times() {
        // Decoded I P B B P B B, shown I B B P B B P.
        let shown = [0, 9_000, 3_000, 6_000, 18_000, 12_000, 15_000];

        let samples = timed(2, &shown, 21_000);

        let decoded: Vec<u64> = samples.iter().map(|s| s.decode_time).collect();
        assert_eq!(decoded, [0, 3_000, 6_000, 9_000, 12_000, 15_000, 18_000]);
        let presented: Vec<u64> = samples.iter().map(presentation_time).collect();
        assert_eq!(presented, shown);
        assert!(samples.iter().all(|s| s.timing.duration == 3_000));
    }

    #[test]
    fn times_count_from_the_first_unit() {
        let mut timeline = Timeline::new(Pts(700), 0);

        timeline.push(&unit(700));
        timeline.push(&unit(3_700));

        let first = timeline.pop().unwrap();
        assert_eq!((first.decode_time, first.timing.duration), (0, 3_000));
    }

    fn timed(reorder_depth: usize, pts: &[u64], end: u64) -> Vec<Sample> {
        let mut timeline = Timeline::new(Pts(0), reorder_depth);
        let mut samples = Vec::new();
        for pts in pts {
            timeline.push(&unit(*pts));
            samples.extend(std::iter::from_fn(|| timeline.pop()));
        }
        samples.extend(std::iter::from_fn(|| timeline.pop_last(Pts(end))));
        samples
    }

    fn last_duration(pts: &[u64], end: u64) -> u32 {
        timed(0, pts, end).last().unwrap().timing.duration
    }

    fn presentation_time(sample: &Sample) -> u64 {
        sample
            .decode_time
            .saturating_add_signed(sample.timing.composition_offset.into())
    }

    fn unit(pts: u64) -> AccessUnit {
        AccessUnit {
            pts: Pts(pts),
            is_keyframe: pts == 0,
            integrity: Integrity::Whole,
            data: Bytes::from_static(b"picture"),
        }
    }
}
