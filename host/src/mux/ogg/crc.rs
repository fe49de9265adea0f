//! The checksum of Ogg pages, [RFC 3533 §6](https://www.rfc-editor.org/rfc/rfc3533#section-6):
//! CRC-32 with polynomial 0x04c11db7, most significant bit first, zero at the start and not
//! inverted at the end.
//!
//! Eight bytes a step ("slice-by-8"), because this is most of what an Ogg page costs.

/// The checksum of what `crc` covers followed by `bytes`; `crc` is 0 at the start.
#[expect(
    clippy::indexing_slicing,
    reason = "an index made of a byte is below 256"
)]
pub(in crate::mux) fn update(crc: u32, bytes: &[u8]) -> u32 {
    let table = |distance: usize, byte: u8| TABLES[distance][usize::from(byte)];
    let (chunks, rest) = bytes.as_chunks::<8>();
    let crc = chunks.iter().fold(crc, |crc, &[a, b, c, d, e, f, g, h]| {
        let [a, b, c, d] = (crc ^ u32::from_be_bytes([a, b, c, d])).to_be_bytes();
        let far = table(7, a) ^ table(6, b) ^ table(5, c) ^ table(4, d);
        far ^ table(3, e) ^ table(2, f) ^ table(1, g) ^ table(0, h)
    });
    rest.iter().fold(crc, |crc, byte| {
        let [high, ..] = crc.to_be_bytes();
        (crc << 8) ^ table(0, high ^ byte)
    })
}

/// `TABLES[n][b]` is the checksum of byte `b` followed by `n` zeros.
static TABLES: [[u32; 256]; 8] = tables();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, over constant ranges"
)]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut zeros = 0;
        while zeros < 8 {
            crc = shift_byte(crc);
            tables[zeros][byte] = crc;
            zeros += 1;
        }
        byte += 1;
    }
    tables
}

/// Divides eight more bits.
const fn shift_byte(mut crc: u32) -> u32 {
    let mut bit = 0;
    while bit < 8 {
        let carry = if crc >> 31 == 1 { POLYNOMIAL } else { 0 };
        crc = (crc << 1) ^ carry;
        bit += 1;
    }
    crc
}

const POLYNOMIAL: u32 = 0x04c1_1db7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_that_of_the_ogg_specification_at_any_length() {
        let bytes: Vec<u8> = (0..=255).collect();
        for len in 0..=256 {
            let bitwise = bytes[..len]
                .iter()
                .fold(0, |crc, byte| shift_byte(crc ^ (u32::from(*byte) << 24)));

            assert_eq!(update(0, &bytes[..len]), bitwise, "{len} bytes");
        }
        assert_eq!(update(0, b"==!"), 0x9f85_8776);
    }

    #[test]
    fn a_checksum_can_be_made_of_parts() {
        let bytes = b"a page is a header, a table and a body";

        assert_eq!(
            update(update(0, &bytes[..13]), &bytes[13..]),
            update(0, bytes)
        );
    }
}
