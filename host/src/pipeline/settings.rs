use crate::media::{Codec, TrackKind};
use crate::mux::Container;
use crate::rtp::jitter_buffer::{self, JitterBuffer};

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
    pub(super) fn container(&self, codec: Codec) -> Container {
        match codec {
            Codec::Av1 => self.av1,
            other => Container::of(other),
        }
    }

    pub(super) fn jitter_buffer(&self, kind: TrackKind) -> JitterBuffer {
        JitterBuffer::new(match kind {
            TrackKind::Audio => self.audio,
            TrackKind::Video => self.video,
        })
    }
}
