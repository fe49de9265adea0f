//! The two packets before the sound, [RFC 7845 §5](https://www.rfc-editor.org/rfc/rfc7845#section-5).

use crate::mux::{Metadata, date, shorten};

/// Samples at 48 kHz that a decoder throws away at the start: what libopus looks ahead, 6.5 ms.
pub(in crate::mux) const PRE_SKIP: u16 = 312;

/// `OpusHead`: two channels, because a decoder told so plays mono packets as well.
pub(in crate::mux) const OPUS_HEAD: [u8; 19] = {
    let [skip_low, skip_high] = PRE_SKIP.to_le_bytes();
    let [rate_0, rate_1, rate_2, rate_3] = 48_000_u32.to_le_bytes();
    let magic = *b"OpusHead";
    let [o, p, u, s, h, e, a, d] = magic;
    let (version, channels, gain, family) = (1, 2, 0, 0);
    [
        o, p, u, s, h, e, a, d, version, channels, skip_low, skip_high, rate_0, rate_1, rate_2,
        rate_3, gain, gain, family,
    ]
};

/// `OpusTags`: who wrote the file and what is in it.
pub(super) fn opus_tags(metadata: &Metadata) -> Vec<u8> {
    let comments = [
        ("ROOM", shorten(&metadata.room)),
        ("PARTICIPANT", shorten(&metadata.participant)),
        ("TRACK", shorten(&metadata.track)),
        ("DATE", &date(metadata)),
    ];
    let comments = comments.into_iter().filter(|(_, value)| !value.is_empty());
    let comments: Vec<String> = comments
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut packet = b"OpusTags".to_vec();
    put_text(&mut packet, "trackmill");
    put_length(&mut packet, comments.len());
    for comment in &comments {
        put_text(&mut packet, comment);
    }
    packet
}

fn put_text(packet: &mut Vec<u8>, text: &str) {
    put_length(packet, text.len());
    packet.extend_from_slice(text.as_bytes());
}

fn put_length(packet: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("comments are short");
    packet.extend_from_slice(&length.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::NtpTimestamp;

    #[test]
    fn tags_name_the_track_and_when_it_started() {
        let metadata = Metadata {
            started_at: NtpTimestamp((2_208_988_800 + 1_790_000_000) << 32 | 1 << 31),
            ..metadata("küche")
        };

        let tags = opus_tags(&metadata);

        let text = String::from_utf8_lossy(&tags);
        for expected in ["trackmill", "ROOM=küche", "TRACK=TR_1"] {
            assert!(text.contains(expected), "{text}");
        }
        assert!(text.ends_with("DATE=2026-09-21T14:13:20.500Z"), "{text}");
    }

    #[test]
    fn tags_fit_onto_a_page_whatever_the_names_are() {
        let tags = opus_tags(&metadata(&"ä".repeat(100_000)));

        assert!(tags.len() < 255 * 255, "{}", tags.len());
    }

    fn metadata(room: &str) -> Metadata {
        Metadata {
            codec: crate::media::Codec::Opus,
            room: room.to_owned(),
            participant: room.to_owned(),
            track: "TR_1".to_owned(),
            started_at: NtpTimestamp(0),
        }
    }
}
