//! Limbo: what was unlinked and may still be read, until it can be freed.
//!
//! Each shard has one; what its lock may be taken under stands with the shard (`shard`). What is freed
//! is freed without the lock.

use crate::entry::EntryPtr;
use crate::fifo::Fifo;
use crate::index::Part;
use crate::lane::{Lane, Lanes, Taken};
use crate::spares::Spares;
use crate::thread::{self, OWN_STRIPES};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Freeing is to be tried after so many pieces or bytes that have come since.
const FRESH_PIECES: usize = 32;
const FRESH_BYTES: u64 = 64 * 1024;

/// The most pieces that are freed at once.
const FREED_AT_ONCE: usize = 128;

/// The garbage of a shard.
#[derive(Default)]
pub(crate) struct Limbo {
    pile: Mutex<Pile>,
    /// Bytes that ever came, which only who holds the lock changes, and bytes that left.
    came: AtomicU64,
    left: AtomicU64,
    /// Bytes that stay charged and are never freed: there was no memory to note them in.
    lost: AtomicU64,
}

#[derive(Default)]
struct Pile {
    /// Each with its tag, in the order in which they came: about that of their tags.
    garbage: Fifo<(u64, Garbage)>,
    /// Pieces and bytes that came since freeing was tried.
    fresh: usize,
    fresh_bytes: u64,
    /// Entries that `clear` dropped, and has not reported yet.
    cleared: Vec<EntryPtr>,
}

impl Pile {
    /// Whether one more piece can be noted.
    #[inline]
    fn has_room(&mut self) -> bool {
        self.garbage.has_room() || self.garbage.extend()
    }
}

/// A piece of it.
pub(crate) enum Garbage {
    /// With its bytes.
    Entry(EntryPtr, u64),
    Part(Part),
    /// And its bytes when it was taken.
    Lane(Taken, u64),
}

impl Garbage {
    fn bytes(&self) -> u64 {
        match self {
            Self::Entry(_, bytes) | Self::Lane(_, bytes) => *bytes,
            Self::Part(part) => part.bytes(),
        }
    }

    /// Frees it; what is to be released.
    ///
    /// # Safety
    /// Nobody can be reading it, nor using it.
    unsafe fn free(self, spares: &Spares, linked: bool) -> u64 {
        // SAFETY: by contract.
        let destroy = |entry: EntryPtr| unsafe { entry.destroy(spares, linked) as u64 };
        match self {
            Self::Entry(entry, _) => destroy(entry),
            Self::Part(part) => part.bytes(),
            // SAFETY: by contract.
            Self::Lane(lane, _) => unsafe { lane.empty(|entry| _ = destroy(entry)) },
        }
    }
}

/// What came of an attempt to free.
pub(crate) struct Freed {
    /// Bytes to be released.
    pub(crate) bytes: u64,
    /// There may be more that can be freed.
    pub(crate) more: bool,
}

impl Limbo {
    /// Bytes unlinked and not freed.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        // What has left had come before. Acquire pairs with the release of those who let it leave.
        let left = self.left.load(Ordering::Acquire);
        self.came.load(Ordering::Relaxed) - left
    }

    /// Bytes that are lost, for want of memory to note what was to be freed.
    pub(crate) fn lost_bytes(&self) -> u64 {
        // Relaxed: a count, which orders nothing.
        self.lost.load(Ordering::Relaxed)
    }

    /// What the ledger has given out for what is here; exact while nobody uses the cache.
    pub(crate) fn charged_bytes(&self) -> u64 {
        let bytes = |(_, garbage): &(u64, Garbage)| match garbage {
            Garbage::Lane(lane, _) => lane.bytes(),
            other => other.bytes(),
        };
        self.pile.lock().garbage.iter().map(bytes).sum()
    }

    /// Keeps what is unlinked until nobody can be reading it; whether freeing is to be tried.
    pub(crate) fn keep(&self, garbage: Garbage) -> bool {
        let tag = thread::tag();
        let bytes = garbage.bytes();
        let mut pile = self.pile.lock();
        if pile.has_room() {
            self.add(&mut pile, tag, garbage);
        } else {
            // The system has not even memory for this note: better lost than freed too early. Nobody
            // is to wait for it.
            self.lost.fetch_add(bytes, Ordering::Relaxed);
            lose(garbage);
        }
        pile.fresh += 1;
        pile.fresh_bytes += bytes;
        pile.fresh >= FRESH_PIECES || pile.fresh_bytes > FRESH_BYTES
    }

    /// Adds a piece of garbage, for which there is room.
    fn add(&self, pile: &mut Pile, tag: u64, garbage: Garbage) {
        // One writer at a time, by the lock: no locked operation is needed.
        let came = self.came.load(Ordering::Relaxed) + garbage.bytes();
        self.came.store(came, Ordering::Relaxed);
        pile.garbage.push((tag, garbage));
    }

    /// Takes the lanes that are wanted, to free what is in them here; whether there were any.
    pub(crate) fn take_lanes(&self, lanes: &Lanes, wanted: impl Fn(&Lane) -> bool) -> bool {
        let _guard = thread::here().pin();
        let mut found = false;
        for stripe in 0..OWN_STRIPES {
            let mut pile = self.pile.lock();
            if !pile.has_room() {
                return found;
            }
            // SAFETY: pinned.
            if let Some(lane) = unsafe { lanes.take(stripe, &wanted) } {
                let (tag, bytes) = (thread::tag(), lane.bytes());
                self.add(&mut pile, tag, Garbage::Lane(lane, bytes));
                found = true;
            }
        }
        found
    }

    /// Frees some of what nobody can be reading any more. The horizon is found when it is needed and
    /// not known yet.
    pub(crate) fn free(&self, linked: bool, horizon: &mut Option<u64>) -> Freed {
        let due = self.take_due(horizon);
        let more = due.len() == FREED_AT_ONCE;
        let spares = thread::here().spares();
        let (mut left, mut released) = (0, 0);
        for garbage in due {
            left += garbage.bytes();
            // SAFETY: unlinked before the horizon: nobody reads it.
            released += unsafe { garbage.free(spares, linked) };
        }
        if left > 0 {
            // Release: see `bytes`.
            self.left.fetch_add(left, Ordering::Release);
        }
        Freed { bytes: released, more }
    }

    /// The first of what was unlinked before the horizon.
    fn take_due(&self, horizon: &mut Option<u64>) -> Vec<Garbage> {
        let mut due = Vec::new();
        let mut pile = self.pile.lock();
        if pile.garbage.is_empty() {
            return due;
        }
        (pile.fresh, pile.fresh_bytes) = (0, 0);
        let horizon = *horizon.get_or_insert_with(thread::horizon);
        while due.len() < FREED_AT_ONCE
            && pile.garbage.front().is_some_and(|&(tag, _)| tag < horizon)
        {
            due.extend(pile.garbage.pop().map(|((_, garbage), _)| garbage));
        }
        due
    }

    /// Keeps an entry that `clear` dropped until it is reported.
    pub(crate) fn put_cleared(&self, entry: EntryPtr) {
        self.pile.lock().cleared.push(entry);
    }

    /// Entries that `clear` dropped and that are to be reported.
    pub(crate) fn take_cleared(&self) -> Vec<EntryPtr> {
        std::mem::take(&mut self.pile.lock().cleared)
    }

    /// Frees all.
    ///
    /// # Safety
    /// Nobody reads or writes any more.
    pub(crate) unsafe fn empty(&mut self, spares: &Spares, linked: bool) {
        let pile = std::mem::take(self.pile.get_mut());
        for (_, garbage) in pile.garbage.into_items() {
            // SAFETY: by contract.
            unsafe { garbage.free(spares, linked) };
        }
        for entry in pile.cleared {
            // SAFETY: by contract.
            unsafe { entry.destroy(spares, linked) };
        }
    }
}

/// Leaves garbage to nobody. Where leaks are looked for it stays in sight: this one is meant.
fn lose(garbage: Garbage) {
    #[cfg(fuzzing)]
    {
        static LOST: Mutex<Vec<Garbage>> = Mutex::new(Vec::new());
        LOST.lock().push(garbage);
    }
    #[cfg(not(fuzzing))]
    std::mem::forget(garbage);
}
