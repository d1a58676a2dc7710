//! The one door to the allocator: mimalloc, whose size classes tell beforehand what an allocation
//! really takes, so that the ledger can charge that and not merely what was asked for. Under miri
//! and where address errors are looked for it is the system's, which is watched.

#[cfg(not(loom))]
use std::alloc::Layout;
use std::ptr::NonNull;
#[cfg(not(any(miri, fuzzing)))]
use std::sync::Once;
use std::sync::OnceLock;

/// Every allocation's alignment: pointers leave four low bits free for the index.
pub(crate) const ALIGN: usize = 16;

/// Freed pages go back to the system after about ten milliseconds, not a hundred: a cache that says
/// how much memory it takes should not keep what it no longer uses. Only the first call counts, and
/// the environment's `MIMALLOC_PURGE_DELAY` has the last word.
pub(crate) fn prepare() {
    #[cfg(not(any(miri, fuzzing)))]
    {
        /// The number of `mi_option_purge_delay` in mimalloc 2 and 3, which the bindings leave out.
        const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
        static ONCE: Once = Once::new();
        // SAFETY: options may be set at any time.
        ONCE.call_once(|| unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, 1) });
    }
}

/// The bytes that an allocation of `size` bytes takes, rounding included.
#[inline]
pub(crate) fn footprint(size: usize) -> usize {
    let step = size.div_ceil(ALIGN);
    if step < SMALL { small_footprints()[step].into() } else { good_size(size) }
}

/// Sizes below so many steps of [`ALIGN`] bytes are looked up: the computation takes longer.
const SMALL: usize = 128;

#[inline]
fn small_footprints() -> &'static [u16; SMALL] {
    static FOOTPRINTS: OnceLock<[u16; SMALL]> = OnceLock::new();
    // A class below 2 KiB is at most 2.5 KiB: it fits.
    FOOTPRINTS.get_or_init(|| std::array::from_fn(|step| good_size(step * ALIGN) as u16))
}

fn good_size(size: usize) -> usize {
    #[cfg(not(any(miri, fuzzing)))]
    // SAFETY: a pure computation.
    return unsafe { libmimalloc_sys::mi_good_size(size) };
    #[cfg(any(miri, fuzzing))]
    size
}

/// At least `size` bytes, not initialised; `None` when the system has none left.
#[inline]
pub(crate) fn allocate(size: usize) -> Option<NonNull<u8>> {
    #[cfg(not(any(miri, fuzzing)))]
    // SAFETY: any size will do. Blocks of 16 bytes and more are aligned to 16.
    let raw = unsafe { libmimalloc_sys::mi_malloc(size) }.cast::<u8>();
    #[cfg(any(miri, fuzzing))]
    // SAFETY: the size is not zero: an entry has a header.
    let raw = unsafe { std::alloc::alloc(layout(size)) };
    let block = NonNull::new(raw)?;
    // The index keeps 44 bits of a pointer. No supported system hands out higher addresses unless
    // it is asked to.
    let address = block.addr().get();
    assert!(address >> 48 == 0 && address % ALIGN == 0, "an address the index can't hold");
    Some(block)
}

/// Frees what [`allocate`] gave for `size` bytes.
///
/// # Safety
/// `block` came from `allocate(size)` and is not used any more.
#[inline]
pub(crate) unsafe fn free(block: NonNull<u8>, size: usize) {
    #[cfg(not(any(miri, fuzzing)))]
    {
        let _ = size;
        // SAFETY: by contract the block came from mimalloc and is not used any more.
        unsafe { libmimalloc_sys::mi_free(block.as_ptr().cast()) };
    }
    #[cfg(any(miri, fuzzing))]
    // SAFETY: by contract the block was allocated with this layout.
    unsafe {
        std::alloc::dealloc(block.as_ptr(), layout(size))
    };
}

/// Zeroed memory of this layout, for a table; `None` when the system has none left.
#[cfg(not(loom))]
pub(crate) fn allocate_zeroed(layout: Layout) -> Option<NonNull<u8>> {
    #[cfg(not(any(miri, fuzzing)))]
    // SAFETY: the alignment is a power of two.
    let raw = unsafe { libmimalloc_sys::mi_zalloc_aligned(layout.size(), layout.align()) }.cast();
    #[cfg(any(miri, fuzzing))]
    // SAFETY: the size is not zero: a table has buckets.
    let raw = unsafe { std::alloc::alloc_zeroed(layout) };
    NonNull::new(raw)
}

/// Frees what [`allocate_zeroed`] gave for this layout.
///
/// # Safety
/// `block` came from `allocate_zeroed(layout)` and is not used any more.
#[cfg(not(loom))]
pub(crate) unsafe fn free_zeroed(block: NonNull<u8>, layout: Layout) {
    #[cfg(not(any(miri, fuzzing)))]
    {
        let _ = layout;
        // SAFETY: by contract the block came from mimalloc and is not used any more.
        unsafe { libmimalloc_sys::mi_free(block.as_ptr().cast()) };
    }
    #[cfg(any(miri, fuzzing))]
    // SAFETY: by contract the block was allocated with this layout.
    unsafe {
        std::alloc::dealloc(block.as_ptr(), layout)
    };
}

#[cfg(any(miri, fuzzing))]
fn layout(size: usize) -> std::alloc::Layout {
    std::alloc::Layout::from_size_align(size, ALIGN).expect("an entry fits the address space")
}
