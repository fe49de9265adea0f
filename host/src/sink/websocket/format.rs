use std::time::Duration;

use crate::media::{AudioFormat, Channels, SampleRate};

/// What the binary messages of a WebSocket hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Signed 16-bit little-endian samples, interleaved; each message is one frame.
    Pcm {
        /// Sample rate and channels.
        audio: AudioFormat,
        /// How long a message lasts.
        frame: FrameDuration,
    },
    /// Each message is one Opus packet as it came, 48 kHz.
    Opus,
}

/// What binary messages are to hold. What is left open is as the track has it, and known when its
/// first packet comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// PCM.
    Pcm {
        /// Samples a second: 8, 16, 24 or 48 kHz.
        rate: SampleRate,
        /// As many as the track has, if left open.
        channels: Option<Channels>,
        /// How long a message lasts.
        frame: FrameDuration,
    },
    /// Opus packets as they come.
    Opus,
}

/// How long a PCM message lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrameDuration {
    /// 10 ms, as LiveKit sends.
    Ms10,
    /// 20 ms, as most publishers send: no packet waits for the next.
    #[default]
    Ms20,
    /// 40 ms.
    Ms40,
    /// 60 ms.
    Ms60,
}

/// What a URL asks for in its query: `format=pcm|opus`, `channels=1|2`,
/// `sample_rate=8000|16000|24000|48000`, `frame=10|20|40|60` (milliseconds).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    encoding: Option<Encoding>,
    channels: Option<Channels>,
    rate: Option<SampleRate>,
    frame: Option<FrameDuration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Pcm,
    Opus,
}

impl Format {
    /// Exactly what LiveKit's own egress sends: 48 kHz, two channels, 10 ms.
    pub const LIVEKIT: Self = Self::Pcm {
        audio: AudioFormat::new(SampleRate::HZ_48000, Channels::Stereo),
        frame: FrameDuration::Ms10,
    };

    /// The value of the header `Content-Type`.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Pcm { .. } => "audio/x-raw",
            Self::Opus => "audio/opus",
        }
    }
}

impl Wanted {
    /// What LiveKit's own egress sends: [`Format::LIVEKIT`].
    pub const LIVEKIT: Self = Self::Pcm {
        rate: SampleRate::HZ_48000,
        channels: Some(Channels::Stereo),
        frame: FrameDuration::Ms10,
    };

    /// What it is for a track that has so many channels.
    pub fn of_source(self, channels: Channels) -> Format {
        match self {
            Self::Opus => Format::Opus,
            Self::Pcm {
                rate,
                channels: wanted,
                frame,
            } => Format::Pcm {
                audio: AudioFormat::new(rate, wanted.unwrap_or(channels)),
                frame,
            },
        }
    }
}

/// 48 kHz, as many channels as the track has, 20 ms.
impl Default for Wanted {
    fn default() -> Self {
        Self::Pcm {
            rate: SampleRate::HZ_48000,
            channels: None,
            frame: FrameDuration::default(),
        }
    }
}

impl FrameDuration {
    /// `None` for a duration that cannot be had.
    pub const fn from_millis(millis: u64) -> Option<Self> {
        match millis {
            10 => Some(Self::Ms10),
            20 => Some(Self::Ms20),
            40 => Some(Self::Ms40),
            60 => Some(Self::Ms60),
            _ => None,
        }
    }

    /// In milliseconds.
    pub const fn as_millis(self) -> u64 {
        match self {
            Self::Ms10 => 10,
            Self::Ms20 => 20,
            Self::Ms40 => 40,
            Self::Ms60 => 60,
        }
    }

    /// How long it is.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.as_millis())
    }
}

impl Wishes {
    /// What is sent if `base` is configured. Whoever asks for a rate, channels or a frame asks for
    /// PCM.
    #[must_use]
    pub fn applied_to(self, base: Wanted) -> Wanted {
        let base = match (self.encoding, base) {
            (Some(Encoding::Opus), _) => return Wanted::Opus,
            (None, Wanted::Opus) if self.is_silent_about_pcm() => return Wanted::Opus,
            (_, Wanted::Opus) => Wanted::default(),
            (_, pcm) => pcm,
        };
        match base {
            Wanted::Opus => Wanted::Opus,
            Wanted::Pcm {
                rate,
                channels,
                frame,
            } => Wanted::Pcm {
                rate: self.rate.unwrap_or(rate),
                channels: self.channels.or(channels),
                frame: self.frame.unwrap_or(frame),
            },
        }
    }

    /// Takes in a key of the query; says what is allowed if the value is not.
    pub(super) fn read(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        match key {
            "format" => self.encoding = Some(encoding(value).ok_or("pcm or opus")?),
            "channels" => {
                let channels = value.parse().ok().and_then(Channels::new);
                self.channels = Some(channels.ok_or("1 or 2")?);
            }
            "sample_rate" => {
                self.rate = Some(rate(value).ok_or("8000, 16000, 24000 or 48000")?);
            }
            "frame" => {
                let millis = value.trim_end_matches("ms").parse().ok();
                let frame = millis.and_then(FrameDuration::from_millis);
                self.frame = Some(frame.ok_or("10, 20, 40 or 60 (milliseconds)")?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it asks for Opus as it came and for PCM at once.
    pub(super) fn contradicts_itself(self) -> bool {
        self.encoding == Some(Encoding::Opus) && !self.is_silent_about_pcm()
    }

    const fn is_silent_about_pcm(self) -> bool {
        self.channels.is_none() && self.rate.is_none() && self.frame.is_none()
    }
}

fn encoding(value: &str) -> Option<Encoding> {
    match value {
        "pcm" | "pcm_s16le" => Some(Encoding::Pcm),
        "opus" => Some(Encoding::Opus),
        _ => None,
    }
}

fn rate(value: &str) -> Option<SampleRate> {
    let rate = SampleRate::new(value.parse().ok()?)?;
    matches!(rate.get(), 8_000 | 16_000 | 24_000 | 48_000).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_asks_for_replaces_what_is_configured() {
        let pcm = |rate, channels, frame| Wanted::Pcm {
            rate,
            channels,
            frame,
        };
        let full = SampleRate::HZ_48000;
        for (query, base, wanted) in [
            (&[][..], Wanted::LIVEKIT, Wanted::LIVEKIT),
            (&[], Wanted::Opus, Wanted::Opus),
            (&[("format", "opus")], Wanted::LIVEKIT, Wanted::Opus),
            (
                &[("sample_rate", "16000"), ("channels", "1")],
                Wanted::default(),
                pcm(
                    SampleRate::HZ_16000,
                    Some(Channels::Mono),
                    FrameDuration::Ms20,
                ),
            ),
            (
                &[("frame", "60")],
                Wanted::LIVEKIT,
                pcm(full, Some(Channels::Stereo), FrameDuration::Ms60),
            ),
            (
                &[("frame", "10ms")],
                Wanted::Opus,
                pcm(full, None, FrameDuration::Ms10),
            ),
            (&[("format", "pcm")], Wanted::Opus, Wanted::default()),
        ] {
            let mut wishes = Wishes::default();
            for (key, value) in query {
                wishes.read(key, value).unwrap();
            }

            assert_eq!(wishes.applied_to(base), wanted, "{query:?}");
        }
    }

    #[test]
    fn what_is_left_open_is_as_the_track_has_it() {
        for channels in [Channels::Mono, Channels::Stereo] {
            assert_eq!(
                Wanted::default().of_source(channels),
                Format::Pcm {
                    audio: AudioFormat::new(SampleRate::HZ_48000, channels),
                    frame: FrameDuration::Ms20,
                }
            );
            assert_eq!(Wanted::LIVEKIT.of_source(channels), Format::LIVEKIT);
            assert_eq!(Wanted::Opus.of_source(channels), Format::Opus);
        }
    }
}
