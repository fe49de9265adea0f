use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::segment::Segment;

/// How far a track is, for whoever shows it. Written on the media worker: packets one by one, the rest
/// whenever something goes to the sink. Read anywhere; the values need not be of the same moment.
#[derive(Debug, Default)]
pub struct Progress {
    media_nanos: AtomicU64,
    bytes: AtomicU64,
    packets: AtomicU64,
    lost: AtomicU64,
    muted: AtomicBool,
    begun: OnceLock<Instant>,
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

    /// When the sound or picture came in that the first file begins with; `None` before there is one.
    pub fn begun(&self) -> Option<Instant> {
        self.begun.get().copied()
    }

    /// Notes where the first file begins, at a moment that lies in it.
    pub(super) fn begin(&self, segment: &Segment, now: Instant) {
        if self.begun.get().is_none()
            && let Some(place) = segment.pts_in_file(now)
            && let Some(begun) = now.checked_sub(place.duration(segment.codec.clock_rate()))
        {
            self.begun.get_or_init(|| begun);
        }
    }

    /// Only the media worker counts, so it need not read what is there: a locked addition would wait for
    /// a cache line that is cold each time.
    pub(super) fn set_packets(&self, packets: u64) {
        self.packets.store(packets, Relaxed);
    }

    pub(super) fn set_muted(&self, muted: bool) {
        self.muted.store(muted, Relaxed);
    }

    pub(super) fn set(&self, segment: &Segment) {
        let media = segment.duration().as_nanos();
        let nanos = u64::try_from(media).unwrap_or(u64::MAX);
        self.media_nanos.store(nanos, Relaxed);
        self.bytes.store(segment.summary.bytes, Relaxed);
        self.lost.store(segment.summary.lost, Relaxed);
    }
}
