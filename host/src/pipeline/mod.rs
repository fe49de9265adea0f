//! One track: joins RTP, depacketizer and muxer. [`Pipeline::packet`] is the data path.
//!
//! ```text
//! RtpPacket ─ jitter buffer ─ segment ( injected? ─ timeline ─ depacketizer ─ destination ) ─► Output
//!                                        passthrough: gate ─ muxer
//! ```
//!
//! A *segment* is what goes into one file: it ends with the track, or where the codec changes.

mod destination;
mod file;
mod gate;
mod passthrough;
mod progress;
mod segment;
mod summary;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use progress::Progress;
pub use summary::{Cause, Gap, Listed, Seam, SeamReason, Size, Span, Summary, Units};

use crate::media::{Codec, TrackKind};
use crate::mux::{self, Container};
use crate::rtp::jitter_buffer::{self, Arrival, JitterBuffer, Release};
use crate::rtp::timeline::WallClock;
use crate::rtp::{RtpPacket, SenderReport};
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
    is_muted: bool,
    /// Since when the track is gone, perhaps for good.
    interrupted_since: Option<Instant>,
    outputs: Outputs,
    progress: Arc<Progress>,
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

/// The tunables of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long audio waits for a missing packet.
    pub audio: jitter_buffer::Settings,
    /// How long video waits for a missing packet.
    pub video: jitter_buffer::Settings,
    /// What becomes of pictures that refer to lost ones.
    pub on_loss: OnLoss,
    /// The container of AV1.
    pub av1: Container,
    /// How many bytes may wait for a slow sink; beyond it access units are dropped and counted.
    pub max_pending: usize,
}

/// What becomes of pictures after a loss, until the next keyframe (media.md V2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLoss {
    /// They are written as they came; the span is in the summary.
    Keep,
    /// They are left out.
    Drop,
}

/// What comes out of a pipeline, in order.
#[derive(Debug)]
pub enum Output {
    /// A file begins.
    Start(Start),
    /// Bytes of the file that began last.
    Bytes(mux::Output),
    /// The file that began last is finished.
    End(Box<Summary>),
}

/// A file that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its kind.
    pub container: Container,
    /// What it says about itself.
    pub metadata: mux::Metadata,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            audio: jitter_buffer::Settings::AUDIO,
            video: jitter_buffer::Settings::VIDEO,
            on_loss: OnLoss::Keep,
            av1: Container::Mp4,
            max_pending: 16 << 20,
        }
    }
}

impl Settings {
    fn container(&self, codec: Codec) -> Container {
        match codec {
            Codec::Av1 => self.av1,
            other => Container::of(other),
        }
    }

    fn jitter_buffer(&self, kind: TrackKind) -> JitterBuffer {
        JitterBuffer::new(match kind {
            TrackKind::Audio => self.audio,
            TrackKind::Video => self.video,
        })
    }
}

impl Pipeline {
    /// A pipeline that waits for its first packet.
    pub fn new(source: Source, settings: Settings, wall: WallClock) -> Self {
        Self {
            jitter_buffer: settings.jitter_buffer(source.kind),
            source,
            settings,
            wall,
            segment: None,
            is_muted: false,
            interrupted_since: None,
            outputs: Outputs::default(),
            progress: Arc::default(),
        }
    }

    /// What others may watch while it runs.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Takes the next packet as it arrived.
    pub fn packet(&mut self, packet: RtpPacket) {
        let now = packet.arrival;
        self.interrupted_since = None;
        self.progress.packet();
        let arrival = self.jitter_buffer.push(packet);
        if let (Some(segment), Arrival::Late | Arrival::Duplicate) = (&mut self.segment, arrival) {
            segment.unused(arrival);
        }
        self.release(now);
    }

    /// Takes a sender report of the stream.
    pub fn sender_report(&mut self, report: SenderReport) {
        if let Some(segment) = &mut self.segment {
            segment.timeline.sender_report(report);
        }
    }

    /// The publisher muted the track.
    pub fn mute(&mut self, now: Instant) {
        self.progress.set_muted(true);
        if !std::mem::replace(&mut self.is_muted, true)
            && let Some(segment) = &mut self.segment
        {
            segment.mute(now);
        }
    }

    /// The publisher unmuted the track.
    pub fn unmute(&mut self, now: Instant) {
        self.progress.set_muted(false);
        self.is_muted = false;
        if let Some(segment) = &mut self.segment {
            segment.unmute(now);
        }
    }

    /// The track is gone, perhaps for good: unless packets follow, it ends here.
    pub fn interrupt(&mut self, now: Instant) {
        self.interrupted_since.get_or_insert(now);
    }

    /// Another stream goes on where this one ended (media.md T4).
    pub fn restart(&mut self, now: Instant) {
        self.jitter_buffer.close();
        self.release(now);
        self.jitter_buffer = self.settings.jitter_buffer(self.source.kind);
        if let Some(segment) = &mut self.segment {
            segment.restart(now, &mut self.outputs);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let segment = self.segment.as_ref().and_then(Segment::poll_timeout);
        [self.jitter_buffer.poll_timeout(), segment]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has passed: gives up missing packets, closes pages.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.release(now);
        if let Some(segment) = &mut self.segment {
            segment.handle_timeout(now, &mut self.outputs);
        }
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
        self.end_segment(now);
    }

    /// The next thing to do for the sink.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop()
    }

    /// Whether [`poll_output`](Self::poll_output) has something.
    pub fn has_output(&self) -> bool {
        !self.outputs.queue.is_empty()
    }

    /// Hands on what the jitter buffer lets out.
    fn release(&mut self, now: Instant) {
        while let Some(release) = self.jitter_buffer.poll(now) {
            match release {
                Release::Lost(count) => self.lose(count),
                Release::Packet(packet) => self.advance(&packet),
            }
        }
    }

    fn lose(&mut self, count: u64) {
        if let Some(segment) = &mut self.segment {
            segment.lose(count);
        }
    }

    /// Hands a packet to its segment, which a change of codec ends.
    fn advance(&mut self, packet: &RtpPacket) {
        if packet.payload.is_empty() {
            return;
        }
        if self
            .segment
            .as_ref()
            .is_some_and(|segment| segment.codec != packet.codec)
        {
            self.end_segment(packet.arrival);
        }
        if self.segment.is_none() {
            self.segment = Some(self.begin_segment(packet.codec));
        }
        if let Some(segment) = &mut self.segment {
            segment.packet(packet, &mut self.outputs);
            self.progress.set(segment);
        }
    }

    fn begin_segment(&self, codec: Codec) -> Segment {
        let summary = Summary::new(codec, self.settings.container(codec));
        let destination = Passthrough::new(codec, self.source.clone(), self.settings);
        Segment::new(codec, summary, Box::new(destination), self.wall)
    }

    fn end_segment(&mut self, now: Instant) {
        let now = self.interrupted_since.unwrap_or(now);
        if let Some(mut segment) = self.segment.take() {
            segment.unmute(now);
            let end = segment.end(now, self.is_muted);
            segment.finish(now, end, &mut self.outputs);
            self.progress.set(&segment);
        }
    }
}

/// What waits for the sink, and how much it is.
#[derive(Debug, Default)]
struct Outputs {
    queue: VecDeque<Output>,
    bytes: usize,
}

impl Outputs {
    fn push(&mut self, output: Output) {
        self.bytes += size(&output);
        self.queue.push_back(output);
    }

    fn pop(&mut self) -> Option<Output> {
        let output = self.queue.pop_front()?;
        self.bytes -= size(&output);
        Some(output)
    }
}

fn size(output: &Output) -> usize {
    match output {
        Output::Bytes(mux::Output::Append(bytes) | mux::Output::PatchHead(bytes)) => bytes.len(),
        Output::Start(_) | Output::End(_) => 0,
    }
}

/// How long a page, fragment or cluster stays open when nothing comes any more.
const FLUSH_AFTER: Duration = Duration::from_secs(1);
