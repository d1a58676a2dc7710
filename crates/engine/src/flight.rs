//! Single flight: for each key at most one caller loads the value, the others wait for it.
//!
//! The table only says who leads and who waits; it never loads, blocks or wakes. A *lease* is the
//! leader's right to store what it loads. It is plain data, since a runtime that cannot run
//! destructors may hold it: the leader ends it by [`FlightTable::finish`], [`FlightTable::fail`] or
//! [`FlightTable::cancel`]; [`FlightTable::hand_over`] gives it to another who waits, and
//! [`FlightTable::owner_gone`] does so with all leases of an owner that died.
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
//!
//! Nobody waits for memory under a lock of this table, and nobody takes one while pinned: see the
//! crate's documentation.

mod roles;

pub use roles::{Cancelled, Gone, Handover, Landing, Lease, Left, Role, Ticket};

use crate::key::Key;
use crate::thread;
use roles::OwnedKey;
use sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering};

/// What the model checker replaces.
#[cfg(not(loom))]
mod sync {
    pub(super) use parking_lot::{Mutex, MutexGuard};
    pub(super) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
}
#[cfg(loom)]
#[path = "flight/loom.rs"]
mod sync;

/// Flights are rare beside reads and their locks are held for less than a microsecond.
const SHARDS: usize = if cfg!(loom) { 1 } else { 64 };

/// The flights of one cache. *Owners* lead and wait: numbers that say how to reach somebody, each
/// of which leads or waits for a flight once, however many callers it speaks for.
#[derive(Debug)]
pub struct FlightTable {
    shards: Box<[Mutex<Shard>]>,
    /// Flights in all shards, killed ones included.
    up: AtomicUsize,
    next_number: AtomicU64,
    seed: foldhash::quality::RandomState,
}

/// Flights by the hash of their key. A list holds the flights of colliding keys, and beside the
/// living flight of a key its killed ones that have not landed yet.
type Shard = std::collections::HashMap<u64, Vec<Flight>, foldhash::fast::RandomState>;

#[derive(Debug)]
struct Flight {
    number: u64,
    lease: u64,
    owner: u64,
    killed: bool,
    /// Its leader took too long while nobody waited: whoever joins next leads in its place.
    overdue: bool,
    key: OwnedKey,
    /// By whose invalidation it is killed.
    tags: Box<[u32]>,
    waiters: Vec<u64>,
}

impl Flight {
    fn ticket(&self, hash: u64) -> Ticket {
        Ticket { hash, flight: self.number }
    }

    fn lease(&self, hash: u64) -> Lease {
        let (ticket, key) = (self.ticket(hash), self.key.clone());
        Lease { ticket, number: self.lease, owner: self.owner, key }
    }
}

impl Default for FlightTable {
    fn default() -> Self {
        Self::new()
    }
}

impl FlightTable {
    /// A table without flights.
    pub fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect(),
            up: AtomicUsize::new(0),
            next_number: AtomicU64::new(1),
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

    /// Waits for the key's flight, or leads it if there is none, or only one that is overdue.
    ///
    /// `tags`: an invalidation of one of them kills the flight, see [`FlightTable::kill_tagged`].
    pub fn join(&self, key: Key<'_>, owner: u64, tags: &[u32]) -> Role {
        let hash = self.hash(key);
        let mut shard = self.lock(hash);
        if let Some(overdue) = overdue(&mut shard, hash, key) {
            self.remove(&mut shard, overdue);
        }
        let flights = shard.entry(hash).or_default();
        if let Some(flight) = living(flights, key) {
            let new = flight.owner != owner && !flight.waiters.contains(&owner);
            if new {
                flight.waiters.push(owner);
            }
            return Role::Wait { ticket: flight.ticket(hash), lease: flight.lease, new };
        }
        let number = self.number();
        let flight = Flight {
            number,
            lease: number,
            owner,
            killed: false,
            overdue: false,
            key: OwnedKey::new(key),
            tags: tags.into(),
            waiters: Vec::new(),
        };
        let lease = flight.lease(hash);
        flights.push(flight);
        // Before the caller can begin to load, see `is_idle`.
        self.up.fetch_add(1, Ordering::SeqCst);
        Role::Lead(lease)
    }

    /// Ends a lease whose load succeeded. While the lease is alive `store` runs under the shard's
    /// lock and must only link the value into the index: no callback, no second flight, no waiting.
    /// `None` if the lease has ended already. If `store` panics the flight stays up.
    pub fn finish<R>(&self, lease: &Lease, store: impl FnOnce() -> R) -> Option<Landing<R>> {
        let finishing = self.begin_finish(lease)?;
        let stored = (!finishing.is_killed()).then(store);
        Some(Landing { waiters: finishing.finish(), stored })
    }

    /// [`FlightTable::finish`] in two steps, for a store that may find that it has to wait first: it
    /// drops what this gives, and the flight stays up. `None` if the lease has ended already.
    pub(crate) fn begin_finish(&self, lease: &Lease) -> Option<Finishing<'_>> {
        let mut shard = self.lock(lease.ticket.hash);
        let killed = led(&mut shard, lease)?.killed;
        Some(Finishing { table: self, shard, ticket: lease.ticket, killed })
    }

    /// Ends a lease without a value to store: those who waited. `None` if the lease has ended
    /// already.
    pub fn fail(&self, lease: &Lease) -> Option<Vec<u64>> {
        let mut shard = self.lock(lease.ticket.hash);
        led(&mut shard, lease)?;
        Some(self.remove(&mut shard, lease.ticket)?.waiters)
    }

    /// Ends a lease that nobody waits for.
    pub fn cancel(&self, lease: &Lease) -> Cancelled {
        let mut shard = self.lock(lease.ticket.hash);
        match led(&mut shard, lease) {
            Some(flight) if !flight.waiters.is_empty() => Cancelled::Awaited,
            Some(_) => {
                self.remove(&mut shard, lease.ticket);
                Cancelled::Ended
            }
            None => Cancelled::Lost,
        }
    }

    /// Has the one that waited longest lead instead of who takes too long, who waits from now on.
    /// The new lease is alive even if the old one was killed, since its load begins now; unless
    /// another flight of the key is up.
    ///
    /// `lease`: the number of the lease that the caller has waited for. All who wait lose patience
    /// at about the same time: only the first of them takes the flight from its leader.
    pub fn hand_over(&self, ticket: Ticket, lease: u64) -> Handover {
        let mut shard = self.lock(ticket.hash);
        match find(&mut shard, ticket) {
            Some(flight) if flight.lease != lease => Handover::Since(flight.lease),
            Some(_) => self.pass_on(&mut shard, ticket, true),
            None => Handover::Over,
        }
    }

    /// As [`FlightTable::hand_over`], but where nobody waits the flight stays, and with it the
    /// leader's right to store, until somebody joins: who does leads in its place.
    pub fn overdue(&self, ticket: Ticket, lease: u64) -> Handover {
        let mut shard = self.lock(ticket.hash);
        match find(&mut shard, ticket) {
            Some(flight) if flight.lease != lease => Handover::Since(flight.lease),
            Some(flight) if flight.waiters.is_empty() => {
                flight.overdue = true;
                Handover::Alone
            }
            Some(_) => self.pass_on(&mut shard, ticket, true),
            None => Handover::Over,
        }
    }

    /// Whether a lease is one to load for. Who hears of a lease late may have lost it since.
    pub fn leads(&self, lease: &Lease) -> bool {
        led(&mut self.lock(lease.ticket.hash), lease).is_some()
    }

    /// Whether what a lease brings is stored if nothing happens until then.
    pub fn may_store(&self, lease: &Lease) -> bool {
        led(&mut self.lock(lease.ticket.hash), lease).is_some_and(|flight| !flight.killed)
    }

    /// The number of the lease that the owner waits for; `None` if it does not wait for the flight.
    pub fn waits_for(&self, ticket: Ticket, owner: u64) -> Option<u64> {
        let mut shard = self.lock(ticket.hash);
        let flight = find(&mut shard, ticket)?;
        flight.waiters.contains(&owner).then_some(flight.lease)
    }

    /// The owner no longer waits for the flight.
    pub fn leave(&self, ticket: Ticket, owner: u64) -> Left {
        let mut shard = self.lock(ticket.hash);
        let Some(flight) = find(&mut shard, ticket) else { return Left::Unknown };
        let Some(at) = flight.waiters.iter().position(|&waiter| waiter == owner) else {
            return Left::Unknown;
        };
        flight.waiters.remove(at);
        if flight.waiters.is_empty() { Left::Alone(flight.owner) } else { Left::Others }
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
        let mut shard = self.lock(hash);
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
        for mut shard in self.lock_each() {
            shard.values_mut().flatten().for_each(|flight| flight.killed = true);
        }
    }

    /// Forbids the flights that named this tag to store what they load.
    pub fn kill_tagged(&self, tag: u32) {
        if self.is_idle() {
            return;
        }
        for mut shard in self.lock_each() {
            let flights = shard.values_mut().flatten();
            flights.filter(|flight| flight.tags.contains(&tag)).for_each(|f| f.killed = true);
        }
    }

    /// Removes everything that an owner left behind: it waits no more, and each of its leases is
    /// handed to who waited longest. Who leads now must be told, and who leads alone.
    pub fn owner_gone(&self, owner: u64) -> Gone {
        let mut gone = Gone::default();
        for mut shard in self.lock_each() {
            let mut orphans = Vec::new();
            for (&hash, flights) in shard.iter_mut() {
                for flight in flights {
                    let before = flight.waiters.len();
                    flight.waiters.retain(|&waiter| waiter != owner);
                    if flight.owner == owner {
                        orphans.push(flight.ticket(hash));
                    } else if before > 0 && flight.waiters.is_empty() {
                        gone.alone.push((flight.owner, flight.ticket(hash)));
                    }
                }
            }
            for ticket in orphans {
                if let Handover::Next { lease, .. } = self.pass_on(&mut shard, ticket, false) {
                    gone.heirs.push(lease);
                }
            }
        }
        gone
    }

    fn pass_on(&self, shard: &mut Shard, ticket: Ticket, stays: bool) -> Handover {
        let Some(flight) = find(shard, ticket) else { return Handover::Over };
        if flight.waiters.is_empty() {
            self.remove(shard, ticket);
            return Handover::Alone;
        }
        let before = flight.owner;
        flight.owner = flight.waiters.remove(0);
        flight.lease = self.number();
        if stays {
            flight.waiters.push(before);
        }
        self.revive(shard, ticket);
        let lease = find(shard, ticket).map(|flight| flight.lease(ticket.hash));
        match lease {
            Some(lease) => Handover::Next { lease, deposed: stays.then_some(before) },
            None => Handover::Over,
        }
    }

    /// A killed flight may store after all, since its load begins now: unless there is another one.
    fn revive(&self, shard: &mut Shard, ticket: Ticket) {
        let Some(flights) = shard.get_mut(&ticket.hash) else { return };
        let Some(at) = flights.iter().position(|flight| flight.number == ticket.flight) else {
            return;
        };
        let key = flights[at].key.clone();
        if living(flights, key.borrow()).is_none() {
            flights[at].killed = false;
        }
    }

    fn remove(&self, shard: &mut Shard, ticket: Ticket) -> Option<Flight> {
        let flights = shard.get_mut(&ticket.hash)?;
        let at = flights.iter().position(|flight| flight.number == ticket.flight)?;
        let flight = flights.remove(at);
        if flights.is_empty() {
            shard.remove(&ticket.hash);
        }
        // After the store, see `is_idle`.
        self.up.fetch_sub(1, Ordering::SeqCst);
        Some(flight)
    }

    fn number(&self) -> u64 {
        // Relaxed: a number is only ever compared, and each is drawn once.
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    fn hash(&self, key: Key<'_>) -> u64 {
        use std::hash::BuildHasher;
        self.seed.hash_one((key.kind, key.bytes))
    }

    fn lock(&self, hash: u64) -> MutexGuard<'_, Shard> {
        Self::enter(&self.shards[hash as usize % SHARDS])
    }

    /// All shards, each locked in its turn.
    fn lock_each(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(Self::enter)
    }

    fn enter(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
        thread::assert_unpinned();
        shard.lock()
    }
}

/// A flight that is about to finish. While this lives its shard is locked.
pub(crate) struct Finishing<'a> {
    table: &'a FlightTable,
    shard: MutexGuard<'a, Shard>,
    ticket: Ticket,
    killed: bool,
}

impl Finishing<'_> {
    /// Whether nothing is to be stored any more.
    pub(crate) fn is_killed(&self) -> bool {
        self.killed
    }

    /// Ends the flight; those who waited.
    pub(crate) fn finish(mut self) -> Vec<u64> {
        let flight = self.table.remove(&mut self.shard, self.ticket);
        flight.map_or_else(Vec::new, |flight| flight.waiters)
    }
}

fn living<'a>(flights: &'a mut [Flight], key: Key<'_>) -> Option<&'a mut Flight> {
    flights.iter_mut().find(|flight| !flight.killed && flight.key.borrow() == key)
}

fn overdue(shard: &mut Shard, hash: u64, key: Key<'_>) -> Option<Ticket> {
    let flight = living(shard.get_mut(&hash)?, key)?;
    flight.overdue.then(|| flight.ticket(hash))
}

fn find(shard: &mut Shard, ticket: Ticket) -> Option<&mut Flight> {
    shard.get_mut(&ticket.hash)?.iter_mut().find(|flight| flight.number == ticket.flight)
}

/// The flight of a lease that has not ended.
fn led<'a>(shard: &'a mut Shard, lease: &Lease) -> Option<&'a mut Flight> {
    find(shard, lease.ticket).filter(|flight| flight.lease == lease.number)
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
