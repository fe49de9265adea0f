//! One validated DTLS configuration and one certificate for the process.
//!
//! str0m validates its crypto for every peer connection otherwise, which costs 2.5 ms of CPU
//! each time: too much for a publisher that joins a thousand rooms.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion,
};
use str0m::crypto::{CryptoError, CryptoProvider};

/// Returns the crypto of every peer connection in this process.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    static SHARED: Shared = Shared;
    let provider = PROVIDER.get_or_init(|| {
        let default = str0m::crypto::from_feature_flags();
        Arc::new(CryptoProvider {
            srtp_provider: default.srtp_provider,
            sha1_hmac_provider: default.sha1_hmac_provider,
            sha1_provider: default.sha1_provider,
            sha256_provider: default.sha256_provider,
            dtls_provider: &SHARED,
        })
    });
    Arc::clone(provider)
}

#[derive(Debug)]
struct Shared;

impl DtlsProvider for Shared {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        static CERTIFICATE: OnceLock<Option<DtlsCert>> = OnceLock::new();
        CERTIFICATE
            .get_or_init(|| dimpl::certificate::generate_self_signed_certificate().ok())
            .clone()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        _version: DtlsVersion,
        _mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let certificate = dimpl::DtlsCertificate {
            certificate: certificate.certificate.clone(),
            private_key: certificate.private_key.clone(),
        };
        let dtls = dimpl::Dtls::new_12(configuration(), certificate, now);
        Ok(Box::new(Instance(Box::new(dtls))))
    }
}

fn configuration() -> Arc<dimpl::Config> {
    static CONFIGURATION: OnceLock<Arc<dimpl::Config>> = OnceLock::new();
    let configuration = CONFIGURATION.get_or_init(|| {
        let builder = dimpl::Config::builder().use_server_cookie(false);
        Arc::new(builder.build().expect("the configuration is constant"))
    });
    Arc::clone(configuration)
}

/// Forwards to the DTLS engine.
struct Instance(Box<dimpl::Dtls>);

impl std::fmt::Debug for Instance {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Instance")
    }
}

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buffer)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}
