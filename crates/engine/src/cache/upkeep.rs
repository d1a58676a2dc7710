//! Upkeep: what expired goes, what was removed is freed, and an alarm tells when to come again.

use super::Cache;
use crate::entry::{EntryPtr, LAST_DEADLINE};
use crate::index::Word;
use crate::lane::Lane;
use crate::removal::Reason;
use crate::shard::{Guarded, Shard, ShardRef};
use crate::stats::Count;
use crate::wheel::Due;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Timers looked at before the lock is given up for a moment.
const STEP: usize = 64;

/// Milliseconds until removed bytes that a reader holds are tried again.
const LIMBO_PAUSE: u64 = 20;

impl Cache {
    /// Does what time asks for: drops what has expired, frees what nobody reads any more. Gives
    /// the milliseconds until it should be called again, `None` if nothing is waiting.
    ///
    /// Reads are right without it: it only brings memory back, and reports removals, on time.
    pub fn maintain(&self) -> Option<u64> {
        // From here on a deadline that is set rings the alarm, whatever is found below.
        self.wake_at.store(u64::MAX, Ordering::SeqCst);
        self.sweep();
        self.shards[0].limbo.take_lanes(&self.shared.lanes, Lane::has_bytes);
        let mut next = u64::MAX;
        for shard in &self.shards {
            while shard.collect(&self.shared.ledger) {}
            if shard.limbo.bytes() > 0 {
                next = next.min(self.clock.now() + LIMBO_PAUSE);
            }
            if let Some(deadline) = shard.guarded.lock().wheel.next_deadline() {
                next = next.min(deadline);
            }
        }
        if next == u64::MAX {
            return None;
        }
        self.wake_at.fetch_min(next, Ordering::SeqCst);
        Some(next.saturating_sub(self.clock.now()).max(1))
    }

    /// Who is called when a deadline is set that is earlier than what [`Cache::maintain`] gave:
    /// on the thread that set it, with no lock held. It only wakes whoever calls `maintain`.
    pub fn set_alarm(&self, alarm: Option<Arc<dyn Fn() + Send + Sync>>) {
        *self.alarm.write() = alarm;
    }

    /// Rings the alarm if an entry of this deadline, 0 for none, goes before the next upkeep.
    #[inline]
    pub(super) fn expect_at(&self, deadline: u64, grace: u64) {
        // Relaxed: an alarm too many does no harm, and `fetch_min` decides which one is needed.
        if deadline != 0 && deadline + grace < self.wake_at.load(Ordering::Relaxed) {
            self.ring(deadline + grace);
        }
    }

    #[cold]
    fn ring(&self, end: u64) {
        if end < self.wake_at.fetch_min(end, Ordering::SeqCst) {
            let alarm = self.alarm.read().clone();
            if let Some(alarm) = alarm {
                alarm();
            }
        }
    }

    /// For how many milliseconds entries stay after their deadline from now on, those that are there
    /// as well: as [`Config::grace`](crate::Config::grace).
    pub fn set_grace(&self, grace: u64) {
        let grace = grace.min(LAST_DEADLINE);
        self.grace.store(grace, Ordering::Relaxed);
        for shard in &self.shards {
            shard.guarded.lock().grace = grace;
        }
    }

    /// How long entries stay after their deadline. Relaxed: a bound, with which nothing else is
    /// published; a thread that sees the old one for a moment has asked before it was changed.
    #[inline]
    pub(super) fn grace(&self) -> u64 {
        self.grace.load(Ordering::Relaxed)
    }

    /// Removes whatever has expired by now; whether anything had.
    pub(super) fn sweep(&self) -> bool {
        let mut swept = false;
        for shard in &self.shards {
            while !self.sweep_some(self.shard_ref(shard), &mut swept) {}
        }
        swept
    }

    /// Some steps of a shard's wheel; whether it has arrived at the present.
    fn sweep_some(&self, shard: ShardRef<'_>, swept: &mut bool) -> bool {
        let now = self.clock.now();
        let (mut due, mut expired) = (Vec::new(), Vec::new());
        let mut guarded = shard.guarded.lock();
        let arrived = guarded.wheel.advance(now, STEP, &mut due);
        if !due.is_empty() {
            let _guard = shard.here.pin();
            expired.extend(due.into_iter().filter_map(|due| settle(shard, &mut guarded, due, now)));
        }
        drop(guarded);
        *swept |= !expired.is_empty();
        for entry in expired {
            self.counters.add(shard.here, Count::Expirations);
            self.leave_unlinked(shard, entry, Reason::Expired);
        }
        arrived
    }

    /// Removes the key's entry, which the caller found expired.
    #[cold]
    pub(super) fn drop_expired(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        same: impl Fn(EntryPtr) -> bool,
    ) {
        let guard = shard.here.pin();
        // SAFETY: pinned: what the index holds is not freed.
        let over = |entry: EntryPtr| self.is_gone(unsafe { entry.read() });
        // Under the lock, or `expire` could give it more time in between.
        let mut guarded = shard.guarded.lock();
        let selected = |_: Word, entry: EntryPtr| same(entry) && over(entry);
        let gone = shard.index.edit(&shard, hash, selected, |_| Word::EMPTY);
        let gone = gone.and_then(Word::entry);
        if let Some(entry) = gone {
            guarded.order.removed(entry);
        }
        drop(guarded);
        drop(guard);
        if let Some(entry) = gone {
            self.counters.add(shard.here, Count::Expirations);
            self.leave_unlinked(shard, entry, Reason::Expired);
        }
    }

    /// The shards, for whoever visits them all.
    pub(super) fn shard_refs(&self) -> impl Iterator<Item = ShardRef<'_>> {
        self.shards.iter().map(|shard: &Shard| self.shard_ref(shard))
    }
}

/// Does what a timer asks for; the entry, if it was removed. The caller is pinned.
fn settle(shard: ShardRef<'_>, guarded: &mut Guarded, due: Due, now: u64) -> Option<EntryPtr> {
    // SAFETY: pinned: what the index holds is not freed.
    let named = |entry: EntryPtr| unsafe { entry.read() }.timer() == due.generation;
    let found = shard.index.find_by_hash(due.hash, |_, entry| named(entry));
    // SAFETY: as above.
    let end = found.map(|entry| (entry, guarded.end_of(unsafe { entry.read() })));
    match end {
        None => guarded.wheel.release(due),
        Some((entry, 0)) => {
            // It was made to stay for ever: it needs no timer.
            // SAFETY: as above.
            unsafe { entry.read() }.set_timer(0);
            guarded.wheel.release(due);
        }
        Some((_, end)) if end > now => guarded.wheel.postpone(due, end),
        Some((entry, _)) => {
            guarded.wheel.release(due);
            let same = |_: Word, held: EntryPtr| held == entry;
            let word = shard.index.edit(&shard, due.hash, same, |_| Word::EMPTY)?;
            guarded.order.removed(entry);
            return word.entry();
        }
    }
    None
}
