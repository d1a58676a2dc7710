//! TLS: who we are to clients and to the store, and whom we trust. All of it is PEM in, a
//! configuration of rustls out; no file is read here.

mod client;
mod names;
mod pem;
mod server;
mod shown;

pub use client::{StoreTls, connector};
pub use pem::TlsError;
pub use server::{ClientAuth, Identity, ServerTls};
pub(crate) use server::{Trust, acceptor};
pub use shown::shown;
