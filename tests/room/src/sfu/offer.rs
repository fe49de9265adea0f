//! Offers in the text form of pion, as recorded in `tests/data/sdp`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use str0m::IceCreds;

/// An offer to a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Grows by one with every offer; the answer names it.
    pub id: u32,
    /// The session description, lines ended by CRLF.
    pub sdp: String,
    /// Which track is on which m-line; LiveKit's `mid_to_track_id`.
    pub mids: BTreeMap<String, String>,
}

/// What stands in the session part and in the first m-line.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) id: u64,
    pub(super) version: u64,
    pub(super) fingerprint: String,
    pub(super) credentials: &'a IceCreds,
    /// Empty until they are gathered, which is after the first offer.
    pub(super) candidates: &'a [SocketCandidate],
}

/// An address at which the server receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SocketCandidate {
    Udp(SocketAddr),
    /// ICE-TCP, where the server waits to be called.
    Tcp(SocketAddr),
}

/// One m-line of audio or video.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) mid: String,
    pub(super) is_video: bool,
    /// `None` while the line is free to be used again.
    pub(super) stream: Option<Stream>,
}

/// What the m-line carries.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) stream_id: String,
    pub(super) track_id: String,
    pub(super) ssrc: u32,
    pub(super) rtx: Option<u32>,
}

impl SocketCandidate {
    /// Writes the candidate as `a=candidate` has it, without the prefix `a=`.
    pub(super) fn to_sdp(self, component: u8, ufrag: &str) -> String {
        match self {
            Self::Udp(address) => format!(
                "candidate:2878742611 {component} udp 2130706431 {} {} typ host ufrag {ufrag}",
                address.ip(),
                address.port(),
            ),
            Self::Tcp(address) => format!(
                "candidate:375738803 {component} tcp 1671430143 {} {} typ host tcptype passive ufrag {ufrag}",
                address.ip(),
                address.port(),
            ),
        }
    }
}

/// Writes the whole description.
pub(super) fn render(session: &Session<'_>, lines: &[Line]) -> String {
    let mut sdp = String::new();
    push(&mut sdp, "v=0");
    push(
        &mut sdp,
        &format!("o=- {} {} IN IP4 0.0.0.0", session.id, session.version),
    );
    for line in ["s=-", "t=0 0", "a=msid-semantic:WMS *"] {
        push(&mut sdp, line);
    }
    push(&mut sdp, &format!("a=fingerprint:{}", session.fingerprint));
    push(&mut sdp, "a=extmap-allow-mixed");
    let mids = lines.iter().fold(String::from("0"), |mids, line| {
        format!("{mids} {}", line.mid)
    });
    push(&mut sdp, &format!("a=group:BUNDLE {mids}"));
    data_line(&mut sdp, session);
    for line in lines {
        media_line(&mut sdp, line, session.credentials);
    }
    sdp
}

fn data_line(sdp: &mut String, session: &Session<'_>) {
    for line in [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=setup:actpass",
        "a=mid:0",
        "a=sendrecv",
        "a=sctp-port:5000",
        "a=max-message-size:65535",
    ] {
        push(sdp, line);
    }
    credentials(sdp, session.credentials);
    for candidate in session.candidates {
        for component in [1, 2] {
            let text = candidate.to_sdp(component, &session.credentials.ufrag);
            push(sdp, &format!("a={text}"));
        }
    }
    if !session.candidates.is_empty() {
        push(sdp, "a=end-of-candidates");
    }
}

fn media_line(sdp: &mut String, line: &Line, creds: &IceCreds) {
    let (kind, types) = if line.is_video {
        ("video", VIDEO_TYPES)
    } else {
        ("audio", "111 0 8")
    };
    push(sdp, &format!("m={kind} 9 UDP/TLS/RTP/SAVPF {types}"));
    push(sdp, "c=IN IP4 0.0.0.0");
    push(sdp, "a=setup:actpass");
    push(sdp, &format!("a=mid:{}", line.mid));
    credentials(sdp, creds);
    push(sdp, "a=rtcp-mux");
    push(sdp, "a=rtcp-rsize");
    if line.is_video {
        video_formats(sdp);
    } else {
        AUDIO_FORMATS.iter().for_each(|format| push(sdp, format));
    }
    stream(sdp, line.stream.as_ref());
}

fn video_formats(sdp: &mut String) {
    for (payload_type, name, parameters) in VIDEO_FORMATS {
        push(sdp, &format!("a=rtpmap:{payload_type} {name}/90000"));
        if !parameters.is_empty() {
            push(sdp, &format!("a=fmtp:{payload_type} {parameters}"));
        }
        for feedback in ["ccm fir", "nack", "nack pli", "goog-remb"] {
            push(sdp, &format!("a=rtcp-fb:{payload_type} {feedback}"));
        }
        let rtx = payload_type + 1;
        push(sdp, &format!("a=rtpmap:{rtx} rtx/90000"));
        push(sdp, &format!("a=fmtp:{rtx} apt={payload_type}"));
    }
    VIDEO_EXTENSIONS.iter().for_each(|line| push(sdp, line));
}

/// pion offers a track as `sendrecv`, and a line that lost its track as `recvonly`.
fn stream(sdp: &mut String, stream: Option<&Stream>) {
    let Some(stream) = stream else {
        return push(sdp, "a=recvonly");
    };
    let msid = format!("{} {}", stream.stream_id, stream.track_id);
    if let Some(rtx) = stream.rtx {
        push(sdp, &format!("a=ssrc-group:FID {} {rtx}", stream.ssrc));
    }
    for ssrc in std::iter::once(stream.ssrc).chain(stream.rtx) {
        push(sdp, &format!("a=ssrc:{ssrc} cname:{}", stream.stream_id));
        push(sdp, &format!("a=ssrc:{ssrc} msid:{msid}"));
        push(sdp, &format!("a=ssrc:{ssrc} mslabel:{}", stream.stream_id));
        push(sdp, &format!("a=ssrc:{ssrc} label:{}", stream.track_id));
    }
    push(sdp, &format!("a=msid:{msid}"));
    push(sdp, "a=sendrecv");
}

fn credentials(sdp: &mut String, credentials: &IceCreds) {
    push(sdp, &format!("a=ice-ufrag:{}", credentials.ufrag));
    push(sdp, &format!("a=ice-pwd:{}", credentials.pass));
}

fn push(sdp: &mut String, line: &str) {
    write!(sdp, "{line}\r\n").expect("writing to a string cannot fail");
}

const VIDEO_TYPES: &str = "96 97 98 99 100 101 125 126 108 109 104 105 102 103 35 36 116 117";

/// Payload type, encoding name, format parameters; RTX follows each as the next type.
const VIDEO_FORMATS: [(u8, &str, &str); 9] = [
    (96, "VP8", ""),
    (98, "VP9", "profile-id=0"),
    (100, "VP9", "profile-id=1"),
    (
        125,
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f",
    ),
    (
        108,
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    ),
    (
        104,
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f",
    ),
    (
        102,
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
    ),
    (35, "AV1", ""),
    (116, "H265", ""),
];

const AUDIO_FORMATS: [&str; 5] = [
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
];

const VIDEO_EXTENSIONS: [&str; 3] = [
    "a=extmap:1 https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    "a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
];
