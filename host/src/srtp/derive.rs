//! Session keys from master keys, [RFC 3711 §4.3](https://www.rfc-editor.org/rfc/rfc3711#section-4.3)
//! with a key derivation rate of 0.

use std::hint::black_box;

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use super::{KeyError, Profile};

/// A master key and its salt, borrowed from the DTLS exporter.
#[derive(Clone, Copy)]
pub(super) struct Master<'a> {
    key: &'a [u8],
    salt: &'a [u8],
}

impl<'a> Master<'a> {
    pub(super) const fn new(key: &'a [u8], salt: &'a [u8]) -> Self {
        Self { key, salt }
    }

    /// Fills `out` with the key stream of `label`.
    pub(super) fn derive(self, label: Label, out: &mut [u8]) -> Result<(), KeyError> {
        let mut counter = Secret([0; 16]);
        for (byte, salt) in counter.0.iter_mut().zip(self.salt) {
            *byte = *salt;
        }
        // The label is the octet before the 48-bit index, which is 0: RFC 3711 §4.3.1. A 96-bit
        // salt counts as one of 112 bits that ends in zeros: RFC 7714 §11.
        let [_, _, _, _, _, _, _, label_octet, ..] = &mut counter.0;
        *label_octet ^= label as u8;

        out.fill(0);
        let algorithm = match self.key.len() {
            16 => &AES_128,
            _ => &AES_256,
        };
        UnboundCipherKey::new(algorithm, self.key)
            .and_then(EncryptingKey::ctr)
            .and_then(|key| {
                let iv = FixedLength::from(&counter.0);
                key.less_safe_encrypt(out, EncryptionContext::Iv128(iv))
            })
            .map_err(|_unspecified| KeyError::Refused)?;
        Ok(())
    }
}

/// The label of RFC 3711 §4.3.1. Those of the authentication keys (1 and 4) are of no use with an
/// AEAD.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Label {
    RtpEncryption = 0,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpSalt = 5,
}

/// The session key and salt of one AEAD key.
pub(super) struct SessionKey {
    profile: Profile,
    key: Secret<32>,
    salt: Secret<SALT_LENGTH>,
}

impl SessionKey {
    pub(super) fn derive(
        profile: Profile,
        master: Master<'_>,
        (key_label, salt_label): (Label, Label),
    ) -> Result<Self, KeyError> {
        let mut session = Self {
            profile,
            key: Secret([0; 32]),
            salt: Secret([0; SALT_LENGTH]),
        };
        let (key, _unused) = session.key.0.split_at_mut(profile.key_length());
        master.derive(key_label, key)?;
        master.derive(salt_label, &mut session.salt.0)?;
        Ok(session)
    }

    pub(super) fn key(&self) -> &[u8] {
        self.key.0.split_at(self.profile.key_length()).0
    }

    pub(super) const fn salt(&self) -> &[u8; SALT_LENGTH] {
        &self.salt.0
    }
}

/// Bytes that are overwritten when they go.
pub(super) struct Secret<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.fill(0);
        // Without a reader the compiler may leave the zeros out.
        black_box(&mut self.0);
    }
}

/// Bytes of a master salt and of a session salt with AES-GCM,
/// [RFC 7714 §12](https://www.rfc-editor.org/rfc/rfc7714#section-12).
pub(super) const SALT_LENGTH: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_keys_are_those_of_rfc_3711_appendix_b_3() {
        let key = 0xE1F9_7A0D_3E01_8BE0_D64F_A32C_06DE_4139_u128.to_be_bytes();
        let salt = 0x0EC6_75AD_498A_FEEB_B696_0B3A_ABE6_u128.to_be_bytes();
        let master = Master::new(&key, &salt[2..]);

        let mut cipher_key = [0; 16];
        master
            .derive(Label::RtpEncryption, &mut cipher_key)
            .unwrap();
        let mut cipher_salt = [0; 14];
        master.derive(Label::RtpSalt, &mut cipher_salt).unwrap();

        let expected_salt = 0x30CB_BC08_863D_8C85_D49D_B34A_9AE1_u128.to_be_bytes();
        assert_eq!(
            u128::from_be_bytes(cipher_key),
            0xC61E_7A93_744F_39EE_1073_4AFE_3FF7_A087
        );
        assert_eq!(cipher_salt, expected_salt[2..]);
    }
}
