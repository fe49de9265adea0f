//! Access unit ⇄ PCM, on tracks that need it; all others pass through untouched.
//!
//! ```text
//! access unit ─ decoder ─► PCM ─ converter ─ reblocker ─► PCM as somebody wants it ─ encoder ─► access unit
//! ```
//!
//! PCM is interleaved 32-bit floats, full scale ±1.0. Lengths and positions are in samples *per
//! channel*.

pub mod encode;
pub mod g711;
pub mod opus;
pub mod reblock;
pub mod resample;
mod resampled;
pub mod sample;
#[cfg(test)]
mod testing;

use std::fmt::Debug;

use self::g711::{G711Decoder, Law};
use self::opus::OpusDecoder;
use self::resampled::Resampled;
use crate::media::{AudioFormat, Channels, Codec, SampleRate};

/// Turns the access units of one track into sound.
///
/// Every call appends as much sound as it stands for, so that whoever counts samples knows where
/// each unit is.
pub trait Decoder: Debug + Send {
    /// Decodes an access unit, appending interleaved samples in [`format`](Self::format).
    ///
    /// # Errors
    /// The unit is malformed. Nothing is appended, the next one can be decoded, and the time of this
    /// one is a gap to [`conceal`](Self::conceal).
    fn decode(&mut self, unit: &[u8], out: &mut Vec<f32>) -> Result<(), CodecError>;

    /// Makes up `samples` per channel that were lost, and appends them. The end of the gap comes from
    /// the redundancy of `next`, the unit after it, if that carries any (in-band FEC,
    /// [RFC 6716 §2.1.7](https://www.rfc-editor.org/rfc/rfc6716#section-2.1.7)); `next` has yet to be
    /// decoded. The rest is extrapolated for at most [`MAX_CONCEALED`](opus::MAX_CONCEALED) in a row,
    /// and silent from there on. The caller bounds `samples`: as many are allocated.
    ///
    /// # Errors
    /// The decoder is broken. Nothing is appended.
    fn conceal(
        &mut self,
        samples: usize,
        next: Option<&[u8]>,
        out: &mut Vec<f32>,
    ) -> Result<(), CodecError>;

    /// How its sound is laid out.
    fn format(&self) -> AudioFormat;

    /// Samples per channel by which its sound comes late, because it is resampled; 0 for Opus at its
    /// own rates.
    fn delay(&self) -> usize {
        0
    }
}

/// A decoder for a track. Opus decodes straight to the wanted rate and channels; G.711, and 44.1 kHz,
/// are resampled.
///
/// # Errors
/// [`CodecError::Unsupported`] for pictures.
pub fn decoder(codec: Codec, wanted: AudioFormat) -> Result<Box<dyn Decoder>, CodecError> {
    let native: Box<dyn Decoder> = match codec {
        Codec::Opus => Box::new(OpusDecoder::new(AudioFormat {
            rate: opus::rate_for(wanted.rate),
            ..wanted
        })?),
        Codec::Pcmu => Box::new(G711Decoder::new(Law::Mu)),
        Codec::Pcma => Box::new(G711Decoder::new(Law::A)),
        other => return Err(CodecError::Unsupported(other)),
    };
    Ok(if native.format() == wanted {
        native
    } else {
        Box::new(Resampled::new(native, wanted))
    })
}

/// Why sound cannot be decoded, encoded or converted.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Not a codec of sound.
    #[error("{0} is not sound: it can only be passed on as it is")]
    Unsupported(Codec),
    /// Opus has no such sample rate.
    #[error(
        "Opus has no {} Hz: take 8000, 12000, 16000, 24000 or 48000, or resample",
        .0.get()
    )]
    Rate(SampleRate),
    /// The publisher sent something else than its codec.
    #[error("the packet is malformed: {0}")]
    Malformed(&'static str),
    /// The block is not as long as the encoder's frames.
    #[error("a frame has {expected} samples per channel, and {found} values came")]
    Length {
        /// Samples per channel.
        expected: usize,
        /// Values, of all channels.
        found: usize,
    },
    /// The block is in another format than the stage was made for.
    #[error("a block of {found:?} came where {expected:?} is expected: convert it first")]
    Format {
        /// What the stage was made for.
        expected: AudioFormat,
        /// What came.
        found: AudioFormat,
    },
    /// The bit rate is not one of Opus.
    #[error("Opus cannot make {0} bit/s: take 6000 to 510000")]
    BitRate(u32),
    /// The complexity is not one of Opus.
    #[error("there is no complexity {0}: take 0 (quick) to 10 (best)")]
    Complexity(u8),
    /// The library refused.
    #[error("libopus refused")]
    Opus(#[from] ::opus::Error),
}

/// As libopus says it.
const fn channels(channels: Channels) -> ::opus::Channels {
    match channels {
        Channels::Mono => ::opus::Channels::Mono,
        Channels::Stereo => ::opus::Channels::Stereo,
    }
}
