//! VP8, VP9, AV1 or Opus → WebM, [RFC 9559](https://www.rfc-editor.org/rfc/rfc9559).
//!
//! A [head](head) of fixed size, then clusters of known size, one a keyframe or a second
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
