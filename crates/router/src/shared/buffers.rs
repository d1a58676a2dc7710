//! One ledger for what waits in the process: bytes of clients that are not understood or done yet,
//! replies that clients have not taken, and what goes to and comes from the store. At the bound the client
//! that has most waiting is cut, and not the process killed.

use super::clients::{Client, Registry};
use crate::news::ClientId;
use crate::policy::Stay;
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
    /// How many were since more waited of their users than may.
    cut_by_user: AtomicU64,
    /// How many were since they took nothing.
    cut_slow: AtomicU64,
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
    /// Clients that were cut since more waited of their users than may.
    pub cut_by_user: u64,
    /// Clients that were cut since they did not take their replies.
    pub cut_slow: u64,
}

impl Buffers {
    pub(super) fn new(most: u64) -> Self {
        let [used, doomed, cut, cut_by_user, cut_slow] = [0; 5].map(AtomicU64::new);
        Self { used, doomed, most: AtomicU64::new(most), cut, cut_by_user, cut_slow }
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
        let all = [&self.used, &self.most, &self.cut, &self.cut_by_user, &self.cut_slow];
        let [used, most, cut, cut_by_user, cut_slow] =
            all.map(|count| count.load(Ordering::Relaxed));
        BufferCounts { used, most, cut, cut_by_user, cut_slow }
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

    /// Cuts the clients of a user that have most waiting until what waits of it is no more than `most`. Those
    /// that are cut and not gone yet count no more.
    #[cold]
    pub(super) fn relieve_user(
        &self,
        stay: &Stay,
        most: u64,
        (clients, kills): (&Registry, &mut Vec<ClientId>),
    ) {
        let own = |client: &Arc<Client>| {
            let known = client.profile.lock().known.clone();
            let metered = known.as_ref().and_then(|user| user.metered.as_ref());
            !client.is_killed() && metered.is_some_and(|of| stay.is_of(of))
        };
        let own = clients.all().into_iter().filter(own);
        let mut own: Vec<_> =
            own.map(|client| (client.buffered.load(Ordering::Relaxed), client)).collect();
        own.sort_by_key(|(bytes, _)| *bytes);
        let mut waits: u64 = own.iter().map(|(bytes, _)| bytes).sum();
        while waits > most
            && let Some((bytes, greediest)) = own.pop()
        {
            waits -= bytes;
            self.doom(&greediest, bytes, kills);
            self.cut_by_user.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A client is cut since it takes nothing.
    pub(super) fn count_slow(&self) {
        self.cut_slow.fetch_add(1, Ordering::Relaxed);
    }

    /// A client with so many bytes is to be disconnected.
    fn doom(&self, client: &Client, bytes: u64, kills: &mut Vec<ClientId>) {
        client.kill();
        client.doomed.store(bytes, Ordering::Relaxed);
        self.doomed.fetch_add(bytes, Ordering::Relaxed);
        kills.push(client.id);
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
            self.doom(&client, bytes, kills);
            self.cut.fetch_add(1, Ordering::Relaxed);
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
