//! Blocks that a thread has freed and keeps for its next entries: a value that replaces another one
//! often takes as much. Neither costs a call of the allocator then, and what another thread had
//! allocated is not handed back to it.
//!
//! They are charged to no cache, as nothing is that an allocator keeps: a thread has few.

use crate::memory::{self, ALIGN};
use std::cell::Cell;
use std::ptr::{self, NonNull};

/// The largest blocks that are kept, in bytes.
const LARGEST: usize = 512;

/// The bytes that a thread keeps at most.
const MOST: usize = 16 * 1024;

/// Where accesses are watched, every block is the allocator's.
const KEEPS: bool = !cfg!(any(miri, fuzzing));

/// The free blocks of one thread.
pub(crate) struct Spares {
    /// The first block of each size, in steps of [`ALIGN`]: a list, linked by the first word of each.
    first: [Cell<*mut u8>; LARGEST / ALIGN + 1],
    /// Bytes in all of them.
    held: Cell<usize>,
}

impl Default for Spares {
    fn default() -> Self {
        Self {
            first: [const { Cell::new(ptr::null_mut()) }; LARGEST / ALIGN + 1],
            held: Cell::new(0),
        }
    }
}

impl Spares {
    /// Takes a block of this footprint, if there is one.
    #[inline]
    pub(crate) fn take(&self, footprint: usize) -> Option<NonNull<u8>> {
        let list = self.first.get(footprint / ALIGN)?;
        let block = NonNull::new(list.get())?;
        // SAFETY: a block in a list is ours, aligned, and its first word is the next one's address.
        list.set(unsafe { block.cast::<*mut u8>().read() });
        self.held.set(self.held.get() - footprint);
        Some(block)
    }

    /// A block for so many bytes, of this footprint: one of those that are kept, or a new one, with which
    /// some more come that are kept; `None` when the system has no memory left.
    #[inline]
    pub(crate) fn allocate(&self, footprint: usize, size: usize) -> Option<NonNull<u8>> {
        match self.take(footprint) {
            Some(block) => Some(block),
            None => self.refill(footprint, size),
        }
    }

    #[cold]
    #[inline(never)]
    fn refill(&self, footprint: usize, size: usize) -> Option<NonNull<u8>> {
        memory::allocate(size, |block| {
            // SAFETY: it was just allocated, for a size of this footprint, and nobody uses it.
            if !unsafe { self.keep(block, footprint) } {
                // SAFETY: it was not kept.
                unsafe { memory::free(block, size) };
            }
        })
    }

    /// Keeps a block of this footprint; false if it is too large, or there are enough.
    ///
    /// # Safety
    /// The block came from [`memory::allocate`] and is not used any more; if it is kept, it
    /// belongs to this.
    #[inline]
    pub(crate) unsafe fn keep(&self, block: NonNull<u8>, footprint: usize) -> bool {
        let held = self.held.get() + footprint;
        match self.first.get(footprint / ALIGN) {
            Some(list) if KEEPS && held <= MOST => {
                // SAFETY: by contract it is ours; it has at least a word, and is aligned for it.
                unsafe { block.cast::<*mut u8>().write(list.get()) };
                list.set(block.as_ptr());
                self.held.set(held);
                true
            }
            _ => false,
        }
    }

    /// Frees all of them.
    pub(crate) fn clear(&self) {
        for step in 0..self.first.len() {
            while let Some(block) = self.take(step * ALIGN) {
                // SAFETY: out of the list, and used by nobody. A size of so many steps belongs to the
                // allocator that the block came from.
                unsafe { memory::free(block, step * ALIGN) };
            }
        }
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(all(test, not(any(loom, miri, fuzzing))))]
mod tests {
    use super::*;

    /// A block of the allocator.
    fn block_of(size: usize) -> NonNull<u8> {
        // SAFETY: the others were just allocated, for this size.
        memory::allocate(size, |other| unsafe { memory::free(other, size) }).unwrap()
    }

    #[test]
    fn a_block_serves_again_for_its_size_and_a_thread_keeps_few() {
        let spares = Spares::default();
        let footprint = memory::footprint(100);
        let block = block_of(100);
        // SAFETY: it was just allocated, and is not used.
        assert!(unsafe { spares.keep(block, footprint) });
        assert_eq!(spares.take(footprint + ALIGN), None);
        assert_eq!(spares.take(footprint), Some(block));
        assert_eq!(spares.take(footprint), None);
        let mut kept = 0;
        loop {
            let block = block_of(100);
            // SAFETY: as above.
            if !unsafe { spares.keep(block, footprint) } {
                // SAFETY: it was not kept.
                unsafe { memory::free(block, 100) };
                break;
            }
            kept += 1;
        }
        assert_eq!(kept, MOST / footprint);
        let large = block_of(LARGEST + 1);
        // SAFETY: as above.
        assert!(!unsafe { spares.keep(large, memory::footprint(LARGEST + 1)) });
        // SAFETY: it was not kept.
        unsafe { memory::free(large, LARGEST + 1) };
        spares.clear();
        assert_eq!((spares.held.get(), spares.take(footprint)), (0, None));
    }
}
