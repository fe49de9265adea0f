//! What is proved against real programs: livekit-server, libwebrtc, ffmpeg. One module a subject.

#[path = "real/libwebrtc.rs"]
mod libwebrtc;
#[path = "real/passthrough.rs"]
mod passthrough;
#[path = "real/support.rs"]
mod support;
