//! Opus packets from an Ogg file ([RFC 7845](https://www.rfc-editor.org/rfc/rfc7845)).

use std::io::Cursor;
use std::time::Duration;

use ogg::reading::PacketReader;

use super::{Codec, Media, MediaError, MediaPacket};

impl Media {
    /// Reads an Ogg file with one Opus stream; each Opus packet becomes one RTP payload.
    ///
    /// # Errors
    ///
    /// If the file is not Ogg, not Opus, or has no audio.
    pub fn from_ogg(bytes: Vec<u8>) -> Result<Self, MediaError> {
        let mut reader = PacketReader::new(Cursor::new(bytes));
        let mut packets = Vec::new();
        let mut at = Duration::ZERO;
        let mut headers = HEADER_PACKETS;
        while let Some(packet) = reader
            .read_packet()
            .map_err(|error| MediaError::Damaged(error.to_string()))?
        {
            if headers > 0 {
                headers -= 1;
                continue;
            }
            let length = duration(&packet.data)?;
            packets.push(MediaPacket {
                payload: packet.data.into(),
                timestamp: Codec::Opus.ticks(at),
                marker: false,
                starts_keyframe: true,
                at,
            });
            at += length;
        }
        Self::new(Codec::Opus, packets, at)
    }
}

/// Reads the duration from an Opus packet's first bytes ([RFC 6716 §3.1](https://www.rfc-editor.org/rfc/rfc6716#section-3.1)).
fn duration(packet: &[u8]) -> Result<Duration, MediaError> {
    let damaged = || MediaError::Damaged("empty Opus packet".into());
    let toc = packet.first().ok_or_else(damaged)?;
    let frame = match (toc >> 3, (toc >> 3) & 3) {
        (16.., 0) => 2_500,
        (16.., 1) => 5_000,
        (16.., 2) | (12..=15, 0 | 2) | (0..=11, 0) => 10_000,
        (16.., _) | (12..=15, _) | (0..=11, 1) => 20_000,
        (_, 2) => 40_000,
        (_, _) => 60_000,
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1).ok_or_else(damaged)? & 0x3f),
    };
    Ok(Duration::from_micros(frame * frames))
}

/// `OpusHead` and `OpusTags`.
const HEADER_PACKETS: usize = 2;
