//! Where a request goes: which of the servers behind the node. From the bottom up: `server` (how
//! servers are numbered, and which of them a read may go to), `fences` (which reads have to see which
//! writes), `standing` (what a server says of its replication), `replicas` (what is known of each
//! replica), `choice` (one of several), `counts` (what is counted of a server), `cursor` (which server a scan goes on with).
//!
//! No I/O: `path` asks the servers, and sends what goes to them.

mod choice;
mod counts;
pub(crate) mod cursor;
mod fences;
mod replicas;
mod ring;
mod server;
mod standing;

pub(crate) use choice::choose;
pub(crate) use counts::{Flow, ServerTally, ServerTotals};
pub(crate) use fences::{Fence, Fences};
pub(crate) use replicas::{Health, Replicas};
pub(crate) use server::PRIMARY;
pub use server::{MOST_REPLICAS, ReadFrom, ServerId};
pub(crate) use standing::Standing;

use crate::upstream::StoreAddress;

/// The servers behind a node, and what all threads know of them.
pub(crate) struct Topology {
    /// The primary, then its replicas; none where the node has a store of its own.
    pub(crate) servers: Vec<StoreAddress>,
    /// What is counted of each of them.
    pub(crate) totals: Vec<ServerTotals>,
    pub(crate) fences: Fences,
    pub(crate) replicas: Replicas,
}

impl Topology {
    /// `max_lag` in milliseconds: a replica that lags behind for longer is not read.
    pub(crate) fn new(
        primary: Option<StoreAddress>,
        replicas: Vec<StoreAddress>,
        max_lag: u64,
    ) -> Self {
        let servers: Vec<_> = primary.into_iter().chain(replicas).collect();
        let count = servers.len().saturating_sub(1);
        let totals = servers.iter().map(|_| ServerTotals::default()).collect();
        let (fences, replicas) = (Fences::new(count > 0), Replicas::new(count, max_lag));
        Self { servers, totals, fences, replicas }
    }

    /// The numbers of the replicas.
    pub(crate) fn replica_ids(&self) -> std::ops::Range<ServerId> {
        1..self.servers.len().max(1) as ServerId
    }

    /// A server, for people.
    pub(crate) fn name(&self, server: ServerId) -> String {
        let what = if server == PRIMARY { "store" } else { "replica" };
        let place = self.servers.get(usize::from(server)).map(StoreAddress::place);
        format!("the {what} at {}", place.unwrap_or_default())
    }
}
