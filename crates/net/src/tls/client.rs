//! The store's side of TLS.

use super::pem::{TlsError, chain, key, roots, wrong};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use std::sync::Arc;

/// How the store is met.
#[derive(Clone)]
pub struct StoreTls {
    /// Whom to trust, and who we are.
    pub config: Arc<ClientConfig>,
    /// The name in the store's certificate; that of its address, if there is none.
    pub name: Option<ServerName<'static>>,
}

/// How the store is met: `ca` are the authorities of its certificate, as PEM; `identity` is our own
/// certificate and key, if it asks for one; `name` is the name in its certificate, if that is not
/// the one of its address.
///
/// # Errors
/// A text that is no PEM, or that does not fit another one; a name that cannot be one.
pub fn connector(
    ca: &[u8],
    identity: Option<(&[u8], &[u8])>,
    name: Option<&str>,
) -> Result<StoreTls, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("ca", error))?
        .with_root_certificates(roots(ca)?);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, secret)) => builder
            .with_client_auth_cert(chain(certificate, "certificate")?, key(secret)?)
            .map_err(|error| wrong("key", error))?,
    };
    let name = name.map(|name| ServerName::try_from(name.to_owned())).transpose();
    let name = name.map_err(|_| wrong("name", "it is neither a name nor an address"))?;
    Ok(StoreTls { config: Arc::new(config), name })
}
