//! What the flight table and its owners tell each other.

use crate::key::{Key, KeyKind};
use std::sync::Arc;

/// Where a flight is found again: by those who wait for it, and by its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    pub(super) hash: u64,
    /// The flight's number, unique in its table; it stays the same whoever leads.
    pub flight: u64,
}

/// The leader's right to store one key, until it finishes, fails, cancels or is handed over.
#[derive(Debug)]
pub struct Lease {
    pub(super) ticket: Ticket,
    pub(super) number: u64,
    pub(super) owner: u64,
    pub(super) key: OwnedKey,
}

impl Lease {
    /// The key that is loaded.
    pub fn key(&self) -> Key<'_> {
        self.key.borrow()
    }

    /// The flight.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// The lease's number, unique in its table; that of the flight, if it is its first lease.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Who leads, as it told [`FlightTable::join`](super::FlightTable::join).
    pub fn owner(&self) -> u64 {
        self.owner
    }
}

/// What an owner that joined has to do.
#[derive(Debug)]
pub enum Role {
    /// Load the value, then end the lease.
    Lead(Lease),
    /// Wait: the owner comes back from the leader's `finish` or `fail`, or is made the leader.
    Wait {
        /// The flight.
        ticket: Ticket,
        /// The number of its leader's lease.
        lease: u64,
        /// Whether the owner neither waited for it nor led it before.
        new: bool,
    },
}

/// A flight that finished.
#[derive(Debug, PartialEq, Eq)]
pub struct Landing<R> {
    /// The owners who waited, in the order of their arrival.
    pub waiters: Vec<u64>,
    /// What the store returned; `None` if the lease had been killed and nothing was stored.
    pub stored: Option<R>,
}

/// Who leads a flight whose leader gives up, is gone or takes too long.
#[derive(Debug)]
pub enum Handover {
    /// The one that waited longest leads now and must be told to load.
    Next {
        /// Its right to store.
        lease: Lease,
        /// Who led before and waits now, if it is still there.
        deposed: Option<u64>,
    },
    /// Another one leads since than the one that was named, by the lease of this number: nothing
    /// changed.
    Since(u64),
    /// Nobody waits: the flight has ended, or is overdue and left to whoever joins next.
    Alone,
    /// The flight had ended before; who waited for it was told.
    Over,
}

/// What became of a lease that its owner has no use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It has ended, and its flight with it: nobody waited.
    Ended,
    /// It goes on: others wait.
    Awaited,
    /// Another one has led since, or does: its owner waits with the others, unless the flight is over.
    Lost,
}

/// An owner that left.
#[derive(Debug, PartialEq, Eq)]
pub enum Left {
    /// It was no waiter.
    Unknown,
    /// Others wait.
    Others,
    /// Nobody waits any more for the flight of this leader.
    Alone(u64),
}

/// What an owner that is gone leaves to others.
#[derive(Debug, Default)]
pub struct Gone {
    /// Leases of those who lead in its place.
    pub heirs: Vec<Lease>,
    /// Leaders for whose flights nobody waits any more.
    pub alone: Vec<(u64, Ticket)>,
}

/// The key of a flight, which its table and its leases share.
#[derive(Clone, Debug)]
pub(super) struct OwnedKey {
    kind: KeyKind,
    bytes: Arc<[u8]>,
}

impl OwnedKey {
    pub(super) fn new(key: Key<'_>) -> Self {
        Self { kind: key.kind, bytes: key.bytes.into() }
    }

    pub(super) fn borrow(&self) -> Key<'_> {
        Key { kind: self.kind, bytes: &self.bytes }
    }
}
