//! The clips under `tests/data/media`; the README there says what they show.

use std::path::{Path, PathBuf};

use trackmill_room::media::Media;
use trackmill_room::publisher::{History, Source, TrackSpec};

use crate::probe;

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

/// A track that plays the clip of sound in packets of 60 ms, of which hundreds are no burden, and only
/// counts them.
///
/// # Errors
/// ffmpeg is missing.
pub fn long_packets() -> anyhow::Result<TrackSpec> {
    let folder = tempfile::tempdir()?;
    let (clip, long) = (path("opus.ogg"), folder.path().join("long.ogg"));
    let options = ["-c:a", "libopus", "-b:a", "24k", "-frame_duration", "60"].map(Path::new);
    let input = [Path::new("-i"), &clip];
    probe::ffmpeg(input.into_iter().chain(options).chain([&*long]))?;
    Ok(TrackSpec {
        media: Media::open(&long)?,
        history: History::Count,
        ..track("opus.ogg")?
    })
}
