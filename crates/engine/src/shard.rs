//! A shard: a part of the index with its policy, its wheel, its account and its garbage.
//!
//! # Locks
//! `guarded` holds policy and wheel, `limbo` the garbage. A thread that holds `guarded` may take
//! `limbo`; never the other way, and never the locks of two shards. Reads take neither, but for
//! `lru`, which try `guarded` and go on without when it is taken.
//! Listeners run under none.

use crate::config::Policy;
use crate::cursor::run_to_end;
use crate::entry::{EntryPtr, EntryRef};
use crate::hash::KeyHasher;
use crate::index::{Host, Index, Part, Sample, Samples, Shortage};
use crate::lane::{Lane, Lanes};
use crate::ledger::{Account, Ledger};
use crate::limbo::{Garbage, Limbo};
use crate::memory;
use crate::policy::{Backlog, Order, Scale};
use crate::spares::Spares;
use crate::thread::{self, Guard, Thread};
use crate::versions::{Changing, Versions};
use crate::wheel::Wheel;
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use std::ops::ControlFlow::Continue;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets that a shard begins with.
pub(crate) const FIRST_BUCKETS: usize = 8;

/// Nodes of the wheel that an insertion looks at while the wheel is tidied.
const TIDIED_AT_ONCE: u32 = 8;

/// Policy and wheel, under one lock.
pub(crate) struct Guarded {
    pub(crate) order: Order,
    pub(crate) wheel: Wheel,
    /// Evictions since readers who keep copies were last pressed.
    pub(crate) evicted: u64,
    /// Insertions into the index, none of which happens without the lock.
    pub(crate) insertions: u64,
    /// Milliseconds that entries stay after their deadline.
    pub(crate) grace: u64,
}

impl Guarded {
    /// When the entry is to be removed, 0 for never.
    #[inline]
    pub(crate) fn end_of(&self, entry: EntryRef<'_>) -> u64 {
        entry.end(self.grace)
    }

    /// Makes sure that policy and wheel can remember one more entry.
    #[inline]
    pub(crate) fn prepare(&mut self, host: &impl Host, timed: bool) -> Result<(), Shortage> {
        self.order.prepare(host)?;
        if timed { self.wheel.prepare(host) } else { Ok(()) }
    }

    /// Drops some records and nodes of entries that are gone, once there are many. The caller is
    /// pinned.
    #[inline]
    pub(crate) fn tidy(&mut self, shard: &ShardRef<'_>) {
        let live = shard.entries();
        self.order.tidy(&shard.index, shard, live);
        self.wheel.tidy(2 * live + SLACK, TIDIED_AT_ONCE, |hash, generation| {
            // SAFETY: the caller is pinned: what the index holds is not freed.
            let timer = |entry: EntryPtr| unsafe { entry.read() }.timer();
            shard.index.find_by_hash(hash, |_, entry| timer(entry) == generation).is_some()
        });
    }

    /// Takes the records and nodes of what is in the index, which is about to be cleared: they are
    /// to be dropped without the lock.
    pub(crate) fn take_records(&mut self) -> Records {
        Records { order: self.order.take_records(), wheel: self.wheel.take_nodes() }
    }
}

/// What policy and wheel knew of entries that are about to be cleared.
pub(crate) struct Records {
    order: Option<Order>,
    wheel: Wheel,
}

impl Records {
    /// Frees them.
    pub(crate) fn free(self, host: &impl Host) {
        let order = self.order.as_ref().map_or(0, Order::footprint);
        let bytes = order + self.wheel.footprint();
        drop(self);
        host.release(bytes);
    }
}

/// Nodes of entries that are gone which do not matter, however few entries there are.
const SLACK: u64 = 256;

/// A part of the cache.
///
/// What every read looks at, what every write changes, and what few do lie on lines of their own:
/// a write must not take the index's pointer away from the readers.
pub(crate) struct Shard {
    pub(crate) index: CachePadded<Index>,
    pub(crate) guarded: CachePadded<Mutex<Guarded>>,
    pub(crate) account: CachePadded<Account>,
    entries: AtomicU64,
    payload: AtomicU64,
    pub(crate) limbo: Limbo,
    /// Whether entries have links in front of them.
    linked: bool,
    /// Where the policy is to be told of reads of a sample.
    pub(crate) backlog: Option<Box<Backlog>>,
}

/// Of the bytes of a shard's keys and values, so much may serve the policy alone, where bytes are
/// bounded.
const POLICY_SHARE: u64 = 32;

/// An entry may be counted as lost by one thread before another has counted it as gained.
#[inline]
fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed).cast_signed().max(0).cast_unsigned()
}

impl Shard {
    /// An empty shard; `None` when the system has no memory left.
    pub(crate) fn new(policy: Policy, scale: Scale, grace: u64) -> Option<Self> {
        Some(Self {
            index: CachePadded::new(Index::new(FIRST_BUCKETS)?),
            guarded: CachePadded::new(Mutex::new(Guarded {
                order: Order::new(policy, scale),
                wheel: Wheel::new(),
                evicted: 0,
                insertions: 0,
                grace,
            })),
            account: CachePadded::new(Account::new()),
            entries: AtomicU64::new(0),
            payload: AtomicU64::new(0),
            limbo: Limbo::default(),
            linked: policy == Policy::Lru,
            backlog: (policy == Policy::Auto).then(|| Box::new(Backlog::new())),
        })
    }

    /// What a new shard has to be charged.
    pub(crate) fn first_charge() -> u64 {
        Index::price(FIRST_BUCKETS)
    }

    // Relaxed throughout: these are counts, and order nothing.

    #[inline]
    pub(crate) fn entries(&self) -> u64 {
        count(&self.entries)
    }

    pub(crate) fn payload(&self) -> u64 {
        count(&self.payload)
    }

    #[inline]
    pub(crate) fn gained(&self, payload: u64) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.payload.fetch_add(payload, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn lost(&self, payload: u64) {
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.payload.fetch_sub(payload, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn exchanged(&self, lost: u64, gained: u64) {
        if lost != gained {
            self.payload.fetch_add(gained.wrapping_sub(lost), Ordering::Relaxed);
        }
    }

    /// Keeps an entry that is out of the index until nobody can be reading it.
    #[inline(never)]
    fn defer_entry(&self, ledger: &Ledger, entry: EntryPtr) {
        // SAFETY: the entry is out of the index and ours; others only read it.
        let bytes = unsafe { entry.read() }.footprint(self.linked);
        self.defer(ledger, Garbage::Entry(entry, bytes));
    }

    fn defer(&self, ledger: &Ledger, garbage: Garbage) {
        if self.limbo.keep(garbage) {
            self.collect(ledger);
        }
    }

    /// Frees some of what nobody can be reading any more; whether there may be more of it.
    pub(crate) fn collect(&self, ledger: &Ledger) -> bool {
        self.collect_below(ledger, &mut None)
    }

    /// As [`Shard::collect`], where there is seldom anything.
    #[cold]
    #[inline(never)]
    fn collect_rest(&self, ledger: &Ledger) {
        self.collect(ledger);
    }

    /// As [`Shard::collect`], for one shard after the other: they share the horizon, which is found when
    /// the first of them needs it.
    pub(crate) fn collect_below(&self, ledger: &Ledger, horizon: &mut Option<u64>) -> bool {
        let freed = self.limbo.free(self.linked, horizon);
        if freed.bytes > 0 {
            self.account.release(ledger, freed.bytes);
        }
        freed.more
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        let spares = Spares::default();
        run_to_end::<()>(|cursor| {
            Continue(self.index.visit(cursor, |_, entry| {
                // SAFETY: the cache is being dropped: nobody reads or writes.
                unsafe { entry.destroy(&spares, self.linked) };
            }))
        });
        // SAFETY: as above.
        unsafe { self.limbo.empty(&spares, self.linked) };
    }
}

/// What all shards of a cache share.
pub(crate) struct Shared {
    /// Bytes.
    pub(crate) ledger: Ledger,
    pub(crate) hasher: KeyHasher,
    pub(crate) versions: Option<Arc<Versions>>,
    pub(crate) lanes: Lanes,
    /// The keys whose reads the policy is told of.
    pub(crate) samples: Samples,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The shards went before.
        memory::trim();
    }
}

/// A shard together with what all shards share, and the thread that is at work on it: what the
/// parts of an operation hand on.
#[derive(Clone, Copy)]
pub(crate) struct ShardRef<'a> {
    pub(crate) here: Thread,
    pub(crate) shard: &'a Shard,
    pub(crate) shared: &'a Shared,
}

impl Deref for ShardRef<'_> {
    type Target = Shard;

    #[inline]
    fn deref(&self) -> &Shard {
        self.shard
    }
}

impl ShardRef<'_> {
    /// What the thread has of the cache for itself, if it may have anything.
    #[inline(always)]
    pub(crate) fn lane<'g>(&self, _: &'g Guard) -> Option<&'g Lane> {
        // SAFETY: pinned as long as the guard lives.
        unsafe { self.shared.lanes.of(self.here.stripe()) }.or_else(|| self.open_lane())
    }

    #[cold]
    fn open_lane<'g>(&self) -> Option<&'g Lane> {
        // SAFETY: pinned, as the caller is; the stripe is its own, or has no lane.
        unsafe { self.shared.lanes.open(self.here.stripe(), self.shared.ledger.cap()) }
    }

    /// Charges bytes that are about to be allocated to the lane or else to the shard, or refuses.
    #[inline(always)]
    pub(crate) fn charge_to(&self, lane: Option<&Lane>, bytes: u64) -> bool {
        lane.is_some_and(|lane| lane.charge(bytes)) || self.charge(bytes)
    }

    /// Frees an entry without links that this thread has taken out of the index under this pin, now or
    /// once nobody can be reading it.
    #[inline(always)]
    pub(crate) fn retire_to(&self, lane: &Lane, guard: &Guard, entry: EntryPtr) {
        if guard.is_alone() {
            // SAFETY: unlinked, and nobody else is reading.
            let bytes = unsafe { entry.destroy(self.here.spares(), false) };
            if lane.release(bytes as u64) {
                self.release(lane.thin());
            }
            self.free_what_waits();
            return;
        }
        // SAFETY: pinned.
        let bytes = unsafe { entry.read() }.footprint(false);
        if !lane.takes(bytes) {
            self.shard.defer_entry(&self.shared.ledger, entry);
            return;
        }
        // SAFETY: the lane is this thread's, which found it under this pin.
        if unsafe { lane.keep(entry, bytes) } {
            self.turn(lane);
        }
    }

    /// A batch of the lane is full: the one before it is freed, or waits with the shard.
    #[cold]
    #[inline(never)]
    fn turn(&self, lane: &Lane) {
        // Before the horizon, which begins a new epoch: what is pinned from there on does not hold up what
        // waits now.
        let tag = thread::tag();
        // SAFETY: the lane is this thread's, which found it under the pin that it has.
        let waited = unsafe { lane.turn(tag) };
        if thread::horizon() > waited.tag {
            for entry in waited.entries() {
                // SAFETY: unlinked before the horizon: nobody reads it.
                unsafe { entry.destroy(self.here.spares(), false) };
            }
            if lane.release(waited.bytes) {
                self.release(lane.thin());
            }
        } else {
            waited.entries().for_each(|entry| self.shard.defer_entry(&self.shared.ledger, entry));
        }
    }

    /// Frees an entry that is out of the index, now or once nobody can be reading it.
    #[inline(always)]
    pub(crate) fn retire(&self, entry: EntryPtr) {
        let linked = self.shard.linked;
        if self.here.is_alone() {
            // SAFETY: unlinked, and no other thread is reading.
            let bytes = unsafe { entry.destroy(self.here.spares(), linked) };
            self.shard.account.release(&self.shared.ledger, bytes as u64);
            self.free_what_waits();
        } else {
            self.shard.defer_entry(&self.shared.ledger, entry);
        }
    }

    /// Frees some of what has waited for others, for a thread that is alone: what it removes itself does not
    /// wait, and so does not have freeing tried.
    #[inline(always)]
    fn free_what_waits(&self) {
        if self.shard.limbo.bytes() > 0 {
            self.shard.collect_rest(&self.shared.ledger);
        }
    }
}

impl Host for ShardRef<'_> {
    fn hash_of(&self, entry: EntryPtr) -> u64 {
        // SAFETY: the index asks for entries that it holds, and its caller is pinned.
        self.shared.hasher.hash(unsafe { entry.read() }.key())
    }

    fn charge(&self, bytes: u64) -> bool {
        self.shard.account.charge(&self.shared.ledger, bytes)
    }

    fn release(&self, bytes: u64) {
        self.shard.account.release(&self.shared.ledger, bytes);
    }

    fn retire_part(&self, part: Part) {
        self.shard.defer(&self.shared.ledger, Garbage::Part(part));
    }

    fn discard(&self, entry: EntryPtr) {
        self.shard.limbo.put_cleared(entry);
    }

    fn allowance(&self) -> u64 {
        if self.shared.ledger.cap() == u64::MAX {
            u64::MAX
        } else {
            self.shard.payload() / POLICY_SHARE
        }
    }

    fn sample(&self, before: Sample, now: Sample) {
        self.shared.samples.change(before, now);
    }

    #[inline]
    fn take_reads(&self, each: impl FnMut(u64, u64)) {
        if let Some(backlog) = &self.shard.backlog {
            backlog.take(each);
        }
    }

    #[inline(always)]
    fn changing(&self, hash: u64) -> Option<Changing<'_>> {
        self.shared.versions.as_ref().map(|versions| versions.changing(hash))
    }
}
