//! What is proved against real programs: livekit-server, libwebrtc, ffmpeg. One module a subject.

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
