//! What comes before the sound of a WAV file, always as long:
//!
//! ```text
//! 0           12              48          74         86                          n
//! +-----------+---------------+-----------+----------+---------------------------+-----------+
//! | RIFF WAVE | JUNK, 28 bytes| fmt       | fact     | LIST INFO: names and date | data size |
//! | or RF64   | or ds64       |           | samples  |                           |           |
//! +-----------+---------------+-----------+----------+---------------------------+-----------+
//! ```
//!
//! Above 4 GiB it becomes RF64 ([EBU Tech 3306](https://tech.ebu.ch/docs/tech/tech3306v1_1.pdf)).

use bytes::Bytes;

use super::sound::Sound;
use crate::media::{AudioFormat, Channels, SampleRate};
use crate::mux::{Metadata, date, shorten};

/// The header of one file, as it is for no sound.
#[derive(Debug)]
pub(super) struct Header {
    bytes: Vec<u8>,
    sound: Sound,
}

impl Header {
    /// Describes a track.
    pub(super) fn new(metadata: &Metadata, sound: Sound) -> Self {
        let mut bytes = b"RIFF\0\0\0\0WAVE".to_vec();
        put(&mut bytes, *b"JUNK", &[0; DS64_SIZE]);
        put(&mut bytes, *b"fmt ", &format(sound));
        put(&mut bytes, *b"fact", &[0; 4]);
        put(&mut bytes, *b"LIST", &names(metadata));
        put(&mut bytes, *b"data", &[]);
        Self { bytes, sound }
    }

    /// Takes the header from the front of a file of ours; `None` if it is another.
    pub(super) fn parse(file: &[u8]) -> Option<Self> {
        let at = |offset: usize, len: usize| file.get(offset..)?.get(..len);
        let list = u32::from_le_bytes(at(LIST_AT + 4, 4)?.try_into().ok()?);
        let data_at = LIST_AT + 8 + usize::try_from(list).ok().filter(|len| *len < MAX)?;
        let sound = parse_format(at(FORMAT_AT, FACT_AT - FORMAT_AT)?)?;
        let is_ours = is_wav(file)
            && matches!(at(12, 4)?, b"JUNK" | b"ds64")
            && at(16, 4)? == u32::to_le_bytes(28)
            && at(FACT_AT, 8)? == b"fact\x04\0\0\0"
            && at(LIST_AT, 4)? == b"LIST"
            && at(data_at, 4)? == b"data";
        let bytes = at(0, data_at + 8)?.to_vec();
        is_ours.then_some(Self { bytes, sound })
    }

    /// The header of a file with that many bytes of sound.
    pub(super) fn with_sound(&self, sound: u64) -> Bytes {
        let samples = sound / u64::from(self.sound.block());
        let riff = self.len() - 8 + sound + padding(sound);
        let mut bytes = self.bytes.clone();
        let data_size_at = bytes.len() - 4;
        if let Ok(riff) = u32::try_from(riff) {
            // Both are less than the size of the file.
            let [sound, samples] =
                [sound, samples].map(|size| u32::try_from(size).unwrap_or(u32::MAX));
            patch(&mut bytes, 0, b"RIFF");
            patch(&mut bytes, 4, &riff.to_le_bytes());
            patch(&mut bytes, 12, b"JUNK\x1c\0\0\0");
            patch(&mut bytes, 20, &[0; DS64_SIZE]);
            patch(&mut bytes, FACT_AT + 8, &samples.to_le_bytes());
            patch(&mut bytes, data_size_at, &sound.to_le_bytes());
        } else {
            patch(&mut bytes, 0, b"RF64\xff\xff\xff\xff");
            patch(&mut bytes, 12, b"ds64\x1c\0\0\0");
            patch(&mut bytes, 20, &riff.to_le_bytes());
            patch(&mut bytes, 28, &sound.to_le_bytes());
            patch(&mut bytes, 36, &samples.to_le_bytes());
            patch(&mut bytes, 44, &[0; 4]);
            patch(&mut bytes, FACT_AT + 8, &[0xff; 4]);
            patch(&mut bytes, data_size_at, &[0xff; 4]);
        }
        bytes.into()
    }

    pub(super) const fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// What its sound is made of.
    pub(super) const fn sound(&self) -> Sound {
        self.sound
    }
}

/// Whether a file that begins with `head` may be a WAV file.
pub fn is_wav(head: &[u8]) -> bool {
    let is_riff = head.starts_with(b"RIFF") || head.starts_with(b"RF64");
    is_riff && head.get(8..12) == Some(b"WAVE")
}

/// Every chunk begins at an even offset.
pub(super) const fn padding(len: u64) -> u64 {
    len % 2
}

/// `WAVEFORMATEX`.
fn format(sound: Sound) -> Vec<u8> {
    let AudioFormat { rate, channels } = sound.format();
    let channels: u16 = match channels {
        Channels::Mono => 1,
        Channels::Stereo => 2,
    };
    let bytes_a_second = rate.get() * u32::from(sound.block());
    let no_extension = 0_u16;
    [
        &sound.tag().to_le_bytes()[..],
        &channels.to_le_bytes(),
        &rate.get().to_le_bytes(),
        &bytes_a_second.to_le_bytes(),
        &u16::from(sound.block()).to_le_bytes(),
        &sound.bits().to_le_bytes(),
        &no_extension.to_le_bytes(),
    ]
    .concat()
}

/// Which sound a chunk describes, if we would describe it so.
fn parse_format(chunk: &[u8]) -> Option<Sound> {
    let (_, format) = chunk.split_first_chunk::<8>()?;
    let [t0, t1, c0, c1, r0, r1, r2, r3, ..] = format else {
        return None;
    };
    let sound = match u16::from_le_bytes([*t0, *t1]) {
        1 => Sound::Pcm(AudioFormat {
            rate: SampleRate::new(u32::from_le_bytes([*r0, *r1, *r2, *r3]))?,
            channels: Channels::new(u16::from_le_bytes([*c0, *c1]).into())?,
        }),
        6 => Sound::Pcma,
        7 => Sound::Pcmu,
        _ => return None,
    };
    let mut expected = Vec::new();
    put(&mut expected, *b"fmt ", &self::format(sound));
    (expected == chunk).then_some(sound)
}

/// Title, artist, comment, date and software.
fn names(metadata: &Metadata) -> Vec<u8> {
    let mut list = b"INFO".to_vec();
    let entries = [
        (*b"INAM", shorten(&metadata.room)),
        (*b"IART", shorten(&metadata.participant)),
        (*b"ICMT", shorten(&metadata.track)),
        (*b"ICRD", &date(metadata)),
        (*b"ISFT", "trackmill"),
    ];
    for (kind, text) in entries.into_iter().filter(|(_, text)| !text.is_empty()) {
        put(&mut list, kind, &[text.as_bytes(), &[0]].concat());
    }
    list
}

fn put(out: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    let size = u32::try_from(content.len()).expect("names are short");
    out.extend_from_slice(&kind);
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(2), 0);
}

/// Replaces bytes that are there.
fn patch(bytes: &mut [u8], at: usize, with: &[u8]) {
    if let Some(place) = bytes
        .get_mut(at..)
        .and_then(|rest| rest.get_mut(..with.len()))
    {
        place.copy_from_slice(with);
    }
}

/// The longest header.
pub(super) const MAX: usize = 32 << 10;

/// Two sizes and a count of 64 bits, and an empty table.
const DS64_SIZE: usize = 28;
const FORMAT_AT: usize = 48;
const FACT_AT: usize = 74;
const LIST_AT: usize = 86;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Codec, NtpTimestamp};

    #[test]
    fn a_header_is_read_back_whatever_its_size_says() {
        for size in [0, 4, 8_000, 1 << 33] {
            for sound in sounds() {
                let header = header(sound);
                let bytes = header.with_sound(size);

                let parsed = Header::parse(&bytes).unwrap();

                assert_eq!(parsed.sound(), sound);
                assert_eq!(parsed.len(), bytes.len() as u64);
                assert_eq!(parsed.with_sound(size), bytes);
                assert_eq!(parsed.with_sound(0), header.with_sound(0));
            }
        }
    }

    #[test]
    fn above_4_gib_the_sizes_have_64_bits() {
        for sound in sounds() {
            let size = 5 << 30;

            let bytes = header(sound).with_sound(size);

            assert!(bytes.starts_with(b"RF64\xff\xff\xff\xffWAVEds64"));
            assert_eq!(bytes[28..36], size.to_le_bytes());
            let samples = size / u64::from(sound.block());
            assert_eq!(bytes[36..44], samples.to_le_bytes());
        }
    }

    #[test]
    fn formats_that_nobody_writes_are_not_ours() {
        let whole = header(Sound::Pcm(AudioFormat::OPUS)).with_sound(4);
        for at in FORMAT_AT..FACT_AT {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 0x40;

            assert!(Header::parse(&damaged).is_none(), "{at}");
        }
    }

    fn sounds() -> impl Iterator<Item = Sound> {
        let pcm = SampleRate::ALL.into_iter().flat_map(|rate| {
            [Channels::Mono, Channels::Stereo]
                .map(|channels| Sound::Pcm(AudioFormat::new(rate, channels)))
        });
        [Sound::Pcmu, Sound::Pcma].into_iter().chain(pcm)
    }

    fn header(sound: Sound) -> Header {
        let metadata = Metadata {
            codec: Codec::Opus,
            room: "room".to_owned(),
            participant: "alice".to_owned(),
            track: "TR_1".to_owned(),
            started_at: NtpTimestamp(0),
        };
        Header::new(&metadata, sound)
    }
}
