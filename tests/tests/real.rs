//! What is proved against real programs: livekit-server, libwebrtc, ffmpeg, `trackmill` itself. One
//! module a subject.

mod crash;
mod destination;
#[path = "real/libwebrtc.rs"]
mod libwebrtc;
#[path = "real/lifecycle.rs"]
mod lifecycle;
#[path = "real/mistakes.rs"]
mod mistakes;
#[path = "real/outages.rs"]
mod outages;
#[path = "real/passthrough.rs"]
mod passthrough;
#[path = "real/support.rs"]
mod support;
