//! The other end of the wire: a simulated LiveKit room, and publishers for it or for a real server.
//!
//! Nothing here depends on the `trackmill` crate, so both ends of a test are separate code.
//!
//! ```text
//! media ── Player ─┬─► publisher ────────────────────────────────► a real livekit-server
//!                  └─► simulation ── sfu::SfuPeer ── network ─┬──► a test, in virtual time
//!                                                             └──► room, on loopback sockets
//!                                                 subscriber ◄──── either, to check it
//! ```
//!
//! Everything but [`publisher`], [`room`] and [`signal`] is without sockets and takes `now` as an
//! argument.

pub mod media;
pub mod network;
pub mod sfu;
pub mod simulation;
pub mod room;
pub mod publisher;
pub mod signal;
pub mod subscriber;
mod clock;
mod random;
mod rtc;
