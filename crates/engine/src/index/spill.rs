//! Overflow buckets: each half a line, from the slabs. The allocator of a process may take more than twice
//! as much for what is aligned.

use super::bucket::Overflow;
use crate::memory;
use std::ops::Deref;
use std::ptr::{self, NonNull};

/// An overflow bucket that nobody else frees: one that is not linked yet, or nobody's any more.
pub(super) struct Spill(NonNull<Overflow>);

// SAFETY: buckets are atomics, and this one is owned.
unsafe impl Send for Spill {}

impl Spill {
    /// An empty one; `None` when the system has no memory left.
    pub(super) fn new() -> Option<Self> {
        memory::try_aligned(Overflow::default()).map(Self)
    }

    /// Its address, for an info word.
    pub(super) fn into_address(self) -> u64 {
        let address = self.0.as_ptr().expose_provenance() as u64;
        std::mem::forget(self);
        address
    }

    /// The one with this address; `None` if it is 0.
    ///
    /// # Safety
    /// The address is 0, or came from [`Spill::into_address`] and has not been given back.
    pub(super) unsafe fn from_address(address: u64) -> Option<Self> {
        NonNull::new(ptr::with_exposed_provenance_mut(address as usize)).map(Self)
    }
}

impl Deref for Spill {
    type Target = Overflow;

    fn deref(&self) -> &Overflow {
        // SAFETY: it lives as long as this does.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        // SAFETY: it came from `try_aligned`, and is this one's alone.
        unsafe { memory::free_aligned(self.0) };
    }
}
