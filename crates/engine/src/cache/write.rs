//! Changing entries: set, update, delete, expire, clear.

use super::Cache;
use crate::config::{Error, Policy};
use crate::entry::{EntryPtr, EntryRef, Expiry, LAST_DEADLINE, Value};
use crate::flight::{Landing, Lease};
use crate::index::{Expect, Host, Index, Put, Word};
use crate::key::{Key, MAX_KEY_LEN};
use crate::removal::Reason;
use crate::shard::{FIRST_BUCKETS, Guarded, Place};
use crate::stats::Count;
use crate::thread;
use parking_lot::MutexGuard;
use std::sync::atomic::Ordering;

/// What [`Cache::update`] does with the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Leave it as it is.
    Keep,
    /// Remove it.
    Remove,
    /// Store the bytes that the closure wrote.
    Put {
        /// The value's format.
        format: u8,
        /// When the entry ends.
        expiry: Expiry,
    },
}

/// What became of an attempt to store an entry.
enum Stored {
    New,
    Over(EntryPtr),
    /// The key has not what was expected.
    Refused,
    /// So many bytes are missing, for something other than the entry.
    Missing(u64),
    /// There are as many entries as there may be.
    Crowded,
}

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

    /// Ends a flight with its value: stores it, unless the key was changed since the flight began,
    /// and gives those who waited. `None` if the lease has ended already.
    ///
    /// Listeners that are told of what the value replaces run under the lock of the flight: they
    /// must not use [`Cache::flights`].
    pub fn land(
        &self,
        lease: &Lease,
        value: Value<'_>,
        expiry: Expiry,
    ) -> Option<Landing<u64, Result<bool, Error>>> {
        let deadline = match expiry {
            Expiry::At(at) => at.clamp(1, LAST_DEADLINE),
            Expiry::Never | Expiry::Keep => 0,
        };
        self.flights.finish(lease, || self.set_new(lease.key(), value, deadline))
    }

    fn set_new(&self, key: Key<'_>, value: Value<'_>, deadline: u64) -> Result<bool, Error> {
        let hash = self.hasher.hash(key);
        let place = self.place(hash);
        let stored = self.try_set(place, hash, key, value, deadline);
        match stored {
            Ok(_) => self.expect_at(deadline),
            Err(_) => _ = self.counters.add(place.here, Count::Rejected),
        }
        stored
    }

    fn try_set(
        &self,
        place: Place<'_>,
        hash: u64,
        key: Key<'_>,
        value: Value<'_>,
        deadline: u64,
    ) -> Result<bool, Error> {
        check_key(key)?;
        let size = self.size_of(key, value.bytes.len());
        if !place.charge(size) {
            self.make_room(place, size)?;
        }
        let entry = self.create(place, key, value, deadline, size)?;
        let mut slot = Slot::default();
        let result = loop {
            let guard = place.here.pin();
            let stored = self.store(place, hash, key, entry, Expect::Any, &mut slot);
            drop(guard);
            match stored {
                Stored::New => {
                    self.welcome(place, entry_payload(key, value));
                    break Ok(false);
                }
                Stored::Over(old) => {
                    break Ok(self.leave_replaced(place, old, entry_payload(key, value)));
                }
                Stored::Missing(bytes) => match self.make_room(place, bytes) {
                    Ok(()) => place.release(bytes),
                    Err(error) => break Err(error),
                },
                Stored::Crowded if self.vacate(place) => slot.held = true,
                Stored::Crowded | Stored::Refused => break Err(Error::Full),
            }
        };
        self.give_back(slot);
        if result.is_err() {
            place.bury(entry);
        }
        result
    }

    /// An entry has come in.
    #[inline]
    fn welcome(&self, place: Place<'_>, payload: u64) {
        place.shard.gained(payload);
        self.counters.add(place.here, Count::Sets);
        self.grow_if_crowded(place);
    }

    /// Gives back a place among the entries that was not needed after all.
    #[inline]
    fn give_back(&self, slot: Slot) {
        if slot.held {
            self.places.give(1);
        }
    }

    #[inline]
    fn size_of(&self, key: Key<'_>, value_len: usize) -> u64 {
        EntryPtr::footprint(self.is_linked(), key.bytes.len(), value_len) as u64
    }

    #[inline]
    pub(super) fn is_linked(&self) -> bool {
        self.policy == Policy::Lru
    }

    /// Makes an entry whose `size` bytes are charged already.
    #[inline]
    fn create(
        &self,
        place: Place<'_>,
        key: Key<'_>,
        value: Value<'_>,
        deadline: u64,
        size: u64,
    ) -> Result<EntryPtr, Error> {
        let fits = u32::try_from(value.bytes.len()).is_ok();
        let entry =
            if fits { EntryPtr::create(self.is_linked(), key, value, deadline) } else { None };
        entry.ok_or_else(|| {
            place.release(size);
            let max = self.ledger.cap().min(u32::MAX.into());
            if fits { Error::Full } else { Error::TooLarge { size, max } }
        })
    }

    /// One attempt to put the entry into the index and to tell policy and wheel. The caller is
    /// pinned; unless the entry was stored it still belongs to the caller.
    #[inline]
    fn store(
        &self,
        place: Place<'_>,
        hash: u64,
        key: Key<'_>,
        entry: EntryPtr,
        expect: Expect,
        slot: &mut Slot,
    ) -> Stored {
        // SAFETY: the caller owns the entry, and is pinned.
        let timed = unsafe { entry.read() }.raw_deadline() != 0;
        // What replaces another entry needs no place among the entries.
        let replacing = if expect == Expect::Any { Expect::Present } else { expect };
        if expect != Expect::Absent {
            let stored = if self.is_linked() || timed || slot.keeps {
                self.store_locked(place, hash, key, entry, replacing, slot.keeps)
            } else {
                // It concerns neither policy nor wheel: no lock.
                match self.put(place, hash, key, entry, replacing, false) {
                    Put::Replaced(word) => over(word),
                    _ => Stored::Refused,
                }
            };
            if expect != Expect::Any || !matches!(stored, Stored::Refused) {
                return stored;
            }
        }
        if !slot.held && !self.places.take(1) {
            return Stored::Crowded;
        }
        let stored = self.store_locked(place, hash, key, entry, expect, false);
        slot.held = !matches!(stored, Stored::New);
        stored
    }

    fn store_locked(
        &self,
        place: Place<'_>,
        hash: u64,
        key: Key<'_>,
        entry: EntryPtr,
        expect: Expect,
        keeps: bool,
    ) -> Stored {
        // SAFETY: the caller owns the entry, and is pinned.
        let new = unsafe { entry.read() };
        let mut guarded = place.shard.guarded.lock();
        if let Expect::Exactly(old) = expect
            && keeps
        {
            // Only now does it stay as it is: `expire` takes the lock as well.
            // SAFETY: the caller has found it in the index and is pinned.
            new.set_deadline(unsafe { old.read() }.raw_deadline());
        }
        let deadline = new.raw_deadline();
        if let Err(bytes) = guarded.prepare(&place, deadline != 0) {
            return Stored::Missing(bytes);
        }
        let main = expect != Expect::Present && guarded.order.admits_to_main(hash);
        match self.put(place, hash, key, entry, expect, main) {
            Put::Inserted => {
                guarded.order.inserted(hash, entry, main);
                if deadline != 0 {
                    new.set_timer(guarded.wheel.schedule(hash, deadline));
                }
                guarded.tidy(&place);
                Stored::New
            }
            Put::Replaced(word) => {
                if let Some(old) = word.entry() {
                    guarded.order.replaced(old, entry);
                    // SAFETY: pinned: what was in the index a moment ago is not freed.
                    inherit_timer(&mut guarded, hash, unsafe { old.read() }, new);
                    guarded.tidy(&place);
                }
                over(word)
            }
            Put::Refused => Stored::Refused,
            Put::NoRoom => Stored::Missing(Index::MOST_FOR_AN_INSERTION),
        }
    }

    #[inline]
    fn put(
        &self,
        place: Place<'_>,
        hash: u64,
        key: Key<'_>,
        entry: EntryPtr,
        expect: Expect,
        main: bool,
    ) -> Put {
        let index = &place.shard.index;
        // SAFETY: pinned: what the index holds is not freed.
        let matches = |held: EntryPtr| unsafe { held.read() }.has_key(key);
        index.put(&place, hash, entry, expect, matches, |word| word.with_main(main))
    }

    /// A replaced entry leaves; whether it was still alive.
    fn leave_replaced(&self, place: Place<'_>, old: EntryPtr, payload: u64) -> bool {
        // SAFETY: out of the index and ours to bury.
        let read = unsafe { old.read() };
        place.shard.exchanged(read.payload(), payload);
        self.counters.add(place.here, Count::Sets);
        let over = self.is_over(read);
        if over {
            self.counters.add(place.here, Count::Expirations);
        }
        self.report(old, if over { Reason::Expired } else { Reason::Replaced });
        place.bury(old);
        !over
    }

    /// Reads, decides and writes as one step: `f` gets the live entry, if any, and an empty buffer
    /// for the new value. It runs again when another thread was faster.
    ///
    /// # Errors
    /// When the new value cannot be stored; what the key had stays.
    pub fn update<R>(
        &self,
        key: Key<'_>,
        mut f: impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
    ) -> Result<R, Error> {
        check_key(key)?;
        self.flights.kill(key);
        let hash = self.hasher.hash(key);
        let place = self.place(hash);
        let mut out = Vec::new();
        // Charged for the entry to come, from an attempt that found no room.
        let mut granted = 0;
        let mut slot = Slot::default();
        let result = loop {
            out.clear();
            match self.try_update(place, hash, key, &mut f, &mut out, &mut granted, &mut slot) {
                Attempt::Done(result) => break Ok(result),
                Attempt::Again => {}
                Attempt::Missing { size, extra } => {
                    place.release(std::mem::take(&mut granted));
                    if let Err(error) = self.make_room(place, size + extra) {
                        break Err(error);
                    }
                    place.release(extra);
                    granted = size;
                }
                Attempt::Crowded if self.vacate(place) => slot.held = true,
                Attempt::Crowded => break Err(Error::Full),
                Attempt::Failed(error) => break Err(error),
            }
        };
        place.release(granted);
        self.give_back(slot);
        if result.is_err() {
            self.counters.add(place.here, Count::Rejected);
        }
        self.flights.kill(key);
        result
    }

    #[expect(clippy::too_many_arguments, reason = "one attempt of `update`, which owns the state")]
    fn try_update<R>(
        &self,
        place: Place<'_>,
        hash: u64,
        key: Key<'_>,
        f: &mut impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
        out: &mut Vec<u8>,
        granted: &mut u64,
        slot: &mut Slot,
    ) -> Attempt<R> {
        let guard = place.here.pin();
        // SAFETY: pinned until `guard` is dropped: what the index holds is not freed.
        let held = place.shard.index.find(hash, |entry| unsafe { entry.read() }.has_key(key));
        let held = held.map(|hit| hit.entry());
        // SAFETY: as above.
        let old = held.map(|entry| unsafe { entry.read() });
        let live = old.filter(|&entry| !self.is_over(entry));
        let (edit, result) = f(live, out);
        let (format, expiry) = match edit {
            Edit::Keep => return Attempt::Done(result),
            Edit::Remove => {
                let Some(held) = held else { return Attempt::Done(result) };
                let gone = self.take_exactly(place, hash, held);
                drop(guard);
                return match gone {
                    Some(entry) => {
                        self.leave_deleted(place, entry);
                        Attempt::Done(result)
                    }
                    None => Attempt::Again,
                };
            }
            Edit::Put { format, expiry } => (format, expiry),
        };
        let deadline = match expiry {
            Expiry::Never => 0,
            Expiry::At(at) => at.clamp(1, LAST_DEADLINE),
            Expiry::Keep => live.map_or(0, |entry| entry.raw_deadline()),
        };
        let size = self.size_of(key, out.len());
        if *granted == size {
            *granted = 0;
        } else if !place.charge(size) {
            return Attempt::Missing { size, extra: 0 };
        }
        let value = Value { format, bytes: out };
        let entry = match self.create(place, key, value, deadline, size) {
            Ok(entry) => entry,
            Err(error) => return Attempt::Failed(error),
        };
        let expect = held.map_or(Expect::Absent, Expect::Exactly);
        slot.keeps = expiry == Expiry::Keep && live.is_some();
        let stored = self.store(place, hash, key, entry, expect, slot);
        drop(guard);
        let attempt = match stored {
            Stored::New => {
                self.welcome(place, entry_payload(key, value));
                Attempt::Done(result)
            }
            Stored::Over(old) => {
                self.leave_replaced(place, old, entry_payload(key, value));
                Attempt::Done(result)
            }
            Stored::Missing(extra) => Attempt::Missing { size, extra },
            Stored::Crowded => Attempt::Crowded,
            Stored::Refused => Attempt::Again,
        };
        match attempt {
            Attempt::Done(_) => self.expect_at(deadline),
            _ => place.bury(entry),
        }
        attempt
    }

    /// Removes a key; whether it had a live entry.
    pub fn delete(&self, key: Key<'_>) -> bool {
        let hash = self.hasher.hash(key);
        let place = self.place(hash);
        let guard = place.here.pin();
        // SAFETY: pinned: what the index holds is not freed.
        let same = |_: Word, entry: EntryPtr| unsafe { entry.read() }.has_key(key);
        self.flights.kill(key);
        let gone = place.shard.index.edit(&place, hash, same, |_| Word::EMPTY);
        self.flights.kill(key);
        drop(guard);
        match gone.and_then(Word::entry) {
            Some(entry) => self.leave_deleted(place, entry),
            None => false,
        }
    }

    /// An entry that was deleted leaves; whether it was still alive.
    fn leave_deleted(&self, place: Place<'_>, entry: EntryPtr) -> bool {
        // SAFETY: out of the index and ours to bury.
        let over = self.is_over(unsafe { entry.read() });
        let (count, reason) = if over {
            (Count::Expirations, Reason::Expired)
        } else {
            (Count::Deletes, Reason::Deleted)
        };
        self.counters.add(place.here, count);
        self.leave(place, entry, reason);
        !over
    }

    /// Removes this very entry, if the index still has it. The caller is pinned.
    pub(super) fn take_exactly(
        &self,
        place: Place<'_>,
        hash: u64,
        held: EntryPtr,
    ) -> Option<EntryPtr> {
        place.shard.index.edit(&place, hash, |_, entry| entry == held, |_| Word::EMPTY)?.entry()
    }

    /// An entry that this thread took out of the index leaves the cache. Not pinned, no lock held.
    pub(super) fn leave(&self, place: Place<'_>, entry: EntryPtr, reason: Reason) {
        if self.is_linked() {
            place.shard.guarded.lock().order.removed(entry);
        }
        self.leave_unlinked(place, entry, reason);
    }

    /// As [`Cache::leave`], for an entry that the policy has forgotten already.
    pub(super) fn leave_unlinked(&self, place: Place<'_>, entry: EntryPtr, reason: Reason) {
        self.places.give(1);
        self.leave_vacated(place, entry, reason);
    }

    /// As [`Cache::leave_unlinked`], when the entry's place among the entries is somebody's already.
    pub(super) fn leave_vacated(&self, place: Place<'_>, entry: EntryPtr, reason: Reason) {
        // SAFETY: out of the index and ours to bury.
        place.shard.lost(unsafe { entry.read() }.payload());
        self.report(entry, reason);
        place.bury(entry);
    }

    #[inline]
    fn report(&self, entry: EntryPtr, reason: Reason) {
        // Relaxed: who begins to listen is told of what leaves from some moment on.
        if self.has_listener.load(Ordering::Relaxed) {
            self.tell_listener(entry, reason);
        }
    }

    #[cold]
    fn tell_listener(&self, entry: EntryPtr, reason: Reason) {
        // Pinned, so that a listener that calls `rest` does not give away the thread's place in the
        // middle of this operation.
        let _guard = thread::here().pin();
        let listener = self.listener.read().clone();
        if let Some(listener) = listener {
            // SAFETY: out of the index and not buried yet.
            listener.removed(unsafe { entry.read() }, reason);
        }
    }

    /// Changes when a live entry ends; whether there was one. [`Expiry::Keep`] changes nothing.
    ///
    /// # Errors
    /// [`Error::Full`] when the wheel needs memory that the bound does not leave.
    pub fn expire(&self, key: Key<'_>, expiry: Expiry) -> Result<bool, Error> {
        let hash = self.hasher.hash(key);
        let place = self.place(hash);
        loop {
            let guard = place.here.pin();
            let mut guarded = place.shard.guarded.lock();
            let Err(bytes) = guarded.wheel.prepare(&place) else {
                // SAFETY: pinned: what the index holds is not freed.
                let same = |entry: EntryPtr| unsafe { entry.read() }.has_key(key);
                let hit = place.shard.index.find(hash, same);
                // SAFETY: as above.
                let entry = hit.map(|hit| unsafe { hit.entry().read() });
                let Some(entry) = entry.filter(|&entry| !self.is_over(entry)) else {
                    return Ok(false);
                };
                let deadline = postpone(&mut guarded, hash, entry, expiry);
                guarded.tidy(&place);
                drop(guarded);
                self.expect_at(deadline);
                return Ok(true);
            };
            drop(guarded);
            drop(guard);
            self.make_room(place, bytes)?;
            place.release(bytes);
        }
    }

    /// Removes everything that was there when it began.
    pub fn clear(&self) {
        let _overall = self.overall.lock();
        self.flights.kill_all();
        for place in self.places() {
            self.clear_shard(place);
        }
        self.hot.clear();
        self.flights.kill_all();
    }

    fn clear_shard(&self, place: Place<'_>) {
        self.clear_locked(place, place.shard.guarded.lock());
    }

    /// Drops the tables of a shard, unless it has entries.
    pub(super) fn drop_tables_of(&self, place: Place<'_>) {
        // Nothing is inserted while the lock is held.
        let guarded = place.shard.guarded.lock();
        let guard = place.here.pin();
        let empty = place.shard.index.is_empty();
        drop(guard);
        if empty {
            self.clear_locked(place, guarded);
        }
    }

    fn clear_locked(&self, place: Place<'_>, mut guarded: MutexGuard<'_, Guarded>) {
        guarded.order.forget(&place);
        guarded.wheel.forget(&place);
        let guard = place.here.pin();
        let swept = place.shard.index.clear(&place, FIRST_BUCKETS);
        drop(guard);
        drop(guarded);
        for entry in place.shard.take_cleared() {
            self.leave_unlinked(place, entry, Reason::Cleared);
        }
        if !swept {
            self.clear_one_by_one(place);
        }
        place.shard.collect(&self.ledger);
    }

    /// For a shard that cannot even pay the smallest table.
    fn clear_one_by_one(&self, place: Place<'_>) {
        let mut cursor = 0;
        loop {
            let guard = place.here.pin();
            let mut found = Vec::new();
            cursor = place.shard.index.visit(cursor, |_, entry| found.push(entry));
            found.retain(|&entry| self.take_exactly(place, place.hash_of(entry), entry).is_some());
            drop(guard);
            for entry in found {
                self.leave(place, entry, Reason::Cleared);
            }
            if cursor == 0 {
                return;
            }
        }
    }
}

/// What became of one attempt of an update.
enum Attempt<R> {
    Done(R),
    Again,
    /// The entry needs `size` bytes, something beside it `extra`.
    Missing {
        size: u64,
        extra: u64,
    },
    Crowded,
    Failed(Error),
}

/// What the attempts to store an entry have in common.
#[derive(Default)]
struct Slot {
    /// A place among the entries, as many as there may be of them, is taken and not yet used.
    held: bool,
    /// The entry has the deadline of the one that it replaces.
    keeps: bool,
}

fn entry_payload(key: Key<'_>, value: Value<'_>) -> u64 {
    (key.bytes.len() + value.bytes.len()) as u64
}

fn over(word: Word) -> Stored {
    word.entry().map_or(Stored::New, Stored::Over)
}

fn check_key(key: Key<'_>) -> Result<(), Error> {
    match key.bytes.len() {
        len if len > MAX_KEY_LEN => Err(Error::KeyTooLong { len }),
        _ => Ok(()),
    }
}

/// The node of the entry that was replaced serves its successor, unless that ends earlier.
fn inherit_timer(guarded: &mut Guarded, hash: u64, old: EntryRef<'_>, new: EntryRef<'_>) {
    let deadline = new.raw_deadline();
    if deadline == 0 {
        return;
    }
    let serves = old.timer() != 0 && old.raw_deadline() != 0 && old.raw_deadline() <= deadline;
    let timer = if serves { old.timer() } else { guarded.wheel.schedule(hash, deadline) };
    new.set_timer(timer);
}

/// Gives an entry another deadline, and a node in the wheel if the one that it has fires too late;
/// the deadline that it has then.
fn postpone(guarded: &mut Guarded, hash: u64, entry: EntryRef<'_>, expiry: Expiry) -> u64 {
    let deadline = match expiry {
        Expiry::Keep => entry.raw_deadline(),
        Expiry::Never => 0,
        Expiry::At(at) => at.clamp(1, LAST_DEADLINE),
    };
    let before = entry.raw_deadline();
    entry.set_deadline(deadline);
    if deadline != 0 && (entry.timer() == 0 || before == 0 || deadline < before) {
        entry.set_timer(guarded.wheel.schedule(hash, deadline));
    }
    deadline
}
