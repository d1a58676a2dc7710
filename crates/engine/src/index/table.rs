//! Tables: a power of two of 64-byte buckets, and the overflow buckets that hang on them.

use super::bucket::{BUCKET, Bucket, FLAGS, MOVED, OVERFLOW};
use super::spill::Spill;
use super::word::Word;
use crate::memory;
use crate::shim::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::ptr::{self, NonNull};

pub(crate) struct Table {
    pub(super) buckets: Buckets,
    /// The table that this one moves into; null while it does not.
    pub(super) next: AtomicPtr<Table>,
    /// Whether moving drops the entries: the index is being cleared.
    pub(super) discards: AtomicBool,
    /// The next bucket that a helper moves.
    pub(super) cursor: AtomicUsize,
    /// Buckets moved.
    pub(super) moved: AtomicUsize,
    /// Overflow buckets, twice; the lowest bit forbids new ones while a successor is prepared.
    overflow: AtomicUsize,
    /// Overflow buckets made and charged already, for what the predecessor's overflow may need here:
    /// a list, linked by the addresses in their info words.
    spare: AtomicU64,
    /// How many those are.
    spares: AtomicUsize,
}

/// What of an index nobody new can reach. It is to be dropped once nobody can be reading it: until
/// then others share it, which a box would deny.
pub(crate) struct Part {
    what: What,
    /// What it was charged when it was made, in bytes.
    charged: u64,
}

enum What {
    Table(NonNull<Table>),
    Overflow(#[expect(dead_code, reason = "its drop frees it")] Spill),
}

// SAFETY: tables and buckets may be read and dropped by any thread.
unsafe impl Send for Part {}

impl Part {
    /// # Safety
    /// The table came from [`Table::new`], nobody new can reach it, and this is called once.
    pub(super) unsafe fn table(table: NonNull<Table>) -> Self {
        // SAFETY: it is not freed before this is dropped.
        let charged = Table::price(unsafe { table.as_ref() }.len());
        Self { what: What::Table(table), charged }
    }

    pub(super) fn overflow(bucket: Spill) -> Self {
        Self { what: What::Overflow(bucket), charged: OVERFLOW }
    }

    /// What is released once it is dropped: what it was charged, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.charged
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let What::Table(table) = self.what {
            // SAFETY: made by Box::into_raw, and taken from the index once.
            drop(unsafe { Box::from_raw(table.as_ptr()) });
        }
    }
}

const SEALED: usize = 1;
const ONE: usize = 2;

impl Table {
    /// A table of `len` buckets, with `spares` overflow buckets beside it; `None` when the system has
    /// no memory left.
    pub(super) fn new(len: usize, spares: usize) -> Option<Box<Self>> {
        debug_assert!(len.is_power_of_two());
        let table = memory::try_box(Self {
            buckets: Buckets::new(len)?,
            next: AtomicPtr::new(ptr::null_mut()),
            discards: AtomicBool::new(false),
            cursor: AtomicUsize::new(0),
            moved: AtomicUsize::new(0),
            overflow: AtomicUsize::new(0),
            spare: AtomicU64::new(0),
            spares: AtomicUsize::new(spares),
        })?;
        for _ in 0..spares {
            let bucket = Spill::new()?;
            bucket.info.store(table.spare.load(Ordering::Relaxed), Ordering::Relaxed);
            table.spare.store(bucket.into_address(), Ordering::Relaxed);
        }
        Some(table)
    }

    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// What a table of `len` buckets is charged when it is made.
    pub(super) fn price(len: usize) -> u64 {
        len as u64 * BUCKET
    }

    /// What the table and its overflow buckets have been charged; exact while nobody writes.
    pub(crate) fn footprint(&self) -> u64 {
        let overflow = self.overflow.load(Ordering::Acquire) / ONE;
        let spares = self.spares.load(Ordering::Acquire);
        Self::price(self.len()) + (overflow + spares) as u64 * OVERFLOW
    }

    #[inline]
    pub(super) fn home(&self, hash: u64) -> &Bucket {
        let at = hash as usize & self.buckets.mask();
        // SAFETY: the mask of a power of two keeps the position below the length.
        unsafe { self.buckets.get_unchecked(at) }
    }

    pub(super) fn overflowed(&self) -> usize {
        self.overflow.load(Ordering::Relaxed) / ONE
    }

    /// Forbids new overflow buckets and counts those there are; `None` if they are forbidden.
    pub(super) fn seal(&self) -> Option<usize> {
        let before = self.overflow.fetch_or(SEALED, Ordering::AcqRel);
        (before & SEALED == 0).then_some(before / ONE)
    }

    pub(super) fn unseal(&self) {
        self.overflow.fetch_and(!SEALED, Ordering::AcqRel);
    }

    /// Counts one more overflow bucket, unless they are forbidden.
    pub(super) fn announce_overflow(&self) -> bool {
        let allowed = self.overflow.fetch_add(ONE, Ordering::AcqRel) & SEALED == 0;
        if !allowed {
            self.withdraw_overflow();
        }
        allowed
    }

    pub(super) fn withdraw_overflow(&self) {
        self.overflow.fetch_sub(ONE, Ordering::AcqRel);
    }

    /// Takes one of the overflow buckets that were made beforehand.
    fn take_spare(&self) -> Option<Spill> {
        let mut first = self.spare.load(Ordering::Acquire);
        loop {
            // Another thread may have taken it meanwhile, and have changed its info word: then the
            // first one is another, and never this one again.
            let next = Bucket::overflow_of(first)?.info.load(Ordering::Relaxed);
            match self.spare.compare_exchange(first, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => first = now,
            }
        }
        self.spares.fetch_sub(1, Ordering::AcqRel);
        // SAFETY: out of the list, into which `new` put it: nobody else takes it.
        let bucket = unsafe { Spill::from_address(first) }?;
        bucket.info.store(0, Ordering::Relaxed);
        Some(bucket)
    }

    /// Frees the overflow buckets that were made beforehand and not needed; how many. Nothing moves
    /// into the table any more.
    pub(super) fn drop_spares(&self) -> usize {
        std::iter::from_fn(|| self.take_spare()).count()
    }

    /// Places a word that comes from the predecessor. The caller alone writes to this bucket.
    pub(super) fn adopt(&self, hash: u64, word: Word) {
        let mut last = self.home(hash).link();
        for link in self.home(hash).chain() {
            for slot in link.slots {
                if slot.load(Ordering::Relaxed) == 0 {
                    // Release: who reads the entry through this slot sees it whole.
                    slot.store(word.0, Ordering::Release);
                    return;
                }
            }
            last = link;
        }
        // A chain divides into two with at most as many overflow buckets as before, since a bucket has
        // no fewer slots than an overflow bucket: as many as the predecessor had when it was sealed
        // were made for this.
        let bucket = self.take_spare().expect("as many were made as may be needed");
        self.overflow.fetch_add(ONE, Ordering::AcqRel);
        bucket.slots[0].store(word.0, Ordering::Relaxed);
        last.info.fetch_or(bucket.into_address(), Ordering::Release);
    }

    /// The overflow buckets behind a bucket whose info word was this: nobody new can reach them.
    ///
    /// # Safety
    /// The bucket has moved, and this is called once.
    pub(super) unsafe fn take_chain(mut info: u64) -> impl Iterator<Item = Part> {
        std::iter::from_fn(move || {
            // SAFETY: linked so far, and by contract taken once.
            let bucket = unsafe { Spill::from_address(info & !FLAGS) }?;
            info = bucket.info.load(Ordering::Acquire);
            Some(Part::overflow(bucket))
        })
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.drop_spares();
        // What has moved has given up its overflow buckets: nothing to look for.
        if self.moved.load(Ordering::Relaxed) < self.len() {
            for bucket in self.buckets.iter() {
                let info = bucket.info.load(Ordering::Relaxed);
                if info & MOVED == 0 {
                    // SAFETY: whoever drops the table is its last user: nobody reaches anything.
                    unsafe { Self::take_chain(info) }.for_each(drop);
                }
            }
        }
    }
}

/// The buckets of a table, in memory of the engine's allocator: what a table that was outgrown
/// leaves goes back to the system.
#[cfg(not(loom))]
pub(super) struct Buckets {
    first: NonNull<Bucket>,
    /// One less than there are: a power of two.
    mask: usize,
}

#[cfg(not(loom))]
mod buckets {
    use super::{Bucket, Buckets};
    use crate::memory;
    use std::alloc::Layout;
    use std::ops::Deref;
    use std::slice;

    impl Buckets {
        pub(super) fn new(len: usize) -> Option<Self> {
            let layout = Layout::array::<Bucket>(len).ok()?;
            // A bucket of zeroes is an empty one.
            let first = memory::allocate_zeroed(layout)?.cast();
            Some(Self { first, mask: len - 1 })
        }

        #[inline]
        pub(super) fn mask(&self) -> usize {
            self.mask
        }
    }

    impl Deref for Buckets {
        type Target = [Bucket];

        #[inline]
        fn deref(&self) -> &[Bucket] {
            // SAFETY: so many buckets were allocated, and live as long as this does.
            unsafe { slice::from_raw_parts(self.first.as_ptr(), self.mask + 1) }
        }
    }

    impl Drop for Buckets {
        fn drop(&mut self) {
            let layout = Layout::for_value::<[Bucket]>(self);
            // SAFETY: allocated with this layout, and used no more.
            unsafe { memory::free_zeroed(self.first.cast(), layout) };
        }
    }

    // SAFETY: buckets are atomics, and owned.
    unsafe impl Send for Buckets {}
    // SAFETY: as above.
    unsafe impl Sync for Buckets {}
}

#[cfg(loom)]
pub(super) struct Buckets(Box<[Bucket]>);

#[cfg(loom)]
impl Buckets {
    fn new(len: usize) -> Option<Self> {
        Some(Self((0..len).map(|_| Bucket::default()).collect()))
    }

    fn mask(&self) -> usize {
        self.0.len() - 1
    }
}

#[cfg(loom)]
impl std::ops::Deref for Buckets {
    type Target = [Bucket];

    fn deref(&self) -> &[Bucket] {
        &self.0
    }
}
