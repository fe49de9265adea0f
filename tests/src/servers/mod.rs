//! The real programs at the other end: livekit-server, publishers on libwebrtc, and receivers of
//! sound.
//!
//! Each is a child process that ends with its handle. `make setup` installs them.

mod libwebrtc;
mod livekit;
mod receiver;
mod tcp_proxy;

use std::path::PathBuf;

pub use libwebrtc::LibWebRtc;
pub use livekit::{LiveKit, Network};
pub use receiver::{Heard, Receiver, Text};
pub use tcp_proxy::TcpProxy;

/// A program that `.ci/setup` installed, by its path below the cache.
#[must_use]
pub fn installed(path: &str) -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let cache = std::env::var_os("TRACKMILL_CACHE").map(PathBuf::from);
    cache
        .unwrap_or_else(|| home().join(".cache/trackmill"))
        .join(path)
}
