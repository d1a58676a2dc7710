//! The one door to the allocators: slabs for small blocks, one heap for those of up to a few pages, runs of
//! whole pages for large ones, the system itself for tables of more than a page. All threads share them. What
//! a block really takes is known beforehand, so that the ledger can charge that and not merely what was asked
//! for. Under miri, and where address errors are looked for, it is the system's allocator, which is watched.

#[cfg(all(test, not(any(loom, miri, fuzzing))))]
mod crossing;
#[cfg(not(any(miri, fuzzing)))]
mod pages;
#[cfg(all(target_os = "linux", not(any(miri, fuzzing))))]
mod runs;
#[cfg(not(any(miri, fuzzing)))]
mod slab;

use std::alloc::Layout;
use std::ptr::NonNull;

pub(crate) use heap::trim;

/// Every allocation's alignment: pointers leave three low bits free for the index.
pub(crate) const ALIGN: usize = 8;

/// The bytes that an allocation of `size` bytes takes, rounding included.
#[inline(always)]
pub(crate) fn footprint(size: usize) -> usize {
    heap::footprint(size)
}

/// At least `size` bytes, not initialised; `None` when the system has none left. Where blocks are small
/// some more are taken for the next ones: these are handed to `keep`.
#[inline]
pub(crate) fn allocate(size: usize, keep: impl FnMut(NonNull<u8>)) -> Option<NonNull<u8>> {
    if scarcity::refuses() {
        return None;
    }
    heap::allocate(size, keep).inspect(|&block| check(block))
}

/// The index keeps 45 bits of a pointer. No supported system hands out higher addresses unless it is
/// asked to.
#[inline]
fn check(block: NonNull<u8>) {
    let address = block.addr().get();
    assert!(address >> 48 == 0 && address.is_multiple_of(ALIGN), "an address the index can't hold");
}

/// Frees a block that [`allocate`] gave for a size of this footprint.
///
/// # Safety
/// `block` came from [`allocate`] for a size of the same footprint, and is not used any more.
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

/// A block of the slabs for a value of a line or half of one, aligned to its size; `None` when the system
/// has no memory left.
pub(crate) fn try_aligned<T>(value: T) -> Option<NonNull<T>> {
    if scarcity::refuses() {
        return None;
    }
    let block = heap::allocate_aligned(Layout::new::<T>())?.cast::<T>();
    // SAFETY: the block is ours, and has the layout of the value.
    unsafe { block.write(value) };
    Some(block)
}

/// Drops and frees what [`try_aligned`] gave.
///
/// # Safety
/// It came from `try_aligned`, and is not used any more.
pub(crate) unsafe fn free_aligned<T>(block: NonNull<T>) {
    // SAFETY: by contract.
    unsafe {
        block.drop_in_place();
        heap::free_aligned(block.cast(), Layout::new::<T>());
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
    #[cfg(not(loom))]
    use super::pages;
    #[cfg(target_os = "linux")]
    use super::runs;
    use super::slab;
    use dlmalloc::Dlmalloc;
    use parking_lot::Mutex;
    use std::alloc::Layout;
    #[cfg(not(loom))]
    use std::ptr;
    use std::ptr::NonNull;

    /// The alignment of what the heap gives.
    const HEAP_ALIGN: usize = 16;

    /// The largest blocks of the heap, which gives nothing back between blocks in use. Above, to take whole
    /// pages is a quarter too much at worst, and an eighth from twice that size.
    #[cfg(target_os = "linux")]
    const HEAP_LARGEST: usize = 16 * 1024;

    /// The small blocks of so many bytes are taken at once, but no more than so many blocks.
    const BATCH_BYTES: usize = 1024;
    const BATCH: usize = 16;

    static HEAP: Mutex<Dlmalloc> = Mutex::new(Dlmalloc::new());

    /// Gives the system back what it can of the memory that no larger block lies in: a heap looks for that
    /// by itself only now and then.
    pub(crate) fn trim() {
        #[cfg(target_os = "linux")]
        runs::trim();
        // SAFETY: it touches what is free.
        unsafe { HEAP.lock().trim(0) };
    }

    #[inline(always)]
    pub(super) fn footprint(size: usize) -> usize {
        if size <= slab::LARGEST {
            return slab::footprint(size);
        }
        #[cfg(target_os = "linux")]
        if size > HEAP_LARGEST {
            return size.next_multiple_of(runs::GRAIN);
        }
        // A chunk has a word in front of it.
        (size + size_of::<usize>()).next_multiple_of(HEAP_ALIGN)
    }

    #[inline]
    pub(super) fn allocate(size: usize, mut keep: impl FnMut(NonNull<u8>)) -> Option<NonNull<u8>> {
        #[cfg(target_os = "linux")]
        if size > HEAP_LARGEST {
            return runs::allocate(footprint(size));
        }
        if size > slab::LARGEST {
            // SAFETY: the alignment is a power of two.
            return NonNull::new(unsafe { HEAP.lock().malloc(size, HEAP_ALIGN) });
        }
        let mut first = None;
        let count = (BATCH_BYTES / size).clamp(1, BATCH);
        slab::allocate(size, count, |block| match first {
            None => first = Some(block),
            Some(_) => keep(block),
        });
        first
    }

    /// # Safety
    /// As for [`super::free`].
    #[inline]
    pub(super) unsafe fn free(block: NonNull<u8>, size: usize) {
        // SAFETY: by contract the block came from the same of the three, for so many bytes.
        unsafe {
            if size <= slab::LARGEST {
                return slab::free(block, size);
            }
            #[cfg(target_os = "linux")]
            if size > HEAP_LARGEST {
                return runs::free(block, footprint(size));
            }
            HEAP.lock().free(block.as_ptr(), size, HEAP_ALIGN);
        }
    }

    /// Where the models run a value may be larger than a line.
    #[cfg(not(loom))]
    pub(super) fn allocate_aligned(layout: Layout) -> Option<NonNull<u8>> {
        assert!(slab::LINE.is_multiple_of(layout.size()) && layout.align() <= layout.size());
        let mut aligned = None;
        slab::allocate(layout.size(), 1, |block| aligned = Some(block));
        aligned
    }

    #[cfg(loom)]
    pub(super) fn allocate_aligned(layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { std::alloc::alloc(layout) })
    }

    /// # Safety
    /// As for [`super::free_aligned`].
    pub(super) unsafe fn free_aligned(block: NonNull<u8>, layout: Layout) {
        // SAFETY: by contract it came from `allocate_aligned`.
        unsafe {
            #[cfg(not(loom))]
            slab::free(block, layout.size());
            #[cfg(loom)]
            std::alloc::dealloc(block.as_ptr(), layout);
        }
    }

    #[cfg(not(loom))]
    pub(super) fn allocate_zeroed(layout: Layout) -> *mut u8 {
        if !is_small_table(layout) {
            assert!(layout.align() <= pages::LEAST, "what the system gives is aligned to a page");
            return pages::map_table(layout.size()).map_or(ptr::null_mut(), NonNull::as_ptr);
        }
        let mut first = ptr::null_mut();
        slab::allocate(layout.size(), 1, |block| first = block.as_ptr());
        if !first.is_null() {
            // SAFETY: it was just taken, and is as long.
            unsafe { first.write_bytes(0, layout.size()) };
        }
        first
    }

    /// # Safety
    /// As for [`super::free_zeroed`].
    #[cfg(not(loom))]
    pub(super) unsafe fn free_zeroed(block: NonNull<u8>, layout: Layout) {
        if is_small_table(layout) {
            // SAFETY: by contract the block came from the slabs, for so many bytes.
            unsafe { slab::free(block, layout.size()) };
        } else {
            pages::unmap(block, layout.size());
        }
    }

    /// Whether a table lies in the slabs. Larger ones are the system's own pages, and go back to it at once
    /// when they are outgrown.
    #[cfg(not(loom))]
    fn is_small_table(layout: Layout) -> bool {
        let whole_lines = layout.size().is_multiple_of(slab::LINE) && layout.align() <= slab::LINE;
        layout.size() <= slab::LARGEST && whole_lines
    }
}

#[cfg(any(miri, fuzzing))]
mod heap {
    use super::ALIGN;
    use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
    use std::ptr::NonNull;

    pub(crate) fn trim() {}

    pub(super) fn footprint(size: usize) -> usize {
        size
    }

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, ALIGN).expect("an entry fits the address space")
    }

    pub(super) fn allocate(size: usize, _: impl FnMut(NonNull<u8>)) -> Option<NonNull<u8>> {
        // SAFETY: the size is not zero: an entry has a header.
        NonNull::new(unsafe { alloc(layout(size)) })
    }

    /// # Safety
    /// As for [`super::free`].
    pub(super) unsafe fn free(block: NonNull<u8>, size: usize) {
        // SAFETY: by contract the block was allocated with this layout.
        unsafe { dealloc(block.as_ptr(), layout(size)) };
    }

    pub(super) fn allocate_aligned(layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { alloc(layout) })
    }

    /// # Safety
    /// As for [`super::free_aligned`].
    pub(super) unsafe fn free_aligned(block: NonNull<u8>, layout: Layout) {
        // SAFETY: by contract the block was allocated with this layout.
        unsafe { dealloc(block.as_ptr(), layout) };
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
