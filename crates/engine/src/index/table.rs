//! Tables: a power of two of 64-byte buckets, and the overflow buckets that hang on them.

use super::word::Word;
use crate::shim::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::ptr;
#[cfg(not(loom))]
use std::ptr::NonNull;

/// Fewer when the models run: so that few entries need an overflow bucket.
pub(super) const SLOTS: usize = if cfg!(loom) { 2 } else { 7 };

/// The bytes of a bucket.
pub(super) const BUCKET: u64 = 64;

/// A mover works on the bucket, or has: nothing is appended to it.
pub(super) const CLAIMED: u64 = 1;
/// Everything that the bucket and its overflow held is in the next table.
pub(super) const MOVED: u64 = 2;
const FLAGS: u64 = 63;

/// One cache line: flags and the address of the overflow bucket, and seven words.
#[repr(C, align(64))]
#[derive(Default)]
pub(super) struct Bucket {
    pub(super) info: AtomicU64,
    pub(super) slots: [AtomicU64; SLOTS],
}

impl Bucket {
    /// The overflow bucket that an info word names.
    pub(super) fn overflow_of<'a>(info: u64) -> Option<&'a Self> {
        let at = ptr::with_exposed_provenance::<Self>((info & !FLAGS) as usize);
        // SAFETY: an overflow bucket lives as long as its table, which the caller's pin protects.
        unsafe { at.as_ref() }
    }

    /// One bit for each slot whose word has the tag and is not tentative; a hint.
    #[inline]
    pub(super) fn candidates(&self, tag: u64) -> u32 {
        // Relaxed: whoever follows a candidate's pointer loads the word again.
        let bit = |slot: usize| {
            let word = Word(self.slots[slot].load(Ordering::Relaxed));
            u32::from(word.may_be(tag)) << slot
        };
        (0..SLOTS).fold(0, |bits, slot| bits | bit(slot))
    }

    /// The bucket and its overflow buckets.
    pub(super) fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |bucket| {
            // Acquire pairs with the release that linked the overflow bucket.
            Self::overflow_of(bucket.info.load(Ordering::Acquire))
        })
    }
}

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
    /// Overflow buckets charged already, for what the predecessor's overflow may need here.
    prepaid: AtomicUsize,
}

const SEALED: usize = 1;
const ONE: usize = 2;

impl Table {
    pub(super) fn new(len: usize, prepaid: usize) -> Self {
        debug_assert!(len.is_power_of_two());
        Self {
            buckets: Buckets::new(len),
            next: AtomicPtr::new(ptr::null_mut()),
            discards: AtomicBool::new(false),
            cursor: AtomicUsize::new(0),
            moved: AtomicUsize::new(0),
            overflow: AtomicUsize::new(0),
            prepaid: AtomicUsize::new(prepaid),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// What a table of `len` buckets is charged when it is made.
    pub(super) fn price(len: usize) -> u64 {
        len as u64 * BUCKET
    }

    /// What the table has been charged in all; exact once nothing writes to it.
    pub(crate) fn footprint(&self) -> u64 {
        let overflow = self.overflow.load(Ordering::Acquire) / ONE;
        let prepaid = self.prepaid.load(Ordering::Acquire);
        Self::price(self.len()) + (overflow + prepaid) as u64 * BUCKET
    }

    #[inline]
    pub(super) fn home(&self, hash: u64) -> &Bucket {
        let at = hash as usize & (self.buckets.len() - 1);
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

    /// Takes one of the overflow buckets that are paid already.
    pub(super) fn take_prepaid(&self) -> bool {
        let take = |prepaid: usize| prepaid.checked_sub(1);
        self.prepaid.fetch_update(Ordering::AcqRel, Ordering::Relaxed, take).is_ok()
    }

    /// Gives up the overflow buckets that are paid and were not needed; how many.
    pub(super) fn forgo_prepaid(&self) -> usize {
        self.prepaid.swap(0, Ordering::AcqRel)
    }

    /// Places a word that comes from the predecessor. The caller alone writes to this bucket.
    pub(super) fn adopt(&self, hash: u64, word: Word) {
        let mut last = self.home(hash);
        for bucket in self.home(hash).chain() {
            for slot in &bucket.slots {
                if slot.load(Ordering::Relaxed) == 0 {
                    // Release: who reads the entry through this slot sees it whole.
                    slot.store(word.0, Ordering::Release);
                    return;
                }
            }
            last = bucket;
        }
        // n full buckets divide into two chains with at most as many overflow buckets as before:
        // the predecessor's count was charged for this when it was sealed.
        let paid = self.take_prepaid();
        debug_assert!(paid, "an overflow bucket that nobody paid");
        self.overflow.fetch_add(ONE, Ordering::AcqRel);
        let bucket = Box::new(Bucket::default());
        bucket.slots[0].store(word.0, Ordering::Relaxed);
        let address = Box::into_raw(bucket).expose_provenance() as u64;
        last.info.fetch_or(address, Ordering::Release);
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        for bucket in self.buckets.iter() {
            let mut info = bucket.info.load(Ordering::Relaxed);
            while info & !FLAGS != 0 {
                let at = ptr::with_exposed_provenance_mut::<Bucket>((info & !FLAGS) as usize);
                // SAFETY: made by Box::into_raw; whoever drops the table is its last user.
                let overflow = unsafe { Box::from_raw(at) };
                info = overflow.info.load(Ordering::Relaxed);
            }
        }
    }
}

/// The buckets of a table, in memory of the engine's allocator: what a table that was outgrown
/// leaves goes back to the system.
#[cfg(not(loom))]
pub(super) struct Buckets {
    first: NonNull<Bucket>,
    len: usize,
}

#[cfg(not(loom))]
mod buckets {
    use super::{Bucket, Buckets};
    use crate::memory;
    use std::alloc::{Layout, handle_alloc_error};
    use std::ops::Deref;
    use std::slice;

    impl Buckets {
        pub(super) fn new(len: usize) -> Self {
            let layout = Layout::array::<Bucket>(len).expect("a table fits the address space");
            let block = memory::allocate_zeroed(layout);
            // A bucket of zeroes is an empty one.
            let first = block.unwrap_or_else(|| handle_alloc_error(layout)).cast();
            Self { first, len }
        }
    }

    impl Deref for Buckets {
        type Target = [Bucket];

        #[inline]
        fn deref(&self) -> &[Bucket] {
            // SAFETY: so many buckets were allocated, and live as long as this does.
            unsafe { slice::from_raw_parts(self.first.as_ptr(), self.len) }
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
    fn new(len: usize) -> Self {
        Self((0..len).map(|_| Bucket::default()).collect())
    }
}

#[cfg(loom)]
impl std::ops::Deref for Buckets {
    type Target = [Bucket];

    fn deref(&self) -> &[Bucket] {
        &self.0
    }
}
