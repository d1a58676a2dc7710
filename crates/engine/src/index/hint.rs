//! Hints: half a word by which a policy remembers a key.

use super::word::TAG_BITS;
use super::{Host, Index, Word};
use crate::entry::EntryPtr;
use std::ops::ControlFlow::{Break, Continue};

/// The low bits of the hash that a hint keeps: they choose the bucket of a table of up to two to this
/// power.
const LOW_BITS: u32 = u32::BITS - TAG_BITS;

/// The bits of the hash which are the tag of the key's word lie above these.
const TAG_AT: u32 = u64::BITS - TAG_BITS;

/// What a policy remembers of a key: all that chooses bucket and tag, where a table has no more than
/// 524,288 buckets. In a larger one a hint leads to a few buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hint(u32);

impl Hint {
    #[inline]
    pub(crate) fn of(hash: u64) -> Self {
        Self((hash >> TAG_AT << LOW_BITS | hash & ((1 << LOW_BITS) - 1)) as u32)
    }

    /// A hash of this hint. Those of all keys that share the hint share it too.
    #[inline]
    pub(crate) fn hash(self) -> u64 {
        let (tag, low) = (u64::from(self.0) >> LOW_BITS, u64::from(self.0) & ((1 << LOW_BITS) - 1));
        tag << TAG_AT | low
    }

    /// All its bits: the tag above those that choose the bucket.
    #[inline]
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    /// How many of its bits are those of the tag.
    pub(crate) const TAG_BITS: u32 = TAG_BITS;
}

impl Index {
    /// As [`Index::edit`], of a key that a hint leads to.
    #[inline]
    pub(crate) fn edit_hinted(
        &self,
        host: &impl Host,
        hint: Hint,
        selected: impl Fn(Word, EntryPtr) -> bool + Copy,
        change: impl Fn(Word) -> Word + Copy,
    ) -> Option<Word> {
        self.first_of(hint, |hash| self.edit(host, hash, selected, change))
    }

    /// As [`Index::find_by_hash`], of a key that a hint leads to.
    pub(crate) fn find_hinted(
        &self,
        hint: Hint,
        selected: impl Fn(Word, EntryPtr) -> bool + Copy,
    ) -> Option<EntryPtr> {
        self.first_of(hint, |hash| self.find_by_hash(hash, selected))
    }

    /// As [`Index::trim`], of the buckets that a hint leads to.
    #[inline]
    pub(crate) fn trim_hinted(&self, host: &impl Host, hint: Hint) {
        self.first_of(hint, |hash| -> Option<()> {
            self.trim(host, hash);
            None
        });
    }

    /// What `f` finds first, by hashes that lead to each bucket the hint may mean.
    #[inline]
    fn first_of<R>(&self, hint: Hint, mut f: impl FnMut(u64) -> Option<R>) -> Option<R> {
        let buckets = (self.buckets() as u64 >> LOW_BITS).max(1);
        let found = (0..buckets).try_for_each(|high| match f(hint.hash() | high << LOW_BITS) {
            Some(found) => Break(found),
            None => Continue(()),
        });
        found.break_value()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::index::{Expect, Put};
    use crate::policy::tests::{Purse, scatter};

    #[test]
    fn a_hint_keeps_what_chooses_tag_and_bucket() {
        for n in 0..10_000 {
            let hash = scatter(n);
            let hint = Hint::of(hash);
            assert_eq!(Word::tag_of(hint.hash()), Word::tag_of(hash));
            assert_eq!(hint.hash() & 0x7_FFFF, hash & 0x7_FFFF);
            assert_eq!(Hint::of(hint.hash()), hint);
        }
    }

    #[test]
    fn in_a_table_of_more_buckets_than_a_hint_tells_apart_it_leads_to_each_that_it_may_mean() {
        let (index, purse) = (Index::new(1 << (LOW_BITS + 2)).unwrap(), Purse::default());
        let entry =
            |n: usize| EntryPtr::from_raw(std::ptr::without_provenance_mut(n << 4)).unwrap();
        // One hint, three buckets.
        let hash = |high: usize| scatter(7) & !(3 << LOW_BITS) | (high as u64) << LOW_BITS;
        for high in 1..4 {
            let put =
                index.put(&purse, hash(high), entry(high), Expect::Any, |_| false, |word| word);
            assert_eq!(put, Put::Inserted);
        }
        for high in 1..4 {
            let is_it = |_: Word, held: EntryPtr| held == entry(high);
            let hint = Hint::of(hash(high));
            assert_eq!(index.find_hinted(hint, is_it), Some(entry(high)));
            let word = index.edit_hinted(&purse, hint, is_it, |_| Word::EMPTY).unwrap();
            assert_eq!(word.entry(), Some(entry(high)));
            assert_eq!(index.find_hinted(hint, is_it), None);
        }
    }
}
