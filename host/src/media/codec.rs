use std::fmt;

use super::ClockRate;

/// What a track is encoded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// Opus, [RFC 6716](https://www.rfc-editor.org/rfc/rfc6716).
    Opus,
    /// G.711 µ-law, 8 kHz mono.
    Pcmu,
    /// G.711 A-law, 8 kHz mono.
    Pcma,
    /// H.264 / AVC.
    H264,
    /// H.265 / HEVC.
    H265,
    /// VP8, [RFC 6386](https://www.rfc-editor.org/rfc/rfc6386).
    Vp8,
    /// VP9.
    Vp9,
    /// AV1.
    Av1,
}

impl Codec {
    /// Reads the encoding name of an `a=rtpmap` line or the subtype of a LiveKit MIME type, in any
    /// case. `None` for what we cannot record (RTX, RED, G.722 …).
    pub fn from_name(name: &str) -> Option<Self> {
        const NAMES: [(&str, Codec); 9] = [
            ("opus", Codec::Opus),
            ("pcmu", Codec::Pcmu),
            ("pcma", Codec::Pcma),
            ("h264", Codec::H264),
            ("h265", Codec::H265),
            ("hevc", Codec::H265),
            ("vp8", Codec::Vp8),
            ("vp9", Codec::Vp9),
            ("av1", Codec::Av1),
        ];
        NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, codec)| *codec)
    }

    /// Ticks a second of its RTP timestamps.
    pub const fn clock_rate(self) -> ClockRate {
        match self {
            Self::Opus => ClockRate::OPUS,
            Self::Pcmu | Self::Pcma => ClockRate::G711,
            Self::H264 | Self::H265 | Self::Vp8 | Self::Vp9 | Self::Av1 => ClockRate::VIDEO,
        }
    }

    /// Whether it carries sound or pictures.
    pub const fn kind(self) -> TrackKind {
        match self {
            Self::Opus | Self::Pcmu | Self::Pcma => TrackKind::Audio,
            Self::H264 | Self::H265 | Self::Vp8 | Self::Vp9 | Self::Av1 => TrackKind::Video,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opus => "opus",
            Self::Pcmu => "pcmu",
            Self::Pcma => "pcma",
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::Av1 => "av1",
        })
    }
}

/// Sound or pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrackKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

impl fmt::Display for TrackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audio => "audio",
            Self::Video => "video",
        })
    }
}

/// What a publisher says a track shows (`livekit.TrackSource`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrackSource {
    /// Not said.
    Unknown,
    /// A camera.
    Camera,
    /// A microphone.
    Microphone,
    /// A shared screen.
    ScreenShare,
    /// The sound of a shared screen.
    ScreenShareAudio,
}

impl fmt::Display for TrackSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::ScreenShare => "screen_share",
            Self::ScreenShareAudio => "screen_share_audio",
        })
    }
}
