//! G.711, [RFC 3551 §4.5.14](https://www.rfc-editor.org/rfc/rfc3551#section-4.5.14): the payload is
//! the samples, any number of them, a byte each.

use super::single_packet::SinglePacket;

pub(super) const fn depacketizer() -> SinglePacket {
    SinglePacket::new(|_samples| Ok(()))
}

#[cfg(test)]
mod tests {
    use crate::depacketize::testing::{Packets, units};
    use crate::media::{Codec, Pts};

    #[test]
    fn each_packet_is_a_unit() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let mut packets = Packets::of(codec);
            packets.add(0, [0xd5; 160]);
            packets.add(160, [1; 80]);

            let units = units(&packets);

            assert_eq!(
                units.iter().map(|unit| unit.pts).collect::<Vec<_>>(),
                [Pts(0), Pts(160)]
            );
            assert_eq!(&units[1].data[..], [1; 80]);
        }
    }
}
