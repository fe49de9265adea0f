//! DTLS for all peers of the process, and a tap for the SRTP keys each of them agrees on.
//!
//! str0m would build and self-test a DTLS configuration for every peer (2.5 ms of CPU, measured);
//! one shared configuration and certificate make it 80 µs.

use core::fmt;
use std::cell::RefCell;
use std::sync::{Arc, LazyLock, OnceLock, Weak};
use std::time::Instant;

use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion,
    SrtpProfile,
};
use str0m::crypto::{CryptoError, CryptoProvider};
use str0m::{Rtc, RtcConfig};

use super::output::PeerError;
use crate::srtp::{DtlsRole, Keys, Profile};

/// Builds the engine of a peer and the tap of its keys.
pub(crate) fn build(config: RtcConfig, now: Instant) -> (Rtc, KeyTap) {
    let agreement = Arc::new(OnceLock::new());
    NEXT_TAP.set(Arc::downgrade(&agreement));
    let rtc = config.set_crypto_provider(Arc::clone(&PROVIDER)).build(now);
    NEXT_TAP.set(Weak::new());
    (rtc, KeyTap(agreement))
}

/// Where the SRTP keys of one DTLS session appear.
///
/// They do so before str0m has compared the certificate with the fingerprint in the SDP: take them
/// after `Event::Connected` only. Dropping the tap forgets them.
#[derive(Debug)]
pub(crate) struct KeyTap(Arc<OnceLock<Agreement>>);

impl KeyTap {
    /// What the handshake agreed on, once it has.
    pub(crate) fn agreement(&self) -> Option<&Agreement> {
        self.0.get()
    }
}

/// The outcome of a handshake as [RFC 5764 §4.2](https://www.rfc-editor.org/rfc/rfc5764#section-4.2)
/// exports it.
pub(crate) struct Agreement {
    /// The protection profile.
    pub(crate) profile: SrtpProfile,
    /// Client key, server key, client salt, server salt.
    pub(crate) material: Vec<u8>,
    /// Whether we are the DTLS client.
    pub(crate) is_client: bool,
}

impl Agreement {
    /// The keys for the media plane, if we speak the profile.
    pub(crate) fn keys(&self) -> Result<Keys, PeerError> {
        let profile = match self.profile {
            SrtpProfile::AEAD_AES_256_GCM => Profile::Aes256Gcm,
            SrtpProfile::AEAD_AES_128_GCM => Profile::Aes128Gcm,
            other => return Err(PeerError::Profile(other)),
        };
        let role = match self.is_client {
            true => DtlsRole::Client,
            false => DtlsRole::Server,
        };
        Ok(Keys::from_dtls(profile, &self.material, role)?)
    }
}

impl Drop for Agreement {
    fn drop(&mut self) {
        self.material.fill(0);
        // Or else the compiler may leave out a write that nobody reads.
        std::hint::black_box(&self.material);
    }
}

impl fmt::Debug for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agreement")
            .field("profile", &self.profile)
            .field("is_client", &self.is_client)
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// Hands the tap to [`Provider::new_dtls`]: str0m calls it inside `build`, on the same thread,
    /// and passes nothing of ours.
    static NEXT_TAP: RefCell<Weak<OnceLock<Agreement>>> = const { RefCell::new(Weak::new()) };
}

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let default = str0m::crypto::from_feature_flags();
    Arc::new(CryptoProvider {
        srtp_provider: default.srtp_provider,
        sha1_hmac_provider: default.sha1_hmac_provider,
        sha1_provider: default.sha1_provider,
        sha256_provider: default.sha256_provider,
        dtls_provider: &Provider,
    })
});

#[derive(Debug)]
struct Provider;

impl DtlsProvider for Provider {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        static CERTIFICATE: LazyLock<Option<DtlsCert>> =
            LazyLock::new(|| dimpl::certificate::generate_self_signed_certificate().ok());
        CERTIFICATE.clone()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        _: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let dtls = dimpl::Dtls::new_12(configuration(mtu)?, certificate.clone(), now);
        let tap = NEXT_TAP.take();
        Ok(Box::new(Tapped { dtls, tap }))
    }
}

/// The configuration of the process. All peers have the MTU of the first: none sets it.
fn configuration(mtu: Option<usize>) -> Result<Arc<dimpl::Config>, CryptoError> {
    static CONFIGURATION: OnceLock<Arc<dimpl::Config>> = OnceLock::new();
    if let Some(configuration) = CONFIGURATION.get() {
        return Ok(Arc::clone(configuration));
    }
    // ICE has validated the address before DTLS starts, so that a cookie only costs a round trip.
    let builder = dimpl::Config::builder().use_server_cookie(false);
    let builder = match mtu {
        Some(mtu) => builder.mtu(mtu),
        None => builder,
    };
    let built = builder
        .build()
        .map_err(|error| CryptoError::Other(error.to_string()))?;
    Ok(Arc::clone(CONFIGURATION.get_or_init(|| Arc::new(built))))
}

/// A DTLS session that shows its keys to a [`KeyTap`].
struct Tapped {
    dtls: dimpl::Dtls,
    tap: Weak<OnceLock<Agreement>>,
}

impl DtlsInstance for Tapped {
    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let is_client = self.dtls.is_active();
        let output = self.dtls.poll_output(buffer);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output
            && let Some(tap) = self.tap.upgrade()
        {
            tap.get_or_init(|| Agreement {
                profile: *profile,
                material: material.to_vec(),
                is_client,
            });
        }
        output
    }

    fn set_active(&mut self, active: bool) {
        self.dtls.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.dtls.handle_packet(packet)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.dtls.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.dtls.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.dtls.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.dtls.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.dtls.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.dtls.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.dtls.close()
    }
}

impl fmt::Debug for Tapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tapped").finish_non_exhaustive()
    }
}
