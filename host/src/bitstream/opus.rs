//! The first byte of an Opus packet, [RFC 6716 §3](https://www.rfc-editor.org/rfc/rfc6716#section-3).
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+
//! | config  |s| c |   config: mode, bandwidth, frame size; s: stereo; c: how many frames
//! +-+-+-+-+-+-+-+-+
//! ```

/// What the table of contents of a packet says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toc {
    /// Mode, bandwidth and frame size, 0 to 31 (RFC 6716, table 2).
    pub config: u8,
    /// Whether two channels are coded.
    pub is_stereo: bool,
    /// Frames in the packet, 1 to 48.
    pub frame_count: u8,
}

impl Toc {
    /// Reads the first byte or two. `None` for an empty packet, for no frames and for more than
    /// 120 ms (RFC 6716 §3.4, R1 and R5).
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let (toc, rest) = packet.split_first()?;
        let frame_count = match toc & 3 {
            0 => 1,
            1 | 2 => 2,
            _ => rest.first()? & 0x3f,
        };
        let toc = Self {
            config: toc >> 3,
            is_stereo: toc & 4 != 0,
            frame_count,
        };
        (1..=MAX_DURATION).contains(&toc.duration()).then_some(toc)
    }

    /// Samples at 48 kHz that one frame lasts.
    pub const fn frame_duration(self) -> u32 {
        match (self.config, self.config % 4) {
            (0..=11, 3) => 2_880,
            (0..=11, step) => 480 << step,
            (12..=15, step) => 480 << (step % 2),
            (_, step) => 120 << step,
        }
    }

    /// Samples at 48 kHz that the packet lasts, at most 5760.
    pub fn duration(self) -> u32 {
        self.frame_duration() * u32::from(self.frame_count)
    }
}

/// Whether the packet says only that nothing is sent (discontinuous transmission): its frames are
/// empty, and the decoder makes up the sound.
pub const fn is_dtx(packet: &[u8]) -> bool {
    packet.len() <= 2
}

/// 120 ms.
const MAX_DURATION: u32 = 5_760;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_table_2() {
        let cases: [(&[u8], u32, u8, bool); 9] = [
            (&[0x00], 480, 1, false),
            (&[0x18], 2_880, 1, false),
            (&[11 << 3 | 1], 5_760, 2, false),
            (&[12 << 3], 480, 1, false),
            (&[15 << 3], 960, 1, false),
            (&[16 << 3], 120, 1, false),
            (&[0xf8, 0xff, 0xfe], 960, 1, false),
            (&[0xfc | 3, 3], 2_880, 3, true),
            (&[16 << 3 | 3, 0x80 | 48], 5_760, 48, false),
        ];
        for (packet, duration, frame_count, is_stereo) in cases {
            let toc = Toc::parse(packet).expect("a legal packet");

            assert_eq!(toc.duration(), duration, "{packet:02x?}");
            assert_eq!(toc.frame_count, frame_count, "{packet:02x?}");
            assert_eq!(toc.is_stereo, is_stereo, "{packet:02x?}");
        }
    }

    #[test]
    fn a_packet_without_frames_or_of_more_than_120_ms_is_refused() {
        let cases: [&[u8]; 4] = [&[], &[0xff], &[0xff, 0], &[0xff, 7]];
        for packet in cases {
            assert_eq!(Toc::parse(packet), None, "{packet:02x?}");
        }
    }
}
