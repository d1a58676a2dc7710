//! Leaving: an entry that is out of the index is counted, reported and buried; clearing.

use super::Cache;
use crate::entry::{EntryPtr, EntryRef};
use crate::index::{Host, Word};
use crate::removal::Reason;
use crate::shard::{FIRST_BUCKETS, Guarded, Place};
use crate::stats::Count;
use crate::thread;
use parking_lot::MutexGuard;
use std::sync::atomic::Ordering;

impl Cache {
    /// A replaced entry leaves; whether it was still alive.
    pub(super) fn leave_replaced(&self, place: Place<'_>, old: EntryPtr, payload: u64) -> bool {
        // SAFETY: out of the index and ours to bury.
        let read = unsafe { old.read() };
        place.shard.exchanged(read.payload(), payload);
        self.counters.add(place.here, Count::Sets);
        let live = !self.is_over(read);
        let mut reason = Reason::Replaced;
        if !live {
            // What it is counted for is counted already, unless it has expired.
            reason = self.farewell(read, Count::Sets, reason).1;
            if reason == Reason::Expired {
                self.counters.add(place.here, Count::Expirations);
            }
        }
        self.report(old, reason);
        place.bury(old);
        live
    }

    /// An entry that a tombstone replaced leaves: it was deleted.
    #[cold]
    pub(super) fn leave_buried(&self, place: Place<'_>, old: EntryPtr, payload: u64) -> bool {
        // SAFETY: out of the index and ours to bury.
        let read = unsafe { old.read() };
        place.shard.exchanged(read.payload(), payload);
        let live = !self.is_over(read);
        let (count, reason) = self.farewell(read, Count::Deletes, Reason::Deleted);
        self.counters.add(place.here, count);
        self.report(old, reason);
        place.bury(old);
        live
    }

    /// An entry that was deleted leaves; whether it was still alive.
    pub(super) fn leave_deleted(&self, place: Place<'_>, entry: EntryPtr) -> bool {
        // SAFETY: out of the index and ours to bury.
        let read = unsafe { entry.read() };
        let (count, reason) = self.farewell(read, Count::Deletes, Reason::Deleted);
        let live = reason != Reason::Expired && !read.is_absent();
        self.counters.add(place.here, count);
        self.leave(place, entry, reason);
        live
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
        // SAFETY: out of the index and not buried yet.
        let entry = unsafe { entry.read() };
        if let Some(listener) = listener.filter(|_| !entry.is_absent()) {
            listener.removed(entry, reason);
        }
    }

    /// Removes everything that was there when it began.
    pub fn clear(&self) {
        let _overall = self.overall.lock();
        self.flights.kill_all();
        let _changing = self.versions.as_ref().map(|versions| versions.changing_all());
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
        self.take_all(place, |_| true, |entry| self.leave(place, entry, Reason::Cleared));
    }

    /// Takes all entries of a shard out of the index that are `wanted`, for `f` to let them leave.
    pub(super) fn take_all(
        &self,
        place: Place<'_>,
        wanted: impl Fn(EntryRef<'_>) -> bool,
        mut f: impl FnMut(EntryPtr),
    ) {
        let mut cursor = 0;
        loop {
            let guard = place.here.pin();
            let mut found = Vec::new();
            cursor = place.shard.index.visit(cursor, |_, entry| found.push(entry));
            found.retain(|&entry| {
                // SAFETY: pinned: what the index holds is not freed.
                wanted(unsafe { entry.read() })
                    && self.take_exactly(place, place.hash_of(entry), entry).is_some()
            });
            drop(guard);
            found.into_iter().for_each(&mut f);
            if cursor == 0 {
                return;
            }
        }
    }
}
