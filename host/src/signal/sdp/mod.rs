//! What we read of an offer ourselves, and how it is rewritten for a peer connection that only
//! receives. SDP: [RFC 8866](https://www.rfc-editor.org/rfc/rfc8866).

mod section;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::message::Offer;
use crate::media::{Ssrc, TrackSid};
use crate::rtp::StreamDescription;

pub use section::{Direction, MediaSection};

/// The streams that an offer sends to us, after a cross-check of what its SDP and the server's own
/// map say about each m-line.
///
/// # Errors
/// If the SDP is beyond bounds, contradicts itself or the map, or has a track that nothing could be
/// told to belong to. Streams of an offer like that would end up in the wrong recording, or in none.
pub fn streams(offer: &Offer) -> Result<Vec<StreamDescription>, SdpError> {
    let sections = scan(&offer.sdp)?;
    for section in &sections {
        check_track(section, &offer.tracks)?;
        check_ssrc(section)?;
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
    let mut attributes = 0;
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            if sections.len() == MAX_SECTIONS {
                return Err(SdpError::TooManySections);
            }
            sections.push(MediaSection::new(media));
            attributes = 0;
        } else if let (Some(section), Some(line)) = (sections.last_mut(), line.strip_prefix("a=")) {
            attributes += 1;
            if attributes > MAX_ATTRIBUTES {
                return Err(SdpError::TooManyAttributes(section.mid.clone()));
            }
            section.read_attribute(line);
        }
    }
    check_unique(&sections)?;
    Ok(sections)
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
    /// An m-line has far more attributes than any.
    #[error("mid {0:?} has more than {MAX_ATTRIBUTES} attributes")]
    TooManyAttributes(String),
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
    /// A track is offered whose packets could not be told from others.
    #[error("mid {mid:?} is track {track}, but has no ssrc")]
    MissingSsrc {
        /// The m-line.
        mid: String,
        /// What `a=msid` says.
        track: TrackSid,
    },
}

/// Whether the server's map agrees about the track of an m-line.
fn check_track(section: &MediaSection, map: &BTreeMap<String, TrackSid>) -> Result<(), SdpError> {
    match (section.stream(), map.get(&section.mid)) {
        (Some(stream), Some(track)) if stream.track != *track => Err(SdpError::TrackConflict {
            mid: section.mid.clone(),
            sdp: stream.track,
            map: track.clone(),
        }),
        _ => Ok(()),
    }
}

/// Whether the stream of a track has an SSRC. Without one the track would seem to be subscribed, and
/// nobody would ever miss its packets.
fn check_ssrc(section: &MediaSection) -> Result<(), SdpError> {
    match (&section.track, section.ssrc) {
        (Some(track), None) if section.is_sent() => Err(SdpError::MissingSsrc {
            mid: section.mid.clone(),
            track: track.clone(),
        }),
        _ => Ok(()),
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

/// Fifty tracks make 35 KB.
const MAX_LENGTH: usize = 1 << 20;
const MAX_SECTIONS: usize = 512;
/// Video has about a hundred. A media worker carries no packets while the engine reads them.
const MAX_ATTRIBUTES: usize = 1_000;
