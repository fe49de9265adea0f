use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::derive::{Label, Master, SALT_LENGTH, Secret, SessionKey};
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
            rtp: Cipher::new(&SessionKey::derive(profile, master, rtp)?)?,
            rtcp: Cipher::new(&SessionKey::derive(profile, master, rtcp)?)?,
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
    salt: Secret<SALT_LENGTH>,
}

impl Cipher {
    fn new(session: &SessionKey) -> Result<Self, KeyError> {
        let algorithm = match session.key().len() {
            16 => &AES_128_GCM,
            _ => &AES_256_GCM,
        };
        let key =
            UnboundKey::new(algorithm, session.key()).map_err(|_unspecified| KeyError::Refused)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            salt: Secret(*session.salt()),
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
        for (byte, salt) in nonce.iter_mut().zip(&self.salt.0) {
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
