//! Writes: putting entries into slots, taking them out, and the overflow buckets that this needs.

use super::bucket::{Bucket, Link, MOVED, OVERFLOW};
use super::spill::Spill;
use super::table::Table;
use super::{Expect, Hit, Host, Index, MOVES_PER_WRITE, Put, Word, swap};
use crate::entry::EntryPtr;
use crate::shim::{AtomicU64, Backoff, Ordering, fence};
use std::ptr;

impl Index {
    /// Stores `entry` under `hash` if what is there is as expected. `fresh` sets the policy's bits
    /// of a word that did not exist; a replaced word's bits stay.
    #[inline]
    pub(crate) fn put(
        &self,
        host: &impl Host,
        hash: u64,
        entry: EntryPtr,
        expect: Expect,
        matches: impl Fn(EntryPtr) -> bool,
        fresh: impl Fn(Word) -> Word,
    ) -> Put {
        let fresh = fresh(Word::new(entry, hash));
        let backoff = Backoff::new();
        loop {
            let table = self.writable(host, hash);
            match Self::try_put(host, table, hash, fresh, expect, &matches) {
                Some(outcome) => return outcome,
                None => backoff.snooze(),
            }
        }
    }

    /// Stores `entry` in the place of the one that its key has, as [`Index::put`] does that expects one.
    /// In most cases one attempt is enough, while no table grows.
    #[inline]
    pub(crate) fn replace_present(
        &self,
        host: &impl Host,
        hash: u64,
        entry: EntryPtr,
        matches: impl Fn(EntryPtr) -> bool + Copy,
    ) -> Put {
        match self.replace_at_once(host, hash, entry, matches) {
            Some(put) => put,
            None => self.replace_again(host, hash, entry, matches),
        }
    }

    /// As [`Index::replace_present`], but tries once; `None` if something moves or was faster.
    #[inline(always)]
    pub(crate) fn replace_at_once(
        &self,
        host: &impl Host,
        hash: u64,
        entry: EntryPtr,
        matches: impl Fn(EntryPtr) -> bool,
    ) -> Option<Put> {
        let table = self.current();
        if Self::next(table).is_some() {
            return None;
        }
        let home = table.home(hash);
        let info = home.info.load(Ordering::Acquire);
        match Self::seek(home, info, Word::tag_of(hash), matches) {
            // A table that has begun to grow meanwhile has frozen the word, or soon does.
            Some(Hit { slot, word }) if !word.is_frozen() => {
                let _changing = host.changing(hash);
                swap(slot, word, word.with_entry(entry)).then_some(Put::Replaced(word))
            }
            None if info & MOVED == 0 => Some(Put::Refused),
            _ => None,
        }
    }

    #[cold]
    #[inline(never)]
    fn replace_again(
        &self,
        host: &impl Host,
        hash: u64,
        entry: EntryPtr,
        matches: impl Fn(EntryPtr) -> bool,
    ) -> Put {
        self.put(host, hash, entry, Expect::Present, matches, |word| word)
    }

    /// One attempt; `None` if something moved meanwhile.
    #[inline]
    fn try_put(
        host: &impl Host,
        table: &Table,
        hash: u64,
        fresh: Word,
        expect: Expect,
        matches: &impl Fn(EntryPtr) -> bool,
    ) -> Option<Put> {
        let tag = Word::tag_of(hash);
        let home = table.home(hash);
        let info = home.info.load(Ordering::Acquire);
        if let Some(hit) = Self::seek(home, info, tag, matches) {
            return Self::replace(host, hash, hit, fresh, expect);
        }
        match expect {
            Expect::Present | Expect::Exactly(_) => Some(Put::Refused),
            Expect::Any | Expect::Absent => Self::insert(host, table, hash, fresh, matches),
        }
    }

    /// One attempt to insert a key that was not there a moment ago; `None` if it may be now, or if
    /// something moved meanwhile.
    fn insert(
        host: &impl Host,
        table: &Table,
        hash: u64,
        fresh: Word,
        matches: &impl Fn(EntryPtr) -> bool,
    ) -> Option<Put> {
        let tag = Word::tag_of(hash);
        let mut vacant = None;
        let mut last = table.home(hash).link();
        for link in table.home(hash).chain() {
            for slot in link.slots {
                let word = Word(slot.load(Ordering::Acquire));
                if word.is_frozen() {
                    return None;
                }
                let Some(entry) = word.entry() else {
                    vacant.get_or_insert(slot);
                    continue;
                };
                if !word.has_tag(tag) || !matches(entry) {
                    continue;
                }
                if word.is_tentative() {
                    // Its owner may be asleep: it loses, and tries again.
                    let _ = swap(slot, word, Word::EMPTY);
                }
                return None;
            }
            last = link;
        }
        let slot = match vacant {
            Some(slot) => slot,
            None => match Self::append(host, table, last)? {
                Ok(link) => &link.slots[0],
                Err(refused) => return Some(refused),
            },
        };
        if !swap(slot, Word::EMPTY, fresh.tentative()) {
            return None;
        }
        // The fence orders the placing before the look around, for every insertion: of two that
        // place the same key, the later one in the order of the fences sees the other's word.
        fence(Ordering::SeqCst);
        if Self::is_only(table, hash, slot, matches) {
            swap(slot, fresh.tentative(), fresh).then_some(Put::Inserted)
        } else {
            // Where this fails, another took the word away, or a mover froze it and drops it.
            let _ = swap(slot, fresh.tentative(), Word::EMPTY);
            None
        }
    }

    fn replace(
        host: &impl Host,
        hash: u64,
        hit: Hit<'_>,
        fresh: Word,
        expect: Expect,
    ) -> Option<Put> {
        let Hit { slot, word } = hit;
        match expect {
            Expect::Absent => return Some(Put::Refused),
            Expect::Exactly(expected) if expected != hit.entry() => return Some(Put::Refused),
            _ if word.is_frozen() => return None,
            _ => {}
        }
        let entry = fresh.entry()?;
        let _changing = host.changing(hash);
        swap(slot, word, word.with_entry(entry)).then_some(Put::Replaced(word))
    }

    /// Whether no other slot holds the key of the tentative word in `mine`. A tentative word behind
    /// it is taken away, so that of two insertions that meet one goes on.
    fn is_only(
        table: &Table,
        hash: u64,
        mine: &AtomicU64,
        matches: &impl Fn(EntryPtr) -> bool,
    ) -> bool {
        let tag = Word::tag_of(hash);
        let mut passed = false;
        for slot in table.home(hash).chain().flat_map(|link| link.slots) {
            if ptr::eq(slot, mine) {
                passed = true;
                continue;
            }
            let word = Word(slot.load(Ordering::Acquire));
            if word.is_frozen() {
                return false;
            }
            let same = word.has_tag(tag) && word.entry().is_some_and(matches);
            if same && !(passed && word.is_tentative() && swap(slot, word, Word::EMPTY)) {
                return false;
            }
        }
        true
    }

    /// A new overflow bucket behind `last`, or why there is none; `None` if something moved
    /// meanwhile.
    fn append<'a>(
        host: &impl Host,
        table: &Table,
        last: Link<'a>,
    ) -> Option<Result<Link<'a>, Put>> {
        if !table.announce_overflow() {
            return None;
        }
        // None of the spare ones: buckets that have yet to move here count on them.
        if !host.charge(OVERFLOW) {
            table.withdraw_overflow();
            return Some(Err(Put::NoRoom));
        }
        let Some(bucket) = Spill::new() else {
            host.release(OVERFLOW);
            table.withdraw_overflow();
            return Some(Err(Put::NoMemory));
        };
        let address = bucket.into_address();
        // No flags and no successor: a mover that has claimed the bucket makes this fail.
        if last.info.compare_exchange(0, address, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return Bucket::overflow_of(address).map(|overflow| Ok(overflow.link()));
        }
        // SAFETY: it was not linked: nobody else knows it.
        drop(unsafe { Spill::from_address(address) });
        host.release(OVERFLOW);
        table.withdraw_overflow();
        None
    }

    /// Changes the first word that is `selected`; what it was. An empty word removes the entry.
    pub(crate) fn edit(
        &self,
        host: &impl Host,
        hash: u64,
        selected: impl Fn(Word, EntryPtr) -> bool,
        change: impl Fn(Word) -> Word,
    ) -> Option<Word> {
        let tag = Word::tag_of(hash);
        let backoff = Backoff::new();
        'again: loop {
            let table = self.writable(host, hash);
            for slot in table.home(hash).round().flat_map(|link| link.slots) {
                let word = Word(slot.load(Ordering::Acquire));
                if word.is_frozen() {
                    backoff.snooze();
                    continue 'again;
                }
                if word.candidate(tag).is_some_and(|entry| selected(word, entry)) {
                    let changed = change(word);
                    // Bits of the policy are nothing to those who read.
                    let _changing =
                        if changed.entry().is_none() { host.changing(hash) } else { None };
                    if swap(slot, word, changed) {
                        return Some(word);
                    }
                    backoff.snooze();
                    continue 'again;
                }
            }
            return None;
        }
    }

    /// The table that a write of `hash` goes to. Helps to move what has to be moved before.
    fn writable(&self, host: &impl Host, hash: u64) -> &Table {
        let mut table = self.current();
        while let Some(next) = Self::next(table) {
            self.move_bucket(host, table, next, hash as usize & (table.len() - 1));
            self.help(host, table, next, MOVES_PER_WRITE);
            table = next;
        }
        table
    }
}
