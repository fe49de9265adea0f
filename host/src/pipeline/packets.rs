use std::time::{Duration, Instant};

use bytes::Bytes;

use super::decoded::OnMute;
use super::destination::{Around, Between, Destination};
use super::{Event, EventKind, Message, Opening, Output};
use crate::bitstream::opus::Toc;
use crate::filter::{Halt, Text, TrackEvent};
use crate::media::{AccessUnit, AudioFormat, ClockRate, Codec, Pts};

/// Opus packets → messages, untouched (media.md S2, `format=opus`). Gaps stay gaps: each message
/// has its place; only a mute is filled, if silence is to go on.
#[derive(Debug)]
pub(super) struct Packets {
    codec: Codec,
    on_mute: OnMute,
    /// Where the first packet is on the timeline.
    origin: Option<Pts>,
    last: Pts,
    /// Where the last packet ends.
    end: Pts,
    is_muted: bool,
    /// When silence is due.
    fill_at: Option<Instant>,
    between: Between,
}

impl Packets {
    pub(super) const fn new(codec: Codec, on_mute: OnMute) -> Self {
        Self {
            codec,
            on_mute,
            origin: None,
            last: Pts(0),
            end: Pts(0),
            is_muted: false,
            fill_at: None,
            between: Between::NONE,
        }
    }

    fn begin(&mut self, origin: Pts, around: &mut Around<'_>) {
        let anchor = around.timeline.anchor(origin);
        self.origin = Some(origin);
        around.summary.container = None;
        around.summary.started_at = anchor;
        around.outputs.push(Output::Open(Opening {
            format: AudioFormat::OPUS,
            anchor,
        }));
        if self.is_muted {
            self.say(TrackEvent::Muted, around);
        }
    }

    /// Says what is missing before a packet that begins at `pts`.
    fn note_gap(&mut self, pts: Pts, around: &mut Around<'_>) {
        let nothing = pts.since(self.end);
        let was_lost = around.summary.close_gap(self.last, nothing);
        let nothing = u64::try_from(nothing).unwrap_or(0);
        let gap = self
            .between
            .unit(ClockRate::OPUS.duration(nothing), was_lost);
        if let Some(kind) = gap.filter(|_| !around.outputs.is_full()) {
            let pts = self.end;
            around.outputs.push(Output::Event(Event { pts, kind }));
        }
    }

    /// A packet that begins at `pts`, or where the one before ends.
    fn send(&mut self, pts: Pts, packet: Bytes, around: &mut Around<'_>) {
        let ticks = Toc::parse(&packet).map_or(0, Toc::duration);
        let pts = pts.max(self.end);
        self.last = pts;
        self.end = pts.plus(ticks.into());
        if around.outputs.is_full() {
            around.summary.units.sink_full += 1;
            return;
        }
        around.summary.units.written += 1;
        around.summary.bytes += packet.len() as u64;
        around.outputs.push(Output::Message(Message {
            bytes: packet,
            pts,
            duration: ClockRate::OPUS.duration(ticks.into()),
            made_at: around.now,
        }));
    }

    fn say(&self, event: TrackEvent, around: &mut Around<'_>) {
        if self.origin.is_some() {
            let pts = self.now(around).unwrap_or(self.end);
            let kind = EventKind::Track(event, Text::Own);
            around.outputs.push(Output::Event(Event { pts, kind }));
        }
    }

    /// Where it is now.
    fn now(&self, around: &Around<'_>) -> Option<Pts> {
        self.place(around.timeline.pts_at(around.now)?)
    }
}

impl Destination for Packets {
    fn unit(&mut self, unit: AccessUnit, around: &mut Around<'_>) {
        if self.codec != Codec::Opus {
            around.summary.units.refused += 1;
            let reason = format!("the track is {}, not Opus: ask for PCM", self.codec);
            return around.outputs.halt(Halt::Egress(reason));
        }
        if self.origin.is_none() {
            self.begin(unit.pts, around);
        }
        let pts = self.place(unit.pts).unwrap_or_default();
        self.note_gap(pts, around);
        self.send(pts, unit.data, around);
    }

    fn lost(&mut self, _now: Instant) {}

    fn restart(&mut self, _now: Instant) {
        self.between.restart();
    }

    fn mute(&mut self, around: &mut Around<'_>) {
        self.is_muted = true;
        self.say(TrackEvent::Muted, around);
        if self.on_mute == OnMute::Silence {
            self.fill_at = Some(around.now + FRAME);
        }
    }

    fn unmute(&mut self, around: &mut Around<'_>) {
        self.is_muted = false;
        self.fill_at = None;
        self.say(TrackEvent::Unmuted, around);
    }

    fn place(&self, pts: Pts) -> Option<Pts> {
        let since = u64::try_from(pts.since(self.origin?));
        Some(Pts(since.unwrap_or(0)))
    }

    fn last(&self) -> Option<Pts> {
        self.origin.map(|_| self.last)
    }

    fn end(&self) -> Pts {
        self.end
    }

    fn take_keyframe_request(&mut self) -> bool {
        false
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.fill_at
    }

    fn handle_timeout(&mut self, around: &mut Around<'_>) {
        if self.fill_at.is_none_or(|at| at > around.now) {
            return;
        }
        self.fill_at = Some(around.now + FRAME);
        let Some(now) = self.now(around) else { return };
        // What a worker that stood still has to make up is bounded, too.
        for _ in 0..MAX_FILL {
            if self.end.plus(FRAME_TICKS) > now {
                break;
            }
            self.send(self.end, Bytes::from_static(&SILENCE), around);
        }
    }

    fn finish(&mut self, _end: Pts, _around: &mut Around<'_>) -> bool {
        self.fill_at = None;
        self.origin.is_some()
    }
}

/// 20 ms of silence, as libopus writes it.
const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];
const FRAME: Duration = Duration::from_millis(20);
const FRAME_TICKS: u64 = 960;
/// A second.
const MAX_FILL: usize = 50;
