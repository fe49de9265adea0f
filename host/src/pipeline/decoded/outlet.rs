use std::time::{Duration, Instant};

use bytes::Bytes;

use super::sound_file::SoundFile;
use super::{SoundError, Work};
use crate::codec::encode::{self, OpusEncoder};
use crate::codec::resample::Converter;
use crate::codec::sample::to_s16le;
use crate::filter::{Gaps, Item};
use crate::media::{AudioBlock, AudioFormat, Codec, Pts, SampleRate};
use crate::mux::{self, Container, Metadata};
use crate::pipeline::destination::Around;
use crate::pipeline::{Event, EventKind, Message, Opening, Output, Start};
use crate::rtp::timeline::Anchor;

/// What becomes of the sound of a decoded track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlet {
    /// An Ogg file of Opus, encoded anew.
    Opus(encode::Settings),
    /// A file of 16-bit samples.
    Pcm {
        /// [`Container::Wav`] or [`Container::Pcm`].
        container: Container,
        /// How they are laid out; what is left open is as the filters leave it.
        format: Work,
    },
    /// Binary messages of 16-bit samples.
    Messages {
        /// How they are laid out; what is left open is as the filters leave it.
        format: Work,
        /// How long each is. A multiple of 10 ms.
        frame: Duration,
    },
    /// Binary messages of Opus packets of 20 ms, encoded anew.
    Packets(encode::Settings),
    /// Nothing: filters only look.
    Nothing,
}

impl Outlet {
    /// Whether blocks may be missing.
    pub(super) const fn gaps(self) -> Gaps {
        match self {
            Self::Messages { .. } | Self::Packets(_) => Gaps::Allowed,
            Self::Opus(_) | Self::Pcm { .. } | Self::Nothing => Gaps::Silent,
        }
    }

    /// How it would like its sound.
    pub(super) const fn wants(self) -> Work {
        match self {
            Self::Pcm { format, .. } | Self::Messages { format, .. } => format,
            Self::Opus(_) | Self::Packets(_) | Self::Nothing => Work {
                rate: None,
                channels: None,
            },
        }
    }

    /// Prepares for sound of `from`, of a track that `metadata` describes.
    pub(super) fn open(
        self,
        metadata: Metadata,
        from: AudioFormat,
        anchor: Option<Anchor>,
        around: &mut Around<'_>,
    ) -> Result<Opened, SoundError> {
        around.summary.container = self.container();
        let kind = match self {
            Self::Opus(settings) => opus(settings, metadata, from)?,
            Self::Pcm { container, format } => pcm(container, format.of(from), metadata)?,
            Self::Messages { format, frame } => {
                let format = format.of(from);
                let opening = Opening { format, anchor };
                around.outputs.push(Output::Open(opening));
                Kind::Messages(format, frame)
            }
            Self::Packets(settings) => {
                let encoder = OpusEncoder::new(at_48_khz(from), settings)?;
                let format = AudioFormat::OPUS;
                let opening = Opening { format, anchor };
                around.outputs.push(Output::Open(opening));
                Kind::Packets(encoder)
            }
            Self::Nothing => Kind::Nothing,
        };
        Ok(Opened::new(kind, from))
    }

    /// The same for what follows sound of `from`: whoever listens hears of its format only once.
    pub(super) fn settled(self, from: AudioFormat) -> Self {
        let Self::Messages { format, frame } = self else {
            return self;
        };
        let AudioFormat { rate, channels } = format.of(from);
        let format = Work {
            rate: Some(rate),
            channels: Some(channels),
        };
        Self::Messages { format, frame }
    }

    const fn container(self) -> Option<Container> {
        match self {
            Self::Opus(_) => Some(Container::Ogg),
            Self::Pcm { container, .. } => Some(container),
            Self::Messages { .. } | Self::Packets(_) | Self::Nothing => None,
        }
    }
}

fn opus(
    settings: encode::Settings,
    metadata: Metadata,
    from: AudioFormat,
) -> Result<Kind, SoundError> {
    let metadata = Metadata {
        codec: Codec::Opus,
        ..metadata
    };
    let container = Container::Ogg;
    let muxer = mux::for_codec(container, metadata.clone());
    let encoder = OpusEncoder::new(at_48_khz(from), settings)?;
    let start = Start {
        container,
        metadata,
        samples: None,
    };
    Ok(Kind::Opus(encoder, SoundFile::new(start, muxer)))
}

/// What Opus is encoded from.
const fn at_48_khz(from: AudioFormat) -> AudioFormat {
    AudioFormat::new(SampleRate::HZ_48000, from.channels)
}

fn pcm(container: Container, format: AudioFormat, metadata: Metadata) -> Result<Kind, SoundError> {
    let muxer = mux::for_pcm(container, format, &metadata);
    let muxer = muxer.ok_or(SoundError::Container(container))?;
    let start = Start {
        container,
        metadata,
        samples: Some(format),
    };
    Ok(Kind::Pcm(format, SoundFile::new(start, muxer)))
}

/// An outlet that sound goes out of.
#[derive(Debug)]
pub(super) struct Opened {
    kind: Kind,
    from: AudioFormat,
    to: AudioFormat,
    converter: Converter,
    /// Samples per channel that go out at a time.
    frame: usize,
    /// Sound that is less than a frame.
    pending: Vec<f32>,
    /// Where the stretch without gaps began that goes out, and samples of it that are out.
    base: Option<Pts>,
    made: u64,
}

#[derive(Debug)]
enum Kind {
    Opus(OpusEncoder, SoundFile),
    Pcm(AudioFormat, SoundFile),
    Messages(AudioFormat, Duration),
    Packets(OpusEncoder),
    Nothing,
}

impl Opened {
    fn new(kind: Kind, from: AudioFormat) -> Self {
        let (to, frame) = match &kind {
            Kind::Opus(encoder, _) | Kind::Packets(encoder) => (encoder.format(), FRAME),
            Kind::Pcm(format, _) => (*format, FRAME),
            Kind::Messages(format, frame) => (*format, *frame),
            Kind::Nothing => (from, FRAME),
        };
        Self {
            kind,
            from,
            to,
            converter: Converter::new(from, to),
            frame: usize::try_from(to.rate.samples(frame)).unwrap_or(1).max(1),
            pending: Vec::new(),
            base: None,
            made: 0,
        }
    }

    /// Whether somebody listens while it goes on.
    pub(super) const fn is_live(&self) -> bool {
        matches!(self.kind, Kind::Messages(..) | Kind::Packets(_))
    }

    /// What comes out of the filters goes out.
    pub(super) fn item(&mut self, item: Item, around: &mut Around<'_>) {
        match item {
            Item::Block(block) => self.block(&block, around),
            Item::Gap(_) => self.break_off(around),
            // Whoever only looks says nothing of what others say.
            Item::Event(_) if matches!(self.kind, Kind::Nothing) => {}
            Item::Event(event) => {
                let kind = EventKind::Track(event.event, event.text);
                say(event.pts, kind, around);
            }
            Item::Emission { filter, emission } => {
                let kind = EventKind::Emission(filter, emission.content);
                say(emission.pts, kind, around);
            }
            Item::Switch(switch) => {
                let sounds = around.summary.sound.get_or_insert_default();
                sounds.switches.push(switch.clone());
                say(switch.pts, EventKind::Switch(switch), around);
            }
        }
    }

    /// Something is to be said to those who listen.
    pub(super) fn note(&self, pts: Pts, kind: EventKind, around: &mut Around<'_>) {
        if self.is_live() {
            say(pts, kind, around);
        }
    }

    /// When what was written must be readable.
    pub(super) const fn flush_at(&self) -> Option<Instant> {
        match &self.kind {
            Kind::Opus(_, file) | Kind::Pcm(_, file) => file.flush_at,
            Kind::Messages(..) | Kind::Packets(_) | Kind::Nothing => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, around: &mut Around<'_>) {
        if let Kind::Opus(_, file) | Kind::Pcm(_, file) = &mut self.kind
            && file.flush_at.is_some_and(|at| at <= around.now)
        {
            file.flush(around.outputs);
        }
    }

    /// No sound follows: of what came, `len` samples per channel count.
    pub(super) fn finish(&mut self, len: u64, around: &mut Around<'_>) {
        let len = self.to.rate.samples_at(Pts(self.from.rate.ticks(len)));
        self.converter.flush(&mut self.pending);
        let (end, left) = match &self.kind {
            Kind::Opus(encoder, _) => {
                let end = len + encoder.delay() as u64;
                (end, self.left(end).next_multiple_of(self.frame))
            }
            Kind::Pcm(..) => (len, self.left(len)),
            Kind::Messages(..) | Kind::Packets(_) => {
                let left = self.pending.len() / self.to.channels.count();
                (len, left.next_multiple_of(self.frame))
            }
            Kind::Nothing => return,
        };
        self.pending.resize(self.to.values(left), 0.0);
        self.send(around);
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            self.send_frame(&rest, around);
        }
        if let Kind::Opus(_, file) | Kind::Pcm(_, file) = &mut self.kind {
            file.finish(Pts(self.to.rate.ticks(end)), around.outputs);
        }
    }

    /// How many samples are missing before `end`.
    fn left(&self, end: u64) -> usize {
        usize::try_from(end.saturating_sub(self.made)).unwrap_or(0)
    }

    fn block(&mut self, block: &AudioBlock, around: &mut Around<'_>) {
        if matches!(self.kind, Kind::Nothing) {
            return;
        }
        if block.marks.discontinuity {
            self.break_off(around);
        }
        self.base.get_or_insert(block.pts);
        self.converter.push(&block.samples, &mut self.pending);
        self.send(around);
    }

    /// What follows does not follow on what came: what is less than a frame is made one.
    fn break_off(&mut self, around: &mut Around<'_>) {
        if self.base.is_none() || !self.is_live() {
            return;
        }
        self.converter.flush(&mut self.pending);
        let values = self.to.values(self.frame);
        let whole = self.pending.len().next_multiple_of(values);
        self.pending.resize(whole, 0.0);
        self.send(around);
        self.base = None;
        self.made = 0;
    }

    /// Hands out whole frames.
    fn send(&mut self, around: &mut Around<'_>) {
        let values = self.to.values(self.frame);
        let pending = std::mem::take(&mut self.pending);
        let mut frames = pending.chunks_exact(values);
        for frame in &mut frames {
            self.send_frame(frame, around);
        }
        self.pending.extend_from_slice(frames.remainder());
    }

    fn send_frame(&mut self, frame: &[f32], around: &mut Around<'_>) {
        let base = self.base.unwrap_or_default();
        let pts = base.plus(self.to.rate.ticks(self.made));
        let len = (frame.len() / self.to.channels.count()) as u64;
        self.made += len;
        if around.outputs.is_full() {
            let len = self.from.rate.samples_at(Pts(self.to.rate.ticks(len)));
            around.summary.sound.get_or_insert_default().sink_full += len;
            return;
        }
        match &mut self.kind {
            Kind::Opus(encoder, file) => match encoder.encode(frame) {
                Ok(packet) => file.write(pts, packet, around),
                Err(_) => around.summary.units.refused += 1,
            },
            Kind::Pcm(_, file) => file.write(pts, s16le(frame), around),
            Kind::Messages(_, duration) => message(s16le(frame), pts, *duration, around),
            Kind::Packets(encoder) => match encoder.encode(frame) {
                Ok(packet) => message(packet, pts, FRAME, around),
                Err(_) => around.summary.units.refused += 1,
            },
            Kind::Nothing => {}
        }
    }
}

fn message(bytes: Bytes, pts: Pts, duration: Duration, around: &mut Around<'_>) {
    around.outputs.push(Output::Message(Message {
        bytes,
        pts,
        duration,
        made_at: around.now,
    }));
}

fn say(pts: Pts, kind: EventKind, around: &mut Around<'_>) {
    if around.outputs.is_full() {
        around.summary.sound.get_or_insert_default().events_dropped += 1;
    } else {
        around.outputs.push(Output::Event(Event { pts, kind }));
    }
}

fn s16le(samples: &[f32]) -> Bytes {
    let mut bytes = Vec::new();
    to_s16le(samples, &mut bytes);
    bytes.into()
}

/// Sound goes into files by 20 ms.
const FRAME: Duration = Duration::from_millis(20);
