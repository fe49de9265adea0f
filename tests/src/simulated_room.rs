//! A simulated room with one track for each of Ogg, WebM and MP4.

use std::path::Path;

use trackmill_room::media::Media;
use trackmill_room::publisher::{History, Source, TrackSpec};
use trackmill_room::room::SimulatedRoom;
use trackmill_room::simulation::Config;

/// The room's name.
pub const ROOM: &str = "room";
/// The files that [`OUTPUT`] makes of its tracks.
pub const FILES: [&str; 3] = ["alice.ogg", "bob.webm", "carol.mp4"];
/// A file for each publisher.
pub const OUTPUT: &str = "{publisher_identity}";

/// Starts a server with Opus, VP8 and H.264 in one room, which play on and on.
///
/// # Errors
/// Sockets or test media cannot be had.
pub async fn start() -> anyhow::Result<SimulatedRoom> {
    let room = SimulatedRoom::start(Config::default()).await?;
    let media = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/media");
    for (identity, file, source) in [
        ("alice", "opus.ogg", Source::Microphone),
        ("bob", "vp8.ivf", Source::Camera),
        ("carol", "h264.h264", Source::ScreenShare),
    ] {
        let track = TrackSpec {
            name: file.to_owned(),
            source,
            media: Media::open(media.join(file))?,
            speed: 1.0,
            history: History::Count,
        };
        room.publish(ROOM, identity, track).await?;
    }
    Ok(room)
}
