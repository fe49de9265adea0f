//! The decoded path of a track: access units → sound on a grid → filters → what is asked for.
//!
//! ```text
//! AccessUnit ─ steps ─ grid (decode, conceal, silence) ─ reblocker ─ filter::Chain ─ outlet ─► Output
//! ```
//!
//! Time that has to be made up is made up a second at a time: what comes meanwhile waits as a step.

mod grid;
mod hole;
mod outlet;
mod running;
mod sound_file;
mod steps;
mod switches;

use std::time::{Duration, Instant};

pub use outlet::Outlet;

use crate::bitstream::opus::Toc;
use crate::codec::{self, CodecError, Decoder};
use crate::filter::{Halt, Setup, TrackEvent};
use crate::media::{AccessUnit, AudioFormat, Channels, Codec, Pts, SampleRate};
use crate::mux::Container;
use crate::pipeline::Source;
use crate::pipeline::destination::{Around, Destination};
use crate::pipeline::early::Early;
use running::Running;

/// What is made of a track that is decoded.
#[derive(Debug)]
pub struct Sound {
    /// What the filters work on. What is left open is as the outlet wants it, unless a filter wants
    /// something else; then it is as the track has it.
    pub work: Work,
    /// The filters, in order.
    pub filters: Vec<Setup>,
    /// What becomes of the sound.
    pub outlet: Outlet,
    /// What goes on while the track is muted.
    pub on_mute: OnMute,
    /// Makes decoders.
    pub decoders: Decoders,
}

/// How sound is laid out between decoder and outlet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Samples a second; 48 kHz if left open.
    pub rate: Option<SampleRate>,
    /// Channels; if left open, as many as the first access unit has.
    pub channels: Option<Channels>,
}

impl Work {
    /// The format, where `other` has what is left open.
    fn of(self, other: AudioFormat) -> AudioFormat {
        AudioFormat {
            rate: self.rate.unwrap_or(other.rate),
            channels: self.channels.unwrap_or(other.channels),
        }
    }
}

/// Why a track cannot be decoded as it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// There is no decoder or encoder for it.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The container holds no plain samples.
    #[error("a .{} file holds no PCM: take .wav or .pcm", .0.extension())]
    Container(Container),
}

/// What goes on while the publisher has the track muted (media.md S4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMute {
    /// Silence, in real time.
    #[default]
    Silence,
    /// Nothing.
    Pause,
}

/// Makes a decoder for a codec.
pub type Decoders = fn(Codec, AudioFormat) -> Result<Box<dyn Decoder>, CodecError>;

impl Sound {
    /// The usual for this outlet: no filter, silence while muted.
    pub fn new(outlet: Outlet) -> Self {
        Self {
            work: Work::default(),
            filters: Vec::new(),
            outlet,
            on_mute: OnMute::Silence,
            decoders: codec::decoder,
        }
    }

    /// What a track's sound is decoded to, by its first access unit.
    fn format(&self, codec: Codec, unit: &AccessUnit) -> AudioFormat {
        let is_stereo =
            codec == Codec::Opus && Toc::parse(&unit.data).is_some_and(|toc| toc.is_stereo);
        let source = if is_stereo {
            Channels::Stereo
        } else {
            Channels::Mono
        };
        let outlet = self.outlet.wants();
        let wants = || self.filters.iter().map(|setup| setup.open.wants());
        let suits_rate = wants().all(|wants| wants.rate.is_none() || wants.rate == outlet.rate);
        let suits_channels =
            wants().all(|wants| wants.channels.is_none() || wants.channels == outlet.channels);
        let suiting = Work {
            rate: outlet.rate.filter(|_| suits_rate),
            channels: outlet.channels.filter(|_| suits_channels),
        };
        let source = AudioFormat::new(SampleRate::HZ_48000, source);
        self.work.of(suiting.of(source))
    }
}

/// Decodes access units and does with the sound what is asked for.
#[derive(Debug)]
pub(in crate::pipeline) struct Decoded {
    track: Track,
    state: State,
    /// What happened before the first unit.
    early: Early,
}

/// The track that is decoded.
#[derive(Debug)]
pub(in crate::pipeline) struct Track {
    pub(in crate::pipeline) codec: Codec,
    pub(in crate::pipeline) source: Source,
    /// How far silence that stands for missing packets stays behind time: longer than the jitter
    /// buffer waits, so that it never takes the place of sound that is still to come.
    pub(in crate::pipeline) patience: Duration,
}

#[derive(Debug)]
enum State {
    /// No unit came yet.
    Waiting(Box<Sound>),
    Running(Box<Running>),
    /// There is no decoder, or nothing to do with what it gives.
    Failed,
}

impl Decoded {
    pub(in crate::pipeline) fn new(track: Track, sound: Box<Sound>) -> Self {
        Self {
            track,
            state: State::Waiting(sound),
            early: Early::default(),
        }
    }

    const fn running(&self) -> Option<&Running> {
        match &self.state {
            State::Running(running) => Some(running),
            State::Waiting(_) | State::Failed => None,
        }
    }

    const fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.state {
            State::Running(running) => Some(running),
            State::Waiting(_) | State::Failed => None,
        }
    }

    /// Begins with the first unit.
    fn begin(&mut self, sound: Sound, unit: &AccessUnit, around: &mut Around<'_>) {
        self.state = match Running::start(&self.track, sound, unit, around) {
            Ok(running) => State::Running(Box::new(running)),
            Err(error) => {
                around.outputs.halt(Halt::Egress(error.to_string()));
                State::Failed
            }
        };
        let (events, dropped) = self.early.take();
        let sounds = around.summary.sound.get_or_insert_default();
        sounds.events_dropped += dropped;
        self.event(TrackEvent::Published, around);
        for event in events {
            self.event(event, around);
        }
    }
}

impl Destination for Decoded {
    fn unit(&mut self, unit: AccessUnit, around: &mut Around<'_>) {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Waiting(sound) => self.begin(*sound, &unit, around),
            other => self.state = other,
        }
        if let Some(running) = self.running_mut() {
            running.unit(unit, around);
        }
    }

    fn lost(&mut self, _now: Instant) {}

    fn restart(&mut self, _now: Instant) {
        if let Some(running) = self.running_mut() {
            running.restart();
        }
    }

    fn mute(&mut self, around: &mut Around<'_>) {
        self.event(TrackEvent::Muted, around);
    }

    fn unmute(&mut self, around: &mut Around<'_>) {
        self.event(TrackEvent::Unmuted, around);
    }

    fn event(&mut self, event: TrackEvent, around: &mut Around<'_>) {
        match &mut self.state {
            State::Waiting(_) => self.early.push(event),
            State::Failed => {}
            State::Running(running) => running.event(event, around),
        }
    }

    fn interrupt(&mut self) {
        if let Some(running) = self.running_mut() {
            running.interrupt();
        }
    }

    fn overrun(&mut self) {
        if let Some(running) = self.running_mut() {
            running.overrun();
        }
    }

    fn place(&self, pts: Pts) -> Option<Pts> {
        self.running().map(|running| running.place(pts))
    }

    fn last(&self) -> Option<Pts> {
        self.running().map(Running::last)
    }

    fn ends_in_pause(&self) -> bool {
        self.running().is_some_and(Running::ends_in_pause)
    }

    fn end(&self) -> Pts {
        self.running().map_or(Pts(0), Running::end)
    }

    fn take_keyframe_request(&mut self) -> bool {
        false
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.running().and_then(Running::poll_timeout)
    }

    fn handle_timeout(&mut self, around: &mut Around<'_>) {
        if let Some(running) = self.running_mut() {
            running.handle_timeout(around);
        }
    }

    fn finish(&mut self, end: Pts, around: &mut Around<'_>) -> bool {
        let Some(running) = self.running_mut() else {
            return false;
        };
        running.finish(end, around);
        true
    }

    fn recycle(self: Box<Self>) -> Option<Box<Sound>> {
        match self.state {
            State::Waiting(sound) => Some(sound),
            State::Running(running) => Some(Box::new(running.into_sound())),
            State::Failed => None,
        }
    }
}
