//! The payload types that both ends use; LiveKit offers the same ones.

use str0m::RtcConfig;
use str0m::format::{Codec as Format, FormatParams};
use str0m::media::{Frequency, Pt};

use crate::media::Codec;

/// The payload type of a codec, and that of its retransmissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PayloadTypes {
    pub(crate) media: u8,
    pub(crate) rtx: Option<u8>,
}

/// Returns the payload types of `codec`.
pub(crate) const fn payload_types(codec: Codec) -> PayloadTypes {
    let media = match codec {
        Codec::Opus => 111,
        Codec::Pcmu => 0,
        Codec::Vp8 => 96,
        Codec::Vp9 => 98,
        Codec::H264 => 108,
        Codec::Av1 => 35,
    };
    PayloadTypes {
        media,
        rtx: if codec.is_video() {
            Some(media + 1)
        } else {
            None
        },
    }
}

/// Registers all codecs and no header extension.
pub(crate) fn register(config: RtcConfig) -> RtcConfig {
    let mut config = config.clear_codecs().clear_extension_map();
    for codec in Codec::ALL {
        let types = payload_types(codec);
        config.codec_config().add_config(
            Pt::from(types.media),
            types.rtx.map(Pt::from),
            format(codec),
            clock_rate(codec),
            (codec == Codec::Opus).then_some(2),
            parameters(codec),
        );
    }
    config
}

const fn format(codec: Codec) -> Format {
    match codec {
        Codec::Opus => Format::Opus,
        Codec::Pcmu => Format::PCMU,
        Codec::Vp8 => Format::Vp8,
        Codec::Vp9 => Format::Vp9,
        Codec::H264 => Format::H264,
        Codec::Av1 => Format::Av1,
    }
}

const fn clock_rate(codec: Codec) -> Frequency {
    match codec {
        Codec::Opus => Frequency::FORTY_EIGHT_KHZ,
        Codec::Pcmu => Frequency::EIGHT_KHZ,
        Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::Av1 => Frequency::NINETY_KHZ,
    }
}

fn parameters(codec: Codec) -> FormatParams {
    match codec {
        Codec::Opus => FormatParams {
            min_p_time: Some(10),
            use_inband_fec: Some(true),
            ..FormatParams::default()
        },
        Codec::Vp9 => FormatParams {
            profile_id: Some(0),
            ..FormatParams::default()
        },
        Codec::H264 => FormatParams {
            level_asymmetry_allowed: Some(true),
            packetization_mode: Some(1),
            profile_level_id: Some(CONSTRAINED_BASELINE_3_1),
            ..FormatParams::default()
        },
        Codec::Pcmu | Codec::Vp8 | Codec::Av1 => FormatParams::default(),
    }
}

const CONSTRAINED_BASELINE_3_1: u32 = 0x0042_e01f;
