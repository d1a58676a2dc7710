//! Connections to a store: what is to be sent, and whose reply is whose.

mod address;
mod connection;

pub use address::StoreAddress;
pub(crate) use connection::{Arrival, Upstream};
