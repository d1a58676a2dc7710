//! Has the processor fetch memory that will be read soon. A hint: where the processor is not told so
//! by an instruction of its own, nothing is done.

/// The line of the cache that has this address will be read.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(any(miri, loom))))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint reads nothing and never faults, whatever the address; every processor of
        // this kind has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(any(miri, loom)))))]
    let _ = at;
}

/// What this refers to will be read soon: has the processor fetch all of it.
#[inline]
pub fn expect<T>(it: &T) {
    const LINE: usize = 64;
    let begin = std::ptr::from_ref(it).cast::<u8>();
    for at in (0..size_of::<T>()).step_by(LINE) {
        prefetch(begin.wrapping_add(at));
    }
}
