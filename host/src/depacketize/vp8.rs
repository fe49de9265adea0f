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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::depacketize::testing::{Packets, run, summary, units};
    use crate::media::Codec;

    const KEY: [u8; 10] = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x08, 0x00, 0x08, 0x00];

    #[test]
    fn every_descriptor_is_stripped() {
        let descriptors: [&[u8]; 7] = [
            &[0x10],
            &[0x90, 0x00],
            &[0x90, 0x80, 0x05],
            &[0x90, 0x80, 0x81, 0x05],
            &[0x90, 0xc0, 0x81, 0x05, 0x09],
            &[0x90, 0x20, 0x40],
            &[0xb0, 0xf0, 0xff, 0xff, 0xff, 0xff],
        ];
        for descriptor in descriptors {
            let mut packets = Packets::of(Codec::Vp8);
            packets.add_last(0, [descriptor, &KEY].concat());

            let units = units(&packets);

            assert_eq!(summary(&units[0]), (0, Integrity::Whole, true, &KEY[..]));
        }
    }

    #[test]
    fn a_frame_ends_with_the_marker_or_with_a_new_time() {
        let mut packets = Packets::of(Codec::Vp8);
        packets
            .add(0, [&[0x10][..], &KEY].concat())
            .add(0, [0x00, 7]);
        packets.add(3_000, [0x10, 1, 2, 3]).add(3_000, []);
        packets
            .add_last(3_000, [0x01, 4])
            .add_last(6_000, [0x10, 1, 5, 5]);

        let units = units(&packets);

        let first = [&KEY[..], &[7]].concat();
        let found: Vec<_> = units.iter().map(summary).collect();
        let expected: [(u64, Integrity, bool, &[u8]); 3] = [
            (0, Integrity::Whole, true, &first),
            (3_000, Integrity::Whole, false, &[1, 2, 3, 4]),
            (6_000, Integrity::Whole, false, &[1, 5, 5]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_frame_of_one_packet_is_not_copied() {
        let mut packets = Packets::of(Codec::Vp8);
        packets.add_last(0, [0x10, 1, 2, 3]);

        let unit = units(&packets).remove(0);

        assert_eq!(unit.data.as_ptr(), packets.packet(0).payload[1..].as_ptr());
    }

    #[test]
    fn a_frame_without_its_beginning_is_skipped() {
        let mut packets = Packets::of(Codec::Vp8);
        packets.lose().add(0, [0x00, 7]).add_last(0, [0x00, 8]);
        packets.lose().add(1, [0x02, 7]);
        packets.add_last(2, [0x10, 1, 9, 9]);

        let outcome = run(&packets);

        assert_eq!(outcome.skipped, 2);
        assert_eq!(outcome.errors, []);
        let found: Vec<_> = outcome.units.iter().map(summary).collect();
        assert_eq!(found, [(2, Integrity::Whole, false, &[1, 9, 9][..])]);
    }

    #[test]
    fn a_hole_cuts_the_frame_there() {
        let mut packets = Packets::of(Codec::Vp8);
        packets
            .add(0, [0x10, 1, 2, 3])
            .lose()
            .add_last(0, [0x00, 4]);
        packets.add(1, [0x10, 1, 5]).lose();

        let units = units(&packets);

        let found: Vec<_> = units.iter().map(summary).collect();
        let expected: [(u64, Integrity, bool, &[u8]); 2] = [
            (0, Integrity::Damaged, false, &[1, 2, 3]),
            (1, Integrity::Damaged, false, &[1, 5]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_hole_between_two_frames_damages_only_one_whose_end_was_not_seen() {
        let mut packets = Packets::of(Codec::Vp8);
        packets.add_last(0, [0x10, 1]).lose().add(1, [0x10, 2]);
        packets.lose().add_last(2, [0x10, 3]);

        let integrity: Vec<_> = units(&packets).iter().map(|unit| unit.integrity).collect();

        assert_eq!(
            integrity,
            [Integrity::Whole, Integrity::Damaged, Integrity::Whole]
        );
    }

    #[test]
    fn a_descriptor_without_data_is_refused_and_damages_its_frame() {
        let cases: [&[u8]; 4] = [
            &[0x10],
            &[0x90],
            &[0x90, 0x80, 0x81, 0x05],
            &[0x90, 0x10, 0],
        ];
        for descriptor in cases {
            let mut packets = Packets::of(Codec::Vp8);
            packets.add(0, [0x10, 1, 2]).add_last(0, descriptor);
            packets.add_last(1, descriptor).add_last(2, [0x10, 3]);

            let outcome = run(&packets);

            assert_eq!((outcome.errors.len(), outcome.skipped), (2, 1));
            let integrity: Vec<_> = outcome.units.iter().map(|unit| unit.integrity).collect();
            assert_eq!(integrity, [Integrity::Damaged, Integrity::Whole]);
        }
    }
}
