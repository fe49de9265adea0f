//! Between the types of this crate and those of the contract.

use std::time::Duration;

use crate::bindings::imports::trackmill::plugin::types as wit;
use crate::{
    Error, EventVerdict, Format, Frame, Marks, Message, Track, TrackEvent, TrackKind, TrackSource,
    Wants,
};

pub(super) fn frame(frame: wit::AudioFrame, format: Format) -> Frame {
    let meta = frame.meta;
    Frame {
        samples: floats(frame.samples),
        format,
        number: meta.seq,
        pts: Duration::from_micros(meta.pts_us),
        rtp_timestamp: meta.rtp_timestamp,
        lost_before: meta.lost_before,
        marks: marks(&meta.marks),
    }
}

/// Every plugin of this crate asks for floats, but a host may be unable to grant it.
fn floats(samples: wit::Samples) -> Vec<f32> {
    match samples {
        wit::Samples::Float32(samples) => samples,
        wit::Samples::Int16(samples) => samples
            .into_iter()
            .map(|sample| f32::from(sample) / 32_768.0)
            .collect(),
    }
}

fn marks(marks: &wit::FrameMarks) -> Marks {
    let has = |mark: wit::FrameMarks| marks.bits() & mark.bits() != 0;
    Marks {
        concealed: has(wit::FrameMarks::CONCEALED),
        silence: has(wit::FrameMarks::SILENCE),
        discontinuity: has(wit::FrameMarks::DISCONTINUITY),
        muted: has(wit::FrameMarks::MUTED),
    }
}

impl From<wit::TrackInfo> for Track {
    fn from(track: wit::TrackInfo) -> Self {
        Self {
            room_name: track.room_name,
            room_sid: track.room_sid,
            participant_identity: track.participant_identity,
            participant_name: track.participant_name,
            participant_attributes: track.participant_attributes,
            sid: track.track_sid,
            name: track.track_name,
            kind: match track.kind {
                wit::TrackKind::Audio => TrackKind::Audio,
                wit::TrackKind::Video => TrackKind::Video,
            },
            source: track.source.into(),
            mime_type: track.mime_type,
        }
    }
}

impl From<wit::TrackSource> for TrackSource {
    fn from(source: wit::TrackSource) -> Self {
        match source {
            wit::TrackSource::Unknown => Self::Unknown,
            wit::TrackSource::Microphone => Self::Microphone,
            wit::TrackSource::Camera => Self::Camera,
            wit::TrackSource::ScreenShare => Self::ScreenShare,
            wit::TrackSource::ScreenShareAudio => Self::ScreenShareAudio,
        }
    }
}

impl From<TrackKind> for wit::TrackKind {
    fn from(kind: TrackKind) -> Self {
        match kind {
            TrackKind::Audio => Self::Audio,
            TrackKind::Video => Self::Video,
        }
    }
}

impl From<wit::PcmFormat> for Format {
    fn from(format: wit::PcmFormat) -> Self {
        Self {
            sample_rate: format.sample_rate,
            channels: format.channels,
            frame_samples: format.frame_samples,
        }
    }
}

impl From<Wants> for wit::PcmPreference {
    fn from(wants: Wants) -> Self {
        Self {
            sample_rate: wants.sample_rate,
            channels: wants.channels,
            sample_format: Some(wit::SampleFormat::Float32),
            frame_samples: wants.frame_samples,
        }
    }
}

impl From<wit::TrackEvent> for TrackEvent {
    fn from(event: wit::TrackEvent) -> Self {
        match event {
            wit::TrackEvent::Published => Self::Published,
            wit::TrackEvent::Muted => Self::Muted,
            wit::TrackEvent::Unmuted => Self::Unmuted,
            wit::TrackEvent::FormatChanged(format) => Self::FormatChanged(format.into()),
            wit::TrackEvent::AttributesChanged(attributes) => Self::AttributesChanged(attributes),
            wit::TrackEvent::ConfigChanged => Self::ConfigChanged,
            wit::TrackEvent::Message(message) => Self::Message(Message {
                topic: message.topic,
                sender: message.sender,
                payload: message.payload,
            }),
            wit::TrackEvent::Unpublished => Self::Unpublished,
            wit::TrackEvent::Other((name, json)) => Self::Other { name, json },
        }
    }
}

impl From<EventVerdict> for wit::EventVerdict {
    fn from(verdict: EventVerdict) -> Self {
        match verdict {
            EventVerdict::Pass => Self::Pass,
            EventVerdict::Replace(json) => Self::Replace(json),
            EventVerdict::Drop => Self::Drop,
        }
    }
}

impl From<Error> for wit::PluginError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Config { .. } => Self::Config(text),
            Error::Transient(_) => Self::Transient(text),
            Error::Fatal(_) => Self::Fatal(text),
        }
    }
}
