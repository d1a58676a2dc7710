//! All servers behind the node by their numbers, and what all threads know of each.

use super::counts::ServerTotals;
use super::replicas::{History, Replica};
use super::server::ServerId;
use crate::upstream::{Breaker, StoreAddress};
use parking_lot::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// A server, and what all threads know of it.
pub(crate) struct Server {
    pub(crate) address: StoreAddress,
    pub(crate) totals: ServerTotals,
    pub(crate) breaker: Breaker,
    /// How it is as a replica.
    pub(super) replica: Replica,
    /// How far its own history goes, where it takes writes.
    pub(super) history: Mutex<History>,
}

/// All servers that the node has ever known, by their numbers.
pub(crate) struct Servers {
    all: Box<[OnceLock<Server>]>,
    count: AtomicU16,
    adding: Mutex<()>,
}

impl Servers {
    /// These, numbered in their order, and room for as many as `most` together.
    pub(super) fn new(first: Vec<StoreAddress>, most: usize) -> Self {
        let all = (0..most.max(first.len())).map(|_| OnceLock::new()).collect();
        let servers = Self { all, count: AtomicU16::new(0), adding: Mutex::new(()) };
        for address in first {
            servers.push(address);
        }
        servers
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        // Acquire: whoever sees the count finds so many servers.
        usize::from(self.count.load(Ordering::Acquire))
    }

    pub(crate) fn get(&self, server: ServerId) -> Option<&Server> {
        self.all.get(usize::from(server))?.get()
    }

    /// All of them, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ServerId, &Server)> {
        (0..self.len() as ServerId).zip(self.all.iter().filter_map(OnceLock::get))
    }

    /// The number of an address, which gets one if it has none; `None` if there are too many.
    pub(crate) fn number(&self, address: &StoreAddress) -> Option<ServerId> {
        let _adding = self.adding.lock();
        let same = |server: &Server| {
            let known = &server.address;
            (&known.host, known.port, known.unix) == (&address.host, address.port, address.unix)
        };
        let known = self.iter().find(|(_, server)| same(server)).map(|(id, _)| id);
        known.or_else(|| self.push(address.clone()))
    }

    fn push(&self, address: StoreAddress) -> Option<ServerId> {
        let id = self.len() as ServerId;
        let server = Server {
            address,
            totals: ServerTotals::default(),
            breaker: Breaker::new(
                u64::from(id).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15),
            ),
            replica: Replica::default(),
            history: Mutex::default(),
        };
        self.all.get(usize::from(id))?.set(server).ok()?;
        self.count.store(id + 1, Ordering::Release);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> StoreAddress {
        let (host, user, password) = ("h".into(), None, None);
        StoreAddress { host, port, unix: false, tls: false, user, password }
    }

    #[test]
    fn an_address_keeps_its_number_and_no_other_gets_it() {
        let servers = Servers::new(vec![at(1), at(2)], 3);
        assert_eq!(servers.number(&at(2)), Some(1));
        assert_eq!(servers.number(&at(3)), Some(2));
        assert_eq!(servers.number(&at(4)), None, "there is no room");
        assert_eq!((servers.number(&at(1)), servers.number(&at(3))), (Some(0), Some(2)));
        let ports: Vec<_> = servers.iter().map(|(id, one)| (id, one.address.port)).collect();
        assert_eq!(ports, [(0, 1), (1, 2), (2, 3)]);
        assert!(servers.get(3).is_none());
    }
}
