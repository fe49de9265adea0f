//! What we ask of str0m: ICE, DTLS, SCTP and SDP, and no media.

use std::time::Instant;

use str0m::format::{Codec, FormatParams};
use str0m::media::Frequency;
use str0m::{Rtc, RtcConfig};

use super::dtls::{self, KeyTap};

/// Builds the engine of one peer, and the tap of its SRTP keys.
///
/// It accepts every codec that LiveKit offers, under LiveKit's payload types: a track whose codec
/// is missing in our answer is not sent at all. RED is left out, so that the server unwraps it
/// (webrtc.md §4.6), and so are all header extensions: none is needed, and without abs-send-time
/// and transport-cc the server sends no bandwidth probes (§4.4).
pub(crate) fn build(now: Instant) -> (Rtc, KeyTap) {
    let mut config = RtcConfig::new()
        .set_rtp_mode(true)
        .clear_codecs()
        .clear_extension_map()
        .enable_opus(true, false)
        .enable_pcmu(true, false)
        .enable_pcma(true, false)
        .enable_vp8(true);
    for (payload_type, codec, format) in video_formats() {
        config.codec_config().add_config(
            payload_type.into(),
            Some((payload_type + 1).into()),
            codec,
            Frequency::NINETY_KHZ,
            None,
            format,
        );
    }
    dtls::build(config, now)
}

/// Payload types as in livekit-server v1.13.5; each has its RTX on the next.
fn video_formats() -> impl Iterator<Item = (u8, Codec, FormatParams)> {
    let vp9 = [(98, 0), (100, 1)].map(|(payload_type, profile)| {
        let format = FormatParams {
            profile_id: Some(profile),
            ..FormatParams::default()
        };
        (payload_type, Codec::Vp9, format)
    });
    let h264 = H264_FORMATS.map(|(payload_type, packetization_mode, profile_level_id)| {
        let format = FormatParams {
            level_asymmetry_allowed: Some(true),
            packetization_mode: Some(packetization_mode),
            profile_level_id: Some(profile_level_id),
            ..FormatParams::default()
        };
        (payload_type, Codec::H264, format)
    });
    let plain = [(35, Codec::Av1), (116, Codec::H265)]
        .map(|(payload_type, codec)| (payload_type, codec, FormatParams::default()));
    vp9.into_iter().chain(h264).chain(plain)
}

/// Payload type, packetization mode, profile-level-id. The profile says nothing about the stream:
/// the server forwards High under a Baseline type.
const H264_FORMATS: [(u8, u8, u32); 7] = [
    (125, 0, 0x42_e01f),
    (108, 1, 0x42_e01f),
    (104, 0, 0x42_001f),
    (102, 1, 0x42_001f),
    (39, 0, 0x4d_001f),
    (106, 1, 0x4d_001f),
    (123, 1, 0x64_001f),
];
