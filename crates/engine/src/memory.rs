//! The one door to the allocator: mimalloc, whose size classes tell beforehand what an allocation
//! really takes, so that the ledger can charge that and not merely what was asked for.

use std::ptr::NonNull;
use std::sync::OnceLock;

/// Every allocation's alignment: pointers leave four low bits free for the index.
pub(crate) const ALIGN: usize = 16;

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
    #[cfg(not(miri))]
    // SAFETY: a pure computation.
    return unsafe { libmimalloc_sys::mi_good_size(size) };
    #[cfg(miri)]
    size
}

/// At least `size` bytes, not initialised; `None` when the system has none left.
#[inline]
pub(crate) fn allocate(size: usize) -> Option<NonNull<u8>> {
    #[cfg(not(miri))]
    // SAFETY: any size will do. Blocks of 16 bytes and more are aligned to 16.
    let raw = unsafe { libmimalloc_sys::mi_malloc(size) }.cast::<u8>();
    #[cfg(miri)]
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
    #[cfg(not(miri))]
    {
        let _ = size;
        // SAFETY: by contract the block came from mimalloc and is not used any more.
        unsafe { libmimalloc_sys::mi_free(block.as_ptr().cast()) };
    }
    #[cfg(miri)]
    // SAFETY: by contract the block was allocated with this layout.
    unsafe {
        std::alloc::dealloc(block.as_ptr(), layout(size))
    };
}

#[cfg(miri)]
fn layout(size: usize) -> std::alloc::Layout {
    std::alloc::Layout::from_size_align(size, ALIGN).expect("an entry fits the address space")
}
