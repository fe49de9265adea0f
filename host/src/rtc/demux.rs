//! Tells apart what shares one transport address, by the first bytes of a datagram.
//!
//! ```text
//!                  +----------------+
//!                  |        [0..3] -+--> STUN
//!                  |      [20..63] -+--> DTLS        RFC 7983 §7
//!                  |    [128..191] -+--> RTP/RTCP
//!                  +----------------+
//!            second byte [192..223] ---> RTCP        RFC 5761 §4
//! ```

/// What a datagram carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// STUN, [RFC 8489](https://www.rfc-editor.org/rfc/rfc8489).
    Stun,
    /// DTLS, [RFC 6347](https://www.rfc-editor.org/rfc/rfc6347).
    Dtls,
    /// RTP, still sealed by SRTP.
    Rtp,
    /// RTCP, still sealed by SRTCP.
    Rtcp,
    /// None of them.
    Unknown,
}

/// Classifies a datagram by [RFC 7983 §7](https://www.rfc-editor.org/rfc/rfc7983#section-7) and
/// [RFC 5761 §4](https://www.rfc-editor.org/rfc/rfc5761#section-4).
pub(crate) const fn classify(datagram: &[u8]) -> Kind {
    match datagram {
        [0..=3, ..] => Kind::Stun,
        [20..=63, ..] => Kind::Dtls,
        [128..=191, 192..=223, ..] => Kind::Rtcp,
        [128..=191, _, ..] => Kind::Rtp,
        _ => Kind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte_has_its_kind() {
        for first in 0..=u8::MAX {
            let expected = match first {
                0..=3 => Kind::Stun,
                20..=63 => Kind::Dtls,
                128..=191 => Kind::Rtp,
                _ => Kind::Unknown,
            };

            assert_eq!(classify(&[first, 0]), expected, "{first}");
        }
    }

    #[test]
    fn rtcp_is_known_by_its_packet_type() {
        for second in 0..=u8::MAX {
            let is_rtcp = classify(&[0x80, second]) == Kind::Rtcp;

            assert_eq!(is_rtcp, (192..=223).contains(&second), "{second}");
        }
    }

    #[test]
    fn a_marked_packet_of_a_dynamic_payload_type_is_rtp() {
        for payload_type in (0..=63).chain(96..=127) {
            assert_eq!(classify(&[0x80, 0x80 | payload_type]), Kind::Rtp);
        }
    }

    #[test]
    fn a_stub_is_nothing() {
        assert_eq!(classify(&[]), Kind::Unknown);
        assert_eq!(classify(&[0x80]), Kind::Unknown);
    }
}
