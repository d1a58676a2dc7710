//! `lfu`: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
//!
//! New keys enter a small queue of a tenth of the entries. Those read twice there go on to the
//! main queue; the others leave, and are remembered as ghosts: a ghost that comes back enters the
//! main queue at once. In the main queue an entry that was read since its last turn gets another.
//! Counts of reads and the queue that an entry is in are bits of its word in the index.
//!
//! Records of keys that are gone stay, until they outnumber the others: then both queues are gone
//! through once, a few records at each insertion.

use super::ghost::Ghost;
use super::queue::Queue;
use super::sweep::Sweep;
use super::{Admission, Eviction, TURNS, take};
use crate::entry::EntryPtr;
use crate::index::{Host, Index, Shortage, Word};

/// One entry of so many is in the small queue.
const SMALL_SHARE: u64 = 10;

/// Reads in the small queue that lead to the main queue.
const PROMOTING_READS: u64 = 2;

/// Stale records that do not matter, however few entries there are.
const SLACK: u64 = 256;

/// Records of each queue that an insertion looks at, during a round. A round ends, since an insertion
/// adds one.
const TIDIED_AT_ONCE: usize = 8;

#[derive(Default)]
pub(crate) struct S3Fifo {
    small: Queue,
    main: Queue,
    ghost: Ghost,
    sweep: Sweep,
}

impl S3Fifo {
    /// Room for a record in either queue.
    #[inline]
    pub(super) fn prepare(&mut self, host: &impl Host) -> Result<(), Shortage> {
        self.small.prepare(host)?;
        self.main.prepare(host)
    }

    #[inline]
    pub(super) fn admit(&mut self, hash: u64) -> Admission {
        let main = self.ghost.take(hash);
        let queue = if main { &self.main } else { &self.small };
        Admission { main, round: queue.unmet() }
    }

    #[inline]
    pub(super) fn push(&mut self, hash: u64, main: bool) {
        if main { self.main.push(hash) } else { self.small.push(hash) }
    }

    pub(super) fn evict(&mut self, index: &Index, host: &impl Host, live: u64) -> Eviction {
        for _ in 0..TURNS {
            if self.small.len() + self.main.len() == 0 {
                // A record is a hint: an entry that none leads to can still be found.
                return if live > 0 { self.sweep.evict(index, host) } else { Eviction::Nothing };
            }
            let from_small =
                self.main.len() == 0 || self.small.len() as u64 >= (live / SMALL_SHARE).max(1);
            let victim = if from_small {
                self.turn_small(index, host, live)
            } else {
                self.turn_main(index, host)
            };
            if let Some(victim) = victim {
                return Eviction::Victim(victim);
            }
        }
        Eviction::Again
    }

    /// The oldest of the small queue goes on, or leaves.
    fn turn_small(&mut self, index: &Index, host: &impl Host, live: u64) -> Option<EntryPtr> {
        // A record's room in the main queue is made before there is something to put in.
        let can_promote = self.main.prepare(host).is_ok();
        let hash = self.small.pop(host)?;
        let unmet = self.main.unmet();
        let goes_on = |word: Word| can_promote && word.frequency() >= PROMOTING_READS;
        let promoted = |word: Word| word.with_frequency(0).with_main(true).with_round(unmet);
        let change = |word: Word| if goes_on(word) { promoted(word) } else { Word::EMPTY };
        let word = index.edit(host, hash, |word, _| !word.is_main(), change)?;
        if goes_on(word) {
            self.main.push(hash);
            return None;
        }
        index.trim(host, hash);
        self.ghost.insert(hash, live - live / SMALL_SHARE, host);
        word.entry()
    }

    /// The oldest of the main queue gets another turn, or leaves.
    fn turn_main(&mut self, index: &Index, host: &impl Host) -> Option<EntryPtr> {
        let hash = self.main.pop(host)?;
        let unmet = self.main.unmet();
        let change = |word: Word| match word.frequency() {
            0 => Word::EMPTY,
            reads => word.with_frequency(reads - 1).with_round(unmet),
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
        index.trim(host, hash);
        word.entry()
    }

    /// Drops records whose key is gone, or that are there twice, once they outnumber the others: a
    /// few at a time.
    #[inline]
    pub(super) fn tidy(&mut self, index: &Index, host: &impl Host, live: u64) {
        let records = (self.small.len() + self.main.len()) as u64;
        if records > 2 * live + SLACK || self.small.is_tidying() || self.main.is_tidying() {
            self.tidy_some(index, host, records > 2 * live + SLACK);
        }
    }

    #[cold]
    fn tidy_some(&mut self, index: &Index, host: &impl Host, begins: bool) {
        if begins {
            self.small.begin_round();
            self.main.begin_round();
        }
        let meet = |hash: u64, main: bool, met: bool| {
            let unmet = |word: Word, _| word.is_main() == main && word.round() != met;
            index.edit(host, hash, unmet, |word| word.with_round(met)).is_some()
        };
        self.small.tidy(host, TIDIED_AT_ONCE, |hash, met| meet(hash, false, met));
        self.main.tidy(host, TIDIED_AT_ONCE, |hash, met| meet(hash, true, met));
    }

    /// What the queues are charged.
    pub(super) fn footprint(&self) -> u64 {
        self.small.footprint() + self.main.footprint() + self.ghost.footprint()
    }
}
