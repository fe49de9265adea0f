//! Bit fields, Exp-Golomb codes, and NAL units without their emulation prevention.

/// Reads bit fields, most significant bit first. After a `None` its position is unspecified.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    data: &'a [u8],
    /// Bits that were read from the first byte of `data`.
    used: u8,
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit of `data`.
    pub const fn new(data: &'a [u8]) -> Self {
        Self { data, used: 0 }
    }

    /// The next bit.
    pub fn bit(&mut self) -> Option<bool> {
        let (first, rest) = self.data.split_first()?;
        let bit = first & (0x80 >> self.used) != 0;
        self.used += 1;
        if self.used == 8 {
            self.used = 0;
            self.data = rest;
        }
        Some(bit)
    }

    /// The next `count` bits as a number. `None` above 32.
    pub fn bits(&mut self, count: u8) -> Option<u32> {
        if count > 32 {
            return None;
        }
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    /// The next `count` bits as a byte. `None` above 8.
    pub fn byte(&mut self, count: u8) -> Option<u8> {
        if count > 8 {
            return None;
        }
        let value = self.bits(count)?;
        u8::try_from(value).ok()
    }

    /// Passes over `count` bits.
    pub fn skip(&mut self, count: usize) -> Option<()> {
        let position = usize::from(self.used) + count;
        let rest = self.data.get(position / 8..)?;
        if rest.is_empty() && !position.is_multiple_of(8) {
            return None;
        }
        self.data = rest;
        self.used = u8::try_from(position % 8).ok()?;
        Some(())
    }

    /// `ue(v)`, H.264 §9.1; also `uvlc()`, AV1 §4.10.3. `None` above 2³² − 2.
    pub fn unsigned_exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let suffix = self.bits(zeros)?;
        Some((1 << zeros) - 1 + suffix)
    }

    /// `se(v)`, H.264 §9.1.1.
    pub fn signed_exp_golomb(&mut self) -> Option<i32> {
        let code = self.unsigned_exp_golomb()?;
        let magnitude = i32::try_from(code.div_ceil(2)).ok()?;
        Some(if code % 2 == 1 { magnitude } else { -magnitude })
    }
}

/// The payload of a NAL unit: without the `03` that follows two zero bytes, H.264 §7.4.1.
pub fn without_emulation_prevention(nal: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        payload.push(byte);
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_across_bytes_and_not_beyond_the_end() {
        let mut reader = BitReader::new(&[0b1010_0101, 0b1100_0011]);

        assert_eq!(reader.byte(3), Some(0b101));
        assert_eq!(reader.bits(7), Some(0b001_0111));
        assert_eq!(reader.skip(5), Some(()));
        assert_eq!(reader.bit(), Some(true));
        assert_eq!(reader.skip(0), Some(()));
        assert_eq!(reader.bit(), None);
        assert_eq!(BitReader::new(&[0]).skip(9), None);
        assert_eq!(BitReader::new(&[0; 8]).bits(33), None);
    }

    #[test]
    fn exp_golomb_codes_are_those_of_table_9_2() {
        let codes: [(&[u8], u32, i32); 6] = [
            (&[0b1000_0000], 0, 0),
            (&[0b0100_0000], 1, 1),
            (&[0b0110_0000], 2, -1),
            (&[0b0010_0000], 3, 2),
            (&[0b0001_0010], 8, -4),
            (&[0, 0b0000_0001, 0xff, 0xfe, 0], 65_534, -32_767),
        ];
        for (bytes, unsigned, signed) in codes {
            assert_eq!(
                BitReader::new(bytes).unsigned_exp_golomb(),
                Some(unsigned),
                "{bytes:02x?}"
            );
            assert_eq!(
                BitReader::new(bytes).signed_exp_golomb(),
                Some(signed),
                "{bytes:02x?}"
            );
        }
        assert_eq!(BitReader::new(&[0; 16]).unsigned_exp_golomb(), None);
    }

    #[test]
    fn only_a_three_behind_two_zeros_is_removed() {
        let cases: [(&[u8], &[u8]); 4] = [
            (&[0, 0, 3, 1], &[0, 0, 1]),
            (&[0, 3, 0, 0, 3], &[0, 3, 0, 0]),
            (&[0, 0, 3, 0, 0, 3, 0], &[0, 0, 0, 0, 0]),
            (&[0, 0, 3, 3], &[0, 0, 3]),
        ];
        for (nal, payload) in cases {
            assert_eq!(without_emulation_prevention(nal), payload, "{nal:02x?}");
        }
    }
}
