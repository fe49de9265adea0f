use std::sync::{Arc, OnceLock};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Whose certificates a client trusts. Clones share what was loaded, and the sessions that servers
/// allow to be resumed: keep one for many connections.
#[derive(Clone, Debug, Default)]
pub struct Tls(Arc<OnceLock<Arc<ClientConfig>>>);

/// Why there is nobody to trust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The machine has no roots.
    #[error(
        "this machine has no root certificates{0}; install them (ca-certificates), or name a file of your own"
    )]
    NoSystemRoots(String),
    /// The text holds no certificate.
    #[error(
        "there is no certificate in the PEM text{0}; it begins with -----BEGIN CERTIFICATE-----"
    )]
    NoCertificate(String),
    /// The TLS library does not take it.
    #[error("the TLS library does not take these roots: {0}")]
    Unusable(String),
}

impl Tls {
    /// Trusts whom this machine trusts. The roots are read when they are first needed.
    pub fn system() -> Self {
        Self::default()
    }

    /// Trusts only the certificates of a PEM text.
    ///
    /// # Errors
    /// There is none in it, or one is broken.
    pub fn only(pem: &[u8]) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate =
                certificate.map_err(|error| TlsError::NoCertificate(format!(" ({error})")))?;
            roots
                .add(certificate)
                .map_err(|error| TlsError::Unusable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(TlsError::NoCertificate(String::new()));
        }
        Ok(Self(Arc::new(OnceLock::from(trusting(roots)?))))
    }

    /// What the TLS library wants to know.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        if let Some(config) = self.0.get() {
            return Ok(Arc::clone(config));
        }
        let config = trusting(system_roots()?)?;
        Ok(Arc::clone(self.0.get_or_init(|| config)))
    }
}

fn trusting(roots: RootCertStore) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Unusable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Certificates that cannot be read are left out, as the system's own tools do.
fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})"));
        return Err(TlsError::NoSystemRoots(why.unwrap_or_default()));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_a_certificate_is_refused() {
        for (pem, complaint) in [
            ("", "no certificate"),
            (
                "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
                "no certificate",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
                "does not take",
            ),
            ("-----BEGIN CERTIFICATE-----\n", "no certificate"),
        ] {
            let error = Tls::only(pem.as_bytes()).unwrap_err().to_string();

            assert!(error.contains(complaint), "{pem}: {error}");
        }
    }
}
