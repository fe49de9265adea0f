//! Opus, [RFC 7587 §4.2](https://www.rfc-editor.org/rfc/rfc7587#section-4.2): the payload is the
//! Opus packet.

use super::single_packet::SinglePacket;
use crate::bitstream::opus::Toc;

pub(super) const fn depacketizer() -> SinglePacket {
    SinglePacket::new(check)
}

fn check(payload: &[u8]) -> Result<(), &'static str> {
    // Players take the duration from these bits; a packet without one would stop the clock.
    match Toc::parse(payload) {
        Some(_) => Ok(()),
        None => Err("an Opus packet without frames or of more than 120 ms"),
    }
}

#[cfg(test)]
mod tests {
    use crate::depacketize::for_codec;
    use crate::depacketize::testing::{Packets, units};
    use crate::media::{Codec, Integrity};

    #[test]
    fn each_packet_is_a_whole_unit_whatever_is_lost_between_them() {
        let mut packets = Packets::of(Codec::Opus);
        packets.add(0, [0xf8, 0xff, 0xfe]);
        packets.lose();
        packets.add(1_920, [0xfc, 1]);
        packets.add(2_880, []);

        let units = units(&packets);

        assert_eq!(units.len(), 2);
        assert_eq!(&units[0].data[..], [0xf8, 0xff, 0xfe]);
        assert!(units.iter().all(|unit| unit.is_keyframe));
        assert!(units.iter().all(|unit| unit.integrity == Integrity::Whole));
    }

    #[test]
    fn the_payload_is_not_copied() {
        let mut packets = Packets::of(Codec::Opus);
        packets.add(0, [0xf8, 0xff, 0xfe]);

        let unit = units(&packets).remove(0);

        assert_eq!(unit.data.as_ptr(), packets.packet(0).payload.as_ptr());
    }

    #[test]
    fn a_packet_without_frames_is_refused_by_name() {
        let mut packets = Packets::of(Codec::Opus);
        packets.add(0, [0xff, 0]);

        let error = for_codec(Codec::Opus)
            .push(packets.packet(0), crate::media::Pts(0))
            .expect_err("no frames");

        assert_eq!(
            error.to_string(),
            "an Opus packet without frames or of more than 120 ms (ssrc 0000abcd, seq 0)"
        );
    }
}
