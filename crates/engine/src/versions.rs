//! Versions: what readers who keep copies of values compare, to know whether a copy is still good.
//!
//! Each key belongs to one of a fixed number of 64-bit *words*, by its hash. A word counts changes:
//! its low bits, how many are being made right now; the others, how many were completed. Whoever
//! takes a value out of the index marks the key's word before and after.
//!
//! # Why a copy whose word has not moved is as good as a read
//! A reader stamps a copy with the word as it was *before* it read the value, and keeps the copy
//! only if no change was under way. As long as the word is the same, no change of the key has begun
//! since: what the copy holds is what the index holds. So a read that a copy answers is
//! linearizable, at the moment when its word was compared. The counter of 54 bits does not wrap.

use crate::shim::{AtomicU64, Ordering};

/// What a change that is being made adds to its word; it becomes `DONE` when it is complete.
const UNDER_WAY: u64 = 1;
const DONE: u64 = 1 << 10;

/// The most words: 128 KiB of them, so that they stay in a processor's cache. A change spoils one
/// copy in so many that it does not concern.
const MOST_WORDS: u64 = 16_384;
const LEAST_WORDS: u64 = 16;

/// Expected entries a word, and so bytes of the bound that stand for a word.
const BYTES_A_WORD: u64 = 256;

/// The version of a key's word, when a copy of its value was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The hash of the key: its low bits say which word is its.
    pub hash: u64,
    /// The word, if no change was under way: the copy may be used as long as it stays the same.
    pub version: Option<u64>,
}

impl Stamp {
    /// The stamp by which nothing can be kept.
    pub(crate) fn unusable(self) -> Self {
        Self { version: None, ..self }
    }
}

/// The version words of a cache, and how hard entries are pressed out of it.
#[derive(Debug)]
pub struct Versions {
    /// The words, and behind them the pressure and the beat on a line of their own.
    cells: Box<[AtomicU64]>,
}

/// Cells on a line of memory.
const LINE: usize = 8;

impl Versions {
    /// Words for a cache of such bounds.
    pub(crate) fn new(max_entries: Option<u64>, max_bytes: Option<u64>) -> Self {
        let entries = max_entries.unwrap_or(u64::MAX);
        let wanted = entries.min(max_bytes.map_or(u64::MAX, |bytes| bytes / BYTES_A_WORD));
        Self::with_words(1 << wanted.clamp(LEAST_WORDS, MOST_WORDS).ilog2())
    }

    fn with_words(words: usize) -> Self {
        Self { cells: (0..words + LINE).map(|_| AtomicU64::new(0)).collect() }
    }

    /// What they are charged, in bytes.
    pub(crate) fn footprint(&self) -> u64 {
        8 * self.cells.len() as u64
    }

    #[inline]
    fn words(&self) -> &[AtomicU64] {
        &self.cells[..self.cells.len() - LINE]
    }

    #[inline]
    fn word(&self, hash: u64) -> &AtomicU64 {
        let words = self.words();
        &words[hash as usize & (words.len() - 1)]
    }

    /// The stamp for a copy that is about to be made.
    #[inline]
    pub(crate) fn stamp(&self, hash: u64) -> Stamp {
        // Acquire: whoever sees a change as complete reads what it wrote.
        let word = self.word(hash).load(Ordering::Acquire);
        Stamp { hash, version: Some(word).filter(|word| word % DONE == 0) }
    }

    /// Whether a copy with this stamp is what the cache has.
    #[inline]
    pub fn is_current(&self, stamp: Stamp) -> bool {
        // Relaxed: the copy is the reader's own, and a change that completed before this read began
        // is seen by whatever told the reader of it.
        stamp.version == Some(self.word(stamp.hash).load(Ordering::Relaxed))
    }

    /// A key of this hash changes until the guard is dropped.
    #[inline]
    pub(crate) fn changing(&self, hash: u64) -> Changing<'_> {
        let word = self.word(hash);
        // Relaxed: the release of the change itself orders this before it.
        word.fetch_add(UNDER_WAY, Ordering::Relaxed);
        Changing { words: std::slice::from_ref(word) }
    }

    /// Any key changes until the guard is dropped.
    pub(crate) fn changing_all(&self) -> Changing<'_> {
        for word in self.words() {
            word.fetch_add(UNDER_WAY, Ordering::Relaxed);
        }
        Changing { words: self.words() }
    }

    /// Entries were evicted again that are a share of all: readers who keep copies are to tell the
    /// policy anew which ones they use.
    pub(crate) fn press(&self) {
        // Relaxed: a hint.
        self.cells[self.cells.len() - LINE].fetch_add(1, Ordering::Relaxed);
    }

    /// Time has gone on: readers who keep copies that end are to look at the clock. `goes_on`: there
    /// will be a next beat. One thread at a time.
    pub fn beat(&self, goes_on: bool) {
        let beat = &self.cells[self.cells.len() - LINE + 1];
        // Relaxed: it says nothing but that time has gone on.
        let last = beat.load(Ordering::Relaxed);
        beat.store(last + 1 + u64::from((last % 2 == 1) == goes_on), Ordering::Relaxed);
    }

    /// Where readers of another language find the words: a power of two of them, chosen by the low
    /// bits of the hash. Of the eight cells behind them the first is the pressure: how often a 64th
    /// of the entries was evicted. The second is the beat, which is odd while there will be a next.
    pub fn cells(&self) -> &[AtomicU64] {
        &self.cells
    }
}

/// Changes under way.
pub(crate) struct Changing<'a> {
    words: &'a [AtomicU64],
}

impl Drop for Changing<'_> {
    #[inline]
    fn drop(&mut self) {
        for word in self.words {
            // Release: whoever sees the change as complete sees it.
            word.fetch_add(DONE - UNDER_WAY, Ordering::Release);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_words_as_the_bounds_deserve() {
        let words = |entries, bytes| Versions::new(entries, bytes).words().len();
        assert_eq!(words(Some(1), None), 16);
        assert_eq!(words(Some(1_000), None), 512);
        assert_eq!(words(None, Some(1 << 20)), 4_096);
        assert_eq!(words(None, None), 16_384);
    }

    #[test]
    fn a_copy_is_good_until_its_word_moves() {
        let versions = Versions::with_words(16);
        let (stamp, other) = (versions.stamp(3), versions.stamp(4));
        assert!(versions.is_current(stamp));
        let changing = versions.changing(3);
        assert!(!versions.is_current(stamp), "a change has begun");
        assert_eq!(versions.stamp(3).version, None, "no copy is made meanwhile");
        drop(changing);
        assert!(!versions.is_current(stamp));
        assert!(versions.is_current(versions.stamp(3 + 16)), "of the same word");
        assert!(versions.is_current(other));
        drop(versions.changing_all());
        assert!(!versions.is_current(other));
    }

    #[test]
    fn each_beat_is_another_and_odd_while_it_goes_on() {
        let versions = Versions::with_words(16);
        let next = |goes_on| {
            versions.beat(goes_on);
            versions.cells()[16 + 1].load(Ordering::Relaxed)
        };
        assert_eq!([true, true, false, false, true].map(next), [1, 3, 4, 6, 7]);
    }

    #[test]
    fn two_changes_at_once_are_two() {
        let versions = Versions::with_words(16);
        let (first, second) = (versions.changing(1), versions.changing(1));
        drop(first);
        assert_eq!(versions.stamp(1).version, None, "one is still under way");
        drop(second);
        assert_eq!(versions.stamp(1).version, Some(2 * DONE));
    }
}

/// Writers, a reader who keeps a copy, and somebody who has seen the new value already.
#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    struct World {
        versions: Versions,
        /// What the index has for the key.
        value: AtomicU64,
        /// The latest value that somebody knows to be there.
        known: AtomicU64,
    }

    impl World {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                versions: Versions::with_words(1),
                value: AtomicU64::new(0),
                known: AtomicU64::new(0),
            })
        }

        fn write(&self, to: u64) {
            let changing = self.versions.changing(0);
            // As the index publishes.
            self.value.fetch_max(to, Ordering::AcqRel);
            drop(changing);
        }

        fn read(&self) -> u64 {
            self.value.load(Ordering::Acquire)
        }

        /// Makes a copy, and uses it as long as it is good: what is read is never older than what
        /// was known before.
        fn read_through_a_copy(&self) {
            let stamp = self.versions.stamp(0);
            let copy = self.read();
            for _ in 0..2 {
                let known = self.known.load(Ordering::Acquire);
                if self.versions.is_current(stamp) {
                    assert!(copy >= known, "{copy} was read though {known} was there");
                }
            }
        }
    }

    #[test]
    fn a_copy_is_never_older_than_a_write_that_returned() {
        loom::model(|| {
            let world = World::new();
            let writer = {
                let world = world.clone();
                thread::spawn(move || {
                    world.write(1);
                    world.known.fetch_max(1, Ordering::Release);
                })
            };
            world.read_through_a_copy();
            writer.join().unwrap();
        });
    }

    #[test]
    fn a_copy_is_never_older_than_what_another_reader_saw() {
        loom::model(|| {
            let world = World::new();
            let writer = {
                let world = world.clone();
                thread::spawn(move || world.write(1))
            };
            let witness = {
                let world = world.clone();
                thread::spawn(move || {
                    let seen = world.read();
                    world.known.fetch_max(seen, Ordering::Release);
                })
            };
            world.read_through_a_copy();
            writer.join().unwrap();
            witness.join().unwrap();
        });
    }

    #[test]
    fn two_writers_at_once_spoil_what_was_copied_between_them() {
        let mut builder = loom::model::Builder::new();
        // Without a bound it would run for an hour.
        builder.preemption_bound = builder.preemption_bound.or(Some(3));
        builder.check(|| {
            let world = World::new();
            let writers = [1, 2].map(|to| {
                let world = world.clone();
                thread::spawn(move || {
                    world.write(to);
                    world.known.fetch_max(to, Ordering::Release);
                })
            });
            world.read_through_a_copy();
            for writer in writers {
                writer.join().unwrap();
            }
        });
    }
}
