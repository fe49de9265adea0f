//! Opus → PCM, by libopus; losses by its redundancy and its concealment.

use std::time::Duration;

use super::{CodecError, Decoder, channels};
use crate::bitstream::opus::Toc;
use crate::media::{AudioFormat, ClockRate, SampleRate};

/// How much sound in a row is made up from what came before; all of a longer gap behind it is
/// silent. It gets quieter from [`FADES_AFTER`] on.
pub const MAX_CONCEALED: Duration = Duration::from_millis(100);

/// How much made-up sound is as loud as the decoder makes it.
pub const FADES_AFTER: Duration = Duration::from_millis(60);

/// Decodes one Opus track, straight to the wanted rate and channels.
#[derive(Debug)]
pub struct OpusDecoder {
    decoder: ::opus::Decoder,
    format: AudioFormat,
    /// Samples per channel that were made up since real sound came.
    concealed: usize,
}

impl OpusDecoder {
    /// A decoder that has heard nothing.
    ///
    /// # Errors
    /// [`CodecError::Rate`] for 44.1 kHz, which is not a rate of Opus.
    pub fn new(format: AudioFormat) -> Result<Self, CodecError> {
        if format.rate != rate_for(format.rate) {
            return Err(CodecError::Rate(format.rate));
        }
        let decoder = ::opus::Decoder::new(format.rate.get(), channels(format.channels))?;
        Ok(Self {
            decoder,
            format,
            concealed: 0,
        })
    }

    /// Appends what libopus makes of a unit, or up to `samples` of concealment for an empty one.
    fn append(
        &mut self,
        unit: &[u8],
        samples: usize,
        source: Source,
        out: &mut Vec<f32>,
    ) -> Result<(), CodecError> {
        let start = out.len();
        out.resize(start + self.format.values(samples), 0.0);
        let (_, room) = out.split_at_mut(start);
        let decoded = self
            .decoder
            .decode_float(unit, room, source == Source::Redundancy);
        let appended = decoded.as_ref().copied().unwrap_or(0);
        out.truncate(start + self.format.values(appended));
        decoded?;
        Ok(())
    }

    /// Appends up to `samples` that carry on what came before, as long as there is something to carry
    /// on.
    fn extrapolate(&mut self, samples: usize, out: &mut Vec<f32>) -> Result<(), CodecError> {
        let start = out.len();
        let left = self.length(MAX_CONCEALED).saturating_sub(self.concealed);
        let audible = samples.min(left);
        if audible > 0 {
            let step = self.length(STEP);
            self.append(&[], audible.next_multiple_of(step), Source::Unit, out)?;
            out.truncate(start + self.format.values(audible));
            self.fade(out.split_at_mut(start).1);
        }
        self.concealed = self.concealed.saturating_add(samples);
        Ok(())
    }

    /// Makes what follows on the concealed sound as quiet as it must be there.
    fn fade(&self, sound: &mut [f32]) {
        let (from, to) = (self.length(FADES_AFTER), self.length(MAX_CONCEALED));
        let frames = sound.chunks_mut(self.format.channels.count());
        for (frame, at) in frames.zip(self.concealed..) {
            let left = to.saturating_sub(at).min(to - from);
            let gain = left as f32 / (to - from) as f32;
            frame.iter_mut().for_each(|sample| *sample *= gain);
        }
    }

    /// How many samples before `unit` its redundancy covers.
    fn redundancy(&self, unit: &[u8]) -> usize {
        if has_redundancy(unit) {
            Toc::parse(unit).map_or(0, |toc| self.samples(toc.frame_duration()))
        } else {
            0
        }
    }

    /// Ticks of 48 kHz in samples. A whole number, because Opus counts in 2.5 ms.
    const fn samples(&self, ticks: u32) -> usize {
        (ticks / (ClockRate::OPUS.get() / self.format.rate.get())) as usize
    }

    fn length(&self, duration: Duration) -> usize {
        usize::try_from(self.format.rate.samples(duration)).unwrap_or(usize::MAX)
    }
}

impl Decoder for OpusDecoder {
    fn decode(&mut self, unit: &[u8], out: &mut Vec<f32>) -> Result<(), CodecError> {
        let toc =
            Toc::parse(unit).ok_or(CodecError::Malformed("no Opus frames of 120 ms or less"))?;
        self.append(unit, self.samples(toc.duration()), Source::Unit, out)?;
        self.concealed = 0;
        Ok(())
    }

    fn conceal(
        &mut self,
        samples: usize,
        next: Option<&[u8]>,
        out: &mut Vec<f32>,
    ) -> Result<(), CodecError> {
        let end = out.len() + self.format.values(samples);
        let next = next.unwrap_or_default();
        let covered = self.redundancy(next);
        if (1..=samples).contains(&covered) {
            self.extrapolate(samples - covered, out)?;
            let redundant_at = end - self.format.values(covered);
            out.resize(redundant_at, 0.0);
            // If libopus finds nothing there after all, the rest is silent.
            if self.append(next, covered, Source::Redundancy, out).is_ok() {
                self.concealed = 0;
            }
        } else {
            self.extrapolate(samples, out)?;
        }
        out.resize(end, 0.0);
        Ok(())
    }

    fn format(&self) -> AudioFormat {
        self.format
    }
}

/// What of a unit is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The sound it is there for.
    Unit,
    /// What it repeats of the unit before it.
    Redundancy,
}

/// The rate at which Opus is decoded for somebody who wants another: the same, if Opus has it.
pub(super) const fn rate_for(wanted: SampleRate) -> SampleRate {
    match wanted.get() {
        44_100 => SampleRate::HZ_48000,
        _ => wanted,
    }
}

/// Whether a packet repeats the sound before it ("LBRR": low bit-rate redundancy,
/// [RFC 6716 §4.2.4](https://www.rfc-editor.org/rfc/rfc6716#section-4.2.4)). The flags are the first
/// bits of a SILK frame: for each channel one for voice activity a 20 ms, then the one we want.
fn has_redundancy(unit: &[u8]) -> bool {
    let Some(toc) = Toc::parse(unit).filter(|toc| toc.config < FIRST_CELT) else {
        return false;
    };
    let Ok(packet) = ::opus::packet::parse(unit) else {
        return false;
    };
    let flags = packet.frames.first().and_then(|frame| frame.first());
    let silk_frames = toc.frame_duration().div_ceil(960);
    let of_mid = 0x80_u8.checked_shr(silk_frames).unwrap_or(0);
    let of_side = of_mid.checked_shr(silk_frames + 1).unwrap_or(0);
    let wanted = if toc.is_stereo {
        of_mid | of_side
    } else {
        of_mid
    };
    flags.is_some_and(|flags| flags & wanted != 0)
}

/// The first configuration that has no SILK frame (RFC 6716, table 2).
const FIRST_CELT: u8 = 16;

/// The shortest stretch that libopus conceals, and what longer ones are a multiple of.
const STEP: Duration = Duration::from_micros(2_500);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::sample::to_i16;
    use crate::codec::testing::{opus_formats, signal_to_noise, sine};
    use crate::media::Channels;

    #[test]
    fn opus_is_heard_at_every_rate_it_has() {
        let packets = speech(&sine(AudioFormat::OPUS, 440.0, 960 * 50));
        for format in opus_formats() {
            let mut decoder = OpusDecoder::new(format).unwrap();
            let mut out = Vec::new();

            for packet in &packets {
                decoder.decode(packet, &mut out).unwrap();
            }

            let second = format.rate.get() as usize;
            assert_eq!(out.len(), format.values(second));
            let expected = sine(format, 440.0, second);
            let loudness = |sound: &[f32]| sound.iter().map(|value| value * value).sum::<f32>();
            let ratio = loudness(&out) / loudness(&expected);
            assert!((0.8..1.1).contains(&ratio), "{format:?}: {ratio}");
        }
    }

    /// Redundancy brings back what concealment can only guess.
    #[test]
    fn a_single_loss_is_repaired_by_the_packet_after_it() {
        let sound = melody();
        let packets = speech(&sound);
        let whole = decoded(&packets);
        let lost = 31;
        assert!(
            has_redundancy(&packets[lost + 1]),
            "the encoder was asked for it"
        );
        let [guessed, repaired] = [None, Some(&*packets[lost + 1])].map(|next| {
            let mut decoder = OpusDecoder::new(MONO).unwrap();
            let mut out = Vec::new();
            for packet in &packets[..lost] {
                decoder.decode(packet, &mut out).unwrap();
            }
            decoder.conceal(960, next, &mut out).unwrap();
            assert_eq!(out.len(), 960 * (lost + 1));
            out.split_off(960 * lost)
        });

        let was = &whole[960 * lost..][..960];
        let (guessed, repaired) = (
            signal_to_noise(was, &guessed),
            signal_to_noise(was, &repaired),
        );

        assert!(
            repaired > 6.0 && repaired > guessed + 6.0,
            "{repaired} dB, {guessed} dB without"
        );
    }

    #[test]
    fn a_long_gap_fades_and_ends_with_the_redundancy_of_what_follows() {
        let packets = speech(&melody());
        let mut decoder = OpusDecoder::new(MONO).unwrap();
        let mut out = Vec::new();
        for packet in &packets[..30] {
            decoder.decode(packet, &mut out).unwrap();
        }
        out.clear();

        decoder
            .conceal(48_000, Some(&packets[31]), &mut out)
            .unwrap();

        assert_eq!(out.len(), 48_000);
        let loudest = |part: &[f32]| {
            part.iter()
                .fold(0.0_f32, |most, value| most.max(value.abs()))
        };
        assert!(loudest(&out[..960]) > 0.05, "it carries on");
        assert!(loudest(&out[4_000..4_800]) < loudest(&out[..960]));
        assert_eq!(
            loudest(&out[4_800..48_000 - 960]),
            0.0,
            "and then is silent"
        );
        assert!(
            loudest(&out[48_000 - 960..]) > 0.05,
            "until what follows says more"
        );
    }

    #[test]
    fn a_gap_in_pieces_fades_as_one() {
        let packets = speech(&melody());
        let mut out = [Vec::new(), Vec::new()];
        for (pieces, out) in [1, 10].into_iter().zip(&mut out) {
            let mut decoder = OpusDecoder::new(MONO).unwrap();
            for packet in &packets[..30] {
                decoder.decode(packet, &mut Vec::new()).unwrap();
            }
            for _ in 0..pieces {
                decoder.conceal(9_600 / pieces, None, out).unwrap();
            }
        }

        let [whole, pieces] = out;
        assert_eq!((whole.len(), pieces.len()), (9_600, 9_600));
        for silent in [&whole[4_800..], &pieces[4_800..]] {
            assert!(silent.iter().all(|sample| *sample == 0.0));
        }
        assert!(pieces[960..1_920].iter().any(|sample| sample.abs() > 0.01));
    }

    /// RFC 7587 §3.1.3: a packet of one or two bytes is as long as its table of contents says.
    #[test]
    fn discontinuous_transmission_is_sound_too() {
        let mut decoder = OpusDecoder::new(MONO).unwrap();
        let mut out = Vec::new();
        for packet in speech(&melody()).iter().take(20) {
            decoder.decode(packet, &mut out).unwrap();
        }
        for (packet, samples) in [(&[0x78][..], 960), (&[0x08], 960), (&[0x18, 0], 2_880)] {
            out.clear();
            decoder.decode(packet, &mut out).unwrap();
            assert_eq!(out.len(), samples, "{packet:02x?}");
        }
    }

    #[test]
    fn the_silence_of_the_server_is_silent() {
        let mut decoder = OpusDecoder::new(MONO).unwrap();
        let mut out = Vec::new();
        for _ in 0..10 {
            decoder.decode(&[0xf8, 0xff, 0xfe], &mut out).unwrap();
        }

        assert_eq!(out.len(), 9_600);
        assert!(out.iter().all(|sample| to_i16(*sample) == 0));
    }

    #[test]
    fn a_malformed_packet_is_refused_and_the_next_one_is_heard() {
        let packets = speech(&melody());
        let mut decoder = OpusDecoder::new(MONO).unwrap();
        let mut out = Vec::new();
        decoder.decode(&packets[0], &mut out).unwrap();
        // Empty; no frames; two frames of one odd length; a length that is longer than the packet.
        for wrong in [&[][..], &[0x7b, 0], &[0x79, 1, 2, 3], &[0x7a, 200, 1, 2]] {
            assert!(decoder.decode(wrong, &mut out).is_err(), "{wrong:02x?}");
            assert_eq!(out.len(), 960);
        }

        decoder.decode(&packets[1], &mut out).unwrap();

        assert_eq!(out.len(), 1_920);
    }

    #[test]
    fn redundancy_is_seen_where_libopus_puts_it() {
        let sound = melody();
        assert!(
            speech(&sound)[10..]
                .iter()
                .filter(|packet| has_redundancy(packet))
                .count()
                > 20
        );
        let without = encoded(&sound, |encoder| encoder.set_inband_fec(false).unwrap());
        assert!(without.iter().all(|packet| !has_redundancy(packet)));
        for music in [&[0xf8, 0xff, 0xfe][..], &[], &[0x78]] {
            assert!(!has_redundancy(music));
        }
    }

    proptest! {
        /// Whatever a publisher sends, and however much is lost, time passes as it should.
        #[test]
        fn any_packet_is_sound_of_its_length_or_an_error(
            packets in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..300), 0..4_000_usize),
                1..30,
            ),
            rate in prop::sample::select(&[8_000, 12_000, 16_000, 24_000, 48_000][..]),
            is_stereo in any::<bool>(),
        ) {
            let channels = if is_stereo { Channels::Stereo } else { Channels::Mono };
            let format = AudioFormat::new(SampleRate::new(rate).unwrap(), channels);
            let mut decoder = OpusDecoder::new(format).unwrap();
            for (packet, gap) in packets {
                let mut out = Vec::new();
                decoder.conceal(gap, Some(&packet), &mut out).unwrap();
                prop_assert_eq!(out.len(), format.values(gap));
                let was_decoded = decoder.decode(&packet, &mut out).is_ok();
                let ticks = Toc::parse(&packet).filter(|_| was_decoded).map_or(0, Toc::duration);
                let expected = gap + ticks as usize * rate as usize / 48_000;
                prop_assert_eq!(out.len(), format.values(expected));
                prop_assert!(out.iter().all(|sample| sample.is_finite()));
            }
        }
    }

    const MONO: AudioFormat = AudioFormat::new(SampleRate::HZ_48000, Channels::Mono);

    #[expect(clippy::cast_possible_truncation, reason = "sound has 24 bits at most")]
    fn single(value: f64) -> f32 {
        value as f32
    }

    /// A second and a half that is not as dull as a sine: a note of many overtones, higher each 100 ms.
    fn melody() -> Vec<f32> {
        let note = |at: usize| 110.0 + 10.0 * (at / 4_800) as f64;
        let sample = |at: usize| {
            let phase = std::f64::consts::TAU * note(at) * at as f64 / 48_000.0;
            (1..12)
                .map(|overtone| (phase * f64::from(overtone)).sin() / 15.0)
                .sum::<f64>()
        };
        let pair = |at| [single(sample(at)); 2];
        (0..72_000).flat_map(pair).collect()
    }

    /// As a browser sends it: SILK with redundancy. The sound is stereo, 48 kHz.
    fn speech(sound: &[f32]) -> Vec<Vec<u8>> {
        encoded(sound, |encoder| {
            encoder.set_inband_fec(true).unwrap();
            encoder.set_packet_loss_perc(20).unwrap();
        })
    }

    fn encoded(sound: &[f32], settings: impl Fn(&mut ::opus::Encoder)) -> Vec<Vec<u8>> {
        let (channels, mode) = (::opus::Channels::Stereo, ::opus::Application::Voip);
        let mut encoder = ::opus::Encoder::new(48_000, channels, mode).unwrap();
        encoder
            .set_force_channels(Some(::opus::Channels::Mono))
            .unwrap();
        encoder.set_signal(::opus::Signal::Voice).unwrap();
        encoder.set_bitrate(::opus::Bitrate::Bits(24_000)).unwrap();
        settings(&mut encoder);
        sound
            .chunks_exact(1_920)
            .map(|frame| encoder.encode_vec_float(frame, 1_276).unwrap())
            .collect()
    }

    fn decoded(packets: &[Vec<u8>]) -> Vec<f32> {
        let mut decoder = OpusDecoder::new(MONO).unwrap();
        let mut out = Vec::new();
        for packet in packets {
            decoder.decode(packet, &mut out).unwrap();
        }
        out
    }
}
