//! Statistics, counted in stripes: a thread that owns its stripe shares no line with another.

use crate::thread::{self, Thread};
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the cache was made or its statistics were reset, and sizes as they are now. Exact
/// while one thread uses the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// `get` calls that found an entry.
    pub hits: u64,
    /// `get` calls that found none.
    pub misses: u64,
    /// Entries stored.
    pub sets: u64,
    /// Entries removed by `delete`, or by an edit.
    pub deletes: u64,
    /// Entries that made room for others.
    pub evictions: u64,
    /// Entries that were found expired and removed.
    pub expirations: u64,
    /// Sets refused.
    pub rejected: u64,
    /// Entries now, expired ones that nobody has met included.
    pub entries: u64,
    /// Bytes charged now.
    pub bytes: u64,
    /// Of these, bytes that are neither key nor value of an entry.
    pub overhead: u64,
}

/// What is counted.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    Hits,
    Misses,
    Sets,
    Deletes,
    Evictions,
    Expirations,
    Rejected,
}

const COUNTS: usize = 7;

/// A thread's counts, and behind them that of the hits at which it samples one next.
type Stripe = [AtomicU64; COUNTS + 1];

const NEXT_SAMPLE: usize = COUNTS;

/// One hit of so many is sampled, on average.
pub(crate) const SAMPLE: u64 = 128;

/// Adds one to what only this thread counts, or to what others count as well; what it is then.
#[inline]
fn increment(cell: &AtomicU64, is_own: bool) -> u64 {
    // Relaxed: counts order nothing. One writer needs no locked operation.
    if is_own {
        let now = cell.load(Ordering::Relaxed) + 1;
        cell.store(now, Ordering::Relaxed);
        now
    } else {
        cell.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Says at which hit the next sample is taken: 1 to 2 * [`SAMPLE`] - 1 further on, by a Weyl sequence,
/// which is in step with no pattern of the reads.
#[cold]
fn plan_sample(stripe: &Stripe, hits: u64) {
    let step = hits.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (2 * SAMPLE - 1) + 1;
    stripe[NEXT_SAMPLE].store(hits + step, Ordering::Relaxed);
}

#[derive(Default)]
pub(crate) struct Counters {
    stripes: [CachePadded<Stripe>; thread::OWN_STRIPES + 1],
    /// What the counts were when they were reset.
    base: Mutex<[u64; COUNTS]>,
}

impl Counters {
    /// Adds one.
    #[inline]
    pub(crate) fn add(&self, here: Thread, count: Count) {
        let (stripe, is_own) = self.stripe_of(here);
        increment(&stripe[count as usize], is_own);
    }

    /// Counts a hit; whether it is to be sampled.
    #[inline]
    pub(crate) fn add_hit(&self, here: Thread) -> bool {
        let (stripe, is_own) = self.stripe_of(here);
        let hits = increment(&stripe[Count::Hits as usize], is_own);
        let next = stripe[NEXT_SAMPLE].load(Ordering::Relaxed);
        if hits < next {
            return false;
        }
        plan_sample(stripe, hits);
        next != 0
    }

    /// The stripe that the thread counts in, and whether nobody else does.
    #[inline]
    fn stripe_of(&self, here: Thread) -> (&Stripe, bool) {
        let stripe = here.stripe();
        if stripe < thread::OWN_STRIPES {
            (&self.stripes[stripe], true)
        } else {
            (&self.stripes[thread::OWN_STRIPES], false)
        }
    }

    fn totals(&self) -> [u64; COUNTS] {
        std::array::from_fn(|count| {
            self.stripes.iter().map(|stripe| stripe[count].load(Ordering::Relaxed)).sum()
        })
    }

    /// The counts; the sizes are left at zero.
    pub(crate) fn snapshot(&self) -> Stats {
        let (base, totals) = (*self.base.lock(), self.totals());
        let since = |count: Count| totals[count as usize].saturating_sub(base[count as usize]);
        Stats {
            hits: since(Count::Hits),
            misses: since(Count::Misses),
            sets: since(Count::Sets),
            deletes: since(Count::Deletes),
            evictions: since(Count::Evictions),
            expirations: since(Count::Expirations),
            rejected: since(Count::Rejected),
            ..Stats::default()
        }
    }

    pub(crate) fn reset(&self) {
        *self.base.lock() = self.totals();
    }
}
