//! Growing and clearing: how a table moves into its successor, bucket by bucket.

use super::bucket::{Bucket, CLAIMED, MOVED, OVERFLOW};
use super::table::{Part, Table};
use super::{Host, Index, Word};
use crate::shim::{Backoff, Ordering};
use std::ptr::{self, NonNull};

/// Entries for each bucket above which the table grows: one more than it has slots. Half of the buckets
/// have an overflow bucket then, and one entry of five lies in one; a table twice as large would take
/// half as much again, and more lines of memory.
const CROWDED: u64 = 8;

/// The most buckets: what names an entry by its hash keeps 34 low bits of it, and so many buckets
/// would be a table of a terabyte.
const MAX_BUCKETS: usize = 1 << 34;

/// What became of an attempt to begin clearing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Clearing {
    Begun,
    /// Something else moves: it has to be finished before.
    Moving,
    /// There is no memory for the table.
    Refused,
}

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
        let mut link = home.link();
        let mut behind = 0;
        loop {
            // Claiming before following: nothing is linked behind a claimed bucket any more.
            let info = link.info.fetch_or(CLAIMED, Ordering::AcqRel);
            if ptr::eq(link.info, &home.info) {
                behind = info;
            }
            for slot in link.slots {
                let word = Word(slot.fetch_or(Word::frozen_bit(), Ordering::AcqRel));
                match word.entry() {
                    Some(_) if word.is_tentative() => {}
                    Some(entry) if discards => host.discard(entry),
                    Some(entry) => next.adopt(host.hash_of(entry), word.thawed()),
                    None => {}
                }
            }
            match Bucket::overflow_of(info) {
                Some(overflow) => link = overflow.link(),
                None => break,
            }
        }
        // Release: whoever sees the mark sees the words in the next table.
        home.info.fetch_or(MOVED, Ordering::Release);
        // SAFETY: it has moved, and only the thread that claimed it comes here.
        for bucket in unsafe { Table::take_chain(behind) } {
            table.withdraw_overflow();
            host.retire_part(bucket);
        }
        if table.moved.fetch_add(1, Ordering::AcqRel) + 1 == table.len() {
            self.finish(host, table, next);
        }
    }

    /// Makes the next table the current one. Called once a table, by whoever moved the last bucket.
    fn finish(&self, host: &impl Host, table: &Table, next: &Table) {
        host.release(next.drop_spares() as u64 * OVERFLOW);
        // The pointer itself, not one that was made from a reference: what frees the table needs it.
        let next = table.next.load(Ordering::Acquire);
        let old = self.current.swap(next, Ordering::AcqRel);
        debug_assert!(ptr::eq(old, table));
        if let Some(old) = NonNull::new(old) {
            // SAFETY: no longer reachable, and finished only once.
            host.retire_part(unsafe { Part::table(old) });
        }
    }

    /// Announces a successor for the current table; false if there is one, or if there is no memory
    /// for another.
    fn announce(&self, host: &impl Host, len: impl Fn(usize) -> usize, discards: bool) -> bool {
        let table = self.current();
        let Some(overflowed) = table.seal() else { return false };
        // Whoever sealed is the only one to set `next`, and a sealed table stays so once it has.
        let len = len(table.len());
        let spares = if discards { 0 } else { overflowed };
        let price = Table::price(len) + spares as u64 * OVERFLOW;
        if !host.charge(price) {
            table.unseal();
            return false;
        }
        let Some(next) = Table::new(len, spares) else {
            host.release(price);
            table.unseal();
            return false;
        };
        table.discards.store(discards, Ordering::Relaxed);
        table.next.store(Box::into_raw(next), Ordering::Release);
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
        Table::price(table.len() * 2) + table.overflowed() as u64 * OVERFLOW
    }

    /// Announces a table of `buckets` buckets, into which no entry moves that is there now: who moves
    /// a bucket discards them.
    pub(crate) fn begin_clearing(&self, host: &impl Host, buckets: usize) -> Clearing {
        if self.announce(host, |_| buckets, true) {
            Clearing::Begun
        } else if Self::next(self.current()).is_some() {
            Clearing::Moving
        } else {
            Clearing::Refused
        }
    }

    /// Moves up to `count` buckets; false if nothing is left to move.
    pub(crate) fn settle_some(&self, host: &impl Host, count: usize) -> bool {
        let table = self.current();
        let Some(next) = Self::next(table) else { return false };
        self.help(host, table, next, count);
        true
    }
}
