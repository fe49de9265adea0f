use std::sync::Arc;
use std::time::Instant;

use crate::filter::TrackEvent;
use crate::media::{Attributes, DataMessage};
use crate::pipeline::Pipeline;
use crate::rtc::Notice;

/// What happens to a track beside its media → calls of its pipeline.
#[derive(Debug)]
pub(super) struct Notices {
    /// Of the publisher, as they were told last.
    attributes: Arc<Attributes>,
}

/// Whether the track goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Continue,
    End,
}

impl Notices {
    /// For a track whose publisher has these attributes.
    pub(super) const fn new(attributes: Arc<Attributes>) -> Self {
        Self { attributes }
    }

    /// Passes a notice on.
    pub(super) fn pass_on(
        &mut self,
        notice: Notice,
        pipeline: &mut Pipeline,
        now: Instant,
    ) -> Flow {
        match notice {
            Notice::Muted => pipeline.mute(now),
            Notice::Unmuted => pipeline.unmute(now),
            Notice::Attributes(attributes) => {
                if let Some(event) = self.changed(attributes) {
                    pipeline.event(event, now);
                }
            }
            Notice::Interrupted => pipeline.interrupt(now),
            Notice::Restarted(restart) => pipeline.restart(restart, now),
            Notice::Ended => return Flow::End,
        }
        Flow::Continue
    }

    /// The event, if the attributes are others than those told last: the room repeats them.
    pub(super) fn changed(&mut self, attributes: Arc<Attributes>) -> Option<TrackEvent> {
        if self.attributes == attributes {
            return None;
        }
        self.attributes = attributes;
        let pairs = self.attributes.iter();
        let pairs = pairs.map(|(key, value)| (key.clone(), value.clone()));
        Some(TrackEvent::AttributesChanged(pairs.collect()))
    }
}

/// A data message, as filters hear of it.
pub(super) fn event(message: &DataMessage) -> TrackEvent {
    TrackEvent::Message {
        topic: message.topic.clone(),
        sender: message.sender.as_ref().map(ToString::to_string),
        payload: message.payload.clone(),
    }
}
