use crate::media::{Codec, Ssrc, TrackKind, TrackSid};
use crate::rtp::StreamDescription;

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

impl MediaSection {
    /// What the data path needs to know of it; `None` if nothing is sent to us on it.
    pub fn stream(&self) -> Option<StreamDescription> {
        if !self.is_sent() {
            return None;
        }
        Some(StreamDescription {
            track: self.track.clone()?,
            ssrc: self.ssrc?,
            rtx: self.rtx,
            formats: self.formats.clone(),
            rtx_formats: self.rtx_formats.clone(),
        })
    }

    /// Whether sound or pictures are sent to us on it.
    pub fn is_sent(&self) -> bool {
        let is_sent = matches!(self.direction, Direction::SendReceive | Direction::SendOnly);
        is_sent && self.kind.is_some()
    }

    /// Begins with what follows `m=`: `audio 9 UDP/TLS/RTP/SAVPF 111 0 8`.
    pub(super) fn new(media: &str) -> Self {
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

    pub(super) fn read_attribute(&mut self, line: &str) {
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
}

fn ssrc(text: Option<&str>) -> Option<Ssrc> {
    text?.parse().ok().map(Ssrc)
}

/// Seven bits, [RFC 3550 §5.1](https://www.rfc-editor.org/rfc/rfc3550#section-5.1).
fn payload_type(text: &str) -> Option<u8> {
    text.parse().ok().filter(|payload_type| *payload_type < 128)
}

const MAX_FORMATS: usize = 64;
