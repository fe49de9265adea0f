//! Sound → WAV (media.md §7): G.711 untouched, of which the format tag says whether it is µ-law or
//! A-law, and decoded sound as 16-bit PCM.
//!
//! The header is written again each second, so that a killed file is right. Raw PCM (`.pcm`) is the
//! same without a header.

mod header;
mod recover;
mod sound;

use std::collections::VecDeque;
use std::mem;

use bytes::Bytes;

use self::header::{Header, padding};
use self::sound::Sound;
use super::{Metadata, MuxError, Muxer, Output};
use crate::media::{AccessUnit, AudioFormat, Codec, Pts};

pub use self::header::is_wav;
pub use self::recover::{recover, recover_raw};

/// Writes the sound of one track into one WAV or raw file.
#[derive(Debug)]
pub struct Wav {
    /// `None` for a raw file.
    header: Option<Header>,
    /// `None` for what does not go into such files.
    sound: Option<Sound>,
    /// Sound that is not in the file yet, at most a second and a unit.
    buffer: Vec<u8>,
    /// Bytes of sound in the file.
    written: u64,
    waiting: Option<Waiting>,
    is_finished: bool,
    ready: VecDeque<Output>,
}

/// Silence that is written second by second as the bytes are taken, so that hours of it take no
/// memory, and what comes behind it.
#[derive(Debug)]
struct Waiting {
    /// Bytes.
    silence: u64,
    then: Then,
}

#[derive(Debug)]
enum Then {
    /// More of the hole.
    Silence,
    Unit(Bytes),
    End,
}

impl Wav {
    /// Starts a file of G.711 as it comes; its header is ready. Any codec but PCMU and PCMA is refused
    /// with the first unit.
    pub fn new(metadata: &Metadata) -> Self {
        let sound = Sound::of(metadata.codec);
        let header = Header::new(metadata, sound.unwrap_or(Sound::Pcmu));
        Self::starting(Some(header), sound)
    }

    /// Starts a file of decoded sound; its header is ready. Units are interleaved 16-bit little
    /// endian samples, and their `pts` counts 48 kHz ticks, whatever the sample rate.
    pub fn pcm(metadata: &Metadata, format: AudioFormat) -> Self {
        let sound = Sound::Pcm(format);
        Self::starting(Some(Header::new(metadata, sound)), Some(sound))
    }

    /// The same as [`Wav::pcm`], without a header.
    pub fn raw_pcm(format: AudioFormat) -> Self {
        Self::starting(None, Some(Sound::Pcm(format)))
    }

    /// The same as [`Wav::new`], without a header.
    pub fn raw(codec: Codec) -> Self {
        Self::starting(None, Sound::of(codec))
    }

    fn starting(header: Option<Header>, sound: Option<Sound>) -> Self {
        let head = header.as_ref().map(|header| header.with_sound(0));
        Self {
            ready: head.map(Output::Append).into_iter().collect(),
            header,
            sound,
            buffer: Vec::new(),
            written: 0,
            waiting: None,
            is_finished: false,
        }
    }

    /// Bytes up to the end of the last unit.
    const fn end(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Bytes of silence before something at `pts`.
    fn hole(&self, sound: Sound, pts: Pts) -> u64 {
        sound.bytes_before(pts).saturating_sub(self.end())
    }

    /// Writes the next second of what waits; `false` if nothing does.
    fn advance(&mut self) -> bool {
        let (Some(waiting), Some(sound)) = (&mut self.waiting, self.sound) else {
            return false;
        };
        if waiting.silence > 0 {
            let room = sound.second().saturating_sub(self.buffer.len());
            let part = usize::try_from(waiting.silence).map_or(room, |left| left.min(room));
            waiting.silence -= part as u64;
            let len = self.buffer.len() + part;
            self.buffer.resize(len, sound.silence());
            self.write_seconds(sound);
        } else if let Some(Waiting { then, .. }) = self.waiting.take() {
            match then {
                Then::Silence => {}
                Then::Unit(data) => self.write_unit(sound, &data),
                Then::End => self.write_end(),
            }
        }
        true
    }

    /// Writes all that waits.
    fn settle(&mut self) {
        while self.advance() {}
    }

    fn write_unit(&mut self, sound: Sound, data: &[u8]) {
        self.buffer.extend_from_slice(data);
        self.write_seconds(sound);
    }

    fn write_seconds(&mut self, sound: Sound) {
        if self.buffer.len() >= sound.second() {
            self.write_buffer();
        }
    }

    fn write_buffer(&mut self) {
        let sound = mem::take(&mut self.buffer);
        self.written += sound.len() as u64;
        self.ready.push_back(Output::Append(sound.into()));
        self.patch();
    }

    /// The last sound, and a byte that makes its length even.
    fn write_end(&mut self) {
        let mut sound = mem::take(&mut self.buffer);
        self.written += sound.len() as u64;
        sound.extend((padding(self.written) == 1).then_some(0));
        if !sound.is_empty() {
            self.ready.push_back(Output::Append(sound.into()));
        }
        self.patch();
    }

    fn patch(&mut self) {
        let head = self.header.as_ref();
        let head = head.map(|header| header.with_sound(self.written));
        self.ready.extend(head.map(Output::PatchHead));
    }
}

impl Muxer for Wav {
    /// A unit that starts before the one before it ends goes behind it; the next hole is shorter by
    /// as much.
    fn write(&mut self, unit: &AccessUnit) -> Result<(), MuxError> {
        let Some(sound) = self.sound else {
            return Err(MuxError::Start("WAV and raw files hold PCMU, PCMA and PCM"));
        };
        if !unit.data.len().is_multiple_of(sound.block().into()) {
            return Err(MuxError::Unit("it ends within a sample"));
        }
        if self.is_finished {
            return Err(MuxError::Unit("the track has ended"));
        }
        self.settle();
        let hole = self.hole(sound, unit.pts);
        if hole == 0 {
            self.write_unit(sound, &unit.data);
        } else {
            self.waiting = Some(Waiting {
                silence: hole,
                then: Then::Unit(unit.data.clone()),
            });
        }
        Ok(())
    }

    fn fill(&mut self, until: Pts) {
        self.settle();
        if let (Some(sound), false) = (self.sound, self.is_finished) {
            self.waiting = Some(Waiting {
                silence: self.hole(sound, until),
                then: Then::Silence,
            });
        }
    }

    fn flush(&mut self) {
        self.settle();
        if !self.buffer.is_empty() {
            self.write_buffer();
        }
    }

    fn finish(&mut self, end: Pts) {
        if self.is_finished {
            return;
        }
        self.settle();
        self.is_finished = true;
        self.waiting = Some(Waiting {
            silence: self.sound.map_or(0, |sound| self.hole(sound, end)),
            then: Then::End,
        });
    }

    fn poll_output(&mut self) -> Option<Output> {
        while self.ready.is_empty() && self.advance() {}
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Channels, Integrity, NtpTimestamp, SampleRate};

    #[test]
    fn an_hour_of_silence_waits_until_somebody_takes_it() {
        let mut wav = wav(Codec::Pcmu);

        wav.write(&unit(8_000 * 3_600)).unwrap();

        let mut sound = 0;
        while let Some(output) = wav.poll_output() {
            assert!(wav.ready.len() <= 1);
            if let Output::Append(bytes) = output {
                sound += bytes.len();
            }
        }
        assert!(sound > 8_000 * 3_600);
    }

    #[test]
    fn a_sound_of_odd_length_is_padded() {
        let mut wav = wav(Codec::Pcma);
        while wav.poll_output().is_some() {}

        wav.finish(Pts(3));

        let sound = Output::Append(Bytes::from_static(&[0xd5, 0xd5, 0xd5, 0]));
        assert_eq!(wav.poll_output(), Some(sound));
        let head = wav.header.as_ref().unwrap().with_sound(3);
        assert_eq!(wav.poll_output(), Some(Output::PatchHead(head)));
    }

    #[test]
    fn other_codecs_are_refused_and_make_no_sound() {
        let mut wav = wav(Codec::Opus);
        assert!(wav.write(&unit(0)).is_err());

        wav.finish(Pts(8_000));

        assert!(matches!(wav.poll_output(), Some(Output::Append(_))));
        assert_eq!(wav.poll_output(), None);
    }

    #[test]
    fn half_a_sample_is_refused() {
        let mut wav = Wav::raw_pcm(AudioFormat::OPUS);
        let unit = AccessUnit {
            data: Bytes::from_static(&[0; 6]),
            ..unit(0)
        };

        assert!(wav.write(&unit).is_err());
        wav.finish(Pts(0));
        assert_eq!(wav.poll_output(), None);
    }

    #[test]
    fn a_raw_file_is_the_sound_of_a_wav_file() {
        let format = AudioFormat::new(SampleRate::HZ_16000, Channels::Mono);
        let [wav, raw] = [
            Wav::pcm(&metadata(Codec::Opus), format),
            Wav::raw_pcm(format),
        ]
        .map(|mut wav| {
            wav.write(&unit(960)).unwrap();
            wav.finish(Pts(48_000));
            let outputs = std::iter::from_fn(|| wav.poll_output());
            let appended = outputs.filter_map(|output| match output {
                Output::Append(bytes) => Some(bytes),
                Output::PatchHead(_) => None,
            });
            appended.collect::<Vec<_>>().concat()
        });

        assert_eq!(raw.len(), 32_000);
        assert_eq!(raw[640..800], [7; 160]);
        assert_eq!(raw.iter().filter(|byte| **byte != 0).count(), 160);
        assert!(wav.ends_with(&raw) && wav.len() > raw.len());
    }

    fn wav(codec: Codec) -> Wav {
        Wav::new(&metadata(codec))
    }

    fn metadata(codec: Codec) -> Metadata {
        Metadata {
            codec,
            room: "room".to_owned(),
            participant: "participant".to_owned(),
            track: "TR_1".to_owned(),
            started_at: NtpTimestamp(0),
        }
    }

    fn unit(pts: u64) -> AccessUnit {
        AccessUnit {
            pts: Pts(pts),
            is_keyframe: true,
            integrity: Integrity::Whole,
            data: Bytes::from_static(&[7; 160]),
        }
    }
}
