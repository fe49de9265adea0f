//! One track: joins RTP, depacketizer and muxer. [`Pipeline::packet`] is the data path.
//!
//! ```text
//! RtpPacket ─ jitter buffer ─ segment ( injected? ─ timeline ─ depacketizer ─ destination ) ─► Output
//!                                        passthrough: gate ─ muxer
//!                                        packets: messages
//!                                        decoded: decoder ─ filters ─ encoder, muxer or messages
//! ```
//!
//! A *segment* is what goes into one file: it ends with the track, or where the codec changes.

mod counted;
pub mod decoded;
mod destination;
mod early;
mod event;
mod file;
mod gate;
mod output;
mod packets;
mod passthrough;
mod progress;
mod segment;
mod settings;
mod summary;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use event::{Event, EventKind, GapReason};
pub use output::{Message, Opening, Output, Start};
pub use progress::Progress;
pub use settings::{OnLoss, Settings};
pub use summary::{
    Cause, Gap, Jitter, Listed, Seam, SeamReason, Size, Sounds, Span, Summary, Units,
};

use crate::filter::TrackEvent;
use crate::media::{Codec, TrackKind};
use crate::rtp::jitter_buffer::{Arrival, JitterBuffer, Release};
use crate::rtp::timeline::WallClock;
use crate::rtp::{Restart, RtpPacket, SenderReport, StreamStatistics};
use counted::Counted;
use decoded::{Decoded, OnMute, Sound, Track};
use destination::Destination;
use early::Early;
use output::Outputs;
use packets::Packets;
use passthrough::Passthrough;
use segment::Segment;

/// Turns the packets of one track into the bytes of its files. Pure: time comes with the packets,
/// bytes leave by [`poll_output`](Self::poll_output).
#[derive(Debug)]
pub struct Pipeline {
    source: Source,
    settings: Settings,
    wall: WallClock,
    jitter_buffer: JitterBuffer,
    segment: Option<Segment>,
    counted: Counted,
    /// What happened before there was a segment.
    early: Early,
    is_late: bool,
    is_muted: bool,
    /// When to fill some more of the hole that a mute makes in sound.
    fill_at: Option<Instant>,
    /// Since when the track is gone, perhaps for good.
    interrupted_since: Option<Instant>,
    mode: Mode,
    outputs: Outputs,
    /// Packets that came.
    received: u64,
    progress: Arc<Progress>,
}

/// What is done with access units.
#[derive(Debug)]
enum Mode {
    /// They are written as they came.
    Passthrough,
    /// They are decoded; what with is with the segment if there is one.
    Decoding(Option<Box<Sound>>),
    /// They are messages, as they came.
    Packets(OnMute),
    /// Nothing any more: a filter ended the track.
    Halted,
}

/// Whose track it is, for the file's own description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Sound or pictures.
    pub kind: TrackKind,
    /// The room's name.
    pub room: String,
    /// The publisher's identity.
    pub participant: String,
    /// The track's SID.
    pub track: String,
}

impl Pipeline {
    /// A pipeline that waits for its first packet.
    pub fn new(source: Source, settings: Settings, wall: WallClock) -> Self {
        Self::with(Mode::Passthrough, source, settings, wall)
    }

    /// A pipeline that decodes the track, and waits for its first packet.
    pub fn decoding(source: Source, settings: Settings, wall: WallClock, sound: Sound) -> Self {
        let mode = Mode::Decoding(Some(Box::new(sound)));
        Self::with(mode, source, settings, wall)
    }

    /// A pipeline that makes a message of each Opus packet, untouched, and waits for its first. A track
    /// of another codec ends in [`Output::Halt`].
    pub fn packets(source: Source, settings: Settings, wall: WallClock, on_mute: OnMute) -> Self {
        Self::with(Mode::Packets(on_mute), source, settings, wall)
    }

    fn with(mode: Mode, source: Source, settings: Settings, wall: WallClock) -> Self {
        Self {
            mode,
            jitter_buffer: settings.jitter_buffer(source.kind),
            source,
            settings,
            wall,
            segment: None,
            counted: Counted::default(),
            early: Early::default(),
            is_late: false,
            is_muted: false,
            fill_at: None,
            interrupted_since: None,
            outputs: Outputs::new(settings.max_pending),
            received: 0,
            progress: Arc::default(),
        }
    }

    /// Whether it is sound or pictures.
    pub const fn kind(&self) -> TrackKind {
        self.source.kind
    }

    /// What others may watch while it runs.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Takes the next packet as it arrived.
    pub fn packet(&mut self, packet: RtpPacket) {
        let now = packet.arrival;
        self.interrupted_since = None;
        self.received += 1;
        self.progress.set_packets(self.received);
        if self.jitter_buffer.passes(&packet) {
            self.advance(&packet);
            self.end_if_halted(now);
        } else {
            self.reorder(packet);
        }
    }

    /// Takes a sender report of the stream.
    pub fn sender_report(&mut self, report: SenderReport) {
        if let Some(segment) = &mut self.segment {
            segment.timeline.sender_report(report);
        }
    }

    /// Takes what the media plane has counted of the stream so far; it goes into the summary.
    pub fn statistics(&mut self, counted: StreamStatistics) {
        self.counted.set(counted);
    }

    /// So many packets never reached it behind those that did, because its thread was too slow.
    pub fn overrun(&mut self, count: u64) {
        if let Some(segment) = &mut self.segment {
            segment.summary.overrun += count;
            segment.destination.overrun();
        }
    }

    /// Whether the packets that follow came long ago, because its thread is too slow. Filters whose
    /// sound goes nowhere are spared then: they only look, and learn what they missed by
    /// `lost_before`.
    pub const fn set_late(&mut self, is_late: bool) {
        self.is_late = is_late;
        if let Some(segment) = &mut self.segment {
            segment.is_late = is_late;
        }
    }

    /// Whether there are filters to hear of [events](Self::event).
    pub fn has_filters(&self) -> bool {
        matches!(&self.mode, Mode::Decoding(Some(sound)) if !sound.filters.is_empty())
    }

    /// So many data messages of the room never reached it.
    pub fn messages_dropped(&mut self, count: u64) {
        if let Some(segment) = &mut self.segment {
            let sounds = segment.summary.sound.get_or_insert_default();
            sounds.messages_dropped += count;
        }
    }

    /// The publisher muted the track.
    pub fn mute(&mut self, now: Instant) {
        self.progress.set_muted(true);
        if std::mem::replace(&mut self.is_muted, true) {
            return;
        }
        self.fill_at = (self.source.kind == TrackKind::Audio).then(|| now + FILL_EVERY);
        if let Some(segment) = &mut self.segment {
            segment.mute(now, &mut self.outputs);
        }
        self.end_if_halted(now);
    }

    /// The publisher unmuted the track.
    pub fn unmute(&mut self, now: Instant) {
        self.progress.set_muted(false);
        self.fill_at = None;
        let was_muted = std::mem::replace(&mut self.is_muted, false);
        if let Some(segment) = self.segment.as_mut().filter(|_| was_muted) {
            segment.unmute(now, &mut self.outputs);
        }
        self.end_if_halted(now);
    }

    /// Something else happened to the track, for its filters.
    pub fn event(&mut self, event: TrackEvent, now: Instant) {
        match (&mut self.segment, &self.mode) {
            (Some(segment), _) => segment.event(event, now, &mut self.outputs),
            (None, Mode::Decoding(_)) => self.early.push(event),
            (None, Mode::Passthrough | Mode::Packets(_) | Mode::Halted) => {}
        }
        self.end_if_halted(now);
    }

    /// The track is gone, perhaps for good: unless packets follow, it ends here.
    pub fn interrupt(&mut self, now: Instant) {
        self.interrupted_since.get_or_insert(now);
        if let Some(segment) = &mut self.segment {
            segment.destination.interrupt();
        }
    }

    /// Another stream goes on where this one ended (media.md T4).
    pub fn restart(&mut self, restart: Restart, now: Instant) {
        self.jitter_buffer.close();
        self.release(now);
        self.jitter_buffer = self.settings.jitter_buffer(self.source.kind);
        self.counted.end_stream();
        self.source.track = restart.track.to_string();
        if let Some(segment) = &mut self.segment {
            segment.restart(restart, now, &mut self.outputs);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let segment = self.segment.as_ref().and_then(Segment::poll_timeout);
        [self.jitter_buffer.poll_timeout(), segment, self.fill_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has passed: gives up missing packets, closes pages.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.release(now);
        if let Some(segment) = &mut self.segment {
            segment.handle_timeout(now, &mut self.outputs);
            self.progress.set(segment);
        }
        if self.fill_at.is_some_and(|at| at <= now) {
            self.fill(now);
        }
        self.end_if_halted(now);
    }

    /// Whether a keyframe is needed since the last call (media.md V1).
    pub fn take_keyframe_request(&mut self) -> bool {
        self.segment
            .as_mut()
            .is_some_and(|segment| segment.destination.take_keyframe_request())
    }

    /// No packet follows: finishes the file.
    pub fn finish(&mut self, now: Instant) {
        self.jitter_buffer.close();
        self.release(now);
        self.fill_at = None;
        self.end_segment(now);
    }

    /// The next thing to do for the sink.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop()
    }

    /// Whether [`poll_output`](Self::poll_output) has something.
    pub fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// Takes a packet that is not the next one, or behind which others wait.
    fn reorder(&mut self, packet: RtpPacket) {
        let now = packet.arrival;
        let arrival = self.jitter_buffer.push(packet);
        if let (Some(segment), Arrival::Late | Arrival::Duplicate) = (&mut self.segment, arrival) {
            segment.unused(arrival);
        }
        self.release(now);
    }

    /// Hands on what the jitter buffer lets out.
    fn release(&mut self, now: Instant) {
        while let Some(release) = self.jitter_buffer.poll(now) {
            match release {
                Release::Lost(count) => self.lose(count),
                Release::Packet(packet) => self.advance(&packet),
            }
        }
        self.end_if_halted(now);
    }

    fn lose(&mut self, count: u64) {
        if let Some(segment) = &mut self.segment {
            segment.lose(count);
        }
    }

    /// Fills what a mute has left empty so far: hours of silence at its end would be more than may
    /// wait for the sink.
    fn fill(&mut self, now: Instant) {
        self.fill_at = Some(now + FILL_EVERY);
        if let (Some(segment), None) = (&mut self.segment, self.interrupted_since) {
            segment.fill(now, &mut self.outputs);
        }
    }

    /// Hands a packet to its segment, which a change of codec ends.
    fn advance(&mut self, packet: &RtpPacket) {
        if packet.payload.is_empty() || matches!(self.mode, Mode::Halted) {
            return;
        }
        if self
            .segment
            .as_ref()
            .is_some_and(|segment| segment.codec != packet.codec)
        {
            self.end_segment(packet.arrival);
        }
        let is_first = self.segment.is_none();
        if is_first {
            self.segment = self.begin_segment(packet.codec);
        }
        if let Some(segment) = &mut self.segment {
            segment.packet(packet, &mut self.outputs);
            if is_first || !self.outputs.is_empty() {
                self.progress.set(segment);
                self.progress.begin(segment, packet.arrival);
            }
        }
    }

    fn begin_segment(&mut self, codec: Codec) -> Option<Segment> {
        let container = Some(self.settings.container(codec));
        let source = self.source.clone();
        let destination: Box<dyn Destination> = match &mut self.mode {
            Mode::Passthrough => Box::new(Passthrough::new(codec, source, self.settings)),
            Mode::Decoding(sound) => {
                let patience = self.settings.audio.max_delay + MARGIN;
                let track = Track {
                    codec,
                    source,
                    patience,
                };
                Box::new(Decoded::new(track, sound.take()?))
            }
            Mode::Packets(on_mute) => Box::new(Packets::new(codec, *on_mute)),
            Mode::Halted => return None,
        };
        let summary = Summary::new(codec, container);
        let mut segment = Segment::new(codec, summary, destination, self.wall);
        segment.is_late = self.is_late;
        if self.is_muted {
            segment.mute(self.wall.instant, &mut self.outputs);
        }
        let (events, dropped) = self.early.take();
        for event in events {
            segment.event(event, self.wall.instant, &mut self.outputs);
        }
        if dropped > 0 {
            let sounds = segment.summary.sound.get_or_insert_default();
            sounds.events_dropped += dropped;
        }
        Some(segment)
    }

    fn end_segment(&mut self, now: Instant) {
        let now = self.interrupted_since.unwrap_or(now);
        let Some(mut segment) = self.segment.take() else {
            return;
        };
        let end = segment.end(now, self.is_muted);
        self.counted.settle(&mut segment.summary);
        segment.finish(now, end, &mut self.outputs);
        self.progress.set(&segment);
        if let Mode::Decoding(sound) = &mut self.mode {
            *sound = segment.destination.recycle();
        }
    }

    /// Ends the track if a filter asks for it.
    fn end_if_halted(&mut self, now: Instant) {
        let Some(halt) = self.outputs.halted.take() else {
            return;
        };
        self.end_segment(now);
        self.mode = Mode::Halted;
        self.outputs.halted = None;
        self.outputs.push(Output::Halt(halt));
    }
}

/// By how much longer than the jitter buffer waits a decoded track does: what comes at the last
/// moment may be on its way.
const MARGIN: Duration = Duration::from_millis(100);

/// How long a page, fragment or cluster stays open when nothing comes any more.
const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// How much of a mute is filled at once.
const FILL_EVERY: Duration = Duration::from_secs(60);
