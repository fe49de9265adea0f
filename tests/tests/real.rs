//! What is proved against real programs: livekit-server, libwebrtc, ffmpeg. One module a subject.
