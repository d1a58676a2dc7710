//! What the relays of several threads tell each other of reads that they share.

use breakwater_engine::Lease;
use breakwater_resp::Kind;
use std::sync::Arc;

/// A letter to the relay of another thread.
pub struct Letter {
    /// The number of the relay that it is for: see [`Relay::number`](crate::Relay::number).
    pub to: u64,
    pub(super) word: Word,
}

/// What it says of a flight.
pub(super) enum Word {
    /// The store's reply, in RESP3.
    Reply { flight: u64, kind: Kind, bytes: Arc<[u8]> },
    /// There is none, for this reason.
    Failed { flight: u64, why: Arc<str> },
    /// Who asked the store is gone: ask in its place.
    Lead(Lease),
}
