//! A recording that goes to a server: its two halves.
//!
//! ```text
//! media or filter worker                     the runtime of whoever records
//! Feeder (pipeline) ─ 64 messages at most ─► Courier ( WebSocketSink ) ─► server
//!        └────────── what is left, and what there was ──┘
//! ```
//!
//! Nobody waits for anybody: what the server does not take waits in the sink, and what the sink's
//! task does not take waits in the pipeline, each so long and no longer.

mod courier;
mod feeder;
mod reason;
mod translator;

pub use courier::{Courier, Streamed};
pub(super) use feeder::Note;
pub use reason::Reason;
pub(super) use translator::text;

use super::{EgressId, Track};
use crate::media::Channels;
use crate::pipeline::decoded::OnMute;
use crate::sink::websocket::{Delivery, Identity, Server, Settings, Wanted};

/// A server that gets the sound of a track, and how it gets it.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The server.
    pub server: Server,
    /// What the binary messages hold.
    pub wanted: Wanted,
    /// What it gets while the track is muted.
    pub on_mute: OnMute,
    /// How the delivery behaves. Its seed is taken from the recording's id.
    pub settings: Settings,
}

impl Stream {
    fn delivery(self, id: &EgressId, track: &Track) -> Delivery {
        Delivery {
            server: self.server,
            identity: identity(id, track),
            // How many channels a track has its first packet tells.
            format: self.wanted.of_source(Channels::Stereo),
            settings: Settings {
                seed: seed(id),
                ..self.settings
            },
        }
    }
}

fn identity(id: &EgressId, track: &Track) -> Identity {
    let Track { room, publication } = track;
    Identity {
        room: room.name.clone(),
        room_sid: room.sid.clone(),
        participant: publication.publisher.identity.clone(),
        participant_sid: publication.publisher.sid.clone(),
        track: publication.sid.clone(),
        egress_id: id.to_string(),
    }
}

/// The random bits of an id: no two deliveries come back at the same moment.
fn seed(id: &EgressId) -> u64 {
    let bits = id.as_str().trim_start_matches("EG_");
    u64::from_str_radix(bits, 16).unwrap_or_default()
}
