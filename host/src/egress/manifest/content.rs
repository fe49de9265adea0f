use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::nanoseconds;
use crate::media::ClockRate;
use crate::pipeline::{self, Listed, Summary};
use crate::rtp::{Restart, RestartCause};

/// Packets by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    /// Came, the server's own included.
    pub received: u64,
    /// Never came in time.
    pub lost: u64,
    /// Came only after they were asked for, and are no loss.
    #[serde(default)]
    pub recovered: u64,
    /// Came after they were given up.
    pub late: u64,
    /// Came more than once.
    pub duplicate: u64,
    /// Were made up by the server (silence, blank pictures) and left out.
    pub injected: u64,
    /// Break their payload format.
    pub malformed: u64,
    /// Came, but were dropped because the track's thread was too slow; they are among those lost.
    #[serde(default)]
    pub overrun: u64,
}

impl From<&Summary> for Packets {
    fn from(summary: &Summary) -> Self {
        Self {
            received: summary.received,
            lost: summary.lost,
            recovered: summary.recovered,
            late: summary.late,
            duplicate: summary.duplicates,
            injected: summary.injected,
            malformed: summary.malformed,
            overrun: summary.overrun,
        }
    }
}

/// How unevenly the packets came: the estimate of
/// [RFC 3550 §A.8](https://www.rfc-editor.org/rfc/rfc3550#appendix-A.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jitter {
    /// At the end, over about the last 16 packets.
    #[serde(rename = "last_ns", with = "nanoseconds")]
    pub last: Duration,
    /// The largest it was.
    #[serde(rename = "peak_ns", with = "nanoseconds")]
    pub peak: Duration,
}

impl From<pipeline::Jitter> for Jitter {
    fn from(jitter: pipeline::Jitter) -> Self {
        let pipeline::Jitter { last, peak } = jitter;
        Self { last, peak }
    }
}

/// Access units by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    /// In the file.
    pub written: u64,
    /// In the file, and decodable without another.
    pub keyframes: u64,
    /// In the file, with parts missing.
    pub damaged: u64,
    /// Left out before the first keyframe.
    pub before_keyframe: u64,
    /// Left out after a loss, by policy.
    pub after_loss: u64,
    /// Left out because the sink was too slow.
    pub sink_full: u64,
    /// Left out because the container cannot hold them.
    pub refused: u64,
    /// Of which packets came, but not enough to make anything of them.
    #[serde(default)]
    pub skipped: u64,
}

impl From<pipeline::Units> for Units {
    fn from(units: pipeline::Units) -> Self {
        let pipeline::Units {
            written,
            keyframes,
            damaged,
            before_keyframe,
            after_loss,
            sink_full,
            refused,
            skipped,
        } = units;
        Self {
            written,
            keyframes,
            damaged,
            before_keyframe,
            after_loss,
            sink_full,
            refused,
            skipped,
        }
    }
}

/// The first entries of a list, and how many there were: a manifest stays small, whatever a
/// publisher does for hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T> {
    /// How many there were.
    pub count: u64,
    /// The first ones.
    pub first: Vec<T>,
}

impl<T> List<T> {
    pub(super) fn new<S>(listed: &Listed<S>, entry: impl Fn(&S) -> T) -> Self {
        Self {
            count: listed.count,
            first: listed.first.iter().map(entry).collect(),
        }
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            count: 0,
            first: Vec::new(),
        }
    }
}

/// A picture size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Where it begins.
    #[serde(rename = "at_ns", with = "nanoseconds")]
    pub at: Duration,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Size {
    pub(super) fn new(size: &pipeline::Size, rate: ClockRate) -> Self {
        Self {
            at: size.at.duration(rate),
            width: size.width,
            height: size.height,
        }
    }
}

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its beginning.
    #[serde(rename = "from_ns", with = "nanoseconds")]
    pub from: Duration,
    /// Its end.
    #[serde(rename = "to_ns", with = "nanoseconds")]
    pub to: Duration,
}

impl Span {
    pub(super) fn new(span: &pipeline::Span, rate: ClockRate) -> Self {
        Self {
            from: span.from.duration(rate),
            to: span.to.duration(rate),
        }
    }
}

/// A place where media is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Where the last unit before it is.
    #[serde(rename = "at_ns", with = "nanoseconds")]
    pub at: Duration,
    /// How long nothing is there: from the end of that unit to the beginning of the next. Zero where
    /// only a part of a picture is missing.
    #[serde(rename = "duration_ns", with = "nanoseconds", default)]
    pub duration: Duration,
    /// How many packets are missing; where the sink was too slow, how many access units.
    pub packets: u64,
    /// Why.
    pub cause: GapCause,
}

/// Why media is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The network lost it, for good.
    Network,
    /// The sink was too slow.
    SinkFull,
}

impl Gap {
    pub(super) fn new(gap: &pipeline::Gap, rate: ClockRate) -> Self {
        Self {
            at: gap.at.duration(rate),
            duration: gap.duration,
            packets: gap.packets,
            cause: match gap.cause {
                pipeline::Cause::Network => GapCause::Network,
                pipeline::Cause::SinkFull => GapCause::SinkFull,
            },
        }
    }
}

/// A place where the media clock or the stream changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seam {
    /// Where it is.
    #[serde(rename = "at_ns", with = "nanoseconds")]
    pub at: Duration,
    /// What happened.
    pub reason: SeamReason,
    /// The SID of the track from here on, unless the media clock jumped within one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track_id: Option<String>,
}

/// What happened at a seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeamReason {
    /// The media clock jumped.
    ClockJump,
    /// The server sends the same track as another stream.
    StreamRestart,
    /// The publisher published the track again, or reconnected.
    Republished,
    /// The recorder connected anew.
    Reconnected,
}

impl Seam {
    pub(super) fn new(seam: &pipeline::Seam, rate: ClockRate) -> Self {
        let (reason, track_id) = match &seam.reason {
            pipeline::SeamReason::ClockJump => (SeamReason::ClockJump, None),
            pipeline::SeamReason::Restart(Restart { track, cause }) => {
                ((*cause).into(), Some(track.to_string()))
            }
        };
        Self {
            at: seam.at.duration(rate),
            reason,
            track_id,
        }
    }
}

impl From<RestartCause> for SeamReason {
    fn from(cause: RestartCause) -> Self {
        match cause {
            RestartCause::NewStream => Self::StreamRestart,
            RestartCause::Republished => Self::Republished,
            RestartCause::Reconnected => Self::Reconnected,
        }
    }
}
