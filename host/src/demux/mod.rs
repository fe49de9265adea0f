//! Files of sound → PCM: what the tools play, the mirror of [`mux`](crate::mux), but for files that anybody
//! made. Reads from what it is given, once, from the beginning to the end.
//!
//! ```text
//! WAV (integers, floats, G.711) ─┐
//!                                ├─► one or two channels at a rate that a track can have ─► PCM
//! Ogg (Opus) ─ decoder ──────────┘
//! ```

mod ogg;
mod wav;

use std::io::{self, Read, Seek};

use self::ogg::Ogg;
use self::wav::Wav;
use crate::codec::CodecError;
use crate::codec::resample::Resampler;
use crate::media::{AudioFormat, SampleRate};

/// A file of sound that is being read.
#[derive(Debug)]
pub struct SoundFile<R: Read + Seek> {
    source: Source<R>,
    format: AudioFormat,
    /// `None` if the file's rate is one of a track.
    resampler: Option<Resampler>,
    /// As it is in the file.
    raw: Vec<f32>,
}

#[derive(Debug)]
enum Source<R: Read + Seek> {
    Wav(Wav<R>),
    Ogg(Box<Ogg<R>>),
}

/// Why a file cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum DemuxError {
    /// Another kind of file.
    #[error("neither WAV nor Ogg: convert it, such as by `ffmpeg -i FILE out.wav`")]
    UnknownFormat,
    /// The file contradicts itself, or ends within its head.
    #[error("the file is damaged: {0}")]
    Malformed(&'static str),
    /// A WAV file of something that is neither plain samples nor G.711.
    #[error(
        "WAV of format {tag:#06x} with {bits} bits a sample is not known: convert it, such as by \
         `ffmpeg -i FILE -c:a pcm_s16le out.wav`"
    )]
    Encoding {
        /// The format tag.
        tag: u16,
        /// Bits a sample.
        bits: u16,
    },
    /// A track has one or two channels.
    #[error(
        "{0} channels, and a track has one or two: convert it, such as by `ffmpeg -i FILE -ac 2 out.wav`"
    )]
    Channels(u16),
    /// No sound has such a rate.
    #[error("{0} samples a second: expected 4,000 to 384,000")]
    Rate(u32),
    /// An Ogg file of something else.
    #[error(
        "the Ogg file does not begin with Opus: convert it, such as by `ffmpeg -i FILE out.wav`"
    )]
    NotOpus,
    /// The pages of an Ogg file are damaged.
    #[error("the Ogg file is damaged")]
    Pages(#[from] ::ogg::OggReadError),
    /// A packet cannot be decoded.
    #[error("the Opus in it is damaged")]
    Codec(#[from] CodecError),
    /// The file cannot be read.
    #[error("it cannot be read")]
    Read(#[from] io::Error),
}

impl<R: Read + Seek> SoundFile<R> {
    /// Reads the head of a WAV or an Ogg Opus file.
    ///
    /// # Errors
    /// It is none, or holds what no track can have.
    pub fn open(mut file: R) -> Result<Self, DemuxError> {
        let mut magic = Vec::new();
        file.by_ref().take(12).read_to_end(&mut magic)?;
        file.rewind()?;
        if crate::mux::wav::is_wav(&magic) {
            Self::wav(Wav::open(file)?)
        } else if crate::mux::ogg::is_ogg(&magic) {
            let ogg = Box::new(Ogg::open(file)?);
            Ok(Self {
                format: ogg.format(),
                source: Source::Ogg(ogg),
                resampler: None,
                raw: Vec::new(),
            })
        } else {
            Err(DemuxError::UnknownFormat)
        }
    }

    /// How its sound is laid out when it comes out: 8, 16, 24 or 48 kHz. Files of other rates are
    /// resampled to 48 kHz.
    pub const fn format(&self) -> AudioFormat {
        self.format
    }

    /// Appends the next stretch of interleaved samples, at most a second, and says how many values
    /// those are: 0 at the end. A file that ends early has what is there.
    ///
    /// # Errors
    /// It cannot be read or decoded from here on.
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<usize, DemuxError> {
        let start = out.len();
        while out.len() == start {
            self.raw.clear();
            let is_over = match &mut self.source {
                Source::Wav(wav) => wav.read(&mut self.raw)?,
                Source::Ogg(ogg) => ogg.read(&mut self.raw)?,
            } == More::No;
            match &mut self.resampler {
                None => out.append(&mut self.raw),
                Some(resampler) => resampler.push(&self.raw, out),
            }
            if is_over {
                self.flush(out);
                break;
            }
        }
        Ok(out.len() - start)
    }

    fn flush(&mut self, out: &mut Vec<f32>) {
        if let Some(resampler) = &mut self.resampler {
            resampler.flush(out);
        }
    }

    fn wav(wav: Wav<R>) -> Result<Self, DemuxError> {
        let (hertz, channels) = (wav.hertz(), wav.channels());
        let rate = SampleRate::new(hertz.get()).filter(|rate| TRACK_RATES.contains(rate));
        let to = rate.unwrap_or(SampleRate::HZ_48000);
        let resampler = Resampler::new(hertz, to.into(), channels);
        Ok(Self {
            source: Source::Wav(wav),
            format: AudioFormat::new(to, channels),
            resampler: rate.is_none().then_some(resampler),
            raw: Vec::new(),
        })
    }
}

/// Whether anything follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    Yes,
    No,
}

/// The rates at which a track can be decoded and filtered (plugins.md P4).
const TRACK_RATES: [SampleRate; 4] = [
    SampleRate::HZ_8000,
    SampleRate::HZ_16000,
    SampleRate::HZ_24000,
    SampleRate::HZ_48000,
];
