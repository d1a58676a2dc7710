//! `lfu`: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
//!
//! New keys enter a small queue of a tenth of the entries. Those read twice there go on to the
//! main queue; the others leave, and are remembered as ghosts: a ghost that comes back enters the
//! main queue at once. In the main queue an entry that was read since its last turn gets another.
//! Counts of reads and the queue that an entry is in are bits of its word in the index.

use super::ghost::Ghost;
use super::queue::Queue;
use super::take;
use crate::entry::EntryPtr;
use crate::index::{Host, Index, Word};
use std::collections::HashSet;

/// One entry of so many is in the small queue.
const SMALL_SHARE: u64 = 10;

/// Reads in the small queue that lead to the main queue.
const PROMOTING_READS: u64 = 2;

/// Stale records that do not matter, however few entries there are.
const SLACK: u64 = 256;

pub(crate) struct S3Fifo {
    small: Queue,
    main: Queue,
    ghost: Ghost,
}

impl S3Fifo {
    pub(super) fn new() -> Self {
        Self { small: Queue::default(), main: Queue::default(), ghost: Ghost::default() }
    }

    /// Room for a record in either queue.
    #[inline]
    pub(super) fn prepare(&mut self, host: &impl Host) -> Result<(), u64> {
        self.small.prepare(host)?;
        self.main.prepare(host)
    }

    #[inline]
    pub(super) fn admits_to_main(&mut self, hash: u64) -> bool {
        self.ghost.take(hash)
    }

    #[inline]
    pub(super) fn push(&mut self, hash: u64, main: bool) {
        if main { self.main.push(hash) } else { self.small.push(hash) }
    }

    pub(super) fn evict(&mut self, index: &Index, host: &impl Host, live: u64) -> Option<EntryPtr> {
        while self.small.len() + self.main.len() > 0 {
            let from_small =
                self.main.len() == 0 || self.small.len() as u64 >= (live / SMALL_SHARE).max(1);
            let victim = if from_small {
                self.turn_small(index, host, live)
            } else {
                self.turn_main(index, host)
            };
            if victim.is_some() {
                return victim;
            }
        }
        None
    }

    /// The oldest of the small queue goes on, or leaves.
    fn turn_small(&mut self, index: &Index, host: &impl Host, live: u64) -> Option<EntryPtr> {
        // A place in the main queue is made before there is something to put in.
        let can_promote = self.main.prepare(host).is_ok();
        let hash = self.small.pop(host)?;
        let goes_on = |word: Word| can_promote && word.frequency() >= PROMOTING_READS;
        let change = |word: Word| {
            if goes_on(word) { word.with_frequency(0).with_main(true) } else { Word::EMPTY }
        };
        let word = index.edit(host, hash, |word, _| !word.is_main(), change)?;
        if goes_on(word) {
            self.main.push(hash);
            return None;
        }
        self.ghost.insert(hash, live - live / SMALL_SHARE, host);
        word.entry()
    }

    /// The oldest of the main queue gets another turn, or leaves.
    fn turn_main(&mut self, index: &Index, host: &impl Host) -> Option<EntryPtr> {
        let hash = self.main.pop(host)?;
        let change = |word: Word| match word.frequency() {
            0 => Word::EMPTY,
            reads => word.with_frequency(reads - 1),
        };
        let can_stay = self.main.prepare(host).is_ok();
        if !can_stay {
            return take(index, host, hash, |word, _| word.is_main());
        }
        let word = index.edit(host, hash, |word, _| word.is_main(), change)?;
        if word.frequency() > 0 {
            self.main.push(hash);
            return None;
        }
        word.entry()
    }

    /// Drops records whose key is gone, or that are there twice, once they outnumber the others.
    pub(super) fn tidy(&mut self, index: &Index, host: &impl Host, live: u64) {
        if (self.small.len() + self.main.len()) as u64 <= 2 * live + SLACK {
            return;
        }
        let mut seen = HashSet::new();
        let mut current = |hash: u64, main: bool| {
            let held = index.find_by_hash(hash, |word, _| word.is_main() == main);
            held.is_some() && seen.insert(hash)
        };
        self.small.retain(host, |hash| current(hash, false));
        self.main.retain(host, |hash| current(hash, true));
    }

    /// What the queues are charged.
    pub(super) fn footprint(&self) -> u64 {
        self.small.footprint() + self.main.footprint() + self.ghost.footprint()
    }

    pub(super) fn forget(&mut self, host: &impl Host) {
        self.small.forget(host);
        self.main.forget(host);
        self.ghost.forget(host);
    }
}
