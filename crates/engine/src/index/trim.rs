//! Trimming: once entries have left, those in overflow buckets move home, where there is room, and an
//! overflow bucket that is empty is given back. Nobody inserts into the index meanwhile.
//!
//! # A word moves home
//! | step | slot behind | slot at home | readers | writers |
//! |---|---|---|---|---|
//! | 0 | word | empty | find it behind | change it behind |
//! | 1 | frozen | empty | find it behind | wait |
//! | 2 | frozen | frozen | find either | wait |
//! | 3 | empty | frozen | find it at home | wait |
//! | 4 | empty | word | find it at home | change it at home |
//!
//! A word moves from behind to home, never the other way. So who looks for a key at home, then behind,
//! and then at home once more ([`Bucket::round`]) meets what is there all the time, and so does who
//! looks behind first. Nobody can change a word while it is in two slots: what a reader finds in
//! either is what the key has. The bucket is claimed meanwhile, so that no mover works on it.

use super::bucket::{Bucket, CLAIMED, FLAGS, Link, MOVED};
use super::spill::Spill;
use super::table::{Part, Table};
use super::{Host, Index, Word, swap};
use crate::shim::{AtomicU64, Ordering};

impl Index {
    /// Moves entries of the hash's bucket home, where there is room, and gives back its last overflow
    /// bucket, if that is empty: chains must not be as long for ever as they were at their fullest.
    /// Nobody inserts into the index meanwhile.
    #[inline]
    pub(crate) fn trim(&self, host: &impl Host, hash: u64) {
        let table = self.current();
        let home = table.home(hash);
        let info = home.info.load(Ordering::Acquire);
        // Behind a bucket that has moved there may be nothing any more.
        if info & MOVED == 0 && Bucket::overflow_of(info).is_some() {
            Self::trim_chain(host, table, home);
        }
    }

    #[cold]
    fn trim_chain(host: &impl Host, table: &Table, home: &Bucket) {
        if home.slots.iter().any(is_empty) {
            bring_home(home);
        }
        if let Some(bucket) = table.unlink_last(home) {
            host.retire_part(bucket);
        }
    }
}

impl Table {
    /// Unlinks the last bucket of a chain, if it is empty; the bucket. What is empty stays so.
    fn unlink_last(&self, home: &Bucket) -> Option<Part> {
        let (before, last) = last_two(home)?;
        if !last.slots.iter().all(is_empty) {
            return None;
        }
        // Without flags: a mover that has claimed the bucket before it makes this fail. One that
        // claims it later does not see the last one any more.
        let at = before.info.load(Ordering::Acquire) & !FLAGS;
        before.info.compare_exchange(at, 0, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        self.withdraw_overflow();
        // SAFETY: linked until now, and unlinked once.
        unsafe { Spill::from_address(at) }.map(Part::overflow)
    }
}

/// The last bucket of a chain and the one before it; `None` if there is but one.
fn last_two(home: &Bucket) -> Option<(Link<'_>, Link<'_>)> {
    home.chain().zip(home.chain().skip(1)).last()
}

/// Moves words of the last overflow bucket home, as many as there is room for.
fn bring_home(home: &Bucket) {
    let info = home.info.load(Ordering::Acquire);
    // A mover waits for what has claimed the bucket, and one that was faster makes this fail.
    if info & FLAGS != 0
        || home
            .info
            .compare_exchange(info, info | CLAIMED, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
    {
        return;
    }
    if let Some((_, last)) = last_two(home) {
        let mut behind = last.slots.iter();
        for slot in home.slots.iter().filter(|slot| is_empty(slot)) {
            if !behind.any(|from| move_word(from, slot)) {
                break;
            }
        }
    }
    // Release: whoever claims it next sees the words where they are now. Nothing is linked behind a
    // claimed bucket.
    home.info.store(info, Ordering::Release);
}

/// Moves the word of one slot into another one, which is empty; false if there is none, or if it has
/// just changed.
fn move_word(from: &AtomicU64, to: &AtomicU64) -> bool {
    let word = Word(from.load(Ordering::Acquire));
    if word == Word::EMPTY || !swap(from, word, word.frozen()) {
        return false;
    }
    // Release, each: whoever finds the entry in the new slot sees it whole; whoever finds the old one
    // empty finds the entry in the new one; and whoever changes the new one does so when the old one is
    // empty.
    to.store(word.frozen().0, Ordering::Release);
    from.store(Word::EMPTY.0, Ordering::Release);
    to.store(word.0, Ordering::Release);
    true
}

fn is_empty(slot: &AtomicU64) -> bool {
    // Acquire pairs with the swap that has emptied it.
    slot.load(Ordering::Acquire) == Word::EMPTY.0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::entry::EntryPtr;
    use crate::index::{Expect, Put};
    use crate::policy::tests::{Purse, scatter};

    const BUCKETS: usize = 1 << 10;
    const ENTRIES: u64 = 7 * BUCKETS as u64;

    fn entry(n: u64) -> EntryPtr {
        EntryPtr::from_raw(std::ptr::without_provenance_mut((n as usize + 1) << 4)).unwrap()
    }

    #[test]
    fn turnovers_leave_no_more_overflow_than_filling_did() {
        let (index, purse) = (Index::new(BUCKETS).unwrap(), Purse::default());
        let insert = |n: u64| {
            let is_it = |held: EntryPtr| held == entry(n);
            let put = index.put(&purse, scatter(n), entry(n), Expect::Absent, is_it, |word| word);
            assert_eq!(put, Put::Inserted);
        };
        let remove = |n: u64| {
            let is_it = |_: Word, held: EntryPtr| held == entry(n);
            assert!(index.edit(&purse, scatter(n), is_it, |_| Word::EMPTY).is_some());
            index.trim(&purse, scatter(n));
        };
        (0..ENTRIES).for_each(insert);
        let overflow = || (index.footprint() - Index::price(BUCKETS)) as f64;
        let filled = overflow();
        for n in ENTRIES..11 * ENTRIES {
            remove(n - ENTRIES);
            insert(n);
        }
        assert!(overflow() < 1.2 * filled, "{} after {filled}", overflow());
        for n in 10 * ENTRIES..11 * ENTRIES {
            assert!(index.find(scatter(n), |held| held == entry(n)).is_some());
        }
        (10 * ENTRIES..11 * ENTRIES).for_each(remove);
        assert_eq!(overflow(), 0.0, "nothing is left");
    }
}
