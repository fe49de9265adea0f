//! VP8, [RFC 7741 §4.2](https://www.rfc-editor.org/rfc/rfc7741#section-4.2).
//!
//! ```text
//!       0 1 2 3 4 5 6 7
//!      +-+-+-+-+-+-+-+-+
//!      |X|R|N|S|R| PID |   S and PID 0: the frame begins
//!      +-+-+-+-+-+-+-+-+
//! X:   |I|L|T|K| RSV   |
//!      +-+-+-+-+-+-+-+-+
//! I:   |M| PictureID   |   M: 15 bits
//!      +-+-+-+-+-+-+-+-+
//! L:   |   TL0PICIDX   |
//!      +-+-+-+-+-+-+-+-+
//! T/K: |TID|Y| KEYIDX  |
//!      +-+-+-+-+-+-+-+-+
//! ```
//!
//! Picture ids are not looked at: the SFU rewrites them, and sequence numbers already tell of loss
//! (media.md V4).

use bytes::Bytes;

use super::assembler::{Finished, Format};
use super::gathered::Gathered;
use crate::bitstream::vp8::FrameHeader;
use crate::media::Integrity;

/// Joins VP8 payloads.
#[derive(Debug, Default)]
pub(super) struct Vp8 {
    frame: Gathered,
    /// Whether what follows cannot be used, because something is missing in front of it.
    is_cut: bool,
}

impl Format for Vp8 {
    fn take(&mut self, payload: &Bytes) -> Result<(), &'static str> {
        let packet = Packet::parse(payload).ok_or("a VP8 payload without data")?;
        if self.frame.is_empty() && !packet.begins_frame {
            self.is_cut = true;
        }
        if !self.is_cut {
            self.frame.push(packet.data);
        }
        Ok(())
    }

    fn hole(&mut self) {
        self.is_cut = true;
    }

    fn finish(&mut self) -> Finished {
        let Self { frame, is_cut } = std::mem::take(self);
        if frame.is_empty() {
            return Finished::Skipped;
        }
        let data = frame.freeze();
        Finished::Unit {
            is_keyframe: FrameHeader::parse(&data).is_some_and(FrameHeader::is_keyframe),
            integrity: if is_cut {
                Integrity::Damaged
            } else {
                Integrity::Whole
            },
            data,
        }
    }
}

struct Packet {
    begins_frame: bool,
    data: Bytes,
}

impl Packet {
    fn parse(payload: &Bytes) -> Option<Self> {
        let mut rest = &payload[..];
        let first = *rest.split_off_first()?;
        let extensions = if first & 0x80 == 0 {
            0
        } else {
            *rest.split_off_first()?
        };
        if extensions & 0x80 != 0 && rest.split_off_first()? & 0x80 != 0 {
            rest.split_off_first()?;
        }
        if extensions & 0x40 != 0 {
            rest.split_off_first()?;
        }
        if extensions & 0x30 != 0 {
            rest.split_off_first()?;
        }
        (!rest.is_empty()).then(|| Self {
            begins_frame: first & 0x17 == 0x10,
            data: payload.slice_ref(rest),
        })
    }
}
