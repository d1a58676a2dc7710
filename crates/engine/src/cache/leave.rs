//! Leaving: an entry that is out of the index is counted, reported and retired; clearing.

use super::Cache;
use crate::cursor::run_to_end;
use crate::entry::{EntryPtr, EntryRef};
use crate::index::{Clearing, Host, Word};
use crate::lane::Lane;
use crate::memory;
use crate::removal::Reason;
use crate::shard::{FIRST_BUCKETS, Guarded, Shard, ShardRef};
use crate::shim::Backoff;
use crate::stats::Count;
use crate::thread::{self, Thread};
use parking_lot::MutexGuard;
use std::ops::ControlFlow::{Break, Continue};

/// Buckets moved, or looked at, in one step.
const SETTLED_AT_ONCE: usize = 64;

impl Cache {
    /// A replaced entry leaves; whether it was still alive.
    #[inline(always)]
    pub(super) fn leave_replaced(&self, shard: ShardRef<'_>, old: EntryPtr, payload: u64) -> bool {
        if self.is_untold(shard, old, payload) {
            shard.retire(old);
            return true;
        }
        self.leave_told(shard.here, shard.shard, old)
    }

    /// Counts a replaced entry that leaves; whether it was alive, and nobody is to hear of it.
    #[inline(always)]
    pub(super) fn is_untold(&self, shard: ShardRef<'_>, old: EntryPtr, payload: u64) -> bool {
        // SAFETY: out of the index and ours to retire.
        let read = unsafe { old.read() };
        shard.exchanged(read.payload(), payload);
        self.counters.add(shard.here, Count::Sets);
        read.is_plain() && !self.listeners.any()
    }

    /// A replaced entry leaves that may be over, or of which somebody is to hear.
    #[cold]
    #[inline(never)]
    pub(super) fn leave_told(&self, here: Thread, shard: &Shard, old: EntryPtr) -> bool {
        let shard = ShardRef { here, shard, shared: &self.shared };
        // SAFETY: out of the index and ours to retire.
        let read = unsafe { old.read() };
        let live = read.is_plain() || !self.is_over(read);
        let mut reason = Reason::Replaced;
        if !live {
            // What it is counted for is counted already, unless it has expired.
            reason = self.farewell(read, Count::Sets, reason).1;
            if reason == Reason::Expired {
                self.counters.add(shard.here, Count::Expirations);
            }
        }
        self.report(old, reason);
        shard.retire(old);
        live
    }

    /// An entry that a tombstone replaced leaves: it was deleted.
    #[cold]
    pub(super) fn leave_under_tombstone(
        &self,
        shard: ShardRef<'_>,
        old: EntryPtr,
        payload: u64,
    ) -> bool {
        // SAFETY: out of the index and ours to retire.
        let read = unsafe { old.read() };
        shard.exchanged(read.payload(), payload);
        let live = !self.is_over(read);
        let (count, reason) = self.farewell(read, Count::Deletes, Reason::Deleted);
        self.counters.add(shard.here, count);
        self.report(old, reason);
        shard.retire(old);
        live
    }

    /// An entry that was deleted leaves; whether it was still alive.
    pub(super) fn leave_deleted(&self, shard: ShardRef<'_>, entry: EntryPtr) -> bool {
        // SAFETY: out of the index and ours to retire.
        let read = unsafe { entry.read() };
        let (count, reason) = self.farewell(read, Count::Deletes, Reason::Deleted);
        let live = reason != Reason::Expired && !read.is_absent();
        self.counters.add(shard.here, count);
        self.leave(shard, entry, reason);
        live
    }

    /// Removes this very entry, if the index still has it. The caller is pinned.
    pub(super) fn take_exactly(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        held: EntryPtr,
    ) -> Option<EntryPtr> {
        shard.index.edit(&shard, hash, |_, entry| entry == held, |_| Word::EMPTY)?.entry()
    }

    /// An entry that this thread took out of the index leaves the cache. Not pinned, no lock held.
    pub(super) fn leave(&self, shard: ShardRef<'_>, entry: EntryPtr, reason: Reason) {
        if self.is_linked() {
            shard.guarded.lock().order.removed(entry);
        }
        self.leave_unlinked(shard, entry, reason);
    }

    /// As [`Cache::leave`], for an entry that the policy has forgotten already.
    pub(super) fn leave_unlinked(&self, shard: ShardRef<'_>, entry: EntryPtr, reason: Reason) {
        self.entry_ledger.give(1);
        self.leave_vacated(shard, entry, reason);
    }

    /// As [`Cache::leave_unlinked`], when somebody has taken over the entry's count in the entry
    /// ledger.
    pub(super) fn leave_vacated(&self, shard: ShardRef<'_>, entry: EntryPtr, reason: Reason) {
        // SAFETY: out of the index and ours to retire.
        shard.lost(unsafe { entry.read() }.payload());
        self.report(entry, reason);
        shard.retire(entry);
    }

    #[inline]
    fn report(&self, entry: EntryPtr, reason: Reason) {
        if self.listeners.any() {
            self.tell_listeners(entry, reason);
        }
    }

    #[cold]
    fn tell_listeners(&self, entry: EntryPtr, reason: Reason) {
        // Pinned, so that a listener that calls `rest` does not give the thread's participant back
        // in the middle of this operation.
        let _guard = thread::here().pin();
        // SAFETY: out of the index and not retired yet.
        let entry = unsafe { entry.read() };
        if !entry.is_absent() {
            self.listeners.all().iter().for_each(|listener| listener.removed(entry, reason));
        }
    }

    /// Removes everything that was there when it began.
    pub fn clear(&self) {
        thread::assert_unpinned();
        let _overall = self.overall.lock();
        self.flights.kill_all();
        let _changing = self.shared.versions.as_ref().map(|versions| versions.changing_all());
        self.shards[0].limbo.take_lanes(&self.shared.lanes, Lane::has_bytes);
        for shard in self.shard_refs() {
            self.clear_shard(shard);
        }
        self.hot.clear();
        thread::here().spares().clear();
        memory::trim();
        self.flights.kill_all();
    }

    /// Drops the entries that the shard has now, and all tables but a small one: bucket by bucket,
    /// while others use it.
    fn clear_shard(&self, shard: ShardRef<'_>) {
        let mut begun = loop {
            match self.begin_clearing(shard, shard.guarded.lock()) {
                Clearing::Moving => self.settle(shard),
                begun => break begun,
            }
        };
        if begun == Clearing::Refused {
            // It cannot even pay the smallest table, until its entries are gone. Only then does the
            // policy forget them.
            self.take_all(shard, |_| true, |entry| self.leave(shard, entry, Reason::Cleared));
            shard.collect(&self.shared.ledger);
            begun = self.begin_clearing(shard, shard.guarded.lock());
        }
        if begun != Clearing::Refused {
            self.settle(shard);
        }
        shard.collect(&self.shared.ledger);
    }

    /// Drops the tables of a shard, unless it has entries.
    pub(super) fn drop_tables_of(&self, shard: ShardRef<'_>) {
        let insertions = shard.guarded.lock().insertions;
        if !self.is_empty_now(shard) {
            return;
        }
        let guarded = shard.guarded.lock();
        // Nothing is inserted while the lock is held, and nothing was since the look.
        if guarded.insertions == insertions
            && self.begin_clearing(shard, guarded) == Clearing::Begun
        {
            self.settle(shard);
        }
    }

    fn is_empty_now(&self, shard: ShardRef<'_>) -> bool {
        let found = run_to_end(|mut cursor| {
            let _guard = shard.here.pin();
            let mut found = false;
            for _ in 0..SETTLED_AT_ONCE {
                cursor = shard.index.visit(cursor, |_, _| found = true);
                if found {
                    return Break(());
                }
                if cursor == 0 {
                    break;
                }
            }
            Continue(cursor)
        });
        found.is_none()
    }

    /// Announces an empty table. What policy and wheel know is of what is in the old one, which
    /// nobody can insert into any more.
    fn begin_clearing(
        &self,
        shard: ShardRef<'_>,
        mut guarded: MutexGuard<'_, Guarded>,
    ) -> Clearing {
        let guard = shard.here.pin();
        let clearing = shard.index.begin_clearing(&shard, FIRST_BUCKETS);
        drop(guard);
        if clearing == Clearing::Begun {
            let records = guarded.take_records();
            drop(guarded);
            records.free(&shard);
        }
        clearing
    }

    /// Finishes the move that is under way, in steps; what it drops leaves.
    fn settle(&self, shard: ShardRef<'_>) {
        let backoff = Backoff::new();
        loop {
            let guard = shard.here.pin();
            let moving = shard.index.settle_some(&shard, SETTLED_AT_ONCE);
            drop(guard);
            let cleared = shard.limbo.take_cleared();
            if moving && cleared.is_empty() {
                // Others may have claimed the last buckets.
                backoff.snooze();
            }
            for entry in cleared {
                self.leave(shard, entry, Reason::Cleared);
            }
            if !moving {
                return;
            }
        }
    }

    /// Takes all entries of a shard out of the index that are `wanted`, for `f` to let them leave.
    pub(super) fn take_all(
        &self,
        shard: ShardRef<'_>,
        wanted: impl Fn(EntryRef<'_>) -> bool,
        mut f: impl FnMut(EntryPtr),
    ) {
        run_to_end::<()>(|cursor| {
            let guard = shard.here.pin();
            let mut found = Vec::new();
            let next = shard.index.visit(cursor, |_, entry| found.push(entry));
            found.retain(|&entry| {
                // SAFETY: pinned: what the index holds is not freed.
                wanted(unsafe { entry.read() })
                    && self.take_exactly(shard, shard.hash_of(entry), entry).is_some()
            });
            drop(guard);
            found.into_iter().for_each(&mut f);
            Continue(next)
        });
    }
}
