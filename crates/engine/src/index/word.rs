//! A slot's word: where the entry is, a tag of its hash, and what the policy knows of it.
//!
//! ```text
//! 63                       19 18        6 5   4 3    2       1           0
//! | address of the entry / 8 | tag of hash | freq | main | round | tentative | frozen |
//! ```

use crate::entry::EntryPtr;
use crate::memory::ALIGN;

const FROZEN: u64 = 1;
const TENTATIVE: u64 = 1 << 1;
const ROUND: u64 = 1 << 2;
const MAIN: u64 = 1 << 3;
const FREQUENCY_SHIFT: u32 = 4;
pub(super) const FREQUENCY: u64 = 3 << FREQUENCY_SHIFT;
pub(super) const TAG_SHIFT: u32 = 6;
/// A tag is the highest bits of a hash.
pub(super) const TAG_BITS: u32 = 13;
const TAG: u64 = ((1 << TAG_BITS) - 1) << TAG_SHIFT;
const ADDRESS_SHIFT: u32 = TAG_SHIFT + TAG_BITS;
/// Pointers leave so many low bits free.
const ALIGN_BITS: u32 = ALIGN.ilog2();

// Nothing of an address below 2^48 is lost.
const _: () = assert!(48 - ALIGN_BITS + ADDRESS_SHIFT == u64::BITS);

/// The highest count of reads that a word remembers.
pub(crate) const MAX_FREQUENCY: u64 = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word(pub(super) u64);

impl Word {
    pub(crate) const EMPTY: Self = Self(0);

    #[inline]
    pub(super) fn new(entry: EntryPtr, hash: u64) -> Self {
        // Entries are aligned and lie below 2^48: see `memory`.
        let address = entry.as_raw().expose_provenance() as u64 >> ALIGN_BITS;
        Self(address << ADDRESS_SHIFT | Self::tag_of(hash))
    }

    #[inline]
    pub(super) fn tag_of(hash: u64) -> u64 {
        (hash >> (u64::BITS - TAG_BITS)) << TAG_SHIFT
    }

    /// The entry, unless the word is empty.
    #[inline]
    pub(crate) fn entry(self) -> Option<EntryPtr> {
        let address = (self.0 >> ADDRESS_SHIFT) << ALIGN_BITS;
        EntryPtr::from_raw(std::ptr::with_exposed_provenance_mut(address as usize))
    }

    /// The entry of a word that is in use, has the tag, and is not tentative.
    #[inline]
    pub(super) fn candidate(self, tag: u64) -> Option<EntryPtr> {
        if self.may_be(tag) { self.entry() } else { None }
    }

    /// The bits, all in the low half of a word, that are those of a tag alone if it may be its word.
    #[cfg(all(target_arch = "x86_64", not(any(miri, loom))))]
    pub(super) const MATCHED: i32 = (TAG | TENTATIVE) as i32;

    #[inline]
    pub(super) fn may_be(self, tag: u64) -> bool {
        (self.0 ^ tag) & (TAG | TENTATIVE) == 0
    }

    #[inline]
    pub(super) fn has_tag(self, tag: u64) -> bool {
        (self.0 ^ tag) & TAG == 0
    }

    /// The same slot with another entry of the same key: what the policy knows stays.
    #[inline]
    pub(super) fn with_entry(self, entry: EntryPtr) -> Self {
        let low = self.0 & ((1 << ADDRESS_SHIFT) - 1);
        Self(Self::new(entry, 0).0 | low)
    }

    /// It is moving, to the next table or home: nothing but the mover may act on it.
    pub(super) fn is_frozen(self) -> bool {
        self.0 & FROZEN != 0
    }

    pub(super) fn frozen_bit() -> u64 {
        FROZEN
    }

    pub(super) fn frozen(self) -> Self {
        Self(self.0 | FROZEN)
    }

    pub(super) fn thawed(self) -> Self {
        Self(self.0 & !FROZEN)
    }

    /// An insertion that has not made sure yet that it is the only one of its key.
    pub(super) fn is_tentative(self) -> bool {
        self.0 & TENTATIVE != 0
    }

    pub(super) fn tentative(self) -> Self {
        Self(self.0 | TENTATIVE)
    }

    #[inline]
    pub(crate) fn frequency(self) -> u64 {
        (self.0 & FREQUENCY) >> FREQUENCY_SHIFT
    }

    #[inline]
    pub(crate) fn with_frequency(self, frequency: u64) -> Self {
        Self(self.0 & !FREQUENCY | frequency << FREQUENCY_SHIFT)
    }

    /// Whether the entry is in the main queue of S3-FIFO, rather than in the small one.
    #[inline]
    pub(crate) fn is_main(self) -> bool {
        self.0 & MAIN != 0
    }

    /// The round of tidying in which the entry's record was looked at last: odd or even.
    #[inline]
    pub(crate) fn round(self) -> bool {
        self.0 & ROUND != 0
    }

    #[inline]
    pub(crate) fn with_round(self, round: bool) -> Self {
        Self(if round { self.0 | ROUND } else { self.0 & !ROUND })
    }

    #[inline]
    pub(crate) fn with_main(self, main: bool) -> Self {
        Self(if main { self.0 | MAIN } else { self.0 & !MAIN })
    }
}
