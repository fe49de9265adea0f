use std::time::Duration;

use crate::filter::{Account, Switch};
use crate::media::{AudioFormat, Codec, Pts};
use crate::mux::Container;
use crate::rtp::Restart;
use crate::rtp::timeline::Anchor;

/// What one file holds and what is missing from it. The lists are bounded; their counts are not.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What the track is encoded with.
    pub codec: Codec,
    /// The kind of file, if it is one.
    pub container: Option<Container>,
    /// The wall-clock time of the first access unit; `None` if nothing was written.
    pub started_at: Option<Anchor>,
    /// How long the file plays.
    pub duration: Duration,
    /// Bytes of media, without the container's.
    pub bytes: u64,
    /// Access units by what became of them.
    pub units: Units,
    /// Packets that came, the SFU's own included.
    pub received: u64,
    /// Packets that never came in time.
    pub lost: u64,
    /// Packets that came only after they were asked for, and are no loss. What a stream recovered
    /// before a change of codec is told by the file behind it.
    pub recovered: u64,
    /// Packets that came after they were given up.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets and reports that came, but were dropped because the track's thread was too slow; packets
    /// of them are among those lost.
    pub overrun: u64,
    /// Packets the SFU made up, and those of them that were lost.
    pub injected: u64,
    /// Packets that break their payload format.
    pub malformed: u64,
    /// How unevenly packets came; `None` if that is unknown.
    pub jitter: Option<Jitter>,
    /// Spans with nothing or with damage in them.
    pub gaps: Listed<Gap>,
    /// When the publisher had it muted.
    pub mutes: Listed<Span>,
    /// Where the media clock or the stream changed.
    pub seams: Listed<Seam>,
    /// Picture sizes, each where it begins.
    pub sizes: Listed<Size>,
    /// How fast the publisher's media clock runs against its wall clock.
    pub drift_ppm: Option<f64>,
    /// What became of the sound, if it was decoded.
    pub sound: Option<Sounds>,
}

/// What became of the sound of a decoded track, in samples per channel if nothing else is said.
#[derive(Clone, Debug, Default)]
pub struct Sounds {
    /// How they are laid out between decoder and filters.
    pub format: Option<AudioFormat>,
    /// They came from access units.
    pub decoded: u64,
    /// The decoder made them up for units that were lost.
    pub concealed: u64,
    /// They are silence in the place of a mute or of a long gap.
    pub silent: u64,
    /// They were cut off, because they began before what came before had ended: the sender's clock
    /// is slow, or they came after silence had taken their place.
    pub removed: u64,
    /// They were dropped because the sink was too slow.
    pub sink_full: u64,
    /// Access units that could not be decoded.
    pub undecodable: u64,
    /// Events and emissions that were dropped because too many waited.
    pub events_dropped: u64,
    /// Data messages of the room that were dropped: too large, or too many.
    pub messages_dropped: u64,
    /// What the filters did, in order.
    pub filters: Vec<Account>,
    /// When filters began or ceased to do their work.
    pub switches: Listed<Switch>,
}

/// Access units by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    pub skipped: u64,
}

/// How unevenly the packets of a stream came: the estimate of
/// [RFC 3550 §A.8](https://www.rfc-editor.org/rfc/rfc3550#appendix-A.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jitter {
    /// At the end, over about the last 16 packets.
    pub last: Duration,
    /// The largest it was.
    pub peak: Duration,
}

/// A list of which the first entries are kept and all are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// The first ones.
    pub first: Vec<T>,
    /// How many there were.
    pub count: u64,
}

/// A hole in the media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where the last unit before it is.
    pub at: Pts,
    /// How long nothing is there: from the end of that unit to the beginning of the next. Zero where
    /// only a part of a picture is missing.
    pub duration: Duration,
    /// How many packets are missing; where the sink was too slow, how many access units.
    pub packets: u64,
    /// Why.
    pub cause: Cause,
}

/// Why media is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The network lost it, for good.
    Network,
    /// The sink was too slow.
    SinkFull,
}

/// A span of the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from: Pts,
    /// Its end.
    pub to: Pts,
}

/// A place where the media clock or the stream changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seam {
    /// Where it is.
    pub at: Pts,
    /// What happened.
    pub reason: SeamReason,
}

/// What happened at a seam.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeamReason {
    /// The media clock jumped.
    ClockJump,
    /// Another stream goes on, perhaps of another track.
    Restart(Restart),
}

/// A picture size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Where it begins.
    pub at: Pts,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Summary {
    pub(super) fn new(codec: Codec, container: Option<Container>) -> Self {
        Self {
            codec,
            container,
            started_at: None,
            duration: Duration::ZERO,
            bytes: 0,
            units: Units::default(),
            received: 0,
            lost: 0,
            recovered: 0,
            late: 0,
            duplicates: 0,
            overrun: 0,
            injected: 0,
            malformed: 0,
            jitter: None,
            gaps: Listed::default(),
            mutes: Listed::default(),
            seams: Listed::default(),
            sizes: Listed::default(),
            drift_ppm: None,
            sound: None,
        }
    }

    /// Notes a hole behind the unit at `at`. Holes without a unit between them are one.
    pub(super) fn open_gap(&mut self, at: Pts, packets: u64, cause: Cause) {
        match self.gaps.last_mut() {
            Some(last) if last.at == at && last.cause == cause => last.packets += packets,
            _ => self.gaps.push(Gap {
                at,
                duration: Duration::ZERO,
                packets,
                cause,
            }),
        }
    }

    /// The unit at `at` is followed by another, with so many ticks of nothing between them. Whether
    /// there is a gap.
    pub(super) fn close_gap(&mut self, at: Pts, ticks: i64) -> bool {
        let Some(gap) = self.gaps.last_mut().filter(|gap| gap.at == at) else {
            return false;
        };
        let ticks = u64::try_from(ticks).unwrap_or(0);
        gap.duration = self.codec.clock_rate().duration(ticks);
        true
    }
}

impl<T> Listed<T> {
    /// Adds one, and keeps it if it is among the first.
    pub fn push(&mut self, entry: T) {
        self.count += 1;
        if self.first.len() < MAX_LISTED {
            self.first.push(entry);
        }
    }

    /// The last entry, unless it was too late to be kept.
    fn last_mut(&mut self) -> Option<&mut T> {
        if self.count > MAX_LISTED as u64 {
            return None;
        }
        self.first.last_mut()
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            first: Vec::new(),
            count: 0,
        }
    }
}

/// A day of a mute a minute fits; an endless recording does not grow without end.
const MAX_LISTED: usize = 2_000;
