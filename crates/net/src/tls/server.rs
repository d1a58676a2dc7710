//! Clients' side of TLS.

use super::names::ByName;
use super::pem::{TlsError, chain, key, roots, wrong};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, ProducesTickets, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// Who the node is: a certificate and its key.
pub struct Identity {
    /// The certificate and those that lead to its authority, as PEM.
    pub chain: Vec<u8>,
    /// Its private key, as PEM.
    pub key: Vec<u8>,
    /// The names that clients ask for to be shown it.
    pub names: Vec<String>,
}

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// None is asked for.
    No,
    /// One that is shown has to be good.
    Optional,
    /// A client without one is refused.
    Required,
}

/// What clients meet.
pub struct ServerTls {
    /// The first is shown where no name fits.
    pub identities: Vec<Identity>,
    /// The authorities of clients' certificates, as PEM.
    pub ca: Option<Vec<u8>>,
    /// Whether clients show certificates.
    pub clients: ClientAuth,
}

/// Which clients are trusted: a session is not resumed beyond a change of it.
pub type Trust = (ClientAuth, Option<Vec<u8>>);

impl ServerTls {
    pub(crate) fn trust(&self) -> Trust {
        (self.clients, self.ca.clone())
    }
}

/// The keys of session tickets, which all threads share; they are changed every six hours, and old
/// ones are known for as long again.
pub type Tickets = Arc<dyn ProducesTickets>;

/// How clients are met.
///
/// # Errors
/// A text that is no PEM, or that does not fit another one.
pub fn acceptor(tls: &ServerTls, tickets: Option<&Tickets>) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let mut resolver: Option<ByName> = None;
    for identity in &tls.identities {
        let certificate = certified(identity, &provider)?;
        resolver
            .get_or_insert_with(|| ByName::new(certificate.clone()))
            .add(&identity.names, &certificate);
    }
    let resolver = resolver.ok_or_else(|| wrong("certificate", "there is none"))?;
    let verifier = verifier(tls, &provider)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("certificate", error))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(resolver));
    config.ticketer = match tickets {
        Some(tickets) => tickets.clone(),
        None => ring::Ticketer::new().map_err(|error| wrong("key", error))?,
    };
    Ok(config)
}

fn certified(
    identity: &Identity,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = chain(&identity.chain, "certificate")?;
    let certificate = CertifiedKey::from_der(chain, key(&identity.key)?, provider)
        .map_err(|error| wrong("key", error))?;
    Ok(Arc::new(certificate))
}

fn verifier(
    tls: &ServerTls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let ca = match (tls.clients, &tls.ca) {
        (ClientAuth::No, _) => return Ok(Arc::new(NoClientAuth)),
        (_, None) => return Err(wrong("ca", "clients' certificates need one")),
        (_, Some(ca)) => Arc::new(roots(ca)?),
    };
    let builder = WebPkiClientVerifier::builder_with_provider(ca, provider.clone());
    let builder = match tls.clients {
        ClientAuth::Optional => builder.allow_unauthenticated(),
        _ => builder,
    };
    builder.build().map_err(|error| wrong("ca", error))
}
