//! What is proved against real programs: livekit-server, libwebrtc, ffmpeg, `trackmill` itself. One
//! module a subject.

mod crash;
mod destination;
