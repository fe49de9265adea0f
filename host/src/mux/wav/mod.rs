//! G.711 → WAV, untouched: the format tags say µ-law or A-law (media.md §7).
//!
//! The header is written again each second, so that a killed file is right.

mod header;
mod recover;

use std::collections::VecDeque;
use std::mem;

use bytes::Bytes;

use self::header::{Header, padding};
use super::{Metadata, MuxError, Muxer, Output};
use crate::media::{AccessUnit, Codec, Pts};

pub use self::header::is_wav;
pub use self::recover::recover;

/// Writes one G.711 track into one WAV file.
#[derive(Debug)]
pub struct Wav {
    header: Header,
    codec: Codec,
    /// Sound that is not in the file yet, at most a second and a unit.
    buffer: Vec<u8>,
    /// Bytes of sound in the file; each is a sample.
    written: u64,
    waiting: Option<Waiting>,
    is_finished: bool,
    ready: VecDeque<Output>,
}

/// Silence that is written second by second as the bytes are taken, so that hours of it take no
/// memory, and what comes behind it.
#[derive(Debug)]
struct Waiting {
    silence: u64,
    then: Then,
}

#[derive(Debug)]
enum Then {
    Unit(Bytes),
    End,
}

impl Wav {
    /// Starts a file; its header is ready. Any codec but PCMU and PCMA is refused with the first
    /// unit.
    pub fn new(metadata: &Metadata) -> Self {
        let header = Header::new(metadata);
        Self {
            ready: [Output::Append(header.with_sound(0))].into(),
            header,
            codec: metadata.codec,
            buffer: Vec::new(),
            written: 0,
            waiting: None,
            is_finished: false,
        }
    }

    /// Samples up to the end of the last unit.
    const fn end(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Writes the next second of what waits; `false` if nothing does.
    fn advance(&mut self) -> bool {
        let Some(waiting) = &mut self.waiting else {
            return false;
        };
        if waiting.silence > 0 {
            let room = SECOND.saturating_sub(self.buffer.len());
            let part = usize::try_from(waiting.silence).map_or(room, |left| left.min(room));
            waiting.silence -= part as u64;
            let len = self.buffer.len() + part;
            self.buffer.resize(len, silence(self.codec));
            self.write_seconds();
        } else if let Some(Waiting { then, .. }) = self.waiting.take() {
            match then {
                Then::Unit(data) => self.write_unit(&data),
                Then::End => self.write_end(),
            }
        }
        true
    }

    /// Writes all that waits.
    fn settle(&mut self) {
        while self.advance() {}
    }

    fn write_unit(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
        self.write_seconds();
    }

    fn write_seconds(&mut self) {
        if self.buffer.len() >= SECOND {
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
        let head = self.header.with_sound(self.written);
        self.ready.push_back(Output::PatchHead(head));
    }
}

impl Muxer for Wav {
    /// A unit that starts before the one before it ends goes behind it; the next hole is shorter by
    /// as much.
    fn write(&mut self, unit: &AccessUnit) -> Result<(), MuxError> {
        if !matches!(self.codec, Codec::Pcmu | Codec::Pcma) {
            return Err(MuxError::Start("WAV holds PCMU and PCMA"));
        }
        if self.is_finished {
            return Err(MuxError::Unit("the track has ended"));
        }
        self.settle();
        let hole = unit.pts.0.saturating_sub(self.end());
        if hole == 0 {
            self.write_unit(&unit.data);
        } else {
            self.waiting = Some(Waiting {
                silence: hole,
                then: Then::Unit(unit.data.clone()),
            });
        }
        Ok(())
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
            silence: end.0.saturating_sub(self.end()),
            then: Then::End,
        });
    }

    fn poll_output(&mut self) -> Option<Output> {
        while self.ready.is_empty() && self.advance() {}
        self.ready.pop_front()
    }
}

/// The code of a sample of value zero.
const fn silence(codec: Codec) -> u8 {
    match codec {
        Codec::Pcma => 0xd5,
        _ => 0xff,
    }
}

const SECOND: usize = 8_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Integrity, NtpTimestamp};

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
        let head = Output::PatchHead(wav.header.with_sound(3));
        assert_eq!(wav.poll_output(), Some(head));
    }

    #[test]
    fn other_codecs_are_refused() {
        assert!(wav(Codec::Opus).write(&unit(0)).is_err());
    }

    fn wav(codec: Codec) -> Wav {
        Wav::new(&Metadata {
            codec,
            room: "room".to_owned(),
            participant: "participant".to_owned(),
            track: "TR_1".to_owned(),
            started_at: NtpTimestamp(0),
        })
    }

    fn unit(pts: u64) -> AccessUnit {
        AccessUnit {
            pts: Pts(pts),
            is_keyframe: true,
            integrity: Integrity::Whole,
            data: Bytes::from_static(&[0; 160]),
        }
    }
}
