//! What we read of an offer ourselves, and how it is rewritten for a peer connection that only
//! receives. SDP: [RFC 8866](https://www.rfc-editor.org/rfc/rfc8866).

use std::collections::{BTreeMap, BTreeSet};

use super::message::Offer;
use crate::media::{Codec, Ssrc, TrackKind, TrackSid};
use crate::rtp::StreamDescription;

/// The streams that an offer sends to us, after a cross-check of what its SDP and the server's own
/// map say about each m-line.
///
/// # Errors
/// If the SDP is beyond bounds or contradicts itself or the map. Streams of an offer like that
/// would end up in the wrong recording.
pub fn streams(offer: &Offer) -> Result<Vec<StreamDescription>, SdpError> {
    let sections = scan(&offer.sdp)?;
    for section in &sections {
        section.check_track(&offer.tracks)?;
    }
    Ok(sections.iter().filter_map(MediaSection::stream).collect())
}

/// Rewrites an offer for a peer connection that only receives and leaves RTP to us.
///
/// The server offers `sendrecv` for a track and `recvonly` for a freed m-line: a literal answer
/// would promise to send. Without `a=ssrc` lines the engine makes no receive streams and hence
/// sends no RTCP of its own. The answer is valid for the original offer either way.
pub fn receive_only(offer: &str) -> String {
    let mut rewritten = String::with_capacity(offer.len());
    for line in offer.split_inclusive('\n') {
        let text = line.trim_end_matches(['\r', '\n']);
        let direction = match text {
            "a=sendrecv" => "a=sendonly",
            "a=recvonly" => "a=inactive",
            _ if text.starts_with("a=ssrc:") || text.starts_with("a=ssrc-group:") => continue,
            _ => text,
        };
        rewritten.push_str(direction);
        rewritten.extend(line.chars().skip(text.chars().count()));
    }
    rewritten
}

/// Reads the media sections of an offer, in order.
///
/// # Errors
/// If it is beyond bounds, or if two sections share an m-line id or an SSRC.
pub fn scan(sdp: &str) -> Result<Vec<MediaSection>, SdpError> {
    if sdp.len() > MAX_LENGTH {
        return Err(SdpError::TooLong(sdp.len()));
    }
    let mut sections: Vec<MediaSection> = Vec::new();
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            if sections.len() == MAX_SECTIONS {
                return Err(SdpError::TooManySections);
            }
            sections.push(MediaSection::new(media));
        } else if let (Some(section), Some(line)) = (sections.last_mut(), line.strip_prefix("a=")) {
            section.read_attribute(line);
        }
    }
    check_unique(&sections)?;
    Ok(sections)
}

/// One m-line and its attributes, seen from the offerer: the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaSection {
    /// Its MID; empty if it has none.
    pub mid: String,
    /// Sound, pictures; `None` for data channels.
    pub kind: Option<TrackKind>,
    /// Who sends.
    pub direction: Direction,
    /// The track: the second token of `a=msid`.
    pub track: Option<TrackSid>,
    /// The media stream: the first of the `FID` group, or else the first SSRC.
    pub ssrc: Option<Ssrc>,
    /// The retransmission stream: the second of the `FID` group.
    pub rtx: Option<Ssrc>,
    /// Payload types that we can record. RED is not among them: refused, the server unwraps it.
    pub formats: Vec<(u8, Codec)>,
    /// RTX payload type → payload type (`apt`), [RFC 4588 §8.1](https://www.rfc-editor.org/rfc/rfc4588#section-8.1).
    pub rtx_formats: Vec<(u8, u8)>,
}

/// Who sends on an m-line, as the offerer says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both: how the server offers a track.
    SendReceive,
    /// The offerer.
    SendOnly,
    /// The answerer: how the server offers an m-line that it has freed.
    ReceiveOnly,
    /// Nobody.
    Inactive,
}

/// Why an offer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// It is far longer than any offer.
    #[error("an SDP of {0} bytes, more than {MAX_LENGTH}")]
    TooLong(usize),
    /// It has far more m-lines than any offer.
    #[error("an SDP with more than {MAX_SECTIONS} m-lines")]
    TooManySections,
    /// Two m-lines have the same MID.
    #[error("two m-lines with mid {0:?}")]
    DuplicateMid(String),
    /// Two m-lines have the same SSRC.
    #[error("two m-lines with ssrc {0}")]
    DuplicateSsrc(Ssrc),
    /// The SDP and the map of the server name different tracks.
    #[error("mid {mid:?} is track {sdp} in the SDP, but {map} in the map of the offer")]
    TrackConflict {
        /// The m-line.
        mid: String,
        /// What `a=msid` says.
        sdp: TrackSid,
        /// What `mid_to_track_id` says.
        map: TrackSid,
    },
}

impl MediaSection {
    /// What the data path needs to know of it; `None` if nothing is sent to us on it.
    pub fn stream(&self) -> Option<StreamDescription> {
        if !matches!(self.direction, Direction::SendReceive | Direction::SendOnly) {
            return None;
        }
        self.kind?;
        Some(StreamDescription {
            track: self.track.clone()?,
            ssrc: self.ssrc?,
            rtx: self.rtx,
            formats: self.formats.clone(),
            rtx_formats: self.rtx_formats.clone(),
        })
    }

    /// Begins with what follows `m=`: `audio 9 UDP/TLS/RTP/SAVPF 111 0 8`.
    fn new(media: &str) -> Self {
        let mut words = media.split(' ');
        let kind = match words.next() {
            Some("audio") => Some(TrackKind::Audio),
            Some("video") => Some(TrackKind::Video),
            _ => None,
        };
        Self {
            mid: String::new(),
            kind,
            direction: Direction::SendReceive,
            track: None,
            ssrc: None,
            rtx: None,
            formats: Vec::new(),
            rtx_formats: Vec::new(),
        }
    }

    fn read_attribute(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name {
            "mid" => value.clone_into(&mut self.mid),
            "sendrecv" => self.direction = Direction::SendReceive,
            "sendonly" => self.direction = Direction::SendOnly,
            "recvonly" => self.direction = Direction::ReceiveOnly,
            "inactive" => self.direction = Direction::Inactive,
            "msid" => self.track = value.split(' ').nth(1).map(TrackSid::from),
            "ssrc-group" => self.read_group(value),
            "ssrc" => self.ssrc = self.ssrc.or_else(|| ssrc(value.split(' ').next())),
            "rtpmap" => self.read_format(value),
            "fmtp" => self.read_apt(value),
            _ => {}
        }
    }

    /// `FID 2418665885 610813454`, [RFC 5576 §4.2](https://www.rfc-editor.org/rfc/rfc5576#section-4.2).
    fn read_group(&mut self, value: &str) {
        let mut words = value.split(' ');
        if words.next() != Some("FID") {
            return;
        }
        if let (Some(media), Some(rtx)) = (ssrc(words.next()), ssrc(words.next())) {
            self.ssrc = Some(media);
            self.rtx = Some(rtx);
        }
    }

    /// `111 opus/48000/2`. A codec at another clock rate than its own would get wrong times.
    fn read_format(&mut self, value: &str) {
        let Some((payload_type, encoding)) = value.split_once(' ') else {
            return;
        };
        let mut parts = encoding.split('/');
        let codec = parts.next().and_then(Codec::from_name);
        let rate = parts.next().and_then(|rate| rate.parse().ok());
        let (Some(payload_type), Some(codec)) = (self::payload_type(payload_type), codec) else {
            return;
        };
        let fits = Some(codec.kind()) == self.kind && rate == Some(codec.clock_rate().get());
        if fits && self.formats.len() < MAX_FORMATS {
            self.formats.push((payload_type, codec));
        }
    }

    /// `97 apt=96`.
    fn read_apt(&mut self, value: &str) {
        let Some((rtx, parameters)) = value.split_once(' ') else {
            return;
        };
        let apt = parameters
            .split(';')
            .find_map(|parameter| parameter.trim().strip_prefix("apt="));
        let (Some(rtx), Some(apt)) = (payload_type(rtx), apt.and_then(payload_type)) else {
            return;
        };
        if self.rtx_formats.len() < MAX_FORMATS {
            self.rtx_formats.push((rtx, apt));
        }
    }

    /// Whether the server's map agrees about the track.
    fn check_track(&self, map: &BTreeMap<String, TrackSid>) -> Result<(), SdpError> {
        match (self.stream(), map.get(&self.mid)) {
            (Some(stream), Some(track)) if stream.track != *track => Err(SdpError::TrackConflict {
                mid: self.mid.clone(),
                sdp: stream.track,
                map: track.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// Whether each MID and each SSRC belongs to one m-line only.
fn check_unique(sections: &[MediaSection]) -> Result<(), SdpError> {
    let mut mids = BTreeSet::new();
    let mut ssrcs = BTreeSet::new();
    for section in sections {
        if !section.mid.is_empty() && !mids.insert(&section.mid) {
            return Err(SdpError::DuplicateMid(section.mid.clone()));
        }
        for ssrc in section.ssrc.into_iter().chain(section.rtx) {
            if !ssrcs.insert(ssrc) {
                return Err(SdpError::DuplicateSsrc(ssrc));
            }
        }
    }
    Ok(())
}

fn ssrc(text: Option<&str>) -> Option<Ssrc> {
    text?.parse().ok().map(Ssrc)
}

/// Seven bits, [RFC 3550 §5.1](https://www.rfc-editor.org/rfc/rfc3550#section-5.1).
fn payload_type(text: &str) -> Option<u8> {
    text.parse().ok().filter(|payload_type| *payload_type < 128)
}

/// Fifty tracks make 60 KiB.
const MAX_LENGTH: usize = 1 << 20;
const MAX_SECTIONS: usize = 512;
const MAX_FORMATS: usize = 64;
