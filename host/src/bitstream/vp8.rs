//! The head of a VP8 frame, [RFC 6386 §9.1](https://www.rfc-editor.org/rfc/rfc6386#section-9.1).

/// What the first bytes of a frame say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether it is to be displayed.
    pub is_shown: bool,
    /// The size of the picture; only a keyframe has it.
    pub size: Option<Size>,
}

/// The size of a picture, before the display scaling that nobody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Pixels in a row.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl FrameHeader {
    /// Reads the head of `frame`. `None` if it is cut short or a keyframe lacks its start code.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let (tag, rest) = frame.split_first_chunk::<3>()?;
        let is_shown = tag[0] & 0x10 != 0;
        let size = if tag[0] & 1 == 0 {
            Some(Size::parse(rest)?)
        } else {
            None
        };
        Some(Self { is_shown, size })
    }

    /// Whether decoding can start here.
    pub const fn is_keyframe(self) -> bool {
        self.size.is_some()
    }
}

impl Size {
    fn parse(head: &[u8]) -> Option<Self> {
        let [0x9d, 0x01, 0x2a, width @ .., h0, h1] = *head.first_chunk::<7>()? else {
            return None;
        };
        Some(Self {
            width: u16::from_le_bytes(width) & 0x3fff,
            height: u16::from_le_bytes([h0, h1]) & 0x3fff,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_comes_from_the_keyframe() {
        let key = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x00, 0x45, 0xd0, 0x02];

        let header = FrameHeader::parse(&key).expect("a keyframe");

        assert!(header.is_keyframe() && header.is_shown);
        let size = Size {
            width: 1_280,
            height: 720,
        };
        assert_eq!(header.size, Some(size));
    }

    #[test]
    fn other_frames_have_no_size() {
        let header = FrameHeader::parse(&[0x11, 0, 0]).expect("an interframe");

        assert!(!header.is_keyframe());
    }

    #[test]
    fn a_keyframe_cut_short_or_without_start_code_is_refused() {
        let key = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x08, 0x00, 0x08, 0x00];
        for length in 0..key.len() {
            assert_eq!(FrameHeader::parse(&key[..length]), None, "{length}");
        }
        assert_eq!(FrameHeader::parse(&[0x10; 10]), None);
    }
}
