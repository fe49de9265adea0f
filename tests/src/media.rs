//! The clips under `tests/data/media`; the README there says what they show.

use std::path::{Path, PathBuf};

use trackmill_room::media::Media;
use trackmill_room::publisher::{History, Source, TrackSpec};

/// A committed clip.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/media")
        .join(name)
}

/// A track that plays a committed clip and remembers every packet.
///
/// # Errors
/// There is no such clip.
pub fn track(name: &str) -> anyhow::Result<TrackSpec> {
    let media = Media::open(path(name))?;
    let is_video = media.codec.is_video();
    Ok(TrackSpec {
        name: name.to_owned(),
        source: if is_video {
            Source::Camera
        } else {
            Source::Microphone
        },
        media,
        speed: 1.0,
        history: History::Packets,
    })
}
