//! Plain samples, and what packets sound like by ffmpeg's own decoder.

use std::ops::Range;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ogg::{PacketWriteEndInfo, PacketWriter};
use tempfile::NamedTempFile;
use trackmill_room::publisher::SentPacket;

/// Sound as it is in `.pcm` files and messages of PCM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Samples a second.
    pub rate: u32,
    /// One or two.
    pub channels: usize,
    /// Interleaved.
    pub samples: Vec<i16>,
}

/// Where a stretch of sound is in another, and how alike they are there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// The first sample of it, per channel.
    pub place: usize,
    /// 1.0 if they are the same but for loudness.
    pub likeness: f64,
}

impl Sound {
    /// Reads signed 16-bit little-endian samples.
    #[must_use]
    pub fn of_bytes(bytes: &[u8], rate: u32, channels: usize) -> Self {
        let (samples, _) = bytes.as_chunks();
        Self {
            rate,
            channels,
            samples: samples.iter().copied().map(i16::from_le_bytes).collect(),
        }
    }

    /// What packets of 20 ms that follow each other sound like.
    ///
    /// # Errors
    /// ffmpeg is missing, or does not decode them.
    pub fn of_packets(packets: &[SentPacket], rate: u32, channels: usize) -> anyhow::Result<Self> {
        let file = NamedTempFile::new()?;
        write_ogg(&file, packets)?;
        let (rate_text, channels_text) = (rate.to_string(), channels.to_string());
        let output = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-i"])
            .arg(file.path())
            .args(["-ar", &rate_text, "-ac", &channels_text, "-f", "s16le", "-"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run ffmpeg; `make setup` installs it")?;
        ensure!(output.status.success(), "ffmpeg refuses the packets");
        let sound = Self::of_bytes(&output.stdout, rate, channels);
        let expected = packets.len() * 960 * usize::try_from(rate)? / 48_000;
        ensure!(
            sound.len().abs_diff(expected) <= 1,
            "{} samples of {} packets",
            sound.len(),
            packets.len()
        );
        Ok(sound)
    }

    /// Samples per channel.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.samples.len() / self.channels
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// How many samples last so long.
    #[must_use]
    pub fn samples_in(&self, duration: Duration) -> usize {
        let samples = duration.as_micros() * u128::from(self.rate) / 1_000_000;
        usize::try_from(samples).unwrap_or(usize::MAX)
    }

    /// Whether nothing is to be heard in these samples.
    ///
    /// # Panics
    /// It has no such samples.
    #[must_use]
    pub fn is_silent(&self, range: Range<usize>) -> bool {
        self.part(range).samples.iter().all(|sample| *sample == 0)
    }

    /// Where a stretch of sound of the same kind is in this one, among `places`.
    ///
    /// # Panics
    /// They are not of the same kind.
    #[must_use]
    pub fn find(&self, other: &Self, places: impl Iterator<Item = usize>) -> Match {
        let kind = |sound: &Self| (sound.rate, sound.channels);
        assert_eq!(kind(self), kind(other), "rate and channels");
        let matches = places.map(|place| Match {
            place,
            likeness: self.likeness(other, place),
        });
        let best = matches.max_by(|a, b| a.likeness.total_cmp(&b.likeness));
        best.expect("there are places")
    }

    /// A part of it.
    ///
    /// # Panics
    /// It has no such part.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let range = range.start * self.channels..range.end * self.channels;
        Self {
            samples: self.samples.get(range).expect("it is in there").to_vec(),
            ..*self
        }
    }

    /// The normalised correlation with another at a place; 0 where that reaches over the end.
    fn likeness(&self, other: &Self, place: usize) -> f64 {
        let from = place * self.channels;
        let Some(here) = self.samples.get(from..from + other.samples.len()) else {
            return 0.0;
        };
        let (mut both, mut ours, mut theirs) = (0.0, 0.0, 0.0);
        for (a, b) in here.iter().zip(&other.samples) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            both += a * b;
            ours += a * a;
            theirs += b * b;
        }
        if ours * theirs == 0.0 {
            return 0.0;
        }
        both / (ours * theirs).sqrt()
    }
}

/// Packets as a file that plays from the first sample of the first on.
fn write_ogg(file: &NamedTempFile, packets: &[SentPacket]) -> anyhow::Result<()> {
    let mut writer = PacketWriter::new(file.as_file());
    let page = PacketWriteEndInfo::EndPage;
    let mut head = b"OpusHead\x01\x02".to_vec();
    head.extend([0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0]);
    writer.write_packet(head, 1, page, 0)?;
    let tags = b"OpusTags\x04\0\0\0test\0\0\0\0".to_vec();
    writer.write_packet(tags, 1, page, 0)?;
    for (number, packet) in packets.iter().enumerate() {
        let is_last = number + 1 == packets.len();
        let end = if is_last {
            PacketWriteEndInfo::EndStream
        } else {
            PacketWriteEndInfo::NormalPacket
        };
        let granule = 960 * (number as u64 + 1);
        writer.write_packet(packet.payload.to_vec(), 1, end, granule)?;
    }
    Ok(())
}
