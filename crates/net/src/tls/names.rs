//! Which certificate a client is shown: that of the name it asks for, else the first.

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;

/// Certificates by the names that they are for.
#[derive(Debug)]
pub struct ByName {
    first: Arc<CertifiedKey>,
    /// Lower case; a name that begins with `*.` stands for any one label there.
    names: HashMap<String, Arc<CertifiedKey>>,
}

impl ByName {
    /// Of two certificates for one name the earlier one is shown.
    pub fn new(first: Arc<CertifiedKey>) -> Self {
        Self { first, names: HashMap::new() }
    }

    /// Adds a certificate for some names.
    pub fn add(&mut self, names: &[String], certificate: &Arc<CertifiedKey>) {
        for name in names {
            self.names.entry(name.to_lowercase()).or_insert_with(|| certificate.clone());
        }
    }

    fn find(&self, name: &str) -> &Arc<CertifiedKey> {
        let name = name.to_lowercase();
        let wildcard = || {
            let (_, domain) = name.split_once('.')?;
            self.names.get(&format!("*.{domain}"))
        };
        self.names.get(&name).or_else(wildcard).unwrap_or(&self.first)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(hello.server_name().map_or(&self.first, |name| self.find(name)).clone())
    }
}
