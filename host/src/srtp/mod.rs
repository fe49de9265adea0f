//! SRTP and SRTCP with AES-GCM, [RFC 3711](https://www.rfc-editor.org/rfc/rfc3711) and
//! [RFC 7714](https://www.rfc-editor.org/rfc/rfc7714).
//!
//! ```text
//! DTLS exporter ─ Keys::from_dtls ─► Keys { inbound, outbound }: one Context (keys) a direction
//! datagram ─ Source (roll-over counter, replay windows; one an SSRC) + Context ─► clear text
//! ```
//!
//! Opening never changes a [`Source`]; only [`Source::accept`] does, and it is called for
//! authenticated packets alone. A forged packet therefore costs time and nothing else.
//!
//! A session key lies in one buffer of ours while its cipher is made; it is overwritten after that
//! (`derive::Secret`), as aws-lc-rs does with the key of the derivation. The expanded key within
//! its AEAD context is freed but not overwritten; there is no way to ask for that.

mod context;
mod derive;
mod replay;
mod source;

pub use context::Context;
pub use source::{Protected, Source};

use crate::srtp::derive::{Master, SALT_LENGTH};

/// The SRTP protection profile that DTLS agreed on,
/// [RFC 7714 §14.2](https://www.rfc-editor.org/rfc/rfc7714#section-14.2). AES-CM with HMAC-SHA1 is
/// refused on purpose: it costs ten times as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `AEAD_AES_128_GCM`.
    Aes128Gcm,
    /// `AEAD_AES_256_GCM`.
    Aes256Gcm,
}

impl Profile {
    /// Bytes to export from DTLS: two keys and two salts.
    pub const fn material_length(self) -> usize {
        2 * (self.key_length() + SALT_LENGTH)
    }

    const fn key_length(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm => 32,
        }
    }
}

/// Which side of the DTLS handshake we are. LiveKit's server is the client: we answer `passive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// We sent the ClientHello.
    Client,
    /// The peer sent it.
    Server,
}

/// The keys of one DTLS session. Not `Clone`: the SRTCP index lives with the key, so that no index
/// is ever used twice under one key.
#[derive(Debug)]
pub struct Keys {
    /// Opens what the peer sends.
    pub inbound: Context,
    /// Seals what we send.
    pub outbound: Context,
}

impl Keys {
    /// Splits the exported keying material: client key, server key, client salt, server salt
    /// ([RFC 5764 §4.2](https://www.rfc-editor.org/rfc/rfc5764#section-4.2)). `role` is ours.
    ///
    /// The caller has to overwrite `material`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if `material` is not [`Profile::material_length`] bytes.
    pub fn from_dtls(profile: Profile, material: &[u8], role: DtlsRole) -> Result<Self, KeyError> {
        if material.len() != profile.material_length() {
            return Err(KeyError::MaterialLength {
                expected: profile.material_length(),
                actual: material.len(),
            });
        }
        let (keys, salts) = material.split_at(2 * profile.key_length());
        let (client_key, server_key) = keys.split_at(profile.key_length());
        let (client_salt, server_salt) = salts.split_at(SALT_LENGTH);
        let client = Context::new(profile, Master::new(client_key, client_salt))?;
        let server = Context::new(profile, Master::new(server_key, server_salt))?;
        let (outbound, inbound) = match role {
            DtlsRole::Client => (client, server),
            DtlsRole::Server => (server, client),
        };
        Ok(Self { inbound, outbound })
    }
}

/// Why keying material is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// DTLS exported too little or too much for the profile.
    #[error("the keying material is {actual} bytes, the profile takes {expected}")]
    MaterialLength {
        /// What the profile takes.
        expected: usize,
        /// What came.
        actual: usize,
    },
    /// The crypto library refused a key.
    #[error("the crypto library refused the key")]
    Refused,
}

/// Why a packet was not opened. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is too short to be SRTP or SRTCP.
    #[error("too short to be protected")]
    TooShort,
    /// SRTCP without encryption. It could only come from somebody who hopes that we are lenient.
    #[error("SRTCP without encryption")]
    NotEncrypted,
    /// Its index was seen before, or is so old that nobody can tell.
    #[error("replayed or too old")]
    Replayed,
    /// The tag is wrong.
    #[error("not authentic")]
    NotAuthentic,
}

/// Why a packet was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// All indices of this key are used up
    /// ([RFC 3711 §9.2](https://www.rfc-editor.org/rfc/rfc3711#section-9.2)): a new DTLS session is
    /// needed.
    #[error("all packet indices of this key are used up")]
    Exhausted,
    /// It has no complete header, or is too long for AES-GCM.
    #[error("not a packet that can be sealed")]
    Unsealable,
}

#[cfg(test)]
mod tests;
