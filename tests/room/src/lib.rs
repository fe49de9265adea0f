//! The other end of the wire: a simulated LiveKit room, and publishers for it or for a real server.
//!
//! Nothing here depends on the `trackmill` crate, so both ends of a test are separate code.
//!
//! ```text
//! media ── Player ──► publisher ──► a real livekit-server
//! ```

pub mod media;
pub mod network;
pub mod publisher;
pub mod room;
mod clock;
pub mod sfu;
pub mod simulation;
mod random;
mod rtc;
pub mod signal;
