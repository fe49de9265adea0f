use crate::egress::Track;
use crate::media::{TrackKind, TrackSource};
use crate::plugins::contract;

/// A track, as plugins hear of it.
pub(super) fn info(track: &Track) -> contract::TrackInfo {
    let Track { room, publication } = track;
    let publisher = &publication.publisher;
    let attributes = publisher.attributes.iter();
    let codec = publication.codec.map(|codec| codec.to_string());
    contract::TrackInfo {
        room_name: room.name.to_string(),
        room_sid: room.sid.to_string(),
        participant_identity: publisher.identity.to_string(),
        participant_name: publisher.name.clone(),
        participant_attributes: attributes
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        track_sid: publication.sid.to_string(),
        track_name: publication.name.clone(),
        kind: kind(publication.kind),
        source: source(publication.source),
        mime_type: format!("{}/{}", publication.kind, codec.unwrap_or_default()),
    }
}

/// A track that is like many, to try a plugin on.
pub(super) fn example() -> contract::TrackInfo {
    contract::TrackInfo {
        room_name: "room".into(),
        room_sid: "RM_example".into(),
        participant_identity: "participant".into(),
        participant_name: String::new(),
        participant_attributes: Vec::new(),
        track_sid: "TR_example".into(),
        track_name: String::new(),
        kind: contract::TrackKind::Audio,
        source: contract::TrackSource::Microphone,
        mime_type: "audio/opus".into(),
    }
}

const fn kind(kind: TrackKind) -> contract::TrackKind {
    match kind {
        TrackKind::Audio => contract::TrackKind::Audio,
        TrackKind::Video => contract::TrackKind::Video,
    }
}

const fn source(source: TrackSource) -> contract::TrackSource {
    match source {
        TrackSource::Unknown => contract::TrackSource::Unknown,
        TrackSource::Camera => contract::TrackSource::Camera,
        TrackSource::Microphone => contract::TrackSource::Microphone,
        TrackSource::ScreenShare => contract::TrackSource::ScreenShare,
        TrackSource::ScreenShareAudio => contract::TrackSource::ScreenShareAudio,
    }
}
