use std::time::Duration;

use bytes::Bytes;

use super::{Codec, Media, MediaError, MediaPacket};

impl Media {
    /// A second of a tone in PCMU, in packets of 20 ms; it needs no file.
    pub(super) fn sawtooth() -> Result<Self, MediaError> {
        let samples: Vec<u8> = (0..PERIOD).cycle().take(SAMPLES).collect();
        let packet = |number| {
            let at = PACKET * number;
            MediaPacket {
                payload: Bytes::copy_from_slice(&samples),
                timestamp: Codec::Pcmu.ticks(at),
                marker: false,
                starts_keyframe: true,
                at,
            }
        };
        let packets = (0..PACKETS).map(packet).collect();
        Self::new(Codec::Pcmu, packets, PACKET * PACKETS)
    }
}

const PACKETS: u32 = 50;
const PACKET: Duration = Duration::from_millis(20);
/// In a packet, at 8 kHz.
const SAMPLES: usize = 160;
/// In samples; so long is a whole number of them in a packet.
const PERIOD: u8 = 80;
