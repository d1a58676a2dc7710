//! Single flight: for each key at most one caller loads the value, the others wait for it.
//!
//! The table only says who leads and who waits; it never loads, blocks or wakes. A *lease* is the
//! leader's right to store what it loads. It is plain data, since a runtime that cannot run
//! destructors may hold it: the leader ends it by [`FlightTable::finish`], [`FlightTable::fail`] or
//! [`FlightTable::abandon`], and [`FlightTable::owner_gone`] ends all leases of a caller that died.
//!
//! # A late load never overwrites a newer write
//!
//! A load may read the old value from its source, lose the processor while somebody writes a new
//! value there and tells the cache by `set` or `delete`, and only then come back to store the old
//! one. Who mutates a key therefore
//!
//! 1. calls [`FlightTable::kill`] *before* the mutation,
//! 2. mutates the index,
//! 3. calls `kill` again *after* it,
//!
//! and a load stores only inside [`FlightTable::finish`], which runs the store under the lock of
//! the key's shard and only while the lease is alive. Then, for any flight and any mutation:
//!
//! - *The flight began before 1 and finishes before it.* Its store happens before the mutation
//!   (both saw the shard's lock, or `kill` saw the counter that `finish` lowered last), so the
//!   mutation overwrites or removes what was loaded.
//! - *It began before 1 and finishes after it.* The lease is dead and nothing is stored; `kill`
//!   and `finish` exclude each other by the shard's lock, so there is nothing between.
//! - *It began after 1.* Its load began after `set` or `delete` was called, hence after the source
//!   was written: what it loads is no older than the mutation. It is concurrent with the mutation
//!   and may be ordered after it. Step 3 keeps that overlap short: a flight that began before the
//!   mutation was done stores only if it finishes before 3. A caller for whom the cache itself is
//!   the source closes even this gap if its store keeps an entry that was not there when it
//!   missed.
//!
//! Callers that join after a kill do not wait for the killed flight, whose value they may not see:
//! they begin a new one. Those that waited already are served by the old one.
//!
//! While no flight is up a kill is one atomic load.

use crate::key::{Key, KeyKind};
use sync::{Arc, AtomicU64, AtomicUsize, Mutex, Ordering};

/// What the model checker replaces.
#[cfg(not(loom))]
mod sync {
    pub(super) use parking_lot::Mutex;
    pub(super) use std::sync::Arc;
    pub(super) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
}
#[cfg(loom)]
#[path = "flight/loom.rs"]
mod sync;

/// Flights are rare beside reads and their locks are held for less than a microsecond.
const SHARDS: usize = if cfg!(loom) { 1 } else { 64 };

/// The leader's right to store one key, until it finishes, fails, abandons or is handed over.
#[derive(Debug)]
pub struct Lease {
    hash: u64,
    token: u64,
    owner: u64,
    key: OwnedKey,
}

impl Lease {
    /// The key that is loaded.
    pub fn key(&self) -> Key<'_> {
        self.key.borrow()
    }

    /// The lease's number, unique in its table.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Who leads, as it told [`FlightTable::join`].
    pub fn owner(&self) -> u64 {
        self.owner
    }
}

/// What a caller that joined has to do.
#[derive(Debug)]
pub enum Role {
    /// Load the value, then end the lease.
    Lead(Lease),
    /// Wait: the waiter comes back from the leader's `finish` or `fail`, or is made the leader.
    Wait,
}

/// A flight that finished.
#[derive(Debug, PartialEq, Eq)]
pub struct Landing<W, R> {
    /// Who waited, in the order of their arrival.
    pub waiters: Vec<W>,
    /// What the store returned; `None` if the lease had been killed and nothing was stored.
    pub stored: Option<R>,
}

/// Who leads a flight whose leader is gone.
#[derive(Debug)]
pub enum Handover<W> {
    /// The one that waited longest leads now and must be told to load.
    Next(W, Lease),
    /// There is nobody to tell.
    Empty,
}

/// The flights of one cache. `W` says how to reach a waiter, such as the number of a promise.
#[derive(Debug)]
pub struct FlightTable<W> {
    shards: Box<[Mutex<Shard<W>>]>,
    /// Flights in all shards, killed ones included.
    up: AtomicUsize,
    next_token: AtomicU64,
    seed: foldhash::quality::RandomState,
}

/// Flights by the hash of their key. A list holds the flights of colliding keys, and beside the
/// living flight of a key its killed ones that have not landed yet.
type Shard<W> = std::collections::HashMap<u64, Vec<Flight<W>>, foldhash::fast::RandomState>;

#[derive(Debug)]
struct Flight<W> {
    token: u64,
    owner: u64,
    killed: bool,
    key: OwnedKey,
    waiters: Vec<Waiter<W>>,
}

#[derive(Debug)]
struct Waiter<W> {
    owner: u64,
    handle: W,
}

#[derive(Clone, Debug)]
struct OwnedKey {
    kind: KeyKind,
    bytes: Arc<[u8]>,
}

impl OwnedKey {
    fn borrow(&self) -> Key<'_> {
        Key { kind: self.kind, bytes: &self.bytes }
    }
}

impl<W> Flight<W> {
    fn lease(&self, hash: u64) -> Lease {
        Lease { hash, token: self.token, owner: self.owner, key: self.key.clone() }
    }

    fn into_handles(self) -> Vec<W> {
        self.waiters.into_iter().map(|waiter| waiter.handle).collect()
    }
}

impl<W> Default for FlightTable<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<W> FlightTable<W> {
    /// A table without flights.
    pub fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect(),
            up: AtomicUsize::new(0),
            next_token: AtomicU64::new(1),
            seed: foldhash::quality::RandomState::default(),
        }
    }

    /// Whether no flight is up, killed ones included.
    #[inline]
    pub fn is_idle(&self) -> bool {
        // SeqCst, as the increment in `join`: a flight that is up before its source is read is seen
        // by whoever wrote that source later, however source and table are related. It also
        // acquires the decrement in `remove`, so that what a flight stored is seen as well.
        self.up.load(Ordering::SeqCst) == 0
    }

    /// Flights that are up, killed ones included.
    pub fn len(&self) -> usize {
        self.up.load(Ordering::SeqCst)
    }

    /// Whether there are none; the same as [`FlightTable::is_idle`].
    pub fn is_empty(&self) -> bool {
        self.is_idle()
    }

    /// Waits for the key's flight, or leads it if there is none. `owner` is the caller's number for
    /// [`FlightTable::owner_gone`]. A caller that leads has no use for `waiter`: it is dropped.
    pub fn join(&self, key: Key<'_>, owner: u64, waiter: W) -> Role {
        let hash = self.hash(key);
        let mut shard = self.shard(hash).lock();
        let flights = shard.entry(hash).or_default();
        if let Some(flight) = living(flights, key) {
            flight.waiters.push(Waiter { owner, handle: waiter });
            return Role::Wait;
        }
        let flight = Flight {
            token: self.token(),
            owner,
            killed: false,
            key: OwnedKey { kind: key.kind, bytes: key.bytes.into() },
            waiters: Vec::new(),
        };
        let lease = flight.lease(hash);
        flights.push(flight);
        // Before the caller can begin to load, see `is_idle`.
        self.up.fetch_add(1, Ordering::SeqCst);
        Role::Lead(lease)
    }

    /// Ends a lease whose load succeeded. While the lease is alive `store` runs under the shard's
    /// lock and must only link the value into the index: no callback, no second flight. `None` if
    /// the lease has ended already. If `store` panics the flight stays up.
    pub fn finish<R>(&self, lease: &Lease, store: impl FnOnce() -> R) -> Option<Landing<W, R>> {
        let mut shard = self.shard(lease.hash).lock();
        let flight = shard.get(&lease.hash)?.iter().find(|flight| flight.token == lease.token)?;
        let stored = (!flight.killed).then(store);
        let flight = self.remove(&mut shard, lease.hash, lease.token)?;
        drop(shard);
        Some(Landing { waiters: flight.into_handles(), stored })
    }

    /// Ends a lease whose load failed: the waiters, who fail with it. `None` if the lease has ended
    /// already.
    pub fn fail(&self, lease: &Lease) -> Option<Vec<W>> {
        let mut shard = self.shard(lease.hash).lock();
        let flight = self.remove(&mut shard, lease.hash, lease.token)?;
        Some(flight.into_handles())
    }

    /// Ends a lease whose leader will never know: the one that waited longest leads, with a new
    /// lease that is alive even if the old one was killed, since its load begins now. If another
    /// flight of the key is up, all who waited wait for that one. `Empty` as well if the lease has
    /// ended already.
    pub fn abandon(&self, lease: &Lease) -> Handover<W> {
        let mut shard = self.shard(lease.hash).lock();
        self.hand_over(&mut shard, lease.hash, lease.token)
    }

    /// Forbids the key's flight to store what it loads. Call it before and after each mutation, as
    /// the module's documentation says.
    #[inline]
    pub fn kill(&self, key: Key<'_>) {
        if !self.is_idle() {
            self.kill_flight(key);
        }
    }

    #[cold]
    fn kill_flight(&self, key: Key<'_>) {
        let hash = self.hash(key);
        let mut shard = self.shard(hash).lock();
        if let Some(flight) = shard.get_mut(&hash).and_then(|flights| living(flights, key)) {
            flight.killed = true;
        }
    }

    /// Forbids every flight that is up to store what it loads. Call it before and after a mutation
    /// of all keys.
    pub fn kill_all(&self) {
        if self.is_idle() {
            return;
        }
        for shard in &self.shards {
            shard.lock().values_mut().flatten().for_each(|flight| flight.killed = true);
        }
    }

    /// Takes the first waiter of the key's flights that `is_it` tells, killed flights included: it
    /// no longer wants the value. `is_it` must not use the table.
    pub fn leave(&self, key: Key<'_>, mut is_it: impl FnMut(&W) -> bool) -> Option<W> {
        let hash = self.hash(key);
        let mut shard = self.shard(hash).lock();
        shard.get_mut(&hash)?.iter_mut().filter(|flight| flight.key.borrow() == key).find_map(
            |flight| {
                let at = flight.waiters.iter().position(|waiter| is_it(&waiter.handle))?;
                Some(flight.waiters.remove(at).handle)
            },
        )
    }

    /// Removes everything that a caller left behind when it died: its waiters are dropped and each
    /// of its leases is handed over, as [`FlightTable::abandon`] does. Who leads now must be told.
    pub fn owner_gone(&self, owner: u64) -> Vec<(W, Lease)> {
        let mut heirs = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            let mut orphans = Vec::new();
            for (&hash, flights) in shard.iter_mut() {
                for flight in flights {
                    flight.waiters.retain(|waiter| waiter.owner != owner);
                    if flight.owner == owner {
                        orphans.push((hash, flight.token));
                    }
                }
            }
            for (hash, token) in orphans {
                if let Handover::Next(waiter, lease) = self.hand_over(&mut shard, hash, token) {
                    heirs.push((waiter, lease));
                }
            }
        }
        heirs
    }

    fn hand_over(&self, shard: &mut Shard<W>, hash: u64, token: u64) -> Handover<W> {
        let Some(flights) = shard.get_mut(&hash) else { return Handover::Empty };
        let Some(at) = flights.iter().position(|flight| flight.token == token) else {
            return Handover::Empty;
        };
        let key = flights[at].key.clone();
        if flights[at].killed
            && let Some(other) =
                flights.iter().position(|f| !f.killed && f.key.borrow() == key.borrow())
        {
            let stranded = std::mem::take(&mut flights[at].waiters);
            flights[other].waiters.extend(stranded);
        }
        let flight = &mut flights[at];
        if flight.waiters.is_empty() {
            self.remove(shard, hash, token);
            return Handover::Empty;
        }
        let heir = flight.waiters.remove(0);
        flight.token = self.token();
        flight.owner = heir.owner;
        flight.killed = false;
        Handover::Next(heir.handle, flight.lease(hash))
    }

    fn remove(&self, shard: &mut Shard<W>, hash: u64, token: u64) -> Option<Flight<W>> {
        let flights = shard.get_mut(&hash)?;
        let at = flights.iter().position(|flight| flight.token == token)?;
        let flight = flights.remove(at);
        if flights.is_empty() {
            shard.remove(&hash);
        }
        // After the store, see `is_idle`.
        self.up.fetch_sub(1, Ordering::SeqCst);
        Some(flight)
    }

    fn token(&self) -> u64 {
        // Relaxed: a number is only ever compared, and each is drawn once.
        self.next_token.fetch_add(1, Ordering::Relaxed)
    }

    fn hash(&self, key: Key<'_>) -> u64 {
        use std::hash::BuildHasher;
        self.seed.hash_one((key.kind, key.bytes))
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<W>> {
        &self.shards[hash as usize % SHARDS]
    }
}

fn living<'a, W>(flights: &'a mut [Flight<W>], key: Key<'_>) -> Option<&'a mut Flight<W>> {
    flights.iter_mut().find(|flight| !flight.killed && flight.key.borrow() == key)
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
