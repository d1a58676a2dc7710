//! Tags: which entries are no longer valid, known without visiting one of them.
//!
//! A clock counts invalidations. Each tag belongs to one of a fixed number of slots, by its hash,
//! and a slot remembers the count of its latest invalidation. An entry has the count from before
//! its value was read: its *epoch*. It is valid as long as no slot of its tags has a higher one. Two
//! tags may share a slot: an invalidation may take entries with it that it does not concern, and
//! never misses one.
//!
//! # Why an entry from before an invalidation is never read after it
//! Who invalidates raises the clock first and the slot then, and a read looks at the slots after it
//! has found the entry. If the epoch is lower than the raised clock, whoever knows that the
//! invalidation has returned sees a slot above it. If it is not, the clock was read after it was
//! raised, and the value's source after that: what was written there before the invalidation began
//! is in the value.

use crate::note::NoteRef;
use crate::shim::{AtomicU64, Ordering};
use std::sync::OnceLock;

/// Bytes of the bound that stand for a slot, which takes 16.
const BYTES_A_SLOT: u64 = 256;
const LEAST_SLOTS: u64 = 64;
const MOST_SLOTS: u64 = 1 << 17;
/// Where bytes are not bounded.
const USUAL_SLOTS: u64 = 1 << 14;

/// The latest invalidations of the tags of a slot.
#[derive(Debug)]
struct Slot {
    hard: AtomicU64,
    soft: AtomicU64,
}

/// What invalidations left of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    Valid,
    /// Good only for those who take stale values.
    Stale,
    Invalid,
}

/// The invalidations of a cache.
#[derive(Debug)]
pub(crate) struct Tags {
    /// How many there were.
    clock: AtomicU64,
    /// The latest one that found no table: it was of all tags.
    floor: AtomicU64,
    /// The slots, from the first entry with tags on.
    table: OnceLock<Box<[Slot]>>,
    /// How many slots there will be.
    slots: usize,
}

impl Tags {
    /// Tags for a cache of such a bound.
    pub(crate) fn new(max_bytes: Option<u64>) -> Self {
        let wanted = max_bytes.map_or(USUAL_SLOTS, |bytes| bytes / BYTES_A_SLOT);
        Self {
            clock: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            table: OnceLock::new(),
            slots: 1 << wanted.clamp(LEAST_SLOTS, MOST_SLOTS).ilog2(),
        }
    }

    /// What the table takes once it is there, in bytes.
    pub(crate) fn price(&self) -> u64 {
        (self.slots * size_of::<Slot>()) as u64
    }

    /// What it takes now.
    pub(crate) fn footprint(&self) -> u64 {
        if self.is_ready() { self.price() } else { 0 }
    }

    /// Whether the table is there, which entries with tags need.
    pub(crate) fn is_ready(&self) -> bool {
        self.table.get().is_some()
    }

    /// Makes the table; false if somebody else did.
    pub(crate) fn make_ready(&self) -> bool {
        let slot = |_| Slot { hard: AtomicU64::new(0), soft: AtomicU64::new(0) };
        self.table.set((0..self.slots).map(slot).collect()).is_ok()
    }

    /// The slot of a tag with this hash.
    pub(crate) fn slot(&self, hash: u64) -> u32 {
        (hash as usize & (self.slots - 1)) as u32
    }

    /// The epoch of a value whose source is read after this.
    pub(crate) fn epoch(&self) -> u64 {
        // Acquire: what was written to the source before the invalidations that it counts is seen
        // by who reads there now.
        self.clock.load(Ordering::Acquire)
    }

    /// Entries of earlier epochs that have a tag of this slot are no longer valid.
    pub(crate) fn invalidate(&self, slot: u32, soft: bool) {
        self.invalidate_in(match self.table.get() {
            None => &self.floor,
            Some(table) if soft => &table[slot as usize & (table.len() - 1)].soft,
            Some(table) => &table[slot as usize & (table.len() - 1)].hard,
        });
    }

    fn invalidate_in(&self, cell: &AtomicU64) {
        // Acquire and release: as in `epoch`, also where invalidations follow each other.
        let epoch = self.clock.fetch_add(1, Ordering::AcqRel) + 1;
        // Release: who sees it sees that the words of copies are being changed.
        cell.fetch_max(epoch, Ordering::Release);
    }

    /// Whether a value of this epoch is valid if it has tags of these slots.
    pub(crate) fn check(&self, epoch: u64, slots: impl Iterator<Item = u32>) -> Validity {
        // Acquire: who finds an entry invalid finds its copies spoilt.
        if self.floor.load(Ordering::Acquire) > epoch {
            return Validity::Invalid;
        }
        let Some(table) = self.table.get() else { return Validity::Valid };
        let mut validity = Validity::Valid;
        for slot in slots {
            let slot = &table[slot as usize & (table.len() - 1)];
            if slot.hard.load(Ordering::Acquire) > epoch {
                return Validity::Invalid;
            }
            if slot.soft.load(Ordering::Acquire) > epoch {
                validity = Validity::Stale;
            }
        }
        validity
    }

    /// As [`Tags::check`], of an entry's note.
    pub(crate) fn check_note(&self, note: NoteRef<'_>) -> Validity {
        self.check(note.epoch(), note.tags())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn check(tags: &Tags, epoch: u64, slots: &[u32]) -> Validity {
        tags.check(epoch, slots.iter().copied())
    }

    #[test]
    fn there_are_as_many_slots_as_the_bound_deserves() {
        let slots = |bytes| Tags::new(bytes).slots;
        assert_eq!(slots(Some(1)), 64);
        assert_eq!(slots(Some(1 << 20)), 4_096);
        assert_eq!(slots(Some(u64::MAX)), 131_072);
        assert_eq!(slots(None), 16_384);
    }

    #[test]
    fn what_came_before_an_invalidation_of_its_slot_is_invalid() {
        let tags = Tags::new(None);
        assert!(tags.make_ready() && !tags.make_ready());
        let before = tags.epoch();
        tags.invalidate(5, false);
        assert_eq!(check(&tags, before, &[1, 5]), Validity::Invalid);
        assert_eq!(check(&tags, before, &[1, 6]), Validity::Valid);
        assert_eq!(check(&tags, tags.epoch(), &[5]), Validity::Valid);
        tags.invalidate(6, true);
        assert_eq!(check(&tags, before, &[1, 6]), Validity::Stale);
        assert_eq!(check(&tags, before, &[6, 5]), Validity::Invalid, "the worse of both");
    }

    #[test]
    fn what_finds_no_table_is_of_all_tags() {
        let tags = Tags::new(None);
        let before = tags.epoch();
        tags.invalidate(5, true);
        for _ in 0..2 {
            assert_eq!(check(&tags, before, &[6]), Validity::Invalid);
            assert_eq!(check(&tags, tags.epoch(), &[6]), Validity::Valid);
            tags.make_ready();
        }
    }
}

/// A loader, somebody who writes the source and then invalidates, and a reader who knows that.
#[cfg(all(test, loom))]
mod models {
    use super::*;
    use crate::versions::Versions;
    use loom::sync::Arc;
    use loom::thread;

    /// What the index has for the key: nothing, or the epoch and the value.
    const NOTHING: u64 = u64::MAX;

    struct World {
        tags: Tags,
        versions: Versions,
        source: AtomicU64,
        /// Epoch << 8 | value.
        entry: AtomicU64,
        /// The latest value of the source of which the key's tag is known to be invalidated.
        known: AtomicU64,
        /// Whether the invalidation finds no table, as one may that begins before there is one.
        early: bool,
    }

    impl World {
        fn new(early: bool) -> Arc<Self> {
            let tags = Tags::new(Some(1));
            tags.make_ready();
            Arc::new(Self {
                tags,
                early,
                versions: Versions::new(Some(1), None),
                source: AtomicU64::new(0),
                entry: AtomicU64::new(NOTHING),
                known: AtomicU64::new(0),
            })
        }

        fn load(&self) {
            let epoch = self.tags.epoch();
            let value = self.source.load(Ordering::Relaxed);
            if self.tags.check(epoch, [3].into_iter()) == Validity::Valid {
                // As the index publishes.
                self.entry.swap(epoch << 8 | value, Ordering::AcqRel);
            }
        }

        fn write_and_invalidate(&self, value: u64) {
            self.source.store(value, Ordering::Relaxed);
            let changing = self.versions.changing_all();
            if self.early {
                self.tags.invalidate_in(&self.tags.floor);
            } else {
                self.tags.invalidate(3, false);
            }
            drop(changing);
            self.known.fetch_max(value, Ordering::Release);
        }

        fn read(&self) -> Option<u64> {
            let entry = self.entry.load(Ordering::Acquire);
            let valid =
                entry != NOTHING && self.tags.check(entry >> 8, [3].into_iter()) == Validity::Valid;
            valid.then_some(entry & 0xFF)
        }

        /// Reads twice, the second time from a copy if it is good.
        fn read_also_from_a_copy(&self) {
            let known = self.known.load(Ordering::Acquire);
            let stamp = self.versions.stamp(0);
            let Some(value) = self.read() else { return };
            assert!(value >= known, "{value} was read though {known} was there");
            let known = self.known.load(Ordering::Acquire);
            if self.versions.is_current(stamp) {
                assert!(value >= known, "{value} was copied though {known} was there");
            }
        }
    }

    fn run(early: bool) {
        let mut builder = loom::model::Builder::new();
        // Without a bound it would run for an hour.
        builder.preemption_bound = builder.preemption_bound.or(Some(3));
        builder.check(move || {
            let world = World::new(early);
            let loader = {
                let world = world.clone();
                thread::spawn(move || world.load())
            };
            let writer = {
                let world = world.clone();
                thread::spawn(move || world.write_and_invalidate(1))
            };
            world.read_also_from_a_copy();
            loader.join().unwrap();
            writer.join().unwrap();
            assert!(world.read().is_none_or(|value| value == 1), "it stayed");
        });
    }

    #[test]
    fn what_was_loaded_before_an_invalidation_is_not_read_after_it() {
        run(false);
    }

    #[test]
    fn nor_if_the_invalidation_finds_no_table() {
        run(true);
    }
}
