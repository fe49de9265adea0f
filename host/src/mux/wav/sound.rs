use crate::media::{AudioFormat, Codec, Pts};

/// What the sound of a file is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    /// G.711 µ-law, as it came.
    Pcmu,
    /// G.711 A-law, as it came.
    Pcma,
    /// 16-bit little endian PCM, interleaved.
    Pcm(AudioFormat),
}

impl Sound {
    /// `None` for what does not go into a WAV file as it comes.
    pub(super) const fn of(codec: Codec) -> Option<Self> {
        match codec {
            Codec::Pcmu => Some(Self::Pcmu),
            Codec::Pcma => Some(Self::Pcma),
            _ => None,
        }
    }

    /// The format tag of `WAVEFORMATEX`.
    pub(super) const fn tag(self) -> u16 {
        match self {
            Self::Pcm(_) => 1,
            Self::Pcma => 6,
            Self::Pcmu => 7,
        }
    }

    /// Bits of a sample of one channel.
    pub(super) const fn bits(self) -> u16 {
        match self {
            Self::Pcm(_) => 16,
            Self::Pcmu | Self::Pcma => 8,
        }
    }

    /// Rate and channels.
    pub(super) const fn format(self) -> AudioFormat {
        match self {
            Self::Pcm(format) => format,
            Self::Pcmu | Self::Pcma => AudioFormat::G711,
        }
    }

    /// Bytes of a sample of all channels.
    pub(super) const fn block(self) -> u8 {
        match self {
            Self::Pcm(format) => match format.channels.count() {
                1 => 2,
                _ => 4,
            },
            Self::Pcmu | Self::Pcma => 1,
        }
    }

    /// Bytes of a second.
    pub(super) fn second(self) -> usize {
        self.format().rate.get() as usize * usize::from(self.block())
    }

    /// The byte that silence is made of.
    pub(super) const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xff,
            Self::Pcma => 0xd5,
            Self::Pcm(_) => 0,
        }
    }

    /// How many bytes lie before a place on the track's timeline, which counts 48 kHz ticks for PCM.
    pub(super) fn bytes_before(self, pts: Pts) -> u64 {
        let samples = match self {
            Self::Pcm(format) => format.rate.samples_at(pts),
            Self::Pcmu | Self::Pcma => pts.0,
        };
        samples.saturating_mul(self.block().into())
    }
}
