//! Lanes: what one thread has of a cache for itself, so that a value that replaces another one takes no
//! lock, and nothing of an account that others use.
//!
//! A lane has *credit*: bytes that were taken from the ledger and that nothing is charged for. And it has
//! *garbage*: entries that its thread has replaced, and that others may still be reading. Garbage comes
//! in two batches. One is being filled; when it is full the other one has waited for as long as that
//! took, so that in most cases nobody reads what is in it. What was charged for it is credit then.
//!
//! # Who uses a lane
//! The thread that owns its stripe, while it is pinned, by plain loads and stores. Anybody else who needs
//! what is in it takes the lane out of its place by an exchange. It is then what an entry is that was
//! taken out of the index: it gets a tag, waits among a shard's garbage, and once the horizon has passed
//! its tag nobody uses it: a thread that pins later finds its place empty, and opens another lane. So
//! what a thread keeps is never out of the others' reach, whatever became of the thread.
//!
//! A stripe passes from one thread to the next by a release and an acquire (see `thread`): the next one
//! sees the lane as the last one left it.

use crate::entry::EntryPtr;
use crate::memory;
use crate::shim::{AtomicPtr, AtomicU64, Ordering, UnsafeCell};
use crate::spares::Spares;
use crate::thread::OWN_STRIPES;
use std::array;
use std::ptr::{self, NonNull};

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

/// Entries of a batch.
const PIECES: usize = if cfg!(loom) { 1 } else { 32 };

/// Bytes of a batch: at most so many, and such a share of the bound.
const MOST_BYTES: u64 = 16 * 1024;
const SHARE: u64 = 2048;

/// Where the bound is lower, there are no lanes.
const LEAST_CAP: u64 = 64 * 1024;

/// Entries of more than such a part of a batch are no lane's garbage.
const LARGE: u64 = 8;

/// There may be as much credit as batches have bytes, and so much in any case.
const LEAST_CREDIT: u64 = 256;

/// The lanes of a cache, by the stripes of their threads.
pub(crate) struct Lanes([AtomicPtr<Lane>; OWN_STRIPES]);

/// What a thread has of a cache.
pub(crate) struct Lane {
    /// Bytes taken from the ledger and charged for nothing.
    credit: AtomicU64,
    /// Bytes charged for the batch that is being filled, and for the one that waits.
    filling: AtomicU64,
    waiting: AtomicU64,
    /// The most bytes of a batch.
    most: u64,
    batches: UnsafeCell<Batches>,
}

#[derive(Default)]
struct Batches {
    filling: Batch,
    /// Entries in it: fewer than it has places for.
    len: usize,
    waiting: Batch,
    /// Of what waits.
    tag: u64,
}

/// Entries that are out of the index.
type Batch = [Option<EntryPtr>; PIECES];

/// A batch that has waited.
pub(crate) struct Waited {
    entries: Batch,
    /// What its entries are charged.
    pub(crate) bytes: u64,
    /// Who can read them has announced an epoch up to this one.
    pub(crate) tag: u64,
}

/// A lane that is out of its place. Until nobody uses it its thread shares it, which a box would deny.
pub(crate) struct Taken(NonNull<Lane>);

// SAFETY: it may be read and dropped by any thread.
unsafe impl Send for Taken {}

impl Lanes {
    pub(crate) fn new() -> Self {
        Self(array::from_fn(|_| AtomicPtr::new(ptr::null_mut())))
    }

    /// The lane of a stripe, if it has one.
    ///
    /// # Safety
    /// The calling thread is pinned during `'a`.
    #[inline]
    pub(crate) unsafe fn of<'a>(&self, stripe: usize) -> Option<&'a Lane> {
        // Acquire pairs with the release in `open`, for those who sum up.
        let lane = self.0.get(stripe)?.load(Ordering::Acquire);
        // SAFETY: a lane that was taken is freed as what is out of the index: not while the caller is
        // pinned.
        unsafe { lane.as_ref() }
    }

    /// A lane for a stripe that has none, in a cache of such a bound; `None` if that is too small, or
    /// the system has no memory left.
    ///
    /// # Safety
    /// The calling thread owns the stripe, and is pinned during `'a`.
    pub(crate) unsafe fn open<'a>(&self, stripe: usize, cap: u64) -> Option<&'a Lane> {
        let place = self.0.get(stripe)?;
        if cap < LEAST_CAP {
            return None;
        }
        let most = MOST_BYTES.min(cap / SHARE);
        let lane = NonNull::from(Box::leak(memory::try_box(Lane::new(most))?));
        // Others only ever empty the place: it is empty still. Release publishes the lane.
        place.store(lane.as_ptr(), Ordering::Release);
        // SAFETY: as for `of`.
        Some(unsafe { lane.as_ref() })
    }

    /// Takes the lane of a stripe out of its place, if it is wanted. It is to be tagged.
    ///
    /// # Safety
    /// The calling thread is pinned.
    pub(crate) unsafe fn take(
        &self,
        stripe: usize,
        wanted: impl Fn(&Lane) -> bool,
    ) -> Option<Taken> {
        // SAFETY: by contract.
        unsafe { self.of(stripe) }.filter(|lane| wanted(lane))?;
        // Acquire and release, as for a slot of the index.
        NonNull::new(self.0[stripe].swap(ptr::null_mut(), Ordering::AcqRel)).map(Taken)
    }

    /// The sum of something over all lanes.
    pub(crate) fn sum(&self, of: impl Fn(&Lane) -> u64) -> u64 {
        let _guard = crate::thread::here().pin();
        // SAFETY: pinned.
        (0..OWN_STRIPES).filter_map(|stripe| unsafe { self.of(stripe) }).map(of).sum()
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        let spares = Spares::default();
        for place in &self.0 {
            if let Some(lane) = NonNull::new(place.load(Ordering::Relaxed)) {
                // SAFETY: whoever drops the lanes is their last user; entries of lanes have no links.
                let free = |entry: EntryPtr| unsafe { entry.destroy(&spares, false) };
                // SAFETY: as above.
                unsafe { Taken(lane).empty(|entry| _ = free(entry)) };
            }
        }
    }
}

impl Lane {
    fn new(most: u64) -> Self {
        Self {
            credit: AtomicU64::new(0),
            filling: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            most,
            batches: UnsafeCell::new(Batches::default()),
        }
    }

    // Relaxed throughout: these are counts with one writer, and order nothing.

    /// Whether anything in it could serve others.
    pub(crate) fn has_bytes(&self) -> bool {
        self.bytes() > 0
    }

    /// Bytes that nothing is charged for.
    pub(crate) fn credit(&self) -> u64 {
        self.credit.load(Ordering::Relaxed)
    }

    /// Bytes taken from the ledger: its credit, and what its garbage is charged.
    pub(crate) fn bytes(&self) -> u64 {
        let bytes = |of: &AtomicU64| of.load(Ordering::Relaxed);
        self.credit() + bytes(&self.filling) + bytes(&self.waiting)
    }

    /// Charges so many bytes, if there is as much credit. Its thread calls this, as all that follows.
    #[inline]
    pub(crate) fn charge(&self, bytes: u64) -> bool {
        let credit = self.credit();
        if credit < bytes {
            return false;
        }
        self.credit.store(credit - bytes, Ordering::Relaxed);
        true
    }

    /// Releases what was charged for something that is freed now; whether there is too much credit.
    #[inline]
    pub(crate) fn release(&self, bytes: u64) -> bool {
        let credit = self.credit() + bytes;
        self.credit.store(credit, Ordering::Relaxed);
        credit > LEAST_CREDIT.max(2 * self.most)
    }

    /// Takes half of the credit.
    pub(crate) fn thin(&self) -> u64 {
        let bytes = self.credit() / 2;
        self.credit.store(self.credit() - bytes, Ordering::Relaxed);
        bytes
    }

    /// Whether an entry of this footprint may wait here.
    #[inline]
    pub(crate) fn takes(&self, bytes: u64) -> bool {
        bytes <= self.most / LARGE
    }

    /// An entry that was replaced, and is charged so much, waits; whether the batch is full, and
    /// [`Lane::turn`] is to be called.
    ///
    /// # Safety
    /// The calling thread is the lane's, and has been pinned since before it found the lane. A batch that
    /// is full is turned before this is called again.
    #[inline]
    pub(crate) unsafe fn keep(&self, entry: EntryPtr, bytes: u64) -> bool {
        let filled = self.filling.load(Ordering::Relaxed) + bytes;
        self.filling.store(filled, Ordering::Relaxed);
        let len = self.batches.with_mut(|batches| {
            // SAFETY: nobody else uses the lane meanwhile, as the module says.
            let batches = unsafe { &mut *batches };
            // SAFETY: by contract there is a place left.
            *unsafe { batches.filling.get_unchecked_mut(batches.len) } = Some(entry);
            batches.len += 1;
            batches.len
        });
        len == PIECES || filled >= self.most
    }

    /// The full batch waits from now on, under this tag; the one that has waited.
    ///
    /// # Safety
    /// As for [`Lane::keep`].
    pub(crate) unsafe fn turn(&self, tag: u64) -> Waited {
        let bytes = self.waiting.load(Ordering::Relaxed);
        self.waiting.store(self.filling.load(Ordering::Relaxed), Ordering::Relaxed);
        self.filling.store(0, Ordering::Relaxed);
        self.batches.with_mut(|batches| {
            // SAFETY: as above.
            let batches = unsafe { &mut *batches };
            batches.len = 0;
            let full = std::mem::take(&mut batches.filling);
            let entries = std::mem::replace(&mut batches.waiting, full);
            Waited { entries, bytes, tag: std::mem::replace(&mut batches.tag, tag) }
        })
    }
}

impl Waited {
    /// Its entries.
    pub(crate) fn entries(&self) -> impl Iterator<Item = EntryPtr> {
        self.entries.into_iter().flatten()
    }
}

impl Taken {
    /// Bytes taken from the ledger. Its thread may still change them, until nobody uses the lane.
    pub(crate) fn bytes(&self) -> u64 {
        // SAFETY: freed by `empty`, which takes this away.
        unsafe { self.0.as_ref() }.bytes()
    }

    /// Frees it, hands its entries to `f`, and gives what is to be released: its credit, and what the
    /// entries are charged.
    ///
    /// # Safety
    /// Nobody uses the lane any more.
    pub(crate) unsafe fn empty(self, f: impl FnMut(EntryPtr)) -> u64 {
        // SAFETY: made from a box in `open`, taken from its place once, and used by nobody.
        let lane = unsafe { Box::from_raw(self.0.as_ptr()) };
        // SAFETY: as above.
        let batches = lane.batches.with_mut(|batches| std::mem::take(unsafe { &mut *batches }));
        batches.waiting.into_iter().chain(batches.filling).flatten().for_each(f);
        lane.bytes()
    }
}
