//! Memory straight from the system: tables, and pages of 64 KiB for small blocks. What is given back
//! goes back at once, but for a few idle pages: an allocator between would keep it until somebody asks
//! it for something, which nobody may do again.

use dlmalloc::{Allocator, Dlmalloc};
use parking_lot::Mutex;
use std::ptr::{self, NonNull};

/// The bytes of a page, and its alignment: what Windows aligns to by itself.
pub(crate) const PAGE: usize = 64 * 1024;

/// The smallest pages of any system.
#[cfg(not(loom))]
pub(super) const LEAST: usize = 4096;

/// Idle pages that are kept: a megabyte.
const IDLE: usize = 16;

/// Pages that nobody uses: a list, linked by their first words.
struct Idle {
    first: *mut u8,
    len: usize,
}

// SAFETY: pages in the list belong to it alone.
unsafe impl Send for Idle {}

static PAGES: Mutex<Idle> = Mutex::new(Idle { first: ptr::null_mut(), len: 0 });

/// A page, aligned to its size, with anything in it; `None` when the system has no memory left.
pub(super) fn take() -> Option<NonNull<u8>> {
    let mut idle = PAGES.lock();
    if let Some(page) = NonNull::new(idle.first) {
        // SAFETY: a page in the list is ours, and its first word is the next one's address.
        idle.first = unsafe { page.cast::<*mut u8>().read() };
        idle.len -= 1;
        return Some(page);
    }
    drop(idle);
    map_page()
}

/// Takes a page back.
///
/// # Safety
/// It came from [`take`], and is not used any more.
pub(super) unsafe fn give(page: NonNull<u8>) {
    let mut idle = PAGES.lock();
    if idle.len >= IDLE {
        drop(idle);
        if unmap(page, PAGE) {
            return;
        }
        // The system can't: it has too many pieces to keep apart.
        idle = PAGES.lock();
    }
    // SAFETY: by contract it is ours, and its first word nobody's any more.
    unsafe { page.cast::<*mut u8>().write(idle.first) };
    idle.first = page.as_ptr();
    idle.len += 1;
}

/// Zeroed memory, aligned to a page of the system; `None` when it has none left.
pub(super) fn map(size: usize) -> Option<NonNull<u8>> {
    NonNull::new(Dlmalloc::new().allocator().alloc(size).0)
}

/// Gives back what [`map`] gave, or a part of it that begins and ends with a page of the system; false
/// if the system does not take it.
pub(super) fn unmap(at: NonNull<u8>, size: usize) -> bool {
    Dlmalloc::new().allocator().free(at.as_ptr(), size)
}

fn map_page() -> Option<NonNull<u8>> {
    // One lies next to the other, mostly.
    let page = map(PAGE)?;
    if page.addr().get().is_multiple_of(PAGE) {
        return Some(page);
    }
    unmap(page, PAGE);
    let around = map(2 * PAGE)?;
    let before = around.addr().get().next_multiple_of(PAGE) - around.addr().get();
    // SAFETY: it is twice as long: a whole aligned page lies in it.
    let (page, after) = unsafe { (around.add(before), around.add(before + PAGE)) };
    if before > 0 {
        unmap(around, before);
    }
    unmap(after, PAGE - before);
    Some(page)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn pages_are_aligned_and_idle_ones_few() {
        let pages: Vec<_> = (0..3 * IDLE).map(|_| take().unwrap()).collect();
        for page in &pages {
            assert!(page.addr().get().is_multiple_of(PAGE));
            // SAFETY: it is ours, and so long.
            unsafe { page.write_bytes(0xA5, PAGE) };
        }
        for page in pages {
            // SAFETY: it is given back once.
            unsafe { give(page) };
        }
        assert!(PAGES.lock().len <= IDLE);
    }
}
