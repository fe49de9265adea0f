//! Where keyframes begin, seen from one RTP payload; for captures of VP8, H.264 and Opus.

use super::Codec;

/// Tells whether a payload is the first of a keyframe; every audio payload is.
///
/// Captures of VP9 and AV1 do not exist; theirs never are.
pub(super) fn begins(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Opus | Codec::Pcmu => true,
        Codec::Vp8 => vp8(payload).unwrap_or(false),
        Codec::H264 => h264(payload).unwrap_or(false),
        Codec::Vp9 | Codec::Av1 => false,
    }
}

/// Reads the payload descriptor ([RFC 7741 §4.2](https://www.rfc-editor.org/rfc/rfc7741#section-4.2))
/// and the first bit behind it, which is zero in a keyframe.
fn vp8(payload: &[u8]) -> Option<bool> {
    let (first, mut rest) = payload.split_first()?;
    if first & START_OF_FIRST_PARTITION != 0x10 {
        return Some(false);
    }
    if first & 0x80 != 0 {
        let (extension, behind) = rest.split_first()?;
        rest = behind;
        if extension & 0x80 != 0 {
            let is_long = rest.first()? & 0x80 != 0;
            rest = rest.get(if is_long { 2 } else { 1 }..)?;
        }
        let levels = usize::from(extension & 0x40 != 0);
        let layers = usize::from(extension & 0x30 != 0);
        rest = rest.get(levels + layers..)?;
    }
    Some(rest.first()? & 1 == 0)
}

/// A keyframe begins with its parameter sets, or with the first IDR slice if they came before
/// ([RFC 6184 §5.2](https://www.rfc-editor.org/rfc/rfc6184#section-5.2)).
fn h264(payload: &[u8]) -> Option<bool> {
    let kind = |header: u8| header & 0x1f;
    let begins = match kind(*payload.first()?) {
        NAL_STAP_A => kind(*payload.get(3)?) == NAL_SPS,
        first => first == NAL_SPS,
    };
    Some(begins)
}

const START_OF_FIRST_PARTITION: u8 = 0x17;
const NAL_SPS: u8 = 7;
const NAL_STAP_A: u8 = 24;

#[cfg(test)]
mod tests {
    use crate::media::Media;

    #[test]
    fn keyframes_of_captures_are_found() {
        // ffprobe counts as many keyframes in the decoded captures.
        for (capture, at_least) in [
            ("vp8-libwebrtc-layers-pause", 4),
            ("vp8-pion-unpublish", 7),
            ("h264-pion-unsubscribe", 7),
            ("h264-libwebrtc-layers", 2),
        ] {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/rtp");
            let media = Media::open(format!("{folder}/{capture}.rtp")).unwrap();

            let found = media.packets.iter().filter(|packet| packet.starts_keyframe);

            let found = found.count();
            assert!(found >= at_least, "{capture}: {found}");
            assert!(found * 10 < media.packets.len(), "{capture}: {found}");
        }
    }
}
