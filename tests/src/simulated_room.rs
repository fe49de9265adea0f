//! A simulated room with one track for each of Ogg, WebM, MP4 and WAV.

use trackmill_room::media::{Codec, Media};
use trackmill_room::publisher::{History, Source, TrackSpec};
use trackmill_room::room::SimulatedRoom;
use trackmill_room::simulation::Config;

/// The room's name.
pub const ROOM: &str = "room";
/// The files that [`OUTPUT`] makes of its tracks.
pub const FILES: [&str; 4] = ["alice.ogg", "bob.webm", "carol.mp4", "dave.wav"];
/// A file for each publisher.
pub const OUTPUT: &str = "{publisher_identity}";

/// Starts a server with Opus, VP8, H.264 and PCMU in one room, which play on and on.
///
/// # Errors
/// Sockets or test media cannot be had.
pub async fn start() -> anyhow::Result<SimulatedRoom> {
    let room = SimulatedRoom::start(Config::default()).await?;
    for (identity, codec, source) in [
        ("alice", Codec::Opus, Source::Microphone),
        ("bob", Codec::Vp8, Source::Camera),
        ("carol", Codec::H264, Source::ScreenShare),
        ("dave", Codec::Pcmu, Source::ScreenShareAudio),
    ] {
        let track = TrackSpec {
            name: codec.name().to_owned(),
            source,
            media: Media::sample(codec)?,
            speed: 1.0,
            history: History::Count,
        };
        room.publish(ROOM, identity, track).await?;
    }
    Ok(room)
}
