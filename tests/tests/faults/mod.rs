//! What a network, a publisher, a server or a plugin can do to a recording, one fault at a time, on loopback:
//! `trackmill record`, as its users start it, in a simulated room.
//!
//! Each test compares the files and their manifests with what was sent.
#![expect(
    clippy::indexing_slicing,
    reason = "what is not there fails the test that looks for it"
)]

mod negotiation;
mod network;
mod patience;
mod plugins;
mod servers;
mod sessions;
mod stage;
mod take;
mod tracks;
