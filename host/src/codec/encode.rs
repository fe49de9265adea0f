//! PCM → Opus, by libopus: for transformed tracks, and for G.711 that is to become Ogg.

use bytes::Bytes;

use super::opus::rate_for;
use super::{CodecError, channels};
use crate::media::{AudioFormat, ClockRate};

/// Encodes one track: frames of 20 ms, variable bit rate, no redundancy, no discontinuous
/// transmission, because files lose nothing.
#[derive(Debug)]
pub struct OpusEncoder {
    encoder: ::opus::Encoder,
    format: AudioFormat,
    pre_skip: u16,
}

/// How an encoder encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bits a second on average, 6000 to 510000; libopus chooses for the rate and the channels if
    /// `None`.
    pub bit_rate: Option<u32>,
    /// How hard the encoder tries, 0 (quick) to 10 (best).
    pub complexity: u8,
}

impl Default for Settings {
    /// What libopus chooses, tried as hard as it can.
    fn default() -> Self {
        Self {
            bit_rate: None,
            complexity: 10,
        }
    }
}

impl OpusEncoder {
    /// An encoder for sound of this format.
    ///
    /// # Errors
    /// [`CodecError::Rate`] for 44.1 kHz, [`CodecError::BitRate`] and [`CodecError::Complexity`] for
    /// what Opus has not.
    pub fn new(format: AudioFormat, settings: Settings) -> Result<Self, CodecError> {
        if format.rate != rate_for(format.rate) {
            return Err(CodecError::Rate(format.rate));
        }
        let mut encoder = ::opus::Encoder::new(
            format.rate.get(),
            channels(format.channels),
            ::opus::Application::Audio,
        )?;
        encoder.set_complexity(complexity(settings.complexity)?)?;
        encoder.set_vbr(true)?;
        encoder.set_vbr_constraint(false)?;
        let mut this = Self {
            pre_skip: pre_skip(&mut encoder, format)?,
            encoder,
            format,
        };
        this.set_bit_rate(settings.bit_rate)?;
        Ok(this)
    }

    /// Makes the next frames larger or smaller, as [`Settings::bit_rate`].
    ///
    /// # Errors
    /// [`CodecError::BitRate`]; the bit rate stays as it is.
    pub fn set_bit_rate(&mut self, bit_rate: Option<u32>) -> Result<(), CodecError> {
        let bits = match bit_rate {
            None => ::opus::Bitrate::Auto,
            Some(bits) => match i32::try_from(bits) {
                Ok(known @ 6_000..=510_000) => ::opus::Bitrate::Bits(known),
                _ => return Err(CodecError::BitRate(bits)),
            },
        };
        self.encoder.set_bitrate(bits)?;
        Ok(())
    }

    /// Encodes 20 ms: one packet of one frame, without the 2 bytes or less that would mean
    /// discontinuous transmission. What is not a number is silent.
    ///
    /// # Errors
    /// [`CodecError::Length`] if `samples` are not [`frame`](Self::frame) per channel.
    pub fn encode(&mut self, samples: &[f32]) -> Result<Bytes, CodecError> {
        if samples.len() != self.format.values(self.frame()) {
            return Err(CodecError::Length {
                expected: self.frame(),
                found: samples.len(),
            });
        }
        let mut packet = [0; MAX_PACKET];
        let len = self.encoder.encode_float(samples, &mut packet)?;
        let (packet, _) = packet.split_at(len.min(MAX_PACKET));
        Ok(Bytes::copy_from_slice(packet))
    }

    /// Samples per channel in a frame.
    pub const fn frame(&self) -> usize {
        (self.format.rate.get() / FRAMES_A_SECOND) as usize
    }

    /// Samples per channel by which the decoded sound comes late. After the end of the track, so many
    /// of silence have to follow, that its last sound comes out.
    pub const fn delay(&self) -> usize {
        let ticks_a_sample = ClockRate::OPUS.get() / self.format.rate.get();
        self.pre_skip as usize / ticks_a_sample as usize
    }

    /// The same in 48 kHz ticks, as `OpusHead` wants it: how many a player leaves out at the
    /// beginning ([RFC 7845 §4.2](https://www.rfc-editor.org/rfc/rfc7845#section-4.2)).
    pub const fn pre_skip(&self) -> u16 {
        self.pre_skip
    }

    /// What goes in.
    pub const fn format(&self) -> AudioFormat {
        self.format
    }
}

fn complexity(wanted: u8) -> Result<i32, CodecError> {
    match wanted {
        0..=10 => Ok(wanted.into()),
        _ => Err(CodecError::Complexity(wanted)),
    }
}

fn pre_skip(encoder: &mut ::opus::Encoder, format: AudioFormat) -> Result<u16, CodecError> {
    let samples = u64::try_from(encoder.get_lookahead()?).unwrap_or(0);
    let ticks = format.rate.ticks(samples);
    Ok(u16::try_from(ticks).unwrap_or(u16::MAX))
}

const FRAMES_A_SECOND: u32 = 50;

/// The longest frame, and the byte in front of it (RFC 6716 §3.4, R2).
const MAX_PACKET: usize = 1_276;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitstream::opus::{Toc, is_dtx};
    use crate::codec::decoder;
    use crate::codec::testing::{opus_formats, signal_to_noise, sine};
    use crate::media::{Channels, Codec, SampleRate};

    /// Its own sound comes back, late by what was said to the sample.
    #[test]
    fn a_sine_comes_back_late_by_the_delay() {
        for format in opus_formats() {
            let mut encoder = OpusEncoder::new(format, loud_and_clear()).unwrap();
            let mut decoder = decoder(Codec::Opus, format).unwrap();
            let sound = sine(format, 440.0, encoder.frame() * 50);
            let mut out = Vec::new();

            for frame in sound.chunks(format.values(encoder.frame())) {
                let packet = encoder.encode(frame).unwrap();
                assert_eq!(Toc::parse(&packet).map(Toc::duration), Some(960));
                decoder.decode(&packet, &mut out).unwrap();
            }

            let late = format.values(encoder.delay());
            let heard = &out[late..];
            let expected = &sound[..heard.len()];
            let start = heard.len() / 5;
            let ratio = signal_to_noise(&expected[start..], &heard[start..]);
            assert!(ratio > 25.0, "{format:?}: {ratio} dB");
        }
    }

    #[test]
    fn the_pre_skip_of_a_full_rate_is_the_usual_one() {
        for (rate, delay) in [(SampleRate::HZ_48000, 312), (SampleRate::HZ_16000, 104)] {
            let format = AudioFormat::new(rate, Channels::Stereo);

            let encoder = OpusEncoder::new(format, Settings::default()).unwrap();

            assert_eq!(encoder.pre_skip(), 312);
            assert_eq!(encoder.delay(), delay);
        }
    }

    #[test]
    fn silence_and_nonsense_are_frames_too() {
        let format = AudioFormat::OPUS;
        for value in [0.0, f32::NAN, f32::INFINITY, f32::MAX, -7.0] {
            let mut encoder = OpusEncoder::new(format, Settings::default()).unwrap();
            for _ in 0..50 {
                let packet = encoder.encode(&[value; 1_920]).unwrap();

                assert!(!is_dtx(&packet), "{value}: {packet:02x?}");
                assert!(packet.len() <= MAX_PACKET);
            }
        }
    }

    #[test]
    fn the_bit_rate_is_kept_on_average() {
        let format = AudioFormat::new(SampleRate::HZ_48000, Channels::Mono);
        let mut encoder = OpusEncoder::new(format, loud_and_clear()).unwrap();
        for bits in [64_000, 24_000] {
            encoder.set_bit_rate(Some(bits)).unwrap();
            let mut noise = 1_u32;
            let bytes: usize = (0..250)
                .map(|_| encoder.encode(&hiss(&mut noise)).unwrap().len())
                .sum();
            let found = bytes * 8 / 5;
            let wanted = bits as usize;
            assert!((wanted / 2..wanted * 3 / 2).contains(&found), "{found}");
        }
    }

    #[test]
    fn what_opus_has_not_is_refused() {
        let format = AudioFormat::OPUS;
        let with = |bit_rate, complexity| {
            let settings = Settings {
                bit_rate,
                complexity,
            };
            OpusEncoder::new(format, settings)
        };
        let disc = AudioFormat::new(SampleRate::HZ_44100, Channels::Mono);
        let of_disc = OpusEncoder::new(disc, Settings::default());
        let of_length = with(None, 5).unwrap().encode(&[0.0; 960]);

        assert!(matches!(of_disc, Err(CodecError::Rate(_))));
        assert!(matches!(
            with(Some(5_999), 5),
            Err(CodecError::BitRate(5_999))
        ));
        assert!(matches!(
            with(Some(u32::MAX), 5),
            Err(CodecError::BitRate(_))
        ));
        assert!(matches!(with(None, 11), Err(CodecError::Complexity(11))));
        assert!(matches!(
            of_length,
            Err(CodecError::Length {
                expected: 960,
                found: 960
            })
        ));
    }

    const fn loud_and_clear() -> Settings {
        Settings {
            bit_rate: Some(128_000),
            complexity: 10,
        }
    }

    fn hiss(state: &mut u32) -> Vec<f32> {
        let next = || {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(state.to_le_bytes()[3]) / 512.0 - 0.25
        };
        std::iter::repeat_with(next).take(960).collect()
    }
}
