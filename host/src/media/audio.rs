use std::num::NonZeroU32;
use std::time::Duration;

use super::{ClockRate, Pts};

/// How PCM is laid out: samples a second and channels. Always interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    /// Samples a second and channel.
    pub rate: SampleRate,
    /// One or two.
    pub channels: Channels,
}

impl AudioFormat {
    /// 48 kHz and two channels: what Opus carries at most.
    pub const OPUS: Self = Self::new(SampleRate::HZ_48000, Channels::Stereo);
    /// 8 kHz and one channel: what G.711 carries.
    pub const G711: Self = Self::new(SampleRate::HZ_8000, Channels::Mono);

    /// So many samples a second of so many channels.
    pub const fn new(rate: SampleRate, channels: Channels) -> Self {
        Self { rate, channels }
    }

    /// Values in `samples` per channel.
    pub const fn values(self, samples: usize) -> usize {
        samples.saturating_mul(self.channels.count())
    }
}

/// Samples a second and channel: 8, 12, 16, 24, 44.1 or 48 kHz. Opus decodes to all but 44.1 kHz,
/// which is for files only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SampleRate(NonZeroU32);

impl SampleRate {
    /// Narrowband: G.711.
    pub const HZ_8000: Self = Self::constant(8_000);
    /// Mediumband.
    pub const HZ_12000: Self = Self::constant(12_000);
    /// Wideband: what speech recognisers take.
    pub const HZ_16000: Self = Self::constant(16_000);
    /// Superwideband.
    pub const HZ_24000: Self = Self::constant(24_000);
    /// Compact disc.
    pub const HZ_44100: Self = Self::constant(44_100);
    /// Fullband: what Opus carries.
    pub const HZ_48000: Self = Self::constant(48_000);

    /// Every rate, lowest first.
    pub const ALL: [Self; 6] = [
        Self::HZ_8000,
        Self::HZ_12000,
        Self::HZ_16000,
        Self::HZ_24000,
        Self::HZ_44100,
        Self::HZ_48000,
    ];

    /// `None` for a rate that is not in [`SampleRate::ALL`].
    pub fn new(samples_a_second: u32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|rate| rate.get() == samples_a_second)
    }

    /// Samples a second and channel.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// How long `samples` last, to the nanosecond, rounded down.
    pub fn duration(self, samples: u64) -> Duration {
        ClockRate::from(self).duration(samples)
    }

    /// How many samples last `duration`, to the nearest.
    pub fn samples(self, duration: Duration) -> u64 {
        ClockRate::from(self).ticks(duration)
    }

    /// How many ticks of the 48 kHz timeline last `samples`, to the nearest. No rate is higher, so
    /// that [`SampleRate::samples_at`] gives `samples` again.
    pub fn ticks(self, samples: u64) -> u64 {
        scale(samples, ClockRate::OPUS.get(), self.get())
    }

    /// The sample that is nearest to `pts`, which counts 48 kHz ticks.
    pub fn samples_at(self, pts: Pts) -> u64 {
        scale(pts.0, self.get(), ClockRate::OPUS.get())
    }

    const fn constant(samples_a_second: u32) -> Self {
        match NonZeroU32::new(samples_a_second) {
            Some(rate) => Self(rate),
            None => panic!("a sample rate is not zero"),
        }
    }
}

impl From<SampleRate> for NonZeroU32 {
    fn from(rate: SampleRate) -> Self {
        rate.0
    }
}

impl From<SampleRate> for ClockRate {
    fn from(rate: SampleRate) -> Self {
        Self::new(rate.get()).expect("a sample rate is not zero")
    }
}

/// How many channels are interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channels {
    /// One.
    Mono,
    /// Two: left, right.
    Stereo,
}

impl Channels {
    /// `None` for a number that is neither one nor two.
    pub const fn new(count: usize) -> Option<Self> {
        match count {
            1 => Some(Self::Mono),
            2 => Some(Self::Stereo),
            _ => None,
        }
    }

    /// One or two.
    pub const fn count(self) -> usize {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
        }
    }
}

/// A stretch of sound: interleaved 32-bit floats, full scale ±1.0.
///
/// This is the representation between decoder and encoder; 16-bit integers exist only at the edges
/// (plugins that want them, files, sockets). Lengths and positions are in samples *per channel*.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioBlock {
    /// How `samples` are laid out.
    pub format: AudioFormat,
    /// Where its first sample is on the track's timeline: 48 kHz ticks since the file's (the
    /// session's) origin, whatever its sample rate.
    pub pts: Pts,
    /// The RTP timestamp of the packet it came from, if it came from one.
    pub rtp_timestamp: Option<u32>,
    /// What is special about it.
    pub marks: Marks,
    /// A multiple of the number of channels of values. They may lie beyond ±1.0: whoever converts
    /// them to integers clips.
    pub samples: Vec<f32>,
}

impl AudioBlock {
    /// `samples` per channel of silence, marked as such.
    pub fn silence(format: AudioFormat, pts: Pts, samples: usize) -> Self {
        Self {
            format,
            pts,
            rtp_timestamp: None,
            marks: Marks {
                silence: true,
                ..Marks::default()
            },
            samples: vec![0.0; format.values(samples)],
        }
    }

    /// Samples per channel.
    pub const fn len_per_channel(&self) -> usize {
        self.samples.len() / self.format.channels.count()
    }

    /// Whether it holds no sound at all.
    pub const fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// How long it plays.
    pub fn duration(&self) -> Duration {
        self.format.rate.duration(self.len_per_channel() as u64)
    }

    /// Where the sample behind its last one is, in 48 kHz ticks.
    pub fn end(&self) -> Pts {
        let ticks = self.format.rate.ticks(self.len_per_channel() as u64);
        self.pts.plus(ticks)
    }
}

/// What is special about a block of sound. Several may hold at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent claims, each of which plugins and receivers see by its name"
)]
pub struct Marks {
    /// The decoder made it up: its packet was lost.
    pub concealed: bool,
    /// Nothing was sent: a gap, a mute or discontinuous transmission, filled with silence.
    pub silence: bool,
    /// It does not follow on the block before: the sender's clock jumped, or sound was dropped.
    pub discontinuity: bool,
    /// The track is muted.
    pub muted: bool,
    /// No other block follows.
    pub last: bool,
}

/// `count * to / from`, to the nearest; saturates.
fn scale(count: u64, to: u32, from: u32) -> u64 {
    let (to, from) = (u128::from(to), u128::from(from));
    let scaled = (u128::from(count) * to + from / 2) / from;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rates_that_somebody_can_make_are_rates() {
        for rate in SampleRate::ALL {
            assert_eq!(SampleRate::new(rate.get()), Some(rate));
        }
        for hertz in [0, 1, 11_025, 22_050, 32_000, 96_000, u32::MAX] {
            assert_eq!(SampleRate::new(hertz), None, "{hertz}");
        }
    }

    #[test]
    fn a_sample_finds_its_place_again_after_ten_hours() {
        for rate in SampleRate::ALL {
            let ten_hours = u64::from(rate.get()) * 36_000;
            for sample in (0..2_000).chain(ten_hours - 2_000..ten_hours) {
                let pts = Pts(rate.ticks(sample));
                assert_eq!(rate.samples_at(pts), sample, "{rate:?}");
            }
        }
    }

    #[test]
    fn a_block_lasts_as_long_as_one_of_its_channels() {
        for channels in [Channels::Mono, Channels::Stereo] {
            for (rate, samples, ticks) in [
                (SampleRate::HZ_16000, 320, 960),
                (SampleRate::HZ_44100, 882, 960),
                (SampleRate::HZ_48000, 960, 960),
            ] {
                let block =
                    AudioBlock::silence(AudioFormat::new(rate, channels), Pts(100), samples);

                assert_eq!(block.len_per_channel(), samples);
                assert_eq!(block.samples.len(), samples * channels.count());
                assert_eq!(block.duration(), Duration::from_millis(20));
                assert_eq!(block.end(), Pts(100 + ticks));
                assert!(block.marks.silence && !block.marks.concealed);
            }
        }
    }

    #[test]
    fn a_block_without_sound_ends_where_it_begins() {
        let block = AudioBlock::silence(AudioFormat::OPUS, Pts(7), 0);

        assert!(block.is_empty());
        assert_eq!(block.end(), Pts(7));
    }

    #[test]
    fn counts_of_channels_are_one_and_two() {
        for channels in [Channels::Mono, Channels::Stereo] {
            assert_eq!(Channels::new(channels.count()), Some(channels));
        }
        assert_eq!(Channels::new(0), None);
        assert_eq!(Channels::new(3), None);
    }

    #[test]
    fn the_end_of_time_is_no_overflow() {
        assert_eq!(SampleRate::HZ_8000.ticks(u64::MAX), u64::MAX);
    }
}
