//! Growing and clearing: how a table moves into its successor, bucket by bucket.

use super::table::{BUCKET, Bucket, CLAIMED, MOVED, Table};
use super::{Host, Index, Word};
use crate::shim::{Backoff, Ordering};
use std::ptr;

/// Entries for each bucket above which the table grows: five of seven slots.
const CROWDED: u64 = 5;

/// The most buckets: what names an entry by its hash keeps 34 low bits of it, and so many buckets
/// would be a table of a terabyte.
const MAX_BUCKETS: usize = 1 << 34;

impl Index {
    /// Moves up to `count` buckets that nobody has begun.
    pub(super) fn help(&self, host: &impl Host, table: &Table, next: &Table, count: usize) {
        // Relaxed: the cursor only spreads the work.
        if table.cursor.load(Ordering::Relaxed) >= table.len() {
            return;
        }
        let from = table.cursor.fetch_add(count, Ordering::Relaxed);
        for at in from..(from + count).min(table.len()) {
            self.move_bucket(host, table, next, at);
        }
    }

    /// Moves one bucket, or waits for the thread that does.
    pub(super) fn move_bucket(&self, host: &impl Host, table: &Table, next: &Table, at: usize) {
        let home = &table.buckets[at];
        let backoff = Backoff::new();
        loop {
            // Acquire pairs with the release of MOVED: what was moved is seen in the next table.
            let info = home.info.load(Ordering::Acquire);
            if info & MOVED != 0 {
                return;
            }
            if info & CLAIMED != 0 {
                backoff.snooze();
                continue;
            }
            let claimed = info | CLAIMED;
            if home
                .info
                .compare_exchange(info, claimed, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
            {
                break;
            }
        }
        let discards = table.discards.load(Ordering::Relaxed);
        let mut bucket = home;
        loop {
            // Claiming before following: nothing is linked behind a claimed bucket any more.
            let info = bucket.info.fetch_or(CLAIMED, Ordering::AcqRel);
            for slot in &bucket.slots {
                let word = Word(slot.fetch_or(Word::frozen_bit(), Ordering::AcqRel));
                match word.entry() {
                    Some(_) if word.is_tentative() => {}
                    Some(entry) if discards => host.discard(entry),
                    Some(entry) => next.adopt(host.hash_of(entry), word.thawed()),
                    None => {}
                }
            }
            match Bucket::overflow_of(info) {
                Some(overflow) => bucket = overflow,
                None => break,
            }
        }
        // Release: whoever sees the mark sees the words in the next table.
        home.info.fetch_or(MOVED, Ordering::Release);
        if table.moved.fetch_add(1, Ordering::AcqRel) + 1 == table.len() {
            self.finish(host, table, next);
        }
    }

    /// Makes the next table the current one. Called once a table, by whoever moved the last bucket.
    fn finish(&self, host: &impl Host, table: &Table, next: &Table) {
        host.release(next.forgo_prepaid() as u64 * BUCKET);
        let old = ptr::from_ref(table).cast_mut();
        self.current.store(ptr::from_ref(next).cast_mut(), Ordering::Release);
        // SAFETY: made by Box::into_raw; no longer reachable, and finished only once.
        host.retire_table(unsafe { Box::from_raw(old) });
    }

    /// Announces a successor for the current table; false if there is one, or it was not paid.
    fn announce(&self, host: &impl Host, len: impl Fn(usize) -> usize, discards: bool) -> bool {
        let table = self.current();
        let Some(overflowed) = table.seal() else { return false };
        // Whoever sealed is the only one to set `next`, and a sealed table stays so once it has.
        let len = len(table.len());
        let prepaid = if discards { 0 } else { overflowed };
        if !host.charge(Table::price(len) + prepaid as u64 * BUCKET) {
            table.unseal();
            return false;
        }
        table.discards.store(discards, Ordering::Relaxed);
        let next = Box::into_raw(Box::new(Table::new(len, prepaid)));
        table.next.store(next, Ordering::Release);
        true
    }

    /// Whether `len` entries fill the table above its mark, `times` over, and nothing is done
    /// about it yet.
    #[inline]
    pub(crate) fn is_crowded(&self, len: u64, times: u64) -> bool {
        let table = self.current();
        len > table.len() as u64 * CROWDED * times && Self::next(table).is_none()
    }

    /// Doubles the table, if its bytes are granted: writes to come move it.
    pub(crate) fn grow(&self, host: &impl Host) -> bool {
        self.current().len() < MAX_BUCKETS && self.announce(host, |len| len * 2, false)
    }

    /// What [`Index::grow`] would have to charge.
    pub(crate) fn growth(&self) -> u64 {
        let table = self.current();
        Table::price(table.len() * 2) + table.overflowed() as u64 * BUCKET
    }

    /// Drops every entry that is there now, and all tables but one of `buckets` buckets; false if
    /// that table's bytes were refused.
    pub(crate) fn clear(&self, host: &impl Host, buckets: usize) -> bool {
        let backoff = Backoff::new();
        self.settle(host);
        while !self.announce(host, |_| buckets, true) {
            if self.current().next.load(Ordering::Acquire).is_null() {
                return false;
            }
            self.settle(host);
            // Whoever moved the last bucket may not have made the next table the current one yet.
            backoff.snooze();
        }
        self.settle(host);
        true
    }

    /// Finishes the move that is under way.
    fn settle(&self, host: &impl Host) {
        let table = self.current();
        if let Some(next) = Self::next(table) {
            for at in 0..table.len() {
                self.move_bucket(host, table, next, at);
            }
        }
    }
}
