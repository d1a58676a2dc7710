//! The one door to the allocators: mimalloc for small blocks, one heap that all threads share for
//! large ones. Both tell beforehand what a block really takes, so that the ledger can charge that
//! and not merely what was asked for. Under miri, and where address errors are looked for, it is
//! the system's allocator, which is watched.

use std::alloc::Layout;
use std::ptr::NonNull;

pub(crate) use heap::prepare;

/// Every allocation's alignment: pointers leave four low bits free for the index.
pub(crate) const ALIGN: usize = 16;

/// Sizes below so many steps of [`ALIGN`] bytes are looked up: the computation takes longer.
const SMALL: usize = 128;

/// What these sizes take: a class below 2 KiB is at most 2.5 KiB.
static SMALL_FOOTPRINTS: [u16; SMALL] = {
    let mut footprints = [0; SMALL];
    let mut step = 0;
    while step < SMALL {
        footprints[step] = heap::small_class(step * ALIGN) as u16;
        step += 1;
    }
    footprints
};

/// The bytes that an allocation of `size` bytes takes, rounding included.
#[inline(always)]
pub(crate) fn footprint(size: usize) -> usize {
    let step = size.div_ceil(ALIGN);
    if step < SMALL { SMALL_FOOTPRINTS[step].into() } else { heap::good_size(size) }
}

/// At least `size` bytes, not initialised; `None` when the system has none left.
#[inline]
pub(crate) fn allocate(size: usize) -> Option<NonNull<u8>> {
    if scarcity::refuses() {
        return None;
    }
    let block = NonNull::new(heap::allocate(size))?;
    // The index keeps 44 bits of a pointer. No supported system hands out higher addresses unless
    // it is asked to.
    let address = block.addr().get();
    assert!(address >> 48 == 0 && address.is_multiple_of(ALIGN), "an address the index can't hold");
    Some(block)
}

/// Frees what [`allocate`] gave for `size` bytes.
///
/// # Safety
/// `block` came from `allocate(size)` and is not used any more.
#[inline]
pub(crate) unsafe fn free(block: NonNull<u8>, size: usize) {
    // SAFETY: by contract.
    unsafe { heap::free(block, size) };
}

/// Zeroed memory of this layout, for a table; `None` when the system has none left.
#[cfg(not(loom))]
pub(crate) fn allocate_zeroed(layout: Layout) -> Option<NonNull<u8>> {
    if scarcity::refuses() {
        return None;
    }
    NonNull::new(heap::allocate_zeroed(layout))
}

/// Frees what [`allocate_zeroed`] gave for this layout.
///
/// # Safety
/// `block` came from `allocate_zeroed(layout)` and is not used any more.
#[cfg(not(loom))]
pub(crate) unsafe fn free_zeroed(block: NonNull<u8>, layout: Layout) {
    // SAFETY: by contract.
    unsafe { heap::free_zeroed(block, layout) };
}

/// A box of std's, for what is small; `None` when the system has no memory left.
pub(crate) fn try_box<T>(value: T) -> Option<Box<T>> {
    const { assert!(size_of::<T>() > 0) };
    if scarcity::refuses() {
        return None;
    }
    // SAFETY: the size is not zero.
    let block = NonNull::new(unsafe { std::alloc::alloc(Layout::new::<T>()) }.cast::<T>())?;
    // SAFETY: the block is ours, has the layout that a box frees, and is written before it is one.
    unsafe {
        block.write(value);
        Some(Box::from_raw(block.as_ptr()))
    }
}

/// An empty vector with room for so many; `None` when the system has no memory left.
pub(crate) fn try_vec<T>(capacity: usize) -> Option<Vec<T>> {
    let mut vec = Vec::new();
    (!scarcity::refuses() && vec.try_reserve_exact(capacity).is_ok()).then_some(vec)
}

/// What stands for a system that has no memory left.
#[cfg(test)]
pub(crate) mod scarcity {
    use std::cell::Cell;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// Of the allocations that `f` asks for on this thread only the first `n` succeed.
    pub(crate) fn after<R>(n: u32, f: impl FnOnce() -> R) -> R {
        LEFT.set(Some(n));
        let result = f();
        LEFT.set(None);
        result
    }

    pub(super) fn refuses() -> bool {
        match LEFT.get() {
            None => false,
            Some(0) => true,
            Some(n) => {
                LEFT.set(Some(n - 1));
                false
            }
        }
    }
}

#[cfg(not(test))]
mod scarcity {
    #[inline(always)]
    pub(super) fn refuses() -> bool {
        false
    }
}

#[cfg(not(any(miri, fuzzing)))]
mod heap {
    use super::ALIGN;
    #[cfg(not(loom))]
    use dlmalloc::Allocator;
    use dlmalloc::Dlmalloc;
    use libmimalloc_sys as mimalloc;
    use parking_lot::Mutex;
    #[cfg(not(loom))]
    use std::alloc::Layout;
    use std::ptr::NonNull;
    use std::sync::Once;

    /// Blocks of so many bytes and more come from one heap for all threads. An allocator with a
    /// heap for each thread keeps pages for each size class and thread: with values of up to
    /// 200 KB that was half as much again as the blocks themselves. Copying them takes longer than
    /// the lock.
    const LARGE: usize = 4096;

    /// Tables of so many bytes and more are the system's own pages, and go back at once: an allocator
    /// keeps what it was given back until somebody asks it for something, which nobody may do again.
    #[cfg(not(loom))]
    const MAPPED: usize = 64 * 1024;

    /// The smallest pages of any system.
    #[cfg(not(loom))]
    const PAGE: usize = 4096;

    static LARGE_BLOCKS: Mutex<Dlmalloc> = Mutex::new(Dlmalloc::new());

    /// The number of `mi_option_purge_delay` in mimalloc 2 and 3, which the bindings leave out.
    const PURGE_DELAY: mimalloc::mi_option_t = 15;

    /// Freed pages go back to the system after about ten milliseconds, not a hundred: a cache that
    /// says how much memory it takes should not keep what it no longer uses. Only the first call
    /// counts, and the environment's `MIMALLOC_PURGE_DELAY` has the last word.
    pub(crate) fn prepare() {
        static ONCE: Once = Once::new();
        // SAFETY: options may be set at any time.
        ONCE.call_once(|| unsafe { mimalloc::mi_option_set_default(PURGE_DELAY, 1) });
    }

    /// What mimalloc takes for small sizes: two words at a time up to eight words, and from there on
    /// four classes to each doubling.
    pub(super) const fn small_class(size: usize) -> usize {
        const WORD: usize = size_of::<usize>();
        let words = size.div_ceil(WORD);
        if words <= 8 {
            return words.next_multiple_of(2) * WORD;
        }
        let step = 1 << ((words - 1).ilog2() - 2);
        words.next_multiple_of(step) * WORD
    }

    #[cold]
    #[inline(never)]
    pub(super) fn good_size(size: usize) -> usize {
        if size < LARGE {
            // SAFETY: a pure computation.
            unsafe { mimalloc::mi_good_size(size) }
        } else {
            // A chunk has a word in front of it.
            (size + size_of::<usize>()).next_multiple_of(ALIGN)
        }
    }

    #[inline]
    pub(super) fn allocate(size: usize) -> *mut u8 {
        if size < LARGE {
            // SAFETY: any size will do. Blocks of 16 bytes and more are aligned to 16.
            unsafe { mimalloc::mi_malloc(size) }.cast()
        } else {
            // SAFETY: the alignment is a power of two.
            unsafe { LARGE_BLOCKS.lock().malloc(size, ALIGN) }
        }
    }

    /// # Safety
    /// As for [`super::free`].
    #[inline]
    pub(super) unsafe fn free(block: NonNull<u8>, size: usize) {
        if size < LARGE {
            // SAFETY: by contract the block came from mimalloc and is not used any more.
            unsafe { mimalloc::mi_free(block.as_ptr().cast()) };
        } else {
            // SAFETY: by contract the block came from this heap, with this size and alignment.
            unsafe { LARGE_BLOCKS.lock().free(block.as_ptr(), size, ALIGN) };
        }
    }

    #[cfg(not(loom))]
    pub(super) fn allocate_zeroed(layout: Layout) -> *mut u8 {
        if layout.size() < MAPPED {
            // SAFETY: the alignment is a power of two.
            return unsafe { mimalloc::mi_zalloc_aligned(layout.size(), layout.align()) }.cast();
        }
        assert!(layout.align() <= PAGE, "what the system gives is aligned to a page");
        Dlmalloc::new().allocator().alloc(layout.size()).0
    }

    /// # Safety
    /// As for [`super::free_zeroed`].
    #[cfg(not(loom))]
    pub(super) unsafe fn free_zeroed(block: NonNull<u8>, layout: Layout) {
        if layout.size() < MAPPED {
            // SAFETY: by contract the block came from mimalloc and is not used any more.
            unsafe { mimalloc::mi_free(block.as_ptr().cast()) };
        } else {
            Dlmalloc::new().allocator().free(block.as_ptr(), layout.size());
        }
    }
}

#[cfg(any(miri, fuzzing))]
mod heap {
    use super::ALIGN;
    use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
    use std::ptr::NonNull;

    pub(crate) fn prepare() {}

    pub(super) const fn small_class(size: usize) -> usize {
        size
    }

    pub(super) fn good_size(size: usize) -> usize {
        size
    }

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, ALIGN).expect("an entry fits the address space")
    }

    pub(super) fn allocate(size: usize) -> *mut u8 {
        // SAFETY: the size is not zero: an entry has a header.
        unsafe { alloc(layout(size)) }
    }

    /// # Safety
    /// As for [`super::free`].
    pub(super) unsafe fn free(block: NonNull<u8>, size: usize) {
        // SAFETY: by contract the block was allocated with this layout.
        unsafe { dealloc(block.as_ptr(), layout(size)) };
    }

    pub(super) fn allocate_zeroed(layout: Layout) -> *mut u8 {
        // SAFETY: the size is not zero: a table has buckets.
        unsafe { alloc_zeroed(layout) }
    }

    /// # Safety
    /// As for [`super::free_zeroed`].
    pub(super) unsafe fn free_zeroed(block: NonNull<u8>, layout: Layout) {
        // SAFETY: by contract the block was allocated with this layout.
        unsafe { dealloc(block.as_ptr(), layout) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_up_is_what_the_allocator_takes() {
        for size in ALIGN..2 * SMALL * ALIGN {
            let steps = size.next_multiple_of(ALIGN);
            let taken =
                if steps < SMALL * ALIGN { heap::good_size(steps) } else { heap::good_size(size) };
            assert_eq!(footprint(size), taken, "{size}");
        }
    }
}
