//! Writing one key: set, land, delete.

use super::Cache;
use super::store::{Reservation, Stored, check_key, entry_payload};
use super::tags::InOrder;
use super::update::Edit;
use crate::config::Error;
use crate::entry::{EntryPtr, Expiry, LAST_DEADLINE, Value};
use crate::flight::{Finish, FlightTable, Landing, Lease};
use crate::index::{Expect, Host, Word};
use crate::key::Key;
use crate::note::{Draft, Nature, Note};
use crate::shard::ShardRef;
use crate::stats::Count;
use std::cell::Cell;

impl Cache {
    /// Stores an entry; whether it took the place of a live one.
    ///
    /// # Errors
    /// When the entry cannot be stored; what the key had stays.
    pub fn set(&self, key: Key<'_>, value: Value<'_>, expiry: Expiry) -> Result<bool, Error> {
        let deadline = match expiry {
            Expiry::Never => 0,
            Expiry::At(at) => at.clamp(1, LAST_DEADLINE),
            Expiry::Keep => {
                return self.update(key, |old, out| {
                    out.extend_from_slice(value.bytes);
                    (Edit::Put { format: value.format, expiry }, old.is_some())
                });
            }
        };
        self.flights.kill(key);
        let stored = self.set_new(key, value, deadline);
        self.flights.kill(key);
        stored
    }

    /// As [`Cache::set`], with a note. [`Expiry::Keep`] is [`Expiry::Never`].
    ///
    /// # Errors
    /// When the entry cannot be stored, or is older than what the cache knows; what the key had
    /// stays.
    pub fn set_noted(
        &self,
        key: Key<'_>,
        value: Value<'_>,
        expiry: Expiry,
        note: &Note,
    ) -> Result<bool, Error> {
        self.flights.kill(key);
        let stored = self.set_drafted(key, value, deadline(expiry), note);
        self.flights.kill(key);
        stored
    }

    /// Ends a flight with its value: stores it, unless the key was changed since the flight began,
    /// and gives those who waited. `None` if the lease has ended already.
    pub fn land(
        &self,
        lease: &Lease,
        value: Value<'_>,
        expiry: Expiry,
        note: Option<&Note>,
    ) -> Option<Landing<Result<bool, Error>>> {
        let (key, deadline) = (lease.key(), deadline(expiry));
        let mut gate = AtLanding { flights: &self.flights, lease, waiters: None };
        let stored = match note {
            None => self.set_new_at(&mut gate, key, value, deadline),
            Some(note) => self.set_drafted_at(&mut gate, key, value, deadline, note),
        };
        match (gate.waiters, stored) {
            (Some(waiters), stored) => Some(Landing { waiters, stored }),
            // There was no room, or the key is too long: the flight has not been asked yet.
            (None, Some(refused)) => self.flights.finish(lease, || refused),
            (None, None) => None,
        }
    }

    #[inline]
    fn set_new(&self, key: Key<'_>, value: Value<'_>, deadline: u64) -> Result<bool, Error> {
        self.set_new_at(&mut Open, key, value, deadline).unwrap_or(Err(Error::Outdated))
    }

    /// As [`Cache::set_new`], with a note.
    fn set_drafted(
        &self,
        key: Key<'_>,
        value: Value<'_>,
        deadline: u64,
        note: &Note,
    ) -> Result<bool, Error> {
        let stored = self.set_drafted_at(&mut Open, key, value, deadline, note);
        stored.unwrap_or(Err(Error::Outdated))
    }

    /// Stores an entry if `gate` lets it; `None` if it does not.
    #[inline(always)]
    fn set_new_at(
        &self,
        gate: &mut impl Gate,
        key: Key<'_>,
        value: Value<'_>,
        deadline: u64,
    ) -> Option<Result<bool, Error>> {
        let hash = self.hasher.hash(key);
        let shard = self.shard_of(hash);
        let stored = self.try_set(gate, shard, hash, key, value, deadline, None);
        match stored {
            Some(Ok(_)) => self.expect_at(deadline, self.grace),
            Some(Err(_)) => _ = self.counters.add(shard.here, Count::Rejected),
            None => {}
        }
        stored
    }

    /// As [`Cache::set_new_at`], with a note.
    fn set_drafted_at(
        &self,
        gate: &mut impl Gate,
        key: Key<'_>,
        value: Value<'_>,
        deadline: u64,
        note: &Note,
    ) -> Option<Result<bool, Error>> {
        let hash = self.hasher.hash(key);
        let shard = self.shard_of(hash);
        let stored = match self.draft(note) {
            Ok(draft) => self.try_set(gate, shard, hash, key, value, deadline, Some(draft)),
            Err(error) => Some(Err(error)),
        };
        let grace = if note.nature == Nature::Value { self.grace } else { 0 };
        match stored {
            Some(Ok(_)) => self.expect_at(deadline, grace),
            Some(Err(_)) => _ = self.counters.add(shard.here, Count::Rejected),
            None => {}
        }
        stored
    }

    /// Inlined, so that what has no note pays nothing for notes.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "inlined into those who know most of them")]
    fn try_set(
        &self,
        gate: &mut impl Gate,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        value: Value<'_>,
        deadline: u64,
        draft: Option<Draft<'_>>,
    ) -> Option<Result<bool, Error>> {
        let entry = match self.prepare_entry(shard, key, value, deadline, draft) {
            Ok(entry) => entry,
            Err(error) => return Some(Err(error)),
        };
        let stored = self.store_at(gate, shard, hash, key, value, entry, draft);
        if !matches!(stored, Some(Ok(_))) {
            shard.retire(entry);
        }
        stored
    }

    /// Makes an entry and charges it.
    #[inline(always)]
    fn prepare_entry(
        &self,
        shard: ShardRef<'_>,
        key: Key<'_>,
        value: Value<'_>,
        deadline: u64,
        draft: Option<Draft<'_>>,
    ) -> Result<EntryPtr, Error> {
        check_key(key)?;
        let size = self.size_of(key, value.bytes.len(), draft);
        if !shard.charge(size) {
            self.make_room(shard, size)?;
        }
        self.create(shard, key, value, deadline, draft, size)
    }

    /// Stores an entry that is still the caller's if this does not give `Ok`.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "inlined into those who know most of them")]
    fn store_at(
        &self,
        gate: &mut impl Gate,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        value: Value<'_>,
        entry: EntryPtr,
        draft: Option<Draft<'_>>,
    ) -> Option<Result<bool, Error>> {
        let mut reservation = Reservation::default();
        let buries = draft.is_some_and(|draft| draft.note.nature == Nature::Tombstone);
        let payload = entry_payload(key, value);
        let result = loop {
            let attempt = || {
                let guard = shard.here.pin();
                let (expect, in_order) = match draft {
                    None => (Expect::Any, None),
                    Some(draft) => match self.admit(shard, hash, key, draft, entry) {
                        Ok(admitted) => admitted,
                        Err(_) => return Stored::Outdated,
                    },
                };
                let stored = self.store(shard, hash, key, entry, expect, &mut reservation);
                drop(in_order);
                drop(guard);
                stored
            };
            let Some(stored) = gate.pass(attempt) else { break None };
            match stored {
                Stored::New if buries => {
                    self.welcome_uncounted(shard, payload);
                    break Some(Ok(false));
                }
                Stored::New => {
                    self.welcome(shard, payload);
                    break Some(Ok(false));
                }
                Stored::Over(old) if buries => {
                    break Some(Ok(self.leave_under_tombstone(shard, old, payload)));
                }
                Stored::Over(old) => break Some(Ok(self.leave_replaced(shard, old, payload))),
                // Another thread was faster; what it left may be newer.
                Stored::Refused => {}
                Stored::Missing(bytes) => match self.make_room(shard, bytes) {
                    Ok(()) => shard.release(bytes),
                    Err(error) => break Some(Err(error)),
                },
                Stored::Crowded if self.vacate(shard) => reservation.held = true,
                Stored::Crowded | Stored::Full => break Some(Err(Error::Full)),
                Stored::Outdated => break Some(Err(Error::Outdated)),
            }
        };
        self.give_back(reservation);
        result
    }

    /// Whether the entry may be stored now: what the key may have for that, and what keeps
    /// invalidations away until it is stored. The caller is pinned and owns the entry.
    fn admit(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        draft: Draft<'_>,
        entry: EntryPtr,
    ) -> Result<(Expect, Option<InOrder<'_>>), Error> {
        let in_order = self.settle_epoch(draft, entry)?;
        Ok((self.expectation(shard, hash, key, draft.note.version)?, in_order))
    }

    /// What the key may have for an entry of such a version to take its place. The caller is
    /// pinned.
    fn expectation(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        version: Option<u64>,
    ) -> Result<Expect, Error> {
        let Some(version) = version else { return Ok(Expect::Any) };
        // SAFETY: pinned: what the index holds is not freed.
        let hit = shard.index.find(hash, |entry| unsafe { entry.read() }.has_key(key));
        match hit.map(|hit| hit.entry()) {
            None => Ok(Expect::Absent),
            // SAFETY: as above.
            Some(held) if self.is_newer(unsafe { held.read() }, version) => Err(Error::Outdated),
            Some(held) => Ok(Expect::Exactly(held)),
        }
    }

    /// Removes a key; whether it had a live entry. A tombstone stays: it is nothing to those who ask,
    /// and keeps older versions away all the same.
    pub fn delete(&self, key: Key<'_>) -> bool {
        let hash = self.hasher.hash(key);
        let shard = self.shard_of(hash);
        let live = |_: Word, entry: EntryPtr| {
            // SAFETY: pinned: what the index holds is not freed.
            let entry = unsafe { entry.read() };
            entry.has_key(key) && !entry.is_tombstone()
        };
        self.flights.kill(key);
        let guard = shard.here.pin();
        let gone = shard.index.edit(&shard, hash, live, |_| Word::EMPTY);
        drop(guard);
        self.flights.kill(key);
        match gone.and_then(Word::entry) {
            Some(entry) => self.leave_deleted(shard, entry),
            None => false,
        }
    }

    /// Removes a key unless it has a higher version, and keeps lower ones away until `expiry`; false
    /// if it has. What keeps them away is an entry: it takes room and may be evicted.
    pub fn delete_versioned(&self, key: Key<'_>, version: u64, expiry: Expiry) -> bool {
        let note = Note { version: Some(version), nature: Nature::Tombstone, ..Note::default() };
        self.flights.kill(key);
        let deleted = match self.set_drafted(key, Value::bytes(&[]), deadline(expiry), &note) {
            Ok(_) => true,
            Err(Error::Outdated) => false,
            // There is no room for a tombstone: the key goes all the same.
            Err(_) => self.delete_older(key, version),
        };
        self.flights.kill(key);
        deleted
    }

    /// Removes a key unless it has a higher version; false if it has.
    fn delete_older(&self, key: Key<'_>, version: u64) -> bool {
        let hash = self.hasher.hash(key);
        let shard = self.shard_of(hash);
        let refused = Cell::new(false);
        let guard = shard.here.pin();
        let selected = |_: Word, entry: EntryPtr| {
            // SAFETY: pinned: what the index holds is not freed.
            let entry = unsafe { entry.read() };
            if !entry.has_key(key) {
                return false;
            }
            refused.set(self.is_newer(entry, version));
            !refused.get()
        };
        let gone = shard.index.edit(&shard, hash, selected, |_| Word::EMPTY);
        drop(guard);
        if let Some(entry) = gone.and_then(Word::entry) {
            self.leave_deleted(shard, entry);
            return true;
        }
        !refused.get()
    }
}

/// Under what an entry is put into the index.
trait Gate {
    /// Runs `attempt`, which does not wait; `None` if nothing is to be stored any more.
    fn pass(&mut self, attempt: impl FnOnce() -> Stored) -> Option<Stored>;
}

/// Nothing is in the way.
struct Open;

impl Gate for Open {
    #[inline(always)]
    fn pass(&mut self, attempt: impl FnOnce() -> Stored) -> Option<Stored> {
        Some(attempt())
    }
}

/// A flight must be up and not killed, and ends with the attempt that stores or fails for good.
struct AtLanding<'a> {
    flights: &'a FlightTable,
    lease: &'a Lease,
    /// Those who waited, once it has ended.
    waiters: Option<Vec<u64>>,
}

impl Gate for AtLanding<'_> {
    fn pass(&mut self, attempt: impl FnOnce() -> Stored) -> Option<Stored> {
        let mut unfinished = None;
        let finish = self.flights.try_finish(self.lease, || match attempt() {
            stored @ (Stored::New | Stored::Over(_) | Stored::Full | Stored::Outdated) => {
                Some(stored)
            }
            other => {
                unfinished = Some(other);
                None
            }
        });
        match finish {
            Finish::Landed(Landing { waiters, stored }) => {
                self.waiters = Some(waiters);
                stored
            }
            Finish::Again => unfinished,
            Finish::Ended => None,
        }
    }
}

/// The deadline of an entry that has none to keep; 0 for none.
fn deadline(expiry: Expiry) -> u64 {
    match expiry {
        Expiry::At(at) => at.clamp(1, LAST_DEADLINE),
        Expiry::Never | Expiry::Keep => 0,
    }
}
