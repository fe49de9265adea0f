//! What is proved against real programs: livekit-server, libwebrtc, ffmpeg, and `trackmill` as a
//! process. One module a subject.

mod browser;
mod crash;
mod destination;
mod libwebrtc;
mod lifecycle;
mod messages;
mod mistakes;
mod outages;
mod passthrough;
mod plugins;
mod stream;
mod support;
mod take;
