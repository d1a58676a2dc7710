//! A shard: a part of the index with its policy, its wheel, its account and its garbage.
//!
//! # Locks
//! `order` guards policy and wheel, `limbo` the garbage. A thread that holds `order` may take
//! `limbo`; never the other way, and never the locks of two shards. Reads take neither, but for
//! `lru`, which try `order` and go on without when it is taken.
//! Listeners run under none.

use crate::config::Policy;
use crate::cursor::run_to_end;
use crate::entry::{EntryPtr, EntryRef};
use crate::fifo::Fifo;
use crate::hash::KeyHasher;
use crate::index::{Host, Index, Part, Sample, Samples, Shortage};
use crate::lane::{Lane, Lanes, Taken};
use crate::ledger::{Account, Ledger};
use crate::memory;
use crate::policy::{Backlog, Order, Scale};
use crate::spares::Spares;
use crate::thread::{self, Guard, OWN_STRIPES, Thread};
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

/// A shard tries to free garbage after so many pieces or bytes that have come since.
const LIMBO_PIECES: usize = 32;
const LIMBO_BYTES: u64 = 64 * 1024;

/// The most pieces that are freed at once.
const FREED_AT_ONCE: usize = 128;

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
    limbo: Mutex<Limbo>,
    /// Bytes that ever came to limbo, which only who holds its lock changes, and bytes that left it.
    limbo_in: AtomicU64,
    limbo_out: AtomicU64,
    /// Bytes that stay charged and are never freed: there was no memory to note them in.
    lost_bytes: AtomicU64,
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

/// What was unlinked and may still be read.
#[derive(Default)]
struct Limbo {
    /// Each with its tag, in the order in which they came: about that of their tags.
    garbage: Fifo<(u64, Garbage)>,
    /// Pieces and bytes that came since freeing was tried.
    fresh: usize,
    fresh_bytes: u64,
    /// Entries that `clear` dropped, and has not reported yet.
    cleared: Vec<EntryPtr>,
}

impl Limbo {
    /// Whether one more piece can be noted.
    #[inline]
    fn has_room(&mut self) -> bool {
        self.garbage.has_room() || self.garbage.extend()
    }
}

enum Garbage {
    Entry(EntryPtr, u64),
    Part(Part),
    /// And its bytes when it was taken.
    Lane(Taken, u64),
}

impl Garbage {
    fn bytes(&self) -> u64 {
        match self {
            Self::Entry(_, bytes) | Self::Lane(_, bytes) => *bytes,
            Self::Part(part) => part.bytes(),
        }
    }

    /// Frees it; what is to be released.
    ///
    /// # Safety
    /// Nobody can be reading it, nor using it.
    unsafe fn free(self, spares: &Spares, linked: bool) -> u64 {
        // SAFETY: by contract.
        let destroy = |entry: EntryPtr| unsafe { entry.destroy(spares, linked) as u64 };
        match self {
            Self::Entry(entry, _) => destroy(entry),
            Self::Part(part) => part.bytes(),
            // SAFETY: by contract.
            Self::Lane(lane, _) => unsafe { lane.empty(|entry| _ = destroy(entry)) },
        }
    }
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
            limbo: Mutex::default(),
            limbo_in: AtomicU64::new(0),
            limbo_out: AtomicU64::new(0),
            lost_bytes: AtomicU64::new(0),
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

    /// Bytes unlinked and not freed.
    pub(crate) fn limbo_bytes(&self) -> u64 {
        // What has left had come before. Acquire pairs with the release of those who let it leave.
        let out = self.limbo_out.load(Ordering::Acquire);
        self.limbo_in.load(Ordering::Relaxed) - out
    }

    /// Bytes that are lost, for want of memory to note what was to be freed.
    pub(crate) fn lost_bytes(&self) -> u64 {
        self.lost_bytes.load(Ordering::Relaxed)
    }

    /// Keeps an entry that is out of the index until nobody can be reading it.
    #[inline(never)]
    fn defer_entry(&self, ledger: &Ledger, entry: EntryPtr) {
        // SAFETY: the entry is out of the index and ours; others only read it.
        let bytes = unsafe { entry.read() }.footprint(self.linked);
        self.defer(ledger, Garbage::Entry(entry, bytes));
    }

    fn defer(&self, ledger: &Ledger, garbage: Garbage) {
        let tag = thread::tag();
        let bytes = garbage.bytes();
        let mut limbo = self.limbo.lock();
        if limbo.has_room() {
            self.add(&mut limbo, tag, garbage);
        } else {
            // The system has not even memory for this note: better lost than freed too early. Nobody
            // is to wait for it.
            self.lost_bytes.fetch_add(bytes, Ordering::Relaxed);
            lose(garbage);
        }
        limbo.fresh += 1;
        limbo.fresh_bytes += bytes;
        let is_full = limbo.fresh >= LIMBO_PIECES || limbo.fresh_bytes > LIMBO_BYTES;
        drop(limbo);
        if is_full {
            self.collect(ledger);
        }
    }

    /// Adds a piece of garbage, for which there is room.
    fn add(&self, limbo: &mut Limbo, tag: u64, garbage: Garbage) {
        // One writer at a time, by the lock: no locked operation is needed.
        let came = self.limbo_in.load(Ordering::Relaxed) + garbage.bytes();
        self.limbo_in.store(came, Ordering::Relaxed);
        limbo.garbage.push((tag, garbage));
    }

    /// Takes the lanes that are wanted, to free what is in them here; whether there were any.
    pub(crate) fn take_lanes(&self, lanes: &Lanes, wanted: impl Fn(&Lane) -> bool) -> bool {
        let _guard = thread::here().pin();
        let mut found = false;
        for stripe in 0..OWN_STRIPES {
            let mut limbo = self.limbo.lock();
            if !limbo.has_room() {
                return found;
            }
            // SAFETY: pinned.
            if let Some(lane) = unsafe { lanes.take(stripe, &wanted) } {
                let (tag, bytes) = (thread::tag(), lane.bytes());
                self.add(&mut limbo, tag, Garbage::Lane(lane, bytes));
                found = true;
            }
        }
        found
    }

    /// What the ledger has given out for what was unlinked; exact while nobody uses the cache.
    pub(crate) fn garbage_bytes(&self) -> u64 {
        let bytes = |(_, garbage): &(u64, Garbage)| match garbage {
            Garbage::Lane(lane, _) => lane.bytes(),
            other => other.bytes(),
        };
        self.limbo.lock().garbage.iter().map(bytes).sum()
    }

    /// Frees some of what nobody can be reading any more; whether there may be more of it.
    pub(crate) fn collect(&self, ledger: &Ledger) -> bool {
        self.collect_below(ledger, &mut None)
    }

    /// As [`Shard::collect`], for one shard after the other: they share the horizon, which is found when
    /// the first of them needs it.
    pub(crate) fn collect_below(&self, ledger: &Ledger, horizon: &mut Option<u64>) -> bool {
        let mut free = Vec::new();
        {
            let mut limbo = self.limbo.lock();
            if limbo.garbage.is_empty() {
                return false;
            }
            (limbo.fresh, limbo.fresh_bytes) = (0, 0);
            let horizon = *horizon.get_or_insert_with(thread::horizon);
            while free.len() < FREED_AT_ONCE
                && limbo.garbage.front().is_some_and(|&(tag, _)| tag < horizon)
            {
                free.extend(limbo.garbage.pop().map(|((_, garbage), _)| garbage));
            }
        }
        let more = free.len() == FREED_AT_ONCE;
        let spares = thread::here().spares();
        let (mut bytes, mut released) = (0, 0);
        for garbage in free {
            bytes += garbage.bytes();
            // SAFETY: unlinked before the horizon: nobody reads it.
            released += unsafe { garbage.free(spares, self.linked) };
        }
        // A lane may have got what it had not when it was taken.
        if bytes > 0 || released > 0 {
            // Release: see `limbo_bytes`.
            self.limbo_out.fetch_add(bytes, Ordering::Release);
            self.account.release(ledger, released);
        }
        more
    }

    /// Entries that were dropped because the index was cleared.
    pub(crate) fn take_cleared(&self) -> Vec<EntryPtr> {
        std::mem::take(&mut self.limbo.lock().cleared)
    }
}

/// Leaves garbage to nobody. Where leaks are looked for it stays in sight: this one is meant.
fn lose(garbage: Garbage) {
    #[cfg(fuzzing)]
    {
        static LOST: Mutex<Vec<Garbage>> = Mutex::new(Vec::new());
        LOST.lock().push(garbage);
    }
    #[cfg(not(fuzzing))]
    std::mem::forget(garbage);
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
        let limbo = std::mem::take(self.limbo.get_mut());
        for (_, garbage) in limbo.garbage.into_items() {
            // SAFETY: as above.
            unsafe { garbage.free(&spares, self.linked) };
        }
        for entry in limbo.cleared {
            // SAFETY: as above.
            unsafe { entry.destroy(&spares, self.linked) };
        }
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
        } else {
            self.shard.defer_entry(&self.shared.ledger, entry);
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
        self.shard.limbo.lock().cleared.push(entry);
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
