//! Where a store is, and who the node is there.

/// A store: a server of Redis or Valkey.
#[derive(Clone)]
pub struct StoreAddress {
    /// Its name or address; the path of its socket, if that is of this machine.
    pub host: String,
    /// Its port; 0 for a socket of this machine.
    pub port: u16,
    /// Whether `host` is the path of a socket of this machine.
    pub unix: bool,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Who the node is there; `default` if only a password is given.
    pub user: Option<String>,
    /// The node's password there.
    pub password: Option<String>,
}

impl StoreAddress {
    /// Its place, for people: no secret in it.
    pub fn place(&self) -> String {
        if self.unix { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl std::fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place())
    }
}
