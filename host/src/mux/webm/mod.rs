//! VP8, VP9, AV1 or Opus → WebM, [RFC 9559](https://www.rfc-editor.org/rfc/rfc9559).
//!
//! A head of fixed size, then clusters of known size, one a keyframe or a second
//! (media.md W1). At the end the head is written again, with the duration and the cues.
//!
//! Each block has its own time, so a gap needs no filling: it lengthens the block before it.

mod cluster;
mod cues;
mod ebml;
mod element;
mod head;
mod recover;
mod track;

use std::collections::VecDeque;
use std::time::Duration;

use self::cluster::{Block, Closed, Cluster, LastTimes};
use self::cues::Cues;
use self::head::{Ending, HEAD, Head};
use super::{Metadata, MuxError, Muxer, Output};
use crate::media::{AccessUnit, Pts, TrackKind};

pub use self::recover::{is_webm, recover};

/// Writes one track into one WebM file.
#[derive(Debug)]
pub struct WebM {
    metadata: Metadata,
    /// There is one as soon as there is a keyframe.
    head: Option<Head>,
    cluster: Cluster,
    clock: Clock,
    cues: Cues,
    /// Bytes of the file.
    len: u64,
    is_finished: bool,
    ready: VecDeque<Output>,
}

impl WebM {
    /// A file for `metadata.codec`. Any other than VP8, VP9, AV1 and Opus is refused with the first
    /// unit.
    pub const fn new(metadata: Metadata) -> Self {
        Self {
            metadata,
            head: None,
            cluster: Cluster::new(),
            clock: Clock::new(),
            cues: Cues::new(),
            len: 0,
            is_finished: false,
            ready: VecDeque::new(),
        }
    }

    /// Writes the head once, made of the first keyframe.
    fn start(&mut self, unit: &AccessUnit) -> Result<(), MuxError> {
        if self.head.is_some() {
            return Ok(());
        }
        if !unit.is_keyframe {
            return Err(MuxError::Start("not a keyframe"));
        }
        let head = Head::new(&self.metadata, &unit.data)?;
        self.ready.push_back(Output::Append(head.growing()));
        self.len = HEAD as u64;
        self.head = Some(head);
        Ok(())
    }

    /// Whether a block begins a cluster: a keyframe of a video, so that a player that jumps there
    /// finds it first, or any block after a second.
    fn begins_cluster(&self, block: &Block) -> bool {
        let is_video = self.metadata.codec.kind() == TrackKind::Video;
        (is_video && block.is_keyframe) || !self.cluster.reaches(block.milliseconds)
    }

    /// To the nearest.
    fn milliseconds(&self, pts: Pts) -> u64 {
        let time = pts.duration(self.metadata.codec.clock_rate()) + Duration::from_micros(500);
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    }

    fn append(&mut self, cluster: Option<Closed>) {
        let Some(cluster) = cluster else {
            return;
        };
        if cluster.is_keyframe {
            let position = head::position(self.len);
            self.cues.push(cluster.milliseconds, position);
        }
        self.len += cluster.bytes.len() as u64;
        self.ready.push_back(Output::Append(cluster.bytes));
    }
}

impl Muxer for WebM {
    fn write(&mut self, unit: &AccessUnit) -> Result<(), MuxError> {
        if self.is_finished {
            return Err(MuxError::Unit("the track has ended"));
        }
        self.start(unit)?;
        let milliseconds = self.milliseconds(unit.pts);
        let block = Block {
            milliseconds: self.clock.advance(unit.pts, milliseconds),
            is_keyframe: unit.is_keyframe,
            data: unit.data.clone(),
        };
        if self.begins_cluster(&block) {
            let closed = self.cluster.close();
            self.append(closed);
        }
        self.cluster.push(block);
        Ok(())
    }

    /// The picture before the hole lasts longer.
    fn fill(&mut self, _: Pts) {}

    fn flush(&mut self) {
        let closed = self.cluster.close_all_but_last();
        self.append(closed);
    }

    fn finish(&mut self, end: Pts) {
        if self.is_finished {
            return;
        }
        self.is_finished = true;
        let times = self.clock.last_times(self.milliseconds(end));
        let closed = self.cluster.finish(times);
        self.append(closed);
        let Some(head) = &self.head else {
            return;
        };
        let finished = head.finished(&Ending {
            milliseconds: self.clock.last + times.duration,
            clusters_end: self.len,
            cues: &self.cues.to_bytes(),
        });
        self.ready.extend(finished.into_outputs());
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.ready.pop_front()
    }
}

/// Times of blocks never go back.
#[derive(Debug)]
struct Clock {
    pts: Option<Pts>,
    last: u64,
    /// How long the block before the last was shown.
    interval: u64,
}

impl Clock {
    const fn new() -> Self {
        Self {
            pts: None,
            last: 0,
            interval: 0,
        }
    }

    /// The time of the next block: where `pts` is, or behind the last one.
    fn advance(&mut self, pts: Pts, milliseconds: u64) -> u64 {
        let is_late = self.pts.is_some_and(|last| pts <= last);
        let next = milliseconds.max(self.last + u64::from(is_late));
        self.interval = next - self.last;
        self.last = next;
        self.pts = self.pts.max(Some(pts));
        next
    }

    /// The last block is shown up to `end`, or if that is no time at all, as long as the one before.
    const fn last_times(&self, end: u64) -> LastTimes {
        let duration = match end.saturating_sub(self.last) {
            0 if self.interval == 0 => 1,
            0 => self.interval,
            duration => duration,
        };
        LastTimes {
            since_previous: self.interval,
            duration,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::{Codec, Integrity, NtpTimestamp};

    #[test]
    fn nothing_is_written_before_the_first_keyframe() {
        let mut muxer = muxer(Codec::Vp8);
        let refused = [unit(0, false), unit(0, true)].map(|unit| AccessUnit {
            data: Bytes::from_static(&[1, 2, 3]),
            ..unit
        });
        for unit in refused {
            assert!(matches!(muxer.write(&unit), Err(MuxError::Start(_))));
        }

        muxer.finish(Pts(90_000));

        assert_eq!(muxer.poll_output(), None);
    }

    #[test]
    fn a_cluster_ends_before_a_keyframe_and_after_a_second() {
        let mut muxer = muxer(Codec::Vp8);
        let cases = [
            (0, true, 1),
            (30_000, false, 0),
            (89_000, false, 0),
            (90_000, false, 1),
            (95_000, true, 1),
            (96_000, true, 1),
            (900_000, false, 1),
        ];
        for (pts, is_keyframe, outputs) in cases {
            muxer.write(&unit(pts, is_keyframe)).unwrap();

            assert_eq!(lengths(&mut muxer).len(), outputs, "at {pts}");
        }
    }

    #[test]
    fn a_flush_holds_the_last_unit_back() {
        let mut muxer = muxer(Codec::Vp8);
        muxer.write(&unit(0, true)).unwrap();
        lengths(&mut muxer);
        muxer.flush();
        assert!(lengths(&mut muxer).is_empty());
        muxer.write(&unit(3_000, false)).unwrap();

        muxer.flush();

        // A cluster with its time, and one block.
        assert_eq!(lengths(&mut muxer), [5 + 3 + 2 + 4 + KEYFRAME.len()]);
    }

    #[test]
    fn a_huge_sequence_header_is_refused() {
        let mut muxer = muxer(Codec::Av1);
        let header = [
            0x0a, 0xff, 0xff, 0x03, 0, 0, 0, 0x24, 0xc4, 0xff, 0xdf, 0, 0xbe,
        ];
        let data = [&header[..], &[0; 70_000]].concat().into();

        let refused = muxer.write(&AccessUnit {
            data,
            ..unit(0, true)
        });

        let too_large = MuxError::Start("its sequence header is too large");
        assert_eq!(refused, Err(too_large));
    }

    fn lengths(muxer: &mut WebM) -> Vec<usize> {
        std::iter::from_fn(|| muxer.poll_output())
            .map(|output| match output {
                Output::Append(bytes) => bytes.len(),
                Output::PatchHead(_) => panic!("the head is patched at the end"),
            })
            .collect()
    }

    fn muxer(codec: Codec) -> WebM {
        WebM::new(Metadata {
            codec,
            room: "room".to_owned(),
            participant: "participant".to_owned(),
            track: "TR_1".to_owned(),
            started_at: NtpTimestamp(0),
        })
    }

    fn unit(pts: u64, is_keyframe: bool) -> AccessUnit {
        AccessUnit {
            pts: Pts(pts),
            is_keyframe,
            integrity: Integrity::Whole,
            data: Bytes::from_static(KEYFRAME),
        }
    }

    /// The head of a VP8 keyframe of 16 × 16 pixels.
    const KEYFRAME: &[u8] = &[0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0];
}
