//! Access units, or decoded sound → container bytes, crash-safe and without I/O.
//!
//! A muxer hands out [`Output`]s: bytes to append, and bytes that replace the beginning of the
//! file. A file that got only a prefix of them (a killed process) plays up to the last
//! [`flush`](Muxer::flush), and [`recover`](recovery) makes it whole.

pub mod mp4;
pub mod ogg;
pub mod wav;
pub mod webm;
pub mod recovery;

use bytes::Bytes;
use jiff::Timestamp;

use self::mp4::Mp4Muxer;
use self::ogg::Ogg;
use self::wav::Wav;
use self::webm::WebM;
use crate::media::{AccessUnit, AudioFormat, Codec, NtpTimestamp, Pts};

/// Writes one track into one file.
pub trait Muxer: std::fmt::Debug + Send {
    /// Adds the next access unit. Audio: a gap before it is filled (media.md T3, O3). Video: it
    /// lengthens the unit before it. A `pts` before that of the unit before it is moved behind it.
    ///
    /// # Errors
    /// The unit cannot be stored; it is left out and the next one can be written.
    fn write(&mut self, unit: &AccessUnit) -> Result<(), MuxError>;

    /// Fills a hole that lasts until `until` at least, before anything comes behind it. Only sound
    /// is filled; a later unit must not begin before `until`.
    fn fill(&mut self, until: Pts);

    /// Closes the page, fragment or cluster, so that a reader of the growing file gets all that
    /// was written, but for the one unit whose duration or place is not known before the next.
    fn flush(&mut self);

    /// Ends the track at `end` (never before the end of the last unit) and finalises the file.
    fn finish(&mut self, end: Pts);

    /// The next bytes for the file; `None` when there are none yet.
    fn poll_output(&mut self) -> Option<Output>;
}

/// What happens to the file next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// These bytes go to its end.
    Append(Bytes),
    /// These bytes replace as many at its beginning.
    PatchHead(Bytes),
}

/// The kind of file that holds a codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// `.ogg`: Opus.
    Ogg,
    /// `.mp4`: H.264, H.265, AV1.
    Mp4,
    /// `.webm`: VP8, VP9 (AV1 on request).
    WebM,
    /// `.wav`: G.711, decoded sound.
    Wav,
    /// `.pcm`: decoded sound, and nothing around it.
    Pcm,
}

impl Container {
    /// The one a codec goes into unless something else is asked for.
    pub const fn of(codec: Codec) -> Self {
        match codec {
            Codec::Opus => Self::Ogg,
            Codec::Pcmu | Codec::Pcma => Self::Wav,
            Codec::H264 | Codec::H265 | Codec::Av1 => Self::Mp4,
            Codec::Vp8 | Codec::Vp9 => Self::WebM,
        }
    }

    /// The file name extension, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Ogg => "ogg",
            Self::Mp4 => "mp4",
            Self::WebM => "webm",
            Self::Wav => "wav",
            Self::Pcm => "pcm",
        }
    }
}

/// What a file says about itself, where its container has a place for it. Ogg and WAV leave out what is
/// empty, or zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What the track is encoded with.
    pub codec: Codec,
    /// The room's name.
    pub room: String,
    /// The publisher's identity.
    pub participant: String,
    /// The track's SID.
    pub track: String,
    /// The wall-clock time of `Pts(0)`.
    pub started_at: NtpTimestamp,
}

/// Why an access unit cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MuxError {
    /// The first unit of a video track is not a keyframe, or holds no parameter sets.
    #[error("the file cannot start with this access unit: {0}")]
    Start(&'static str),
    /// The container has no place for such a unit.
    #[error("the access unit cannot be stored: {0}")]
    Unit(&'static str),
}

/// The muxer of a container.
pub fn for_codec(container: Container, metadata: Metadata) -> Box<dyn Muxer> {
    match container {
        Container::Ogg => Box::new(Ogg::new(&metadata)),
        Container::Mp4 => Box::new(Mp4Muxer::new(metadata)),
        Container::WebM => Box::new(WebM::new(metadata)),
        Container::Wav => Box::new(Wav::new(&metadata)),
        Container::Pcm => Box::new(Wav::raw(metadata.codec)),
    }
}

/// The muxer of a container for decoded sound; `None` if it holds none. Units are interleaved 16-bit
/// little endian samples, and their `pts` counts 48 kHz ticks, whatever the sample rate.
pub fn for_pcm(
    container: Container,
    format: AudioFormat,
    metadata: &Metadata,
) -> Option<Box<dyn Muxer>> {
    match container {
        Container::Wav => Some(Box::new(Wav::pcm(metadata, format))),
        Container::Pcm => Some(Box::new(Wav::raw_pcm(format))),
        Container::Ogg | Container::Mp4 | Container::WebM => None,
    }
}

/// The wall-clock time of `Pts(0)` as calendars print it: `2026-03-14T15:09:26.535Z`. Empty for zero,
/// which stands for a time that nobody knows
/// ([RFC 5905 §6](https://www.rfc-editor.org/rfc/rfc5905#section-6)).
fn date(metadata: &Metadata) -> String {
    if metadata.started_at == NtpTimestamp(0) {
        return String::new();
    }
    let nanos = metadata.started_at.unix_nanos();
    let time = Timestamp::from_nanosecond(nanos.into()).unwrap_or_default();
    format!("{time:.3}")
}

/// Cuts a name that its user made very long, so that headers keep their bounds.
fn shorten(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MAX_NAME))
        .unwrap_or_default()
}

const MAX_NAME: usize = 4 << 10;

/// A number that tells one track from another, for containers that want one.
fn fingerprint(metadata: &Metadata) -> u32 {
    let track = ogg::crc::update(0, metadata.track.as_bytes());
    ogg::crc::update(track, &metadata.started_at.0.to_be_bytes())
}
