//! The index: a lock-free hash table of words, which grows and is cleared bucket by bucket.
//!
//! - A key is in one slot at most. A read scans one bucket, seldom its overflow, and takes no lock.
//! - A value is replaced and an entry removed by one compare-and-swap of its slot.
//! - An insertion puts a *tentative* word into a free slot, looks whether another slot has the
//!   key, and then makes the word final: of two insertions of a key at least one sees the other
//!   (Chandramouli et al., "FASTER", SIGMOD 2018, section 3.2).
//! - A bucket that is full gets an overflow bucket, of half its size. When entries have left, others
//!   move home from there, and a chain whose last one is empty gives it back, retired as entries are,
//!   while nobody inserts.
//! - To grow, a table of twice the size is announced, and whoever writes moves the bucket that it
//!   needs and a few more: it freezes each word, so that no compare-and-swap succeeds any more,
//!   copies them, and marks the bucket as moved. Readers go on in the old bucket until it is
//!   marked. A writer waits only for a mover of the very bucket that it needs: seven words.
//!
//! The index knows nothing of entries but their pointers: a [`Host`] hashes and pays, closures
//! compare. Callers are pinned, so that tables and entries that they see stay.

mod bucket;
mod growth;
mod hint;
#[cfg(all(test, loom))]
mod models;
mod sample;
mod spill;
mod table;
mod trim;
mod word;
mod write;

use crate::entry::EntryPtr;
use crate::prefetch::prefetch;
use crate::shim::{AtomicPtr, AtomicU64, Ordering};
use crate::versions::Changing;
use bucket::{BUCKET, Bucket, MOVED, OVERFLOW, Overflow};
use std::{iter, ptr};
use table::Table;

pub(crate) use growth::Clearing;
pub(crate) use hint::Hint;
pub(crate) use sample::{Sample, Samples};
pub(crate) use table::Part;
pub(crate) use word::{MAX_FREQUENCY, Word};

/// Buckets moved by each write while the table grows. Two suffice: a table of n buckets takes more
/// than n/2 insertions to fill its successor to the mark.
const MOVES_PER_WRITE: usize = 2;

/// What is missing to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shortage {
    /// So many bytes were asked for and refused.
    Bytes(u64),
    /// The system has no memory left.
    Memory,
}

/// What the index needs of the shard that it belongs to.
pub(crate) trait Host {
    /// The hash of an entry that is in the index.
    fn hash_of(&self, entry: EntryPtr) -> u64;
    /// Charges bytes that are about to be allocated, or refuses.
    fn charge(&self, bytes: u64) -> bool;
    /// Releases bytes that were charged and not used.
    fn release(&self, bytes: u64);
    /// Takes what nobody new can reach, frees it in time, and then releases what it was charged.
    fn retire_part(&self, part: Part);
    /// Takes an entry that was dropped because the index is being cleared.
    fn discard(&self, entry: EntryPtr);
    /// The most bytes that something may be charged which serves the policy alone.
    fn allowance(&self) -> u64 {
        u64::MAX
    }
    /// From now on readers tell the policy of keys of another sample.
    fn sample(&self, _before: Sample, _now: Sample) {}
    /// Hands over the reads that were noted of keys of the sample: hashes, and how often each was read.
    fn take_reads(&self, _each: impl FnMut(u64, u64)) {}
    /// What a key of this hash has changes until the guard is dropped.
    fn changing(&self, _hash: u64) -> Option<Changing<'_>> {
        None
    }
}

/// What a write expects the key to have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    Any,
    Absent,
    Present,
    Exactly(EntryPtr),
}

/// What became of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Put {
    Inserted,
    Replaced(Word),
    /// The key was not as expected.
    Refused,
    /// An overflow bucket is needed, and its bytes were refused.
    NoRoom,
    /// The system has no memory left for an overflow bucket.
    NoMemory,
}

/// A slot as a reader saw it.
#[derive(Clone, Copy)]
pub(crate) struct Hit<'a> {
    slot: &'a AtomicU64,
    /// Not empty.
    word: Word,
}

impl Hit<'_> {
    #[inline]
    pub(crate) fn entry(&self) -> EntryPtr {
        // SAFETY: a hit has a word with an entry.
        unsafe { self.word.entry().unwrap_unchecked() }
    }

    /// The reads that the word remembers.
    pub(crate) fn frequency(&self) -> u64 {
        self.word.frequency()
    }

    /// Whether the policy is to be told of a read: the word counts it, or the key is in the sample.
    #[inline]
    pub(crate) fn is_to_be_told(&self, sample: Sample) -> bool {
        sample.wants(self.word)
    }

    /// Counts a read in the word, unless its counter is saturated. Lost now and then to a writer.
    #[inline]
    pub(crate) fn count_read(&self) {
        let frequency = self.word.frequency();
        if frequency < MAX_FREQUENCY && !self.word.is_frozen() {
            let counted = self.word.with_frequency(frequency + 1);
            // Relaxed: the entry's pointer was published before and stays the same.
            let _ = self.slot.compare_exchange(
                self.word.0,
                counted.0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }
}

pub(crate) struct Index {
    current: AtomicPtr<Table>,
}

impl Index {
    /// An index of `buckets` buckets, a power of two, which the caller charges; `None` when the
    /// system has no memory left.
    pub(crate) fn new(buckets: usize) -> Option<Self> {
        Some(Self { current: AtomicPtr::new(Box::into_raw(Table::new(buckets, 0)?)) })
    }

    /// The most bytes that an insertion asks its host for: an overflow bucket.
    pub(crate) const MOST_FOR_AN_INSERTION: u64 = OVERFLOW;

    /// What a table of so many buckets is charged.
    pub(crate) fn price(buckets: usize) -> u64 {
        Table::price(buckets)
    }

    #[inline]
    fn current(&self) -> &Table {
        // SAFETY: never null; retired tables are not freed while the caller is pinned. Acquire
        // pairs with the release in `finish`.
        unsafe { &*self.current.load(Ordering::Acquire) }
    }

    /// How many buckets the larger table has of those in use.
    #[inline]
    fn buckets(&self) -> usize {
        let table = self.current();
        Self::next(table).map_or(table.len(), |next| next.len().max(table.len()))
    }

    #[inline]
    fn next(table: &Table) -> Option<&Table> {
        // SAFETY: as for `current`; Acquire pairs with the release in `announce`.
        unsafe { table.next.load(Ordering::Acquire).as_ref() }
    }

    /// The slot whose entry `matches`.
    #[inline]
    pub(crate) fn find(&self, hash: u64, matches: impl Fn(EntryPtr) -> bool) -> Option<Hit<'_>> {
        let tag = Word::tag_of(hash);
        let table = self.current();
        let mut home = table.home(hash);
        // Acquire pairs with the release that marks a bucket as moved, and with linking.
        let mut info = home.info.load(Ordering::Acquire);
        if info & MOVED != 0 {
            (home, info) = Self::follow(table, hash)?;
        }
        Self::seek(home, info, tag, matches)
    }

    /// The bucket into which that of a hash has moved, and its info word.
    #[cold]
    #[inline(never)]
    fn follow(mut table: &Table, hash: u64) -> Option<(&Bucket, u64)> {
        loop {
            table = Self::next(table)?;
            let home = table.home(hash);
            let info = home.info.load(Ordering::Acquire);
            if info & MOVED == 0 {
                return Some((home, info));
            }
        }
    }

    /// The bucket of a hash will be looked at soon.
    #[inline]
    pub(crate) fn expect_bucket(&self, hash: u64) {
        prefetch(ptr::from_ref(self.current().home(hash)).cast());
    }

    /// The entry of a hash will be read soon. Those in overflow buckets, and those that are moving to
    /// another table, are met without having been expected.
    #[inline]
    pub(crate) fn expect_entry(&self, hash: u64) {
        let home = self.current().home(hash);
        let mut candidates = home.candidates(Word::tag_of(hash));
        // Relaxed: nothing is read at the address.
        let first = candidates.any().then(|| candidates.next_of(home).load(Ordering::Relaxed));
        if let Some(entry) = first.and_then(|word| Word(word).entry()) {
            // Most entries have one or two lines.
            prefetch(entry.as_raw());
            prefetch(entry.as_raw().wrapping_add(BUCKET as usize));
        }
    }

    /// The slot in a bucket, or in its overflow, whose entry `matches`. `info` is the bucket's.
    #[inline(always)]
    fn seek(
        home: &Bucket,
        info: u64,
        tag: u64,
        matches: impl Fn(EntryPtr) -> bool,
    ) -> Option<Hit<'_>> {
        if let Some(hit) = Self::seek_in(home, tag, &matches) {
            return Some(hit);
        }
        Bucket::overflow_of(info)?;
        Self::seek_behind(home, info, tag, matches)
    }

    /// As [`Index::seek`], of what is not in the bucket itself: one entry in five. Called, and marked as
    /// cold, so that the others pay no register for it.
    #[cold]
    #[inline(never)]
    fn seek_behind(
        home: &Bucket,
        mut info: u64,
        tag: u64,
        matches: impl Fn(EntryPtr) -> bool,
    ) -> Option<Hit<'_>> {
        loop {
            let behind = Bucket::overflow_of(info).map(Overflow::link);
            // Home once more: a word may have moved there from where it was about to be looked for.
            let link = behind.unwrap_or(home.link());
            for slot in link.slots {
                // Acquire pairs with the release that published the entry; and where a word has moved
                // home and left the slot empty, with the release that emptied it: the word is at home.
                let word = Word(slot.load(Ordering::Acquire));
                if word.candidate(tag).is_some_and(&matches) {
                    return Some(Hit { slot, word });
                }
            }
            behind?;
            // Acquire pairs with the release that linked the next one.
            info = link.info.load(Ordering::Acquire);
        }
    }

    /// The slot in this very bucket whose entry `matches`.
    #[inline(always)]
    fn seek_in<'a>(
        bucket: &'a Bucket,
        tag: u64,
        matches: &impl Fn(EntryPtr) -> bool,
    ) -> Option<Hit<'a>> {
        // All seven tags first: where the match is cannot be predicted, that there is one can.
        let mut candidates = bucket.candidates(tag);
        while candidates.any() {
            let slot = candidates.next_of(bucket);
            // Acquire pairs with the release that published the entry.
            let word = Word(slot.load(Ordering::Acquire));
            // Another word may have come meanwhile, of another tag: the keys are compared all the same.
            if !word.is_tentative()
                && let Some(entry) = word.entry()
                && matches(entry)
            {
                return Some(Hit { slot, word });
            }
        }
        None
    }

    /// The entry of a word that has the hash's tag and is `selected`.
    pub(crate) fn find_by_hash(
        &self,
        hash: u64,
        selected: impl Fn(Word, EntryPtr) -> bool,
    ) -> Option<EntryPtr> {
        let tag = Word::tag_of(hash);
        let mut found = None;
        self.visit_home(hash, |word, entry| {
            if word.candidate(tag).is_some() && selected(word, entry) {
                found = Some(entry);
            }
        });
        found
    }

    /// What the tables have been charged in all; exact while nobody writes.
    pub(crate) fn footprint(&self) -> u64 {
        let table = self.current();
        table.footprint() + Self::next(table).map_or(0, Table::footprint)
    }

    /// Visits the entries of one bucket, and gives the cursor of the next one, 0 after the last.
    ///
    /// Cursors count with their bits reversed, from the highest bit of the mask down, so that the
    /// halves of a bucket that is split meanwhile are visited in its place (Pieter Noordhuis's
    /// SCAN in Redis): what is there from the first call to the last is visited at least once.
    pub(crate) fn visit(&self, cursor: u64, visit: impl FnMut(Word, EntryPtr)) -> u64 {
        Self::visit_in(self.current(), cursor, visit)
    }

    fn visit_in(table: &Table, cursor: u64, mut visit: impl FnMut(Word, EntryPtr)) -> u64 {
        let mask = table.len() as u64 - 1;
        let at = (cursor & mask) as usize;
        let home = &table.buckets[at];
        if home.info.load(Ordering::Acquire) & MOVED == 0 {
            Self::visit_chain(home, &mut visit);
        } else if let Some(next) = Self::next(table) {
            // A smaller table: what comes from several buckets is met once for each of them.
            let first = at & (next.len() - 1);
            for at in (first..next.len()).step_by(table.len()) {
                Self::visit_chain(&next.buckets[at], &mut visit);
            }
        }
        let reversed = (cursor | !mask).reverse_bits().wrapping_add(1);
        reversed.reverse_bits()
    }

    fn visit_chain(home: &Bucket, visit: &mut impl FnMut(Word, EntryPtr)) {
        // Behind first: a word that moves home meanwhile is met there, or here and there.
        let behind = Bucket::behind(home.info.load(Ordering::Acquire));
        for slot in behind.chain(iter::once(home.link())).flat_map(|link| link.slots) {
            let word = Word(slot.load(Ordering::Acquire));
            if let Some(entry) = word.entry()
                && !word.is_tentative()
            {
                visit(word, entry);
            }
        }
    }

    /// The entries of the bucket that `hash` falls into, whatever their keys.
    pub(crate) fn visit_home(&self, hash: u64, visit: impl FnMut(Word, EntryPtr)) {
        // One table for both: the bucket of a smaller table is another bucket in a larger one.
        let table = self.current();
        Self::visit_in(table, hash & (table.len() as u64 - 1), visit);
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        let mut at = self.current.load(Ordering::Relaxed);
        while !at.is_null() {
            // SAFETY: made by Box::into_raw; whoever drops the index is its last user.
            let table = unsafe { Box::from_raw(at) };
            at = table.next.load(Ordering::Relaxed);
        }
    }
}

/// Compare-and-swap of a slot. Acquire and release: the entry that goes in is published, and the
/// one that comes out is seen whole by whoever disposes of it.
fn swap(slot: &AtomicU64, from: Word, to: Word) -> bool {
    slot.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}
