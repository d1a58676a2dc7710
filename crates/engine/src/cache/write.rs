//! Writing one key: set, land, delete.

use super::Cache;
use super::store::{Reservation, Stored, check_key, entry_payload};
use super::tags::InOrder;
use super::update::Edit;
use crate::config::Error;
use crate::entry::{EntryPtr, Expiry, Value};
use crate::flight::{Finishing, FlightTable, Landing, Lease};
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
        match expiry {
            Expiry::Keep => self.set_keeping(key, value),
            Expiry::Never if !self.is_linked() => self.set_lasting(key, value),
            _ => self.set_expiring(key, value, expiry),
        }
    }

    /// As [`Cache::set`], with the deadline that the key has.
    #[inline(never)]
    fn set_keeping(&self, key: Key<'_>, value: Value<'_>) -> Result<bool, Error> {
        self.update(key, |old, out| {
            out.extend_from_slice(value.bytes);
            (Edit::Put { format: value.format, expiry: Expiry::Keep }, old.is_some())
        })
    }

    /// As [`Cache::set`], the long way.
    #[inline(never)]
    fn set_expiring(&self, key: Key<'_>, value: Value<'_>, expiry: Expiry) -> Result<bool, Error> {
        self.flights.kill(key);
        let stored = self.set_new_at(&mut Open, key, value, expiry.deadline(0));
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
        let stored = self.set_drafted(key, value, expiry.deadline(0), note);
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
        let (key, deadline) = (lease.key(), expiry.deadline(0));
        let mut gate = AtLanding { flights: &self.flights, lease, waiters: None, is_closed: false };
        let stored = match note {
            None => self.set_new_at(&mut gate, key, value, deadline),
            Some(note) => self.set_drafted_at(&mut gate, key, value, deadline, note),
        };
        match gate {
            AtLanding { waiters: Some(waiters), is_closed, .. } => {
                Some(Landing { waiters, stored: (!is_closed).then_some(stored) })
            }
            AtLanding { is_closed: true, .. } => None,
            // There was no room, or the key is too long: the flight has not been asked yet.
            AtLanding { .. } => self.flights.finish(lease, || stored),
        }
    }

    /// Stores an entry without deadline and note, which may have been made already. `is_new`: its key
    /// had none a moment ago.
    #[inline(never)]
    pub(super) fn set_made(
        &self,
        hash: u64,
        key: Key<'_>,
        value: Value<'_>,
        made: Option<EntryPtr>,
        is_new: bool,
    ) -> Result<bool, Error> {
        let shard = self.shard_of(hash);
        let entry = match made {
            Some(entry) => Ok(entry),
            None => self.make(shard, key, value, 0, None),
        };
        let reservation = Reservation { is_new, ..Reservation::default() };
        let stored = entry.and_then(|entry| {
            self.place(&mut Open, shard, hash, key, value, entry, None, reservation)
        });
        if stored.is_err() {
            self.counters.add(shard.here, Count::Rejected);
        }
        stored
    }

    /// As [`Cache::set_expiring`], with a note.
    fn set_drafted(
        &self,
        key: Key<'_>,
        value: Value<'_>,
        deadline: u64,
        note: &Note,
    ) -> Result<bool, Error> {
        self.set_drafted_at(&mut Open, key, value, deadline, note)
    }

    /// Stores an entry if `gate` lets it; some error if it does not.
    #[inline(always)]
    fn set_new_at(
        &self,
        gate: &mut impl Gate,
        key: Key<'_>,
        value: Value<'_>,
        deadline: u64,
    ) -> Result<bool, Error> {
        let hash = self.shared.hasher.hash(key);
        let shard = self.shard_of(hash);
        let stored = self.try_set(gate, shard, hash, key, value, deadline, None);
        match stored {
            Ok(_) => self.expect_at(deadline, self.grace()),
            Err(_) if gate.is_closed() => {}
            Err(_) => self.counters.add(shard.here, Count::Rejected),
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
    ) -> Result<bool, Error> {
        let hash = self.shared.hasher.hash(key);
        let shard = self.shard_of(hash);
        let stored = match self.draft(note) {
            Ok(draft) => self.try_set(gate, shard, hash, key, value, deadline, Some(draft)),
            Err(error) => Err(error),
        };
        let grace = if note.nature == Nature::Value { self.grace() } else { 0 };
        match stored {
            Ok(_) => self.expect_at(deadline, grace),
            Err(_) if gate.is_closed() => {}
            Err(_) => self.counters.add(shard.here, Count::Rejected),
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
    ) -> Result<bool, Error> {
        let entry = self.make(shard, key, value, deadline, draft)?;
        self.place(gate, shard, hash, key, value, entry, draft, Reservation::default())
    }

    /// A new entry, charged to the shard.
    #[inline(always)]
    fn make(
        &self,
        shard: ShardRef<'_>,
        key: Key<'_>,
        value: Value<'_>,
        deadline: u64,
        draft: Option<Draft<'_>>,
    ) -> Result<EntryPtr, Error> {
        check_key(key)?;
        let size = self.size_of(key, value.bytes.len(), deadline, draft);
        if !shard.charge(size) {
            self.make_room(shard, size)?;
        }
        self.create(shard, key, value, deadline, draft, size)
    }

    /// Puts a new entry into the index, if `gate` lets it; it is retired if it cannot be.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "inlined into those who know most of them")]
    fn place(
        &self,
        gate: &mut impl Gate,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        value: Value<'_>,
        entry: EntryPtr,
        draft: Option<Draft<'_>>,
        mut reservation: Reservation,
    ) -> Result<bool, Error> {
        let buries = draft.is_some_and(|draft| draft.note.nature == Nature::Tombstone);
        let payload = entry_payload(key, value);
        let result = loop {
            let Some(pass) = gate.enter() else { break Err(Error::Outdated) };
            let guard = shard.here.pin();
            let (expect, in_order) = match draft {
                None => (Expect::Any, None),
                Some(draft) => match self.admit(shard, hash, key, draft, entry) {
                    Ok(admitted) => admitted,
                    Err(error) => {
                        gate.leave(pass, true);
                        break Err(error);
                    }
                },
            };
            let stored = self.store(shard, hash, key, entry, expect, &mut reservation);
            drop(in_order);
            drop(guard);
            gate.leave(pass, matches!(stored, Stored::New | Stored::Over(_) | Stored::Full));
            match stored {
                Stored::New if buries => {
                    self.welcome_uncounted(shard, payload);
                    break Ok(false);
                }
                Stored::New => {
                    self.welcome(shard, payload);
                    break Ok(false);
                }
                Stored::Over(old) if buries => {
                    break Ok(self.leave_under_tombstone(shard, old, payload));
                }
                Stored::Over(old) => break Ok(self.leave_replaced(shard, old, payload)),
                // Another thread was faster; what it left may be newer.
                Stored::Refused if expect != Expect::Any => {}
                Stored::Missing(bytes) => match self.make_room(shard, bytes) {
                    Ok(()) => shard.release(bytes),
                    Err(error) => break Err(error),
                },
                Stored::Crowded if self.vacate(shard) => reservation.held = true,
                Stored::Crowded | Stored::Refused | Stored::Full => break Err(Error::Full),
            }
        };
        self.give_back(reservation);
        if result.is_err() {
            shard.retire(entry);
        }
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
        let hash = self.shared.hasher.hash(key);
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
        let deleted = match self.set_drafted(key, Value::bytes(&[]), expiry.deadline(0), &note) {
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
        let hash = self.shared.hasher.hash(key);
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

/// What an attempt to put an entry into the index has to pass.
trait Gate {
    /// What is held during an attempt, which does not wait.
    type Pass;

    /// Begins an attempt; `None` if nothing is to be stored any more.
    fn enter(&mut self) -> Option<Self::Pass>;

    /// The attempt is over; `done`: it is the last one.
    fn leave(&mut self, pass: Self::Pass, done: bool);

    /// Whether it has told that nothing is to be stored.
    fn is_closed(&self) -> bool;
}

/// Nothing is in the way.
struct Open;

impl Gate for Open {
    type Pass = ();

    #[inline(always)]
    fn enter(&mut self) -> Option<()> {
        Some(())
    }

    #[inline(always)]
    fn leave(&mut self, (): (), _: bool) {}

    #[inline(always)]
    fn is_closed(&self) -> bool {
        false
    }
}

/// A flight must be up and not killed, and ends with the last attempt.
struct AtLanding<'a> {
    flights: &'a FlightTable,
    lease: &'a Lease,
    /// Those who waited, once it has ended.
    waiters: Option<Vec<u64>>,
    is_closed: bool,
}

impl<'a> Gate for AtLanding<'a> {
    type Pass = Finishing<'a>;

    fn enter(&mut self) -> Option<Finishing<'a>> {
        let finishing = self.flights.begin_finish(self.lease);
        self.is_closed = finishing.as_ref().is_none_or(Finishing::is_killed);
        let finishing = finishing?;
        if self.is_closed {
            self.waiters = Some(finishing.finish());
            return None;
        }
        Some(finishing)
    }

    fn leave(&mut self, finishing: Finishing<'a>, done: bool) {
        if done {
            self.waiters = Some(finishing.finish());
        }
    }

    fn is_closed(&self) -> bool {
        self.is_closed
    }
}
