//! One ledger for what waits in the process: bytes of clients that are not understood or done yet,
//! replies that clients have not taken, and what goes to and comes from the store. At the bound the client
//! that has most waiting is cut, and not the process killed.

use super::clients::{Client, Registry};
use crate::news::ClientId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What waits. Relaxed throughout: sums of independent steps, and who is cut is a matter of moments.
#[derive(Debug)]
pub(crate) struct Buffers {
    used: AtomicU64,
    /// Of that, what is of clients that are cut and not gone yet.
    doomed: AtomicU64,
    most: AtomicU64,
    /// How many clients were cut.
    cut: AtomicU64,
}

/// What waits in the process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferCounts {
    /// How much it is.
    pub used: u64,
    /// How much it may be.
    pub most: u64,
    /// Clients that were cut since it was more.
    pub cut: u64,
}

impl Buffers {
    pub(super) fn new(most: u64) -> Self {
        let [used, doomed, cut] = [0; 3].map(AtomicU64::new);
        Self { used, doomed, most: AtomicU64::new(most), cut }
    }

    pub(super) fn bound(&self, most: u64) {
        self.most.store(most, Ordering::Relaxed);
    }

    fn add(&self, before: u64, now: u64) {
        self.used.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        let doomed = self.doomed.load(Ordering::Relaxed);
        let stays = self.used.load(Ordering::Relaxed).saturating_sub(doomed);
        stays > self.most.load(Ordering::Relaxed)
    }

    pub(super) fn counts(&self) -> BufferCounts {
        let [used, most, cut] =
            [&self.used, &self.most, &self.cut].map(|count| count.load(Ordering::Relaxed));
        BufferCounts { used, most, cut }
    }

    /// So many bytes of a client wait from now on. Those of these clients who have to be disconnected for
    /// that are appended to `kills`.
    pub(super) fn charge(
        &self,
        client: &Client,
        bytes: u64,
        (clients, kills): (&Registry, &mut Vec<ClientId>),
    ) {
        let before = client.buffered.swap(bytes, Ordering::Relaxed);
        self.add(before, bytes);
        if bytes > before {
            self.relieve(clients, kills);
        }
    }

    /// A client has gone.
    pub(super) fn discharge(&self, client: &Client) {
        self.add(client.buffered.swap(0, Ordering::Relaxed), 0);
        let doomed = client.doomed.swap(0, Ordering::Relaxed);
        self.doomed.fetch_sub(doomed, Ordering::Relaxed);
    }

    /// Cuts the clients that have most waiting until what waits is no more than may. One that has asked
    /// not to be chosen (`CLIENT NO-EVICT`) is not.
    fn relieve(&self, clients: &Registry, kills: &mut Vec<ClientId>) {
        while self.is_over() {
            let mut greediest: Option<(u64, Arc<Client>)> = None;
            for client in clients.all() {
                let bytes = client.buffered.load(Ordering::Relaxed);
                let more = bytes > greediest.as_ref().map_or(0, |(most, _)| *most);
                if more && !client.is_killed() && !client.profile.lock().no_evict {
                    greediest = Some((bytes, client));
                }
            }
            let Some((bytes, client)) = greediest else { return };
            client.kill();
            client.doomed.store(bytes, Ordering::Relaxed);
            self.doomed.fetch_add(bytes, Ordering::Relaxed);
            self.cut.fetch_add(1, Ordering::Relaxed);
            kills.push(client.id);
        }
    }
}

/// What waits on one thread's connections to the store.
pub(crate) struct ThreadBuffers {
    all: Arc<Buffers>,
    bytes: u64,
}

impl ThreadBuffers {
    pub(super) fn of(all: &Arc<Buffers>) -> Self {
        Self { all: all.clone(), bytes: 0 }
    }

    /// It is so much from now on.
    pub(crate) fn set(&mut self, bytes: usize) {
        if bytes as u64 != self.bytes {
            self.all.add(self.bytes, bytes as u64);
            self.bytes = bytes as u64;
        }
    }
}

impl Drop for ThreadBuffers {
    fn drop(&mut self) {
        self.set(0);
    }
}
