//! Session keys from master keys, [RFC 3711 §4.3](https://www.rfc-editor.org/rfc/rfc3711#section-4.3)
//! with a key derivation rate of 0.

use std::hint::black_box;

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use super::KeyError;

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
        let mut counter = [0; 16];
        for (byte, salt) in counter.iter_mut().zip(self.salt) {
            *byte = *salt;
        }
        // The label is the octet before the 48-bit index, which is 0: RFC 3711 §4.3.1. A 96-bit
        // salt counts as one of 112 bits that ends in zeros: RFC 7714 §11.
        let [_, _, _, _, _, _, _, label_octet, ..] = &mut counter;
        *label_octet ^= label as u8;

        out.fill(0);
        let algorithm = match self.key.len() {
            16 => &AES_128,
            _ => &AES_256,
        };
        UnboundCipherKey::new(algorithm, self.key)
            .and_then(EncryptingKey::ctr)
            .and_then(|key| {
                let iv = FixedLength::from(&counter);
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

/// A key that is overwritten when it goes. To move it would leave a copy behind: fill it in place
/// and lend it.
pub(super) struct Secret<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.fill(0);
        // Without a reader the compiler may leave the zeros out.
        black_box(&mut self.0);
    }
}

/// Bytes of a master salt and of a session salt with AES-GCM,
/// [RFC 7714 §12](https://www.rfc-editor.org/rfc/rfc7714#section-12). Salts need not be secret
/// ([RFC 3711 §3.2.1](https://www.rfc-editor.org/rfc/rfc3711#section-3.2.1)).
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
