//! The track a plugin works on, its format, and what happens to it.

/// The track a session is for. What the application or participants chose is not to be trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// Name of the room.
    pub room_name: String,
    /// The server's id of the room, `RM_…`.
    pub room_sid: String,
    /// Identity of the publisher, unique in the room.
    pub participant_identity: String,
    /// Display name of the publisher; may be empty.
    pub participant_name: String,
    /// Attributes of the publisher: keys and values.
    pub participant_attributes: Vec<(String, String)>,
    /// The server's id of the track, `TR_…`.
    pub sid: String,
    /// Name of the track; may be empty.
    pub name: String,
    /// Whether there will be frames.
    pub kind: TrackKind,
    /// Where the track comes from.
    pub source: TrackSource,
    /// The codec on the wire, such as `audio/opus`.
    pub mime_type: String,
}

/// What a track carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrackKind {
    /// Sound: frames and events.
    #[default]
    Audio,
    /// Pictures: events only.
    Video,
}

/// Where a track comes from, as its publisher says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrackSource {
    /// The publisher did not say.
    #[default]
    Unknown,
    /// A microphone.
    Microphone,
    /// A camera.
    Camera,
    /// The picture of a shared screen.
    ScreenShare,
    /// The sound of a shared screen.
    ScreenShareAudio,
}

/// The layout of the frames of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Samples per second and channel: 8000, 16000, 24000 or 48000.
    pub sample_rate: u32,
    /// 1 (mono) or 2 (stereo).
    pub channels: u8,
    /// Length of a frame in samples per channel.
    pub frame_samples: u32,
}

impl Format {
    /// The format of a video track, of which only events are seen: all zero.
    pub const NONE: Self = Self {
        sample_rate: 0,
        channels: 0,
        frame_samples: 0,
    };

    /// 1 (mono) or 2 (stereo), to count with.
    #[must_use]
    pub const fn channel_count(self) -> usize {
        self.channels as usize
    }
}

/// The layout a plugin would rather have. Samples are always 32-bit floats, because the host
/// converts for a tenth of what it costs inside a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants {
    pub(crate) sample_rate: Option<u32>,
    pub(crate) channels: Option<u8>,
    pub(crate) frame_samples: Option<u32>,
}

impl Wants {
    /// Rate, channels and length as the track has them: 48 kHz and 20 ms if the operator did not
    /// choose.
    #[must_use]
    pub const fn float32() -> Self {
        Self {
            sample_rate: None,
            channels: None,
            frame_samples: None,
        }
    }

    /// Samples per second and channel: 8000, 16000, 24000 or 48000.
    #[must_use]
    pub const fn sample_rate(self, hertz: u32) -> Self {
        Self {
            sample_rate: Some(hertz),
            ..self
        }
    }

    /// One channel.
    #[must_use]
    pub const fn mono(self) -> Self {
        Self {
            channels: Some(1),
            ..self
        }
    }

    /// Two channels.
    #[must_use]
    pub const fn stereo(self) -> Self {
        Self {
            channels: Some(2),
            ..self
        }
    }

    /// Length of a frame in samples per channel, 5 to 60 ms; ask for a rate, too.
    #[must_use]
    pub const fn frame_samples(self, samples: u32) -> Self {
        Self {
            frame_samples: Some(samples),
            ..self
        }
    }
}

/// What happens to a track beside its media, in order with the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrackEvent {
    /// The track is there: comes before the first frame. A session that is opened later, because the one
    /// before failed or was replaced, then hears of attributes and of a mute, too.
    Published,
    /// The publisher muted the track.
    Muted,
    /// The publisher unmuted the track.
    Unmuted,
    /// The frames from here on have this format.
    FormatChanged(Format),
    /// All attributes of the publisher, after a change.
    AttributesChanged(Vec<(String, String)>),
    /// The operator changed the settings: [`config::read`](crate::config::read) reads them again.
    ConfigChanged,
    /// A data message arrived.
    Message(Message),
    /// The track ended; no frame comes after it.
    Unpublished,
    /// An event of a later version of the contract.
    Other {
        /// What happened.
        name: String,
        /// An object with whatever belongs to it.
        json: String,
    },
}

/// A data message of the room, whoever sent it: a track hears all of them, but at most 50 a second of one
/// sender and 200 of all, of 15 KiB. Any participant may send anything: it is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Topic the sender chose; may be empty.
    pub topic: String,
    /// Identity of the sending participant; none for the server.
    pub sender: Option<String>,
    /// The bytes sent.
    pub payload: Vec<u8>,
}

/// What becomes of an event on its way to the sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventVerdict {
    /// It goes on as the host words it.
    Pass,
    /// This JSON object goes to the sink in its place.
    Replace(String),
    /// The sink does not hear of it.
    Drop,
}
