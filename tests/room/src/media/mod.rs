//! Media as a list of RTP payloads that can be sent again and again, unchanged.

mod annex_b;
mod capture;
mod g711;
mod ivf;
mod keyframe;
mod ogg;
mod player;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::bytes::Bytes;
use rtc_rtp::packetizer::Payloader;

pub use player::Player;

/// The codecs that a publisher can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Opus, [RFC 7587](https://www.rfc-editor.org/rfc/rfc7587).
    Opus,
    /// PCMU (µ-law), [RFC 3551 §4.5.14](https://www.rfc-editor.org/rfc/rfc3551#section-4.5.14).
    /// A LiveKit server does not offer it unless it is told to.
    Pcmu,
    /// VP8, [RFC 7741](https://www.rfc-editor.org/rfc/rfc7741).
    Vp8,
    /// VP9, [RFC 9628](https://www.rfc-editor.org/rfc/rfc9628).
    Vp9,
    /// H.264 in packetization mode 1, [RFC 6184](https://www.rfc-editor.org/rfc/rfc6184).
    H264,
    /// AV1, in the payload format of the Alliance for Open Media.
    Av1,
}

impl Codec {
    /// Every codec, in the order of the payload types that LiveKit offers.
    pub const ALL: [Self; 6] = [
        Self::Opus,
        Self::Pcmu,
        Self::Vp8,
        Self::Vp9,
        Self::H264,
        Self::Av1,
    ];

    /// Returns the encoding name of `a=rtpmap`, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Pcmu => "pcmu",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::H264 => "h264",
            Self::Av1 => "av1",
        }
    }

    /// Returns the MIME type in the spelling of LiveKit's `TrackInfo`.
    #[must_use]
    pub const fn mime_type(self) -> &'static str {
        match self {
            Self::Opus => "audio/opus",
            Self::Pcmu => "audio/PCMU",
            Self::Vp8 => "video/VP8",
            Self::Vp9 => "video/VP9",
            Self::H264 => "video/H264",
            Self::Av1 => "video/AV1",
        }
    }

    /// Returns the ticks per second of the RTP timestamp.
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Pcmu => 8_000,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::Av1 => 90_000,
        }
    }

    /// Tells whether the codec carries pictures.
    #[must_use]
    pub const fn is_video(self) -> bool {
        !matches!(self, Self::Opus | Self::Pcmu)
    }

    /// Converts a duration to ticks of the RTP timestamp, modulo 2^32.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "RTP timestamps wrap at 2^32"
    )]
    pub const fn ticks(self, duration: Duration) -> u32 {
        (duration.as_nanos() * self.clock_rate() as u128 / 1_000_000_000) as u32
    }
}

/// One RTP payload and when to send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPacket {
    /// The RTP payload, exactly as it goes on the wire.
    pub payload: Bytes,
    /// RTP timestamp relative to the first packet of the media, in ticks of the codec's clock.
    pub timestamp: u32,
    /// The marker bit.
    pub marker: bool,
    /// Whether the packet is the first of a keyframe; every audio packet is.
    pub starts_keyframe: bool,
    /// When to send the packet, relative to the first one.
    pub at: Duration,
}

/// A finite run of packets of one codec; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// The codec of all packets.
    pub codec: Codec,
    /// The packets in sending order, `at` never decreasing.
    pub packets: Arc<[MediaPacket]>,
    /// How long the media lasts; when looped, the first packet follows after this long.
    pub duration: Duration,
}

/// Why a file cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The file cannot be read.
    #[error("read {path}")]
    Read {
        /// Which file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The extension is none of `.ogg`, `.ivf`, `.h264`, `.rtp`.
    #[error("{0} is neither .ogg, .ivf, .h264 nor .rtp")]
    UnknownContainer(String),
    /// The content is not what the extension promises.
    #[error("damaged media: {0}")]
    Damaged(String),
}

impl Media {
    /// Reads `.ogg` (Opus), `.ivf` (VP8, VP9, AV1), `.h264` (Annex B at 30 pictures a second)
    /// or `.rtp` (a capture whose codec is the first part of its file name).
    ///
    /// # Errors
    ///
    /// If the file cannot be read, has another extension or is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, MediaError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| MediaError::Read {
            path: name.clone(),
            source,
        })?;
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("ogg") => Self::from_ogg(bytes),
            Some("ivf") => Self::from_ivf(&bytes),
            Some("h264") => Self::from_annex_b(&bytes),
            Some("rtp") => Self::from_capture(&bytes, capture_codec(path)?),
            _ => Err(MediaError::UnknownContainer(name)),
        }
    }

    /// The committed clip of a codec, which lasts six seconds; of PCMU a second of a tone.
    ///
    /// # Errors
    ///
    /// If the checkout is not where the crate was built.
    pub fn sample(codec: Codec) -> Result<Self, MediaError> {
        let name = match codec {
            Codec::Opus => "opus.ogg",
            Codec::Pcmu => return Self::sawtooth(),
            Codec::Vp8 => "vp8.ivf",
            Codec::Vp9 => "vp9.ivf",
            Codec::H264 => "h264.h264",
            Codec::Av1 => "av1.ivf",
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/media");
        Self::open(folder.join(name))
    }

    /// Builds media from packets.
    ///
    /// # Errors
    ///
    /// If there is no packet, or `duration` ends before the last one.
    pub fn new(
        codec: Codec,
        packets: Vec<MediaPacket>,
        duration: Duration,
    ) -> Result<Self, MediaError> {
        match packets.last() {
            None => Err(MediaError::Damaged("no packets".into())),
            Some(last) if last.at > duration => {
                Err(MediaError::Damaged("packets after the end".into()))
            }
            Some(_) => Ok(Self {
                codec,
                packets: packets.into(),
                duration,
            }),
        }
    }
}

/// One encoded picture and when it is shown.
struct Picture<'a> {
    data: &'a [u8],
    at: Duration,
    is_keyframe: bool,
}

/// Cuts pictures into RTP payloads; all packets of a picture leave at once.
fn packetize<'a>(
    codec: Codec,
    payloader: &mut dyn Payloader,
    pictures: impl Iterator<Item = Picture<'a>>,
) -> Result<Vec<MediaPacket>, MediaError> {
    let mut packets = Vec::new();
    for picture in pictures {
        let payloads = payloader
            .payload(MAX_PAYLOAD, &Bytes::copy_from_slice(picture.data))
            .map_err(|error| MediaError::Damaged(error.to_string()))?;
        let last = payloads.len().saturating_sub(1);
        packets.extend(
            payloads
                .into_iter()
                .enumerate()
                .map(|(index, payload)| MediaPacket {
                    payload,
                    timestamp: codec.ticks(picture.at),
                    marker: index == last,
                    starts_keyframe: picture.is_keyframe && index == 0,
                    at: picture.at,
                }),
        );
    }
    Ok(packets)
}

/// Finds the codec in the name of a capture, as in `vp8-pion-mute.rtp`.
fn capture_codec(path: &Path) -> Result<Codec, MediaError> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    Codec::ALL
        .into_iter()
        .find(|codec| name.starts_with(codec.name()))
        .ok_or_else(|| MediaError::Damaged(format!("no codec in the name {name}")))
}

/// Leaves room for RTP, its extensions, SRTP, UDP and IPv6 below an MTU of 1280 bytes.
const MAX_PAYLOAD: usize = 1_100;
