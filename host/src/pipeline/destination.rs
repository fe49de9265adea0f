use std::time::{Duration, Instant};

use super::decoded::Sound;
use super::summary::Summary;
use super::{EventKind, GapReason, Outputs};
use crate::filter::TrackEvent;
use crate::media::{AccessUnit, Pts};
use crate::rtp::Timeline;

/// Where the access units of a segment go: what lies behind the depacketizer.
pub(super) trait Destination: std::fmt::Debug + Send {
    /// Takes the next access unit, at its place on the timeline.
    fn unit(&mut self, unit: AccessUnit, around: &mut Around<'_>);

    /// Something is missing before the next unit.
    fn lost(&mut self, now: Instant);

    /// The units that follow are of another stream.
    fn restart(&mut self, now: Instant);

    /// The publisher muted the track.
    fn mute(&mut self, _around: &mut Around<'_>) {}

    /// The publisher unmuted the track.
    fn unmute(&mut self, _around: &mut Around<'_>) {}

    /// Nothing comes before `until`, in the file's time: what stands for it may be written already.
    fn fill(&mut self, _until: Pts, _around: &mut Around<'_>) {}

    /// The track is gone, perhaps for good.
    fn interrupt(&mut self) {}

    /// Something else happened to the track.
    fn event(&mut self, _event: TrackEvent, _around: &mut Around<'_>) {}

    /// Packets are missing behind those that came, because the thread was too slow.
    fn overrun(&mut self) {}

    /// From the timeline to the file; `None` before there is one.
    fn place(&self, pts: Pts) -> Option<Pts>;

    /// Where the last unit is in the file.
    fn last(&self) -> Option<Pts>;

    /// Whether the last unit said only that nothing is sent.
    fn ends_in_pause(&self) -> bool {
        false
    }

    /// Where the file ends, for all that is known.
    fn end(&self) -> Pts;

    /// Whether to ask for a keyframe since the last call.
    fn take_keyframe_request(&mut self) -> bool;

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Time has passed.
    fn handle_timeout(&mut self, around: &mut Around<'_>);

    /// No unit follows: ends the file at `end`, or with its last unit if that is later. Whether
    /// there is a file.
    fn finish(&mut self, end: Pts, around: &mut Around<'_>) -> bool;

    /// What the next segment of a decoded track is made of.
    fn recycle(self: Box<Self>) -> Option<Box<Sound>> {
        None
    }
}

/// What a destination needs of the segment it belongs to.
#[derive(Debug)]
pub(super) struct Around<'a> {
    pub(super) now: Instant,
    /// What is in hand came long ago, because the thread is too slow.
    pub(super) is_late: bool,
    pub(super) timeline: &'a Timeline,
    pub(super) summary: &'a mut Summary,
    pub(super) outputs: &'a mut Outputs,
}

/// What stands between two units, for those who listen while it goes on.
#[derive(Debug)]
pub(super) struct Between {
    is_restarted: bool,
}

impl Between {
    /// Nothing yet.
    pub(super) const NONE: Self = Self {
        is_restarted: false,
    };

    /// The units that follow are of another stream.
    pub(super) const fn restart(&mut self) {
        self.is_restarted = true;
    }

    /// A unit came, `nothing` after the one before. What there is to say of the time between, if
    /// packets of it were lost or the stream is another one.
    pub(super) fn unit(&mut self, nothing: Duration, was_lost: bool) -> Option<EventKind> {
        let is_restarted = std::mem::take(&mut self.is_restarted);
        let reason = match (was_lost, is_restarted) {
            (true, _) => GapReason::Lost,
            (false, true) => GapReason::Interrupted,
            (false, false) => return None,
        };
        let duration = nothing;
        (nothing >= SHORTEST_GAP).then_some(EventKind::Gap { duration, reason })
    }
}

/// Opus makes up no less (media.md O3).
const SHORTEST_GAP: Duration = Duration::from_micros(2_500);
