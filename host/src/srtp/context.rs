use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::derive::{Label, Master, SALT_LENGTH, Secret};
use super::{KeyError, OpenError, Profile, SealError};
use crate::media::{SeqNo, Ssrc};

/// The SRTP and SRTCP keys of one direction of one DTLS session. `Debug` shows none of them.
pub struct Context {
    rtp: Cipher,
    rtcp: Cipher,
    next_rtcp_index: u32,
}

impl Context {
    pub(super) fn new(profile: Profile, master: Master<'_>) -> Result<Self, KeyError> {
        let rtp = (Label::RtpEncryption, Label::RtpSalt);
        let rtcp = (Label::RtcpEncryption, Label::RtcpSalt);
        Ok(Self {
            rtp: Cipher::derive(profile, master, rtp)?,
            rtcp: Cipher::derive(profile, master, rtcp)?,
            next_rtcp_index: 0,
        })
    }

    /// Seals one RTP packet, its index being `sequence_number`, and returns header, encrypted
    /// payload and tag. A recorder sends no media: this is the other end of a test.
    ///
    /// # Errors
    ///
    /// [`SealError`] past index 2⁴⁸ or without a fixed header.
    pub fn seal_rtp(
        &self,
        sequence_number: SeqNo,
        header: &[u8],
        payload: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        if sequence_number > MAX_RTP_INDEX {
            return Err(SealError::Exhausted);
        }
        let ssrc = ssrc_at(header, 8).ok_or(SealError::Unsealable)?;
        let mut sealed = payload.to_vec();
        let tag = self
            .rtp
            .seal(rtp_nonce(ssrc, sequence_number), header, &mut sealed)?;
        Ok([header, &sealed, &tag].concat())
    }

    /// Seals one compound RTCP packet in place, under the next index.
    ///
    /// # Errors
    ///
    /// [`SealError::Exhausted`] once 2³¹ packets were sealed with this key, for ever.
    pub fn seal_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), SealError> {
        if self.is_exhausted() {
            return Err(SealError::Exhausted);
        }
        let ssrc = ssrc_at(packet, 4).ok_or(SealError::Unsealable)?;
        let index = self.next_rtcp_index;
        // Counted even if the rest fails: an index is used at most once.
        self.next_rtcp_index += 1;
        let (header, body) = packet
            .split_first_chunk_mut::<RTCP_HEADER>()
            .ok_or(SealError::Unsealable)?;
        let trailer = (ENCRYPTED | index).to_be_bytes();
        let tag = self.rtcp.seal(
            rtcp_nonce(ssrc, index),
            &rtcp_associated_data(*header, trailer),
            body,
        )?;
        packet.extend(tag);
        packet.extend(trailer);
        Ok(())
    }

    /// Whether [`seal_rtcp`](Self::seal_rtcp) refuses from here on.
    pub const fn is_exhausted(&self) -> bool {
        self.next_rtcp_index > MAX_RTCP_INDEX
    }

    /// Opens `body` (encrypted payload and tag) in place and returns the length of the clear text.
    /// After a failure `body` is zeros.
    pub(super) fn open_rtp(
        &self,
        (ssrc, index): (Ssrc, SeqNo),
        header: &[u8],
        body: &mut [u8],
    ) -> Result<usize, OpenError> {
        self.rtp.open(rtp_nonce(ssrc, index), header, body)
    }

    /// Opens a compound RTCP packet without its trailer in place and returns its clear length.
    pub(super) fn open_rtcp(
        &self,
        packet: &mut [u8],
        trailer: RtcpTrailer,
    ) -> Result<usize, OpenError> {
        let ssrc = ssrc_at(packet, 4).ok_or(OpenError::TooShort)?;
        let (header, body) = packet
            .split_first_chunk_mut::<RTCP_HEADER>()
            .ok_or(OpenError::TooShort)?;
        let associated_data = rtcp_associated_data(*header, trailer.wire());
        let nonce = rtcp_nonce(ssrc, trailer.index);
        Ok(RTCP_HEADER + self.rtcp.open(nonce, &associated_data, body)?)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("next_rtcp_index", &self.next_rtcp_index)
            .finish_non_exhaustive()
    }
}

/// What follows an encrypted RTCP packet: the index it was sealed under,
/// [RFC 7714 §9.2](https://www.rfc-editor.org/rfc/rfc7714#section-9.2).
#[derive(Clone, Copy)]
pub(super) struct RtcpTrailer {
    pub(super) index: u32,
}

impl RtcpTrailer {
    /// Splits it off the datagram.
    pub(super) fn split(datagram: &mut [u8]) -> Result<(&mut [u8], Self), OpenError> {
        if datagram.len() < RTCP_HEADER + TAG + 4 {
            return Err(OpenError::TooShort);
        }
        let (packet, trailer) = datagram
            .split_last_chunk_mut::<4>()
            .ok_or(OpenError::TooShort)?;
        let word = u32::from_be_bytes(*trailer);
        if word & ENCRYPTED == 0 {
            return Err(OpenError::NotEncrypted);
        }
        let index = word & MAX_RTCP_INDEX;
        Ok((packet, Self { index }))
    }

    const fn wire(self) -> [u8; 4] {
        (ENCRYPTED | self.index).to_be_bytes()
    }
}

/// One AEAD key with its salt.
struct Cipher {
    key: LessSafeKey,
    salt: [u8; SALT_LENGTH],
}

impl Cipher {
    /// The session key and salt of two labels.
    fn derive(
        profile: Profile,
        master: Master<'_>,
        (key_label, salt_label): (Label, Label),
    ) -> Result<Self, KeyError> {
        let mut secret = Secret([0; 32]);
        let (key, _unused) = secret.0.split_at_mut(profile.key_length());
        master.derive(key_label, key)?;
        let mut salt = [0; SALT_LENGTH];
        master.derive(salt_label, &mut salt)?;
        Self::new(key, salt)
    }

    fn new(key: &[u8], salt: [u8; SALT_LENGTH]) -> Result<Self, KeyError> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            _ => &AES_256_GCM,
        };
        let key = UnboundKey::new(algorithm, key).map_err(|_unspecified| KeyError::Refused)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            salt,
        })
    }

    fn open(
        &self,
        nonce: [u8; 12],
        associated_data: &[u8],
        body: &mut [u8],
    ) -> Result<usize, OpenError> {
        let clear = self
            .key
            .open_in_place(self.nonce(nonce), Aad::from(associated_data), body)
            .map_err(|_unspecified| OpenError::NotAuthentic)?;
        Ok(clear.len())
    }

    fn seal(
        &self,
        nonce: [u8; 12],
        associated_data: &[u8],
        body: &mut [u8],
    ) -> Result<[u8; TAG], SealError> {
        self.key
            .seal_in_place_separate_tag(self.nonce(nonce), Aad::from(associated_data), body)
            .ok()
            .and_then(|tag| tag.as_ref().try_into().ok())
            .ok_or(SealError::Unsealable)
    }

    fn nonce(&self, mut nonce: [u8; 12]) -> Nonce {
        for (byte, salt) in nonce.iter_mut().zip(&self.salt) {
            *byte ^= salt;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// [RFC 7714 §8.1](https://www.rfc-editor.org/rfc/rfc7714#section-8.1), before the salt.
const fn rtp_nonce(ssrc: Ssrc, index: SeqNo) -> [u8; 12] {
    let [s0, s1, s2, s3] = ssrc.0.to_be_bytes();
    let [_, _, i0, i1, i2, i3, i4, i5] = index.0.to_be_bytes();
    [0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5]
}

/// [RFC 7714 §9.1](https://www.rfc-editor.org/rfc/rfc7714#section-9.1), before the salt.
const fn rtcp_nonce(ssrc: Ssrc, index: u32) -> [u8; 12] {
    let [s0, s1, s2, s3] = ssrc.0.to_be_bytes();
    let [i0, i1, i2, i3] = index.to_be_bytes();
    [0, 0, s0, s1, s2, s3, 0, 0, i0, i1, i2, i3]
}

/// [RFC 7714 §9.2](https://www.rfc-editor.org/rfc/rfc7714#section-9.2).
const fn rtcp_associated_data(header: [u8; RTCP_HEADER], trailer: [u8; 4]) -> [u8; 12] {
    let [h0, h1, h2, h3, h4, h5, h6, h7] = header;
    let [t0, t1, t2, t3] = trailer;
    [h0, h1, h2, h3, h4, h5, h6, h7, t0, t1, t2, t3]
}

/// The SSRC that starts at octet `offset`.
pub(super) fn ssrc_at(packet: &[u8], offset: usize) -> Option<Ssrc> {
    let octets = packet.get(offset..)?.first_chunk()?;
    Some(Ssrc(u32::from_be_bytes(*octets)))
}

/// Bytes of an AES-GCM tag.
pub(super) const TAG: usize = 16;

/// The largest SRTP packet index: 32 bits of roll-over counter and 16 of sequence number.
pub(super) const MAX_RTP_INDEX: SeqNo = SeqNo((1 << 48) - 1);

/// Octets of RTCP that stay clear.
const RTCP_HEADER: usize = 8;

/// The E flag of an SRTCP trailer.
const ENCRYPTED: u32 = 1 << 31;

/// The largest SRTCP index.
const MAX_RTCP_INDEX: u32 = ENCRYPTED - 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// The session keys of RFC 7714 §16 and §17: 00 01 02 …
    fn context(key_length: u8) -> Context {
        let key: Vec<u8> = (0..key_length).collect();
        let cipher = || Cipher::new(&key, *b"Quid pro quo").unwrap();
        Context {
            rtp: cipher(),
            rtcp: cipher(),
            next_rtcp_index: 0x5d4,
        }
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<_> = hex.chars().filter(|c| !c.is_whitespace()).collect();
        let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
        digits.chunks(2).map(|pair| byte(pair).unwrap()).collect()
    }

    #[test]
    fn srtp_is_that_of_rfc_7714_section_16() {
        let header = bytes("8040f17b 8041f8d3 5501a0b2");
        let clear = b"Gallia est omnis divisa in partes tres";
        let table = [
            (
                16,
                "f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a
                 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
            ),
            (
                32,
                "32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02
                 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
            ),
        ];
        for (key_length, expected) in table {
            let context = context(key_length);

            let sealed = context.seal_rtp(SeqNo(0xf17b), &header, clear).unwrap();
            let mut body = sealed[header.len()..].to_vec();
            let of = (Ssrc(0x5501_a0b2), SeqNo(0xf17b));
            let length = context.open_rtp(of, &header, &mut body).unwrap();

            assert_eq!(sealed, [&header[..], &bytes(expected)].concat());
            assert_eq!(&body[..length], clear);
        }
    }

    #[test]
    fn srtcp_is_that_of_rfc_7714_section_17() {
        let clear = bytes(
            "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930
             4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef",
        );
        let table = [
            (
                16,
                "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7
                 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458
                 96cf4d2f c5abf872 45d9eade 800005d4",
            ),
            (
                32,
                "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d
                 bffe0a50 a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c
                 4446839f 57ff6f6c b26ac3be 800005d4",
            ),
        ];
        for (key_length, expected) in table {
            let mut context = context(key_length);

            let mut packet = clear.clone();
            context.seal_rtcp(&mut packet).unwrap();
            let sealed = packet.clone();
            let (body, trailer) = RtcpTrailer::split(&mut packet).unwrap();
            let length = context.open_rtcp(body, trailer).unwrap();

            assert_eq!(sealed, bytes(expected));
            assert_eq!(packet[..length], clear);
        }
    }

    #[test]
    fn the_last_srtcp_index_is_used_once_and_never_wraps() {
        let mut context = context(16);
        context.next_rtcp_index = MAX_RTCP_INDEX;

        let last = context.seal_rtcp(&mut vec![0x80, 201, 0, 1, 0, 0, 0, 7]);
        let after: Vec<_> = (0..3)
            .map(|_| context.seal_rtcp(&mut vec![0x80, 201, 0, 1, 0, 0, 0, 7]))
            .collect();

        assert_eq!(last, Ok(()));
        assert_eq!(after, [Err(SealError::Exhausted); 3]);
    }

    #[test]
    fn no_rtp_is_sealed_past_the_last_index() {
        let header = [0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

        let past = SeqNo(MAX_RTP_INDEX.0 + 1);
        let sealed = context(32).seal_rtp(past, &header, b"media");

        assert_eq!(sealed, Err(SealError::Exhausted));
    }
}
