//! What is proved against real programs: livekit-server, libwebrtc, ffmpeg, and `trackmill` as a
//! process. One module a subject.

#[path = "real/crash.rs"]
mod crash;
#[path = "real/destination.rs"]
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
