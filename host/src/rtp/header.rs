use crate::media::Ssrc;

/// The header of an RTP packet, as far as a receiver reads it,
/// [RFC 3550 §5.1](https://www.rfc-editor.org/rfc/rfc3550#section-5.1).
///
/// ```text
///  0                   1                   2                   3
/// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
/// |                           timestamp                           |
/// |                             SSRC                              |
/// |         CC × CSRC, then if X: profile, length, extension      |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) ssrc: Ssrc,
    pub(super) sequence_number: u16,
    pub(super) timestamp: u32,
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    has_padding: bool,
    /// Octets in front of the payload. May exceed what came.
    pub(super) length: usize,
}

impl Header {
    /// `None` if it is not RTP version 2 or ends too early.
    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        let [flags, kind, n0, n1, t0, t1, t2, t3, s0, s1, s2, s3] = *datagram.first_chunk()?;
        if flags >> 6 != 2 {
            return None;
        }
        let mut length = FIXED + 4 * usize::from(flags & 0x0f);
        if flags & 0x10 != 0 {
            let [_, _, w0, w1] = *datagram.get(length..)?.first_chunk()?;
            length += 4 + 4 * usize::from(u16::from_be_bytes([w0, w1]));
        }
        Some(Self {
            ssrc: Ssrc(u32::from_be_bytes([s0, s1, s2, s3])),
            sequence_number: u16::from_be_bytes([n0, n1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            payload_type: kind & 0x7f,
            marker: kind & 0x80 != 0,
            has_padding: flags & 0x20 != 0,
            length,
        })
    }

    /// The clear payload without its padding, whose length is in its last octet. `None` if that
    /// is a lie.
    pub(super) fn unpadded<'a>(&self, payload: &'a [u8]) -> Option<&'a [u8]> {
        if !self.has_padding {
            return Some(payload);
        }
        let padding = usize::from(*payload.last()?);
        if padding == 0 {
            return None;
        }
        payload.get(..payload.len().checked_sub(padding)?)
    }
}

/// Octets of the fixed header.
const FIXED: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csrcs_and_extension_belong_to_the_header() {
        let mut datagram = vec![0x92, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 7];
        datagram.extend([0; 8]);
        datagram.extend([0xbe, 0xde, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8]);

        let header = Header::parse(&datagram).unwrap();

        assert_eq!(header.length, datagram.len());
        assert_eq!(header.ssrc, Ssrc(7));
        assert_eq!((header.sequence_number, header.timestamp), (0x1234, 9));
        assert_eq!((header.payload_type, header.marker), (0x60, true));
    }

    #[test]
    fn padding_must_fit_its_payload() {
        let datagram = [0xa0, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7];
        let header = Header::parse(&datagram).unwrap();

        let table: [(&[u8], Option<&[u8]>); 5] = [
            (&[9, 9, 0, 2], Some(&[9, 9])),
            (&[0, 0, 3], Some(&[])),
            (&[0, 0, 4], None),
            (&[9, 0], None),
            (&[], None),
        ];
        for (payload, expected) in table {
            assert_eq!(header.unpadded(payload), expected, "{payload:?}");
        }
    }

    #[test]
    fn what_is_not_rtp_is_refused() {
        let table: [&[u8]; 4] = [
            &[],
            &[0x80; 11],
            &[0x40, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7],
            &[0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0xbe, 0xde, 0],
        ];
        for datagram in table {
            assert_eq!(Header::parse(datagram), None, "{datagram:?}");
        }
    }
}
