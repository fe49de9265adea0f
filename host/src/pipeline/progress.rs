use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::segment::Segment;

/// How far a track is, for whoever shows it. Written on the media worker whenever something goes to
/// the sink, for each packet would be a cache line that others have; read anywhere. The values need
/// not be of the same moment.
#[derive(Debug, Default)]
pub struct Progress {
    media_nanos: AtomicU64,
    bytes: AtomicU64,
    packets: AtomicU64,
    lost: AtomicU64,
    muted: AtomicBool,
}

impl Progress {
    /// How long the recording is.
    pub fn media(&self) -> Duration {
        Duration::from_nanos(self.media_nanos.load(Relaxed))
    }

    /// How many bytes of media it holds.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// How many packets came.
    pub fn packets(&self) -> u64 {
        self.packets.load(Relaxed)
    }

    /// How many packets were lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// Whether the publisher has muted it.
    pub fn is_muted(&self) -> bool {
        self.muted.load(Relaxed)
    }

    pub(super) fn set_muted(&self, muted: bool) {
        self.muted.store(muted, Relaxed);
    }

    pub(super) fn set(&self, packets: u64, segment: &Segment) {
        let media = segment.duration().as_nanos();
        let nanos = u64::try_from(media).unwrap_or(u64::MAX);
        self.media_nanos.store(nanos, Relaxed);
        self.packets.store(packets, Relaxed);
        self.bytes.store(segment.summary.bytes, Relaxed);
        self.lost.store(segment.summary.lost, Relaxed);
    }
}
