use super::TrackEvent;

/// What a session has to hear first that is opened when the track has begun already.
#[derive(Debug, Default)]
pub(super) struct Known {
    is_published: bool,
    is_muted: bool,
    attributes: Option<Vec<(String, String)>>,
}

impl Known {
    /// Takes what happened to the track.
    pub(super) fn note(&mut self, event: &TrackEvent) {
        match event {
            TrackEvent::Published => self.is_published = true,
            TrackEvent::Muted => self.is_muted = true,
            TrackEvent::Unmuted => self.is_muted = false,
            TrackEvent::AttributesChanged(attributes) => self.attributes = Some(attributes.clone()),
            TrackEvent::FormatChanged(_)
            | TrackEvent::ConfigChanged
            | TrackEvent::Message { .. }
            | TrackEvent::Unpublished
            | TrackEvent::Other { .. } => {}
        }
    }

    /// What led to the state the track is in.
    pub(super) fn events(&self) -> Vec<TrackEvent> {
        let published = self.is_published.then_some(TrackEvent::Published);
        let attributes = self.attributes.clone().map(TrackEvent::AttributesChanged);
        let muted = self.is_muted.then_some(TrackEvent::Muted);
        [published, attributes, muted]
            .into_iter()
            .flatten()
            .collect()
    }
}
