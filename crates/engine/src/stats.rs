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

type Stripe = [AtomicU64; COUNTS];

#[derive(Default)]
pub(crate) struct Counters {
    stripes: [CachePadded<Stripe>; thread::OWN_STRIPES + 1],
    /// What the counts were when they were reset.
    base: Mutex<[u64; COUNTS]>,
}

impl Counters {
    /// Adds one; what the stripe has now.
    #[inline]
    pub(crate) fn add(&self, here: Thread, count: Count) -> u64 {
        let stripe = here.stripe();
        let cell = &self.stripes[stripe][count as usize];
        // Relaxed: counts order nothing. A stripe of its own has one writer: no exchange needed.
        if stripe < thread::OWN_STRIPES {
            let now = cell.load(Ordering::Relaxed) + 1;
            cell.store(now, Ordering::Relaxed);
            now
        } else {
            cell.fetch_add(1, Ordering::Relaxed) + 1
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
