//! What PEM texts hold.

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;

/// A text that is not what it should be. It shows nothing of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    /// Which text: `certificate`, `key` or `ca`.
    pub role: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} of TLS: {}", self.role, self.why)
    }
}

impl std::error::Error for TlsError {}

/// Says what is wrong with the text of a role.
pub fn wrong(role: &'static str, why: impl ToString) -> TlsError {
    TlsError { role, why: why.to_string() }
}

/// The certificates of a text, that of its owner first.
pub fn chain(pem: &[u8], role: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(wrong(role, "there is no certificate in it")),
        Err(_) => Err(wrong(role, "it is no PEM")),
    }
}

/// The private key of a text.
pub fn key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| wrong("key", "there is no private key without a passphrase in it"))
}

/// The authorities of a text.
pub fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(chain(pem, "ca")?);
    if added > 0 { Ok(roots) } else { Err(wrong("ca", "there is no authority in it")) }
}
