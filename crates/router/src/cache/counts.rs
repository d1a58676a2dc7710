//! What came of a route's reads: counted by each thread for itself, and added up now and then.

use crate::sight::COUNTED;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Up to how many milliseconds old a reply was that turned out to be stale, for each count of
/// [`RouteCounts::stale`] but the last, which counts older ones.
pub const AGES: [u64; 4] = [20, 200, 2_000, 20_000];

/// What is counted of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Count {
    /// Replies from memory.
    Hits,
    /// Reads that the store answered, to be remembered.
    Misses,
    /// Reads that waited for another one's reply.
    Joined,
    /// Replies that are remembered.
    Stored,
    /// Replies that were not, since their keys changed meanwhile or they did not fit.
    Dropped,
    /// Reads that passed by the memory.
    Passed,
    /// What memory would have answered, in shadow mode.
    Shadowed,
    /// Replies given beyond their time since the store was unreachable.
    StaleGiven,
    /// Reads before a reply's end, to replace it.
    Refreshed,
    /// Reads of what another process had read most, before the first client came.
    Warmed,
    /// Reads of keys that are left out since they are written too often.
    LeftOut,
    /// Replies from memory that were compared with the store's.
    Verified,
    /// Of these, those that were different: one count for each age.
    Stale,
}

const COUNTS: usize = Count::Stale as usize + AGES.len() + 1;

/// Counts of a route since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteCounts {
    /// Replies from memory.
    pub hits: u64,
    /// Reads that the store answered, to be remembered.
    pub misses: u64,
    /// Reads that waited for another one's reply.
    pub joined: u64,
    /// Replies that are remembered.
    pub stored: u64,
    /// Replies that were not, since their keys changed meanwhile or they did not fit.
    pub dropped: u64,
    /// Reads that passed by the memory.
    pub passed: u64,
    /// What memory would have answered, in shadow mode.
    pub shadowed: u64,
    /// Replies given beyond their time since the store was unreachable.
    pub stale_given: u64,
    /// Reads before a reply's end, to replace it.
    pub refreshed: u64,
    /// Reads of what another process had read most, before the first client came.
    pub warmed: u64,
    /// Reads of keys that are left out since they are written too often.
    pub left_out: u64,
    /// Replies from memory that were compared with the store's.
    pub verified: u64,
    /// Of these, those that were different, by their age: see [`AGES`].
    pub stale: [u64; AGES.len() + 1],
}

/// The counts of all threads.
#[derive(Debug, Default)]
pub(crate) struct RouteTotals([AtomicU64; COUNTS]);

impl RouteTotals {
    pub(crate) fn read(&self) -> RouteCounts {
        // Relaxed: sums of independent steps.
        let of = |at: usize| self.0[at].load(Ordering::Relaxed);
        let count = |count: Count| of(count as usize);
        RouteCounts {
            hits: count(Count::Hits),
            misses: count(Count::Misses),
            joined: count(Count::Joined),
            stored: count(Count::Stored),
            dropped: count(Count::Dropped),
            passed: count(Count::Passed),
            shadowed: count(Count::Shadowed),
            stale_given: count(Count::StaleGiven),
            refreshed: count(Count::Refreshed),
            warmed: count(Count::Warmed),
            left_out: count(Count::LeftOut),
            verified: count(Count::Verified),
            stale: std::array::from_fn(|age| of(Count::Stale as usize + age)),
        }
    }

    pub(crate) fn reset(&self) {
        self.0.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }
}

/// The counts of one thread that are not added up yet, by route.
#[derive(Debug)]
pub(crate) struct RouteTally(Vec<[u64; COUNTS]>, bool);

impl RouteTally {
    pub(crate) fn new(routes: usize) -> Self {
        Self(vec![[0; COUNTS]; routes], false)
    }

    #[inline]
    pub(crate) fn add(&mut self, route: usize, count: Count) {
        self.add_at(route, count as usize);
    }

    /// A reply from memory of such an age, in milliseconds, was different from the store's.
    pub(crate) fn add_stale(&mut self, route: usize, age: u64) {
        let at = AGES.iter().position(|most| age <= *most).unwrap_or(AGES.len());
        self.add_at(route, Count::Stale as usize + at);
    }

    #[inline]
    fn add_at(&mut self, route: usize, at: usize) {
        if !COUNTED {
            return;
        }
        self.0[route][at] += 1;
        self.1 = true;
    }

    /// Adds up what was counted, and counts anew.
    pub(crate) fn settle(&mut self, totals: &[Arc<RouteTotals>]) {
        if !std::mem::take(&mut self.1) {
            return;
        }
        for (counts, totals) in self.0.iter_mut().zip(totals) {
            for (count, total) in counts.iter_mut().zip(&totals.0).filter(|(count, _)| **count > 0)
            {
                total.fetch_add(std::mem::take(count), Ordering::Relaxed);
            }
        }
    }
}
