//! WAV and RF64: chunk by chunk up to `data`, then samples.

use std::io::{ErrorKind, Read};
use std::num::NonZeroU32;

use super::{DemuxError, More};
use crate::codec::g711::Law;
use crate::codec::sample::from_i16;
use crate::media::Channels;

/// A WAV file whose head was read.
#[derive(Debug)]
pub(super) struct Wav<R> {
    file: R,
    layout: Layout,
    /// Bytes of sound that are still to come, if the file is whole.
    left: u64,
    buffer: Vec<u8>,
}

/// How sound lies in a WAV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    encoding: Encoding,
    channels: Channels,
    hertz: NonZeroU32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    U8,
    I16,
    I24,
    I32,
    F32,
    F64,
    G711(Law),
}

impl<R: Read> Wav<R> {
    /// Reads up to the first sample.
    pub(super) fn open(mut file: R) -> Result<Self, DemuxError> {
        let _riff: [u8; 12] = array(&mut file)?;
        let (mut layout, mut long) = (None, None);
        loop {
            let [k0, k1, k2, k3, s0, s1, s2, s3] = array(&mut file)?;
            let size = u32::from_le_bytes([s0, s1, s2, s3]);
            match &[k0, k1, k2, k3] {
                b"fmt " => layout = Some(Layout::parse(&chunk(&mut file, size)?)?),
                b"ds64" => long = size_of_sound(&chunk(&mut file, size)?),
                b"data" => {
                    let layout = layout.ok_or(DemuxError::Malformed("no `fmt ` before `data`"))?;
                    let left = match (size, long) {
                        (u32::MAX, Some(long)) => long,
                        // Whoever wrote into a pipe could not know the size.
                        (u32::MAX, None) => u64::MAX,
                        (size, _) => size.into(),
                    };
                    return Ok(Self {
                        file,
                        layout,
                        left,
                        buffer: Vec::new(),
                    });
                }
                _ => skip(&mut file, size)?,
            }
        }
    }

    pub(super) const fn hertz(&self) -> NonZeroU32 {
        self.layout.hertz
    }

    pub(super) const fn channels(&self) -> Channels {
        self.layout.channels
    }

    /// Appends up to a second.
    pub(super) fn read(&mut self, out: &mut Vec<f32>) -> Result<More, DemuxError> {
        let block = self.layout.bytes();
        let second = block * u64::from(self.layout.hertz.get());
        let wanted = second.min(self.left);
        self.buffer.clear();
        let file = self.file.by_ref();
        let found = file.take(wanted).read_to_end(&mut self.buffer)? as u64;
        self.left -= found;
        let whole = usize::try_from(found - found % block).unwrap_or(0);
        self.buffer.truncate(whole);
        self.layout.encoding.decode(&self.buffer, out);
        let is_over = found < wanted || self.left == 0;
        Ok(if is_over { More::No } else { More::Yes })
    }
}

impl Layout {
    /// `WAVEFORMATEX`, or `WAVEFORMATEXTENSIBLE`, whose tag lies at the front of a GUID.
    fn parse(chunk: &[u8]) -> Result<Self, DemuxError> {
        let word = |at: usize| {
            let bytes = chunk.get(at..)?.first_chunk::<2>()?;
            Some(u16::from_le_bytes(*bytes))
        };
        let short = DemuxError::Malformed("`fmt ` is too short");
        let (Some(tag), Some(channels), Some(low), Some(high), Some(bits)) =
            (word(0), word(2), word(4), word(6), word(14))
        else {
            return Err(short);
        };
        let tag = match tag {
            EXTENSIBLE => word(24).ok_or(short)?,
            plain => plain,
        };
        let hertz = u32::from(high) << 16 | u32::from(low);
        let is_sound = (4_000..=384_000).contains(&hertz);
        Ok(Self {
            encoding: Encoding::of(tag, bits).ok_or(DemuxError::Encoding { tag, bits })?,
            channels: Channels::new(channels.into()).ok_or(DemuxError::Channels(channels))?,
            hertz: NonZeroU32::new(hertz)
                .filter(|_| is_sound)
                .ok_or(DemuxError::Rate(hertz))?,
        })
    }

    /// Bytes of a sample of all channels.
    const fn bytes(self) -> u64 {
        self.encoding.bytes() as u64 * self.channels.count() as u64
    }
}

impl Encoding {
    const fn of(tag: u16, bits: u16) -> Option<Self> {
        match (tag, bits) {
            (1, 8) => Some(Self::U8),
            (1, 16) => Some(Self::I16),
            (1, 24) => Some(Self::I24),
            (1, 32) => Some(Self::I32),
            (3, 32) => Some(Self::F32),
            (3, 64) => Some(Self::F64),
            (6, 8) => Some(Self::G711(Law::A)),
            (7, 8) => Some(Self::G711(Law::Mu)),
            _ => None,
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::G711(_) => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Appends the samples of whole bytes. What is not a number is silent.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float is as precise as 24-bit audio"
    )]
    fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        const FULL_SCALE: f64 = 2_147_483_648.0;
        match self {
            Self::U8 => each(bytes, out, |[byte]| (f32::from(byte) - 128.0) / 128.0),
            Self::I16 => each(bytes, out, |bytes| from_i16(i16::from_le_bytes(bytes))),
            Self::I24 => each(bytes, out, |[low, middle, high]| {
                let value = i32::from_le_bytes([0, low, middle, high]);
                (f64::from(value) / FULL_SCALE) as f32
            }),
            Self::I32 => each(bytes, out, |bytes| {
                (f64::from(i32::from_le_bytes(bytes)) / FULL_SCALE) as f32
            }),
            Self::F32 => each(bytes, out, |bytes| finite(f32::from_le_bytes(bytes))),
            Self::F64 => each(bytes, out, |bytes| finite(f64::from_le_bytes(bytes) as f32)),
            Self::G711(law) => each(bytes, out, |[code]| from_i16(law.decode(code))),
        }
    }
}

fn each<const N: usize>(bytes: &[u8], out: &mut Vec<f32>, sample: impl Fn([u8; N]) -> f32) {
    let (values, _) = bytes.as_chunks::<N>();
    out.extend(values.iter().map(|value| sample(*value)));
}

/// Floats may lie beyond full scale, but not so far that arithmetic ends there.
const fn finite(sample: f32) -> f32 {
    if sample.is_nan() {
        0.0
    } else {
        sample.clamp(-LOUDEST, LOUDEST)
    }
}

/// The size of `data` in `ds64`.
fn size_of_sound(chunk: &[u8]) -> Option<u64> {
    let bytes = chunk.get(8..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*bytes))
}

fn chunk(file: &mut impl Read, size: u32) -> Result<Vec<u8>, DemuxError> {
    if size > MAX_CHUNK {
        return Err(DemuxError::Malformed("a chunk of its head is too long"));
    }
    let mut chunk = Vec::new();
    file.take(padded(size)).read_to_end(&mut chunk)?;
    Ok(chunk)
}

fn skip(file: &mut impl Read, size: u32) -> Result<(), DemuxError> {
    let mut chunk = file.take(padded(size));
    std::io::copy(&mut chunk, &mut std::io::sink())?;
    Ok(())
}

/// Every chunk begins at an even offset.
const fn padded(size: u32) -> u64 {
    let size = size as u64;
    size + size % 2
}

fn array<const N: usize>(file: &mut impl Read) -> Result<[u8; N], DemuxError> {
    let mut bytes = [0; N];
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(DemuxError::Malformed("it ends before its sound begins"))
        }
        Err(error) => Err(error.into()),
    }
}

/// 60 dB above full scale.
const LOUDEST: f32 = 1_000.0;
/// `WAVE_FORMAT_EXTENSIBLE`.
const EXTENSIBLE: u16 = 0xfffe;
/// `fmt ` has 40 bytes at most; `ds64` has a table that hardly anybody writes.
const MAX_CHUNK: u32 = 64 << 10;

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::demux::SoundFile;
    use crate::media::{AudioFormat, SampleRate};

    #[test]
    fn each_encoding_has_its_full_scale() {
        for (tag, bits, bytes, expected) in [
            (1, 8, vec![0, 128, 255], vec![-1.0, 0.0, 127.0 / 128.0]),
            (1, 16, vec![0, 0x80, 0, 0x40], vec![-1.0, 0.5]),
            (1, 24, vec![0, 0, 0x80, 0, 0, 0x40], vec![-1.0, 0.5]),
            (1, 32, vec![0, 0, 0, 0x80, 0, 0, 0, 0x40], vec![-1.0, 0.5]),
            (3, 32, (-0.25_f32).to_le_bytes().to_vec(), vec![-0.25]),
            (3, 32, f32::NAN.to_le_bytes().to_vec(), vec![0.0]),
            (3, 32, f32::INFINITY.to_le_bytes().to_vec(), vec![1_000.0]),
            (3, 64, 1.5_f64.to_le_bytes().to_vec(), vec![1.5]),
            (6, 8, vec![0xd5], vec![8.0 / 32_768.0]),
            (7, 8, vec![0xff], vec![0.0]),
        ] {
            let file = wav(&format(tag, 1, 48_000, bits), &bytes);

            let (_, samples) = played(file).unwrap();

            assert_eq!(samples, expected, "{tag} {bits}");
        }
    }

    #[test]
    fn a_format_that_is_extensible_says_behind_what_it_is() {
        let mut extensible = format(EXTENSIBLE, 2, 16_000, 16);
        extensible.extend([22, 0, 16, 0, 3, 0, 0, 0, 1, 0]);
        extensible.extend([0; 14]);

        let (format, samples) = played(wav(&extensible, &[0, 0x40, 0, 0x80])).unwrap();

        assert_eq!(samples, [0.5, -1.0]);
        assert_eq!(format.rate, SampleRate::HZ_16000);
        assert_eq!(format.channels, Channels::Stereo);
    }

    #[test]
    fn unknown_chunks_and_sizes_that_nobody_knew_are_no_hindrance() {
        let mut file = wav(&format(1, 1, 8_000, 16), &[0, 0x40, 0, 0x20]);
        // An odd chunk, which is padded, in front of the others.
        file.splice(12..12, *b"LIST\x03\0\0\0abc\0");
        let at = file.len() - 8;
        file[at..at + 4].fill(0xff);

        let (_, samples) = played(file).unwrap();

        assert_eq!(samples, [0.5, 0.25]);
    }

    #[test]
    fn a_file_that_ends_early_has_what_is_there() {
        let mut file = wav(&format(1, 2, 48_000, 16), &[0; 400]);
        file.truncate(file.len() - 3);

        let (_, samples) = played(file).unwrap();

        assert_eq!(samples.len(), 198);
    }

    #[test]
    fn other_rates_are_resampled_and_last_as_long() {
        for (hertz, expected) in [(44_100, 48_000), (22_050, 48_000), (12_000, 48_000)] {
            let second = vec![0; hertz as usize * 2];
            let file = wav(&format(1, 1, hertz, 16), &second);

            let (format, samples) = played(file).unwrap();

            assert_eq!(format.rate, SampleRate::HZ_48000);
            assert_eq!(samples.len(), expected, "{hertz}");
        }
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_what_to_do() {
        let sound = |tag, channels, hertz, bits| wav(&format(tag, channels, hertz, bits), &[0; 4]);
        for (file, reason) in [
            (vec![], "neither WAV nor Ogg"),
            (b"ID3\x04 an MP3 file".to_vec(), "ffmpeg -i FILE out.wav"),
            (sound(1, 6, 48_000, 16), "6 channels"),
            (sound(1, 0, 48_000, 16), "0 channels"),
            (sound(17, 1, 48_000, 4), "format 0x0011 with 4 bits"),
            (sound(1, 1, 0, 16), "0 samples a second"),
            (b"RIFF\0\0\0\0WAVE".to_vec(), "it ends before its sound"),
            (
                b"RIFF\0\0\0\0WAVEdata\0\0\0\0".to_vec(),
                "no `fmt ` before `data`",
            ),
            (
                b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0ab".to_vec(),
                "`fmt ` is too short",
            ),
            (b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\x7f".to_vec(), "too long"),
        ] {
            let error = played(file).unwrap_err();
            assert!(error.to_string().contains(reason), "{reason}: {error}");
        }
    }

    fn played(file: Vec<u8>) -> Result<(AudioFormat, Vec<f32>), DemuxError> {
        let mut file = SoundFile::open(Cursor::new(file))?;
        let mut samples = Vec::new();
        while file.read(&mut samples)? > 0 {}
        Ok((file.format(), samples))
    }

    fn format(tag: u16, channels: u16, hertz: u32, bits: u16) -> Vec<u8> {
        let mut chunk = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
        chunk.extend(hertz.to_le_bytes());
        chunk.extend([0; 6]);
        chunk.extend(bits.to_le_bytes());
        chunk
    }

    fn wav(format: &[u8], sound: &[u8]) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
        for (kind, content) in [(b"fmt ", format), (b"data", sound)] {
            file.extend(kind);
            file.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
            file.extend(content);
        }
        file
    }
}
