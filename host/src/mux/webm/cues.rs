//! Where players can jump to.

use super::ebml::{put_master, put_uint};
use super::element as id;
use super::track::TRACK;

/// Clusters that begin with a keyframe; of a long recording every other one, or every fourth …
#[derive(Debug)]
pub(super) struct Cues {
    points: Vec<Point>,
    /// One of so many is kept.
    spacing: usize,
    seen: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    milliseconds: u64,
    /// Bytes from the beginning of the segment's content.
    position: u64,
}

impl Cues {
    pub(super) const fn new() -> Self {
        Self {
            points: Vec::new(),
            spacing: 1,
            seen: 0,
        }
    }

    pub(super) fn push(&mut self, milliseconds: u64, position: u64) {
        if self.points.len() == MAX_POINTS {
            self.thin_out();
        }
        if self.seen.is_multiple_of(self.spacing) {
            self.points.push(Point {
                milliseconds,
                position,
            });
        }
        self.seen += 1;
    }

    /// The `Cues` element.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_master(&mut out, id::CUES, |out| {
            self.points.iter().for_each(|point| point.put(out));
        });
        out
    }

    fn thin_out(&mut self) {
        let mut index = 0;
        self.points.retain(|_| {
            index += 1;
            index % 2 == 1
        });
        self.spacing *= 2;
    }
}

impl Point {
    fn put(self, out: &mut Vec<u8>) {
        put_master(out, id::CUE_POINT, |out| {
            put_uint(out, id::CUE_TIME, self.milliseconds);
            put_master(out, id::CUE_TRACK_POSITIONS, |out| {
                put_uint(out, id::CUE_TRACK, TRACK.into());
                put_uint(out, id::CUE_CLUSTER_POSITION, self.position);
            });
        });
    }
}

/// Bounds memory to 128 KiB a track; ten hours can be searched to 9 s.
const MAX_POINTS: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_recording_is_thinned_out_evenly() {
        let mut cues = Cues::new();
        for second in 0..36_000 {
            cues.push(second * 1_000, second);
        }

        assert!(cues.points.len() <= MAX_POINTS);
        assert_eq!(cues.points[0].position, 0);
        for pair in cues.points.windows(2) {
            assert_eq!(pair[1].milliseconds - pair[0].milliseconds, 8_000);
        }
    }
}
