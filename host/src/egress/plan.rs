use super::stream::Stream;
use super::{EgressId, Track};
use crate::codec::encode;
use crate::filter::Setup;
use crate::media::TrackKind;
use crate::mux::Container;
use crate::pipeline;
use crate::pipeline::decoded::{Outlet, Sound, Work};
use crate::sink::SyncPolicy;
use crate::sink::path::Template;
use crate::sink::websocket::Wanted;

/// What to record, what to do with it, and where to: three choices that do not know of each other.
#[derive(Debug)]
pub struct Plan {
    /// The recording's id.
    pub id: EgressId,
    /// The track.
    pub track: Track,
    /// How packets become media.
    pub pipeline: pipeline::Settings,
    /// What sound goes through, in order. Pictures go by, and filters that are not for sound are left
    /// out.
    pub filters: Vec<Setup>,
    /// Where it goes.
    pub destination: Destination,
}

/// Where a track goes.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Into files.
    Files(Place),
    /// To a server; only sound can.
    Stream(Box<Stream>),
}

/// Files: where they are, and what is in them.
#[derive(Clone, Debug)]
pub struct Place {
    /// Their paths.
    pub template: Template,
    /// When they are forced to the disk.
    pub sync: SyncPolicy,
    /// What those of sound hold.
    pub form: Form,
}

/// What a file of sound holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// What the publisher sent, untouched; Opus, encoded anew, of what filters changed.
    #[default]
    AsItCame,
    /// 16-bit samples.
    Pcm {
        /// [`Container::Wav`] or [`Container::Pcm`].
        container: Container,
        /// How they are laid out; 48 kHz and the channels of the track where that is left open.
        format: Work,
    },
}

impl Plan {
    /// Records a track untouched into files.
    pub fn untouched(track: Track, template: Template) -> Self {
        Self {
            id: EgressId::random(),
            track,
            pipeline: pipeline::Settings::default(),
            filters: Vec::new(),
            destination: Destination::Files(Place {
                template,
                sync: SyncPolicy::default(),
                form: Form::AsItCame,
            }),
        }
    }

    /// What becomes of the sound, if it must be decoded.
    pub(super) fn sound(&mut self) -> Option<Sound> {
        let mut filters = std::mem::take(&mut self.filters);
        filters.retain(|filter| filter.open.takes(TrackKind::Audio));
        if self.track.publication.kind == TrackKind::Video {
            return None;
        }
        let is_filtered = !filters.is_empty();
        let sound = match &self.destination {
            Destination::Files(place) => Sound::new(place.form.outlet(is_filtered)?),
            Destination::Stream(stream) => Sound {
                on_mute: stream.on_mute,
                ..Sound::new(messages(stream.wanted, is_filtered)?)
            },
        };
        Some(Sound { filters, ..sound })
    }

    pub(super) fn pipeline_settings(&self) -> pipeline::Settings {
        match &self.destination {
            Destination::Files(_) => self.pipeline,
            Destination::Stream(_) => pipeline::Settings {
                max_pending: self.pipeline.max_pending.min(MAX_UNSENT),
                ..self.pipeline
            },
        }
    }
}

impl Destination {
    /// Whether sound is decoded on the way, also without filters.
    pub fn is_decoded(&self) -> bool {
        match self {
            Self::Files(place) => place.form.outlet(true).is_some(),
            Self::Stream(stream) => messages(stream.wanted, false).is_some(),
        }
    }
}

impl Form {
    fn outlet(self, is_filtered: bool) -> Option<Outlet> {
        match self {
            Self::AsItCame if is_filtered => Some(Outlet::Opus(encode::Settings::default())),
            Self::AsItCame => None,
            Self::Pcm { container, format } => Some(Outlet::Pcm { container, format }),
        }
    }
}

/// `None` if packets are the messages.
fn messages(wanted: Wanted, is_filtered: bool) -> Option<Outlet> {
    match wanted {
        Wanted::Opus if is_filtered => Some(Outlet::Packets(encode::Settings::default())),
        Wanted::Opus => None,
        Wanted::Pcm {
            rate,
            channels,
            frame,
        } => Some(Outlet::Messages {
            format: Work {
                rate: Some(rate),
                channels,
            },
            frame: frame.duration(),
        }),
    }
}

/// Bytes that may wait for the task of a sink that gets no CPU: two seconds of the richest sound.
/// What waits for the server itself waits in the sink.
const MAX_UNSENT: usize = 400 << 10;
