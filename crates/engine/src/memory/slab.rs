//! Small blocks: a size class for each few bytes, whose blocks lie in pages of 64 KiB that all threads
//! share.
//!
//! A page serves one class. Its header lies at its beginning, so that a block's address tells its page.
//! Blocks of a page that were never used are cut off one after the other; those that came back are a
//! list. A page that becomes empty serves any class again, and goes back to the system when some are
//! idle already.
//!
//! Each class has a lock, which nobody holds longer than it takes to move a few pointers, or to get a
//! page. A thread keeps a few free blocks, and asks for several at once: see [`crate::spares`].

#[cfg(all(test, not(any(loom, miri))))]
mod tests;

use super::pages;
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use std::ptr::{self, NonNull};

pub(crate) use pages::PAGE;

/// Every block's alignment.
pub(crate) const STEP: usize = 8;

/// The largest blocks. Larger ones would leave too much of a page unused.
pub(crate) const LARGEST: usize = 2048;

/// Up to these sizes classes are 8 and 32 bytes apart; above them, 64.
const FINE: usize = 512;
const MIDDLE: usize = 1024;
const MIDDLE_STEP: usize = 32;
const COARSE_STEP: usize = 64;

const CLASSES: usize =
    FINE / STEP + (MIDDLE - FINE) / MIDDLE_STEP + (LARGEST - MIDDLE) / COARSE_STEP;

/// The blocks of each class.
static SLABS: [CachePadded<Mutex<SizeClass>>; CLASSES] =
    [const { CachePadded::new(Mutex::new(SizeClass::new())) }; CLASSES];

/// What a block for so many bytes, at most [`LARGEST`], takes.
pub(crate) const fn footprint(size: usize) -> usize {
    let size = if size == 0 { 1 } else { size };
    if size <= FINE {
        round_up(size, STEP)
    } else if size <= MIDDLE {
        round_up(size, MIDDLE_STEP)
    } else {
        round_up(size, COARSE_STEP)
    }
}

/// To a multiple of a step, which is a power of two: `next_multiple_of` divides, or asks whether
/// there is anything to add.
#[inline(always)]
const fn round_up(size: usize, step: usize) -> usize {
    (size + step - 1) & !(step - 1)
}

/// The class of a footprint.
const fn class_of(footprint: usize) -> usize {
    const LAST_FINE: usize = FINE / STEP - 1;
    const LAST_MIDDLE: usize = LAST_FINE + (MIDDLE - FINE) / MIDDLE_STEP;
    if footprint <= FINE {
        footprint / STEP - 1
    } else if footprint <= MIDDLE {
        LAST_FINE + (footprint - FINE) / MIDDLE_STEP
    } else {
        LAST_MIDDLE + (footprint - MIDDLE) / COARSE_STEP
    }
}

/// Hands up to `count` blocks for `size` bytes to `take`.
pub(crate) fn allocate(size: usize, count: usize, mut take: impl FnMut(NonNull<u8>)) {
    let footprint = footprint(size);
    let mut first = ptr::null_mut();
    {
        let mut slab = SLABS[class_of(footprint)].lock();
        for block in (0..count).map_while(|_| slab.take(footprint)) {
            // SAFETY: it was just taken; it has at least a word, and is aligned for it.
            unsafe { block.cast::<*mut u8>().write(first) };
            first = block.as_ptr();
        }
    }
    // Without the lock: who is handed a block may give one back.
    while let Some(block) = NonNull::new(first) {
        // SAFETY: still ours, and written above.
        first = unsafe { block.cast::<*mut u8>().read() };
        take(block);
    }
}

/// Takes a block back.
///
/// # Safety
/// It came from [`allocate`] for a size of the same footprint, and is not used any more.
pub(crate) unsafe fn free(block: NonNull<u8>, size: usize) {
    let mut slab = SLABS[class_of(footprint(size))].lock();
    // SAFETY: by contract it is of this class, whose lock is held.
    unsafe { slab.give(block) };
}

/// What a page begins with. Guarded by the lock of the page's class.
struct PageHeader {
    /// The pages before and after it among those of its class that have free blocks.
    previous: *mut PageHeader,
    next: *mut PageHeader,
    /// The blocks that came back: a list, linked by the first word of each.
    free: *mut u8,
    /// Where the blocks that were never used begin.
    fresh: usize,
    /// Blocks in use.
    used: usize,
}

/// A cache line. Blocks of so many bytes, and of multiples of them, are aligned to it; those of half as many
/// to theirs.
pub(crate) const LINE: usize = 64;

/// Blocks begin here.
const FIRST: usize = LINE;

const _: () = assert!(
    size_of::<PageHeader>() <= FIRST && footprint(LINE) == LINE && footprint(LINE / 2) == LINE / 2
);

/// The pages of a class that have free blocks: a list. The first one serves until it is full; one that was
/// full comes before it with its first free block. So the fullest serve, and those behind become empty.
struct SizeClass {
    first: *mut PageHeader,
    last: *mut PageHeader,
}

// SAFETY: pages belong to nobody but their slab.
unsafe impl Send for SizeClass {}

impl SizeClass {
    const fn new() -> Self {
        Self { first: ptr::null_mut(), last: ptr::null_mut() }
    }

    /// A block of this footprint, which is that of the class; `None` when the system has no memory
    /// left.
    fn take(&mut self, footprint: usize) -> Option<NonNull<u8>> {
        if self.first.is_null() {
            self.add_page()?;
        }
        // SAFETY: a page in the list is ours, and has a free block.
        unsafe {
            let page = self.first;
            let block = match NonNull::new((*page).free) {
                Some(block) => {
                    (*page).free = block.cast::<*mut u8>().read();
                    block
                }
                None => {
                    let at = (*page).fresh;
                    (*page).fresh += footprint;
                    NonNull::new_unchecked(page.cast::<u8>().add(at))
                }
            };
            (*page).used += 1;
            if is_full(page, footprint) {
                self.unlink(page);
            }
            Some(block)
        }
    }

    /// # Safety
    /// The block came from [`SizeClass::take`], and is not used any more.
    unsafe fn give(&mut self, block: NonNull<u8>) {
        // SAFETY: by contract the block is ours, and lies in a page of this class; its first word is
        // nobody's any more.
        unsafe {
            let page = page_of(block);
            let was_full = (*page).previous == page;
            block.cast::<*mut u8>().write((*page).free);
            (*page).free = block.as_ptr();
            (*page).used -= 1;
            if was_full {
                self.link(page);
            }
            // The last one stays: the class will be asked for a block again.
            if (*page).used == 0 && self.first != self.last {
                self.unlink(page);
                pages::give(NonNull::new_unchecked(page.cast()));
            }
        }
    }

    /// Puts an empty page in front.
    #[cold]
    fn add_page(&mut self) -> Option<()> {
        let page = pages::take()?.cast::<PageHeader>().as_ptr();
        let null = ptr::null_mut();
        let header =
            PageHeader { previous: null, next: null, free: ptr::null_mut(), fresh: FIRST, used: 0 };
        // SAFETY: the page is ours, aligned, and larger than its header.
        unsafe {
            page.write(header);
            self.link(page);
        }
        Some(())
    }

    /// Puts a page before the others.
    ///
    /// # Safety
    /// It is of this class, and not in the list.
    unsafe fn link(&mut self, page: *mut PageHeader) {
        // SAFETY: by contract; pages in the list are ours.
        unsafe {
            ((*page).previous, (*page).next) = (ptr::null_mut(), self.first);
            match self.first.is_null() {
                true => self.last = page,
                false => (*self.first).previous = page,
            }
        }
        self.first = page;
    }

    /// Takes a page out of the list. It is its own neighbour then.
    ///
    /// # Safety
    /// It is in the list.
    unsafe fn unlink(&mut self, page: *mut PageHeader) {
        // SAFETY: by contract; its neighbours are in the list too.
        unsafe {
            let (previous, next) = ((*page).previous, (*page).next);
            match previous.is_null() {
                true => self.first = next,
                false => (*previous).next = next,
            }
            match next.is_null() {
                true => self.last = previous,
                false => (*next).previous = previous,
            }
            (*page).previous = page;
        }
    }
}

/// The page that a block lies in.
fn page_of(block: NonNull<u8>) -> *mut PageHeader {
    block.as_ptr().map_addr(|address| address & !(PAGE - 1)).cast()
}

/// Whether a page has no free block.
///
/// # Safety
/// It is a page of a class of this footprint, whose lock is held.
unsafe fn is_full(page: *mut PageHeader, footprint: usize) -> bool {
    // SAFETY: by contract.
    unsafe { (*page).free.is_null() && (*page).fresh + footprint > PAGE }
}
