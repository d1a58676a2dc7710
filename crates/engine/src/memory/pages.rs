//! Memory straight from the system: tables, pages of 64 KiB for small blocks, regions for large ones. What is
//! given back goes back at once, but for a few idle pages: an allocator between would keep it until somebody
//! asks it for something, which nobody may do again.

use dlmalloc::{Allocator, Dlmalloc};
use parking_lot::Mutex;
use std::ptr::NonNull;

/// The bytes of a page, and its alignment: what Windows aligns to by itself.
pub(crate) const PAGE: usize = 64 * 1024;

/// The smallest pages of any system.
#[cfg(not(loom))]
pub(super) const LEAST: usize = 4096;

/// Idle pages whose memory is kept: a megabyte.
const IDLE: usize = 16;

/// The most holes that pages leave in the address space. A system counts the pieces of a process, and
/// refuses more than some, whoever in the process asks for one: Linux, whose bound is 65,530.
const MOST_HOLES: usize = if cfg!(target_os = "linux") { 16 * 1024 } else { usize::MAX };

/// What a processor translates at once, if the system has such a page: Linux gives one to who asks for it.
const HUGE: usize = 2 * 1024 * 1024;

/// Above so many pages in use, they and tables come from huge ones: a processor does not know enough
/// small ones by heart then. Below, the part of a huge one that is not used yet would be too much.
const MANY: usize = if cfg!(target_os = "linux") { 512 } else { usize::MAX };

/// What becomes of pages that nobody uses.
struct Pages {
    idle: Vec<NonNull<u8>>,
    /// Pages that were given back to the system, and whose places it has not handed out again: it
    /// begins with those.
    holes: usize,
    /// Pages that somebody has; and how many of them are many: [`MANY`].
    used: usize,
    many: usize,
    /// What nobody has had yet of a huge page: where it begins, and how many bytes.
    fresh: Option<(NonNull<u8>, usize)>,
}

// SAFETY: idle pages belong to it alone.
unsafe impl Send for Pages {}

static PAGES: Mutex<Pages> = Mutex::new(Pages::new());

/// A page, aligned to its size, with anything in it; `None` when the system has no memory left.
pub(super) fn take() -> Option<NonNull<u8>> {
    PAGES.lock().take()
}

/// Takes a page back.
///
/// # Safety
/// It came from [`take`], and is not used any more.
pub(super) unsafe fn give(page: NonNull<u8>) {
    // SAFETY: by contract.
    unsafe { PAGES.lock().give(page) };
}

impl Pages {
    const fn new() -> Self {
        Self { idle: Vec::new(), holes: 0, used: 0, many: MANY, fresh: None }
    }

    fn take(&mut self) -> Option<NonNull<u8>> {
        let page = self.idle.pop().or_else(|| self.take_fresh(PAGE)).or_else(|| self.map_page())?;
        self.used += 1;
        Some(page)
    }

    fn map_page(&mut self) -> Option<NonNull<u8>> {
        let is_hole = self.holes > 0;
        self.holes = self.holes.saturating_sub(1);
        let page = map_aligned(PAGE)?;
        if is_hole && self.used >= self.many {
            // As its neighbours, of which it is one piece then.
            advise(page, PAGE);
        }
        Some(page)
    }

    /// Zeroed bytes of a huge page, so many pages' and less than it has; `None` where there are too few
    /// in use, or the system has none left. Holes are filled before.
    fn take_fresh(&mut self, size: usize) -> Option<NonNull<u8>> {
        if self.used < self.many || self.holes > 0 {
            return None;
        }
        let (at, left) = match self.fresh.take() {
            Some((at, left)) if left >= size => (at, left),
            rest => {
                self.put_aside(rest);
                let at = map_aligned(HUGE)?;
                advise(at, HUGE);
                (at, HUGE)
            }
        };
        // SAFETY: what is left begins there, and is no shorter.
        self.fresh = (left > size).then(|| (unsafe { at.add(size) }, left - size));
        Some(at)
    }

    /// Pages that are too few for what was asked for.
    fn put_aside(&mut self, rest: Option<(NonNull<u8>, usize)>) {
        let Some((at, left)) = rest else { return };
        for before in (0..left).step_by(PAGE) {
            // Where there is no memory to note it in, its place is lost.
            if self.idle.try_reserve(1).is_ok() {
                // SAFETY: it lies in what is left.
                self.idle.push(unsafe { at.add(before) });
            }
        }
    }

    /// # Safety
    /// As for [`give`].
    unsafe fn give(&mut self, page: NonNull<u8>) {
        self.used -= 1;
        if self.idle.len() >= IDLE {
            if self.holes < MOST_HOLES && unmap(page, PAGE) {
                self.holes += 1;
                return;
            }
            // SAFETY: by contract it is ours.
            unsafe { purge(page, PAGE) };
        }
        // Where there is no memory to note it in, its place is lost.
        if self.idle.try_reserve(1).is_ok() {
            self.idle.push(page);
        }
    }
}

/// Gives the memory of so many bytes back and keeps their place: of those pages of the system that lie in
/// them as a whole.
///
/// # Safety
/// They are ours; whatever is in them is lost.
pub(super) unsafe fn purge(at: NonNull<u8>, size: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: by contract; what nobody has a use for may be zeroed, and if it is not, nothing is wrong.
    unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
        let (from, end) = (at.addr().get(), at.addr().get() + size);
        let before = from.next_multiple_of(page) - from;
        let whole = (end - end % page).saturating_sub(from + before);
        if whole > 0 {
            libc::madvise(at.add(before).as_ptr().cast(), whole, libc::MADV_DONTNEED);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (at, size);
}

/// Asks the system for a huge page, where it has one to give. A hint.
fn advise(at: NonNull<u8>, size: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: it is ours; what is in it stays.
    unsafe {
        libc::madvise(at.as_ptr().cast(), size, libc::MADV_HUGEPAGE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (at, size);
}

/// As [`map`], for a table: in most cases of a huge page that others share, where pages are many.
#[cfg(not(loom))]
pub(super) fn map_table(size: usize) -> Option<NonNull<u8>> {
    let is_run = size.is_multiple_of(PAGE) && size < HUGE;
    let fresh = if is_run { PAGES.lock().take_fresh(size) } else { None };
    fresh.or_else(|| map(size))
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

/// Zeroed memory, aligned to its size, which is a power of two; `None` when the system has none left.
pub(super) fn map_aligned(size: usize) -> Option<NonNull<u8>> {
    // One lies next to the other, mostly.
    let block = map(size)?;
    if block.addr().get().is_multiple_of(size) {
        return Some(block);
    }
    unmap(block, size);
    let around = map(2 * size)?;
    let before = around.addr().get().next_multiple_of(size) - around.addr().get();
    // SAFETY: it is twice as long: a whole aligned block lies in it.
    let (block, after) = unsafe { (around.add(before), around.add(before + size)) };
    if before > 0 {
        unmap(around, before);
    }
    unmap(after, size - before);
    Some(block)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// The place so many bytes behind another one.
    fn behind(at: NonNull<u8>, bytes: usize) -> NonNull<u8> {
        NonNull::new(at.as_ptr().wrapping_add(bytes)).unwrap()
    }

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
        assert!(PAGES.lock().idle.len() <= IDLE);
    }

    #[test]
    fn where_there_are_many_pages_and_tables_share_huge_ones_and_nothing_of_them_is_lost() {
        const A_HUGE: usize = HUGE / PAGE;
        let mut pages = Pages { many: 1, ..Pages::new() };
        let alone = pages.take().unwrap();
        assert!(pages.fresh.is_none());
        let first: Vec<_> = (1..A_HUGE).map(|_| pages.take().unwrap()).collect();
        let table = pages.take_fresh(2 * PAGE).unwrap();
        let (rest, left) = (pages.idle.clone(), pages.fresh.unwrap());
        assert!(
            first[0].addr().get().is_multiple_of(HUGE) && table.addr().get().is_multiple_of(HUGE)
        );
        assert_eq!((rest.len(), left), (1, (behind(table, 2 * PAGE), HUGE - 2 * PAGE)));
        let all = first.iter().chain(&rest);
        assert!(all.enumerate().all(|(at, &page)| page == behind(first[0], at * PAGE)));
        // What is idle first, then what is behind the table, as long as there are no holes.
        assert_eq!(pages.take(), Some(rest[0]));
        assert_eq!(pages.take(), Some(behind(table, 2 * PAGE)));
        pages.holes = 1;
        let filled = pages.take().unwrap();
        assert_ne!(filled, behind(table, 3 * PAGE));
        assert_eq!(pages.take(), Some(behind(table, 3 * PAGE)));
        for (at, size) in [(alone, PAGE), (filled, PAGE), (first[0], HUGE), (table, HUGE)] {
            assert!(unmap(at, size));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn pages_that_are_idle_between_others_leave_the_process_room_for_mappings_and_no_memory() {
        /// What the system says of the process: how many pieces it has, and how many of its pages are in
        /// memory.
        fn process() -> (usize, usize) {
            let read = |name: &str| std::fs::read_to_string(name).unwrap();
            let maps = read("/proc/self/maps").lines().count();
            let statm = read("/proc/self/statm");
            (maps, statm.split(' ').nth(1).unwrap().parse().unwrap())
        }
        const MORE: usize = 4 * 1024;
        // Neighbours of those that are written to are not in memory: none come from huge ones.
        let mut pages = Pages { many: usize::MAX, ..Pages::new() };
        let taken: Vec<_> = (0..2 * (MOST_HOLES + MORE)).map(|_| pages.take().unwrap()).collect();
        let (maps, resident) = process();
        for (at, &page) in taken.iter().enumerate().filter(|(at, _)| at % 2 == 0) {
            // SAFETY: it is ours, and given back once. Where it will be kept it has a system page in memory.
            unsafe {
                if at / 2 >= MOST_HOLES {
                    page.write(1);
                }
                pages.give(page);
            }
        }
        let (maps_now, resident_now) = process();
        assert!(maps_now <= maps + MOST_HOLES + MORE / 2, "{maps}, then {maps_now}");
        assert!(resident_now <= resident + MORE / 2, "{resident}, then {resident_now}");
        for &page in taken.iter().skip(1).step_by(2).chain(&pages.idle) {
            unmap(page, PAGE);
        }
    }
}
