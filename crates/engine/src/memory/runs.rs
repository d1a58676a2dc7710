//! Large blocks: runs of whole pages of the system, in regions of 4 MiB that all threads share.
//!
//! A region's header lies at its beginning, so that a block's address tells its region. It describes each
//! page, and nothing of that is in the pages themselves: a free run need not be in memory. A run is in use,
//! warm (free, and still in memory), or cold (free, and given back). Neighbours that are warm are one run,
//! and so are those that are cold. A block is cut off the shortest warm run that has room for it, or else off
//! the shortest cold one.
//!
//! So many pages may be warm as churn leaves between blocks by itself. What is more goes back to the system,
//! the longest runs first, wherever blocks in use lie: what is resident follows what is in use.

#[cfg(all(test, not(loom)))]
mod tests;

use super::pages;
use parking_lot::{Mutex, MutexGuard};
use std::ptr::{self, NonNull};

/// Blocks are whole multiples of so many bytes: the pages of most systems.
pub(super) const GRAIN: usize = 4096;

/// The largest blocks: above, a block is a mapping of its own.
pub(super) const LARGEST: usize = 1 << 20;

/// The bytes of a region, and its alignment.
const REGION: usize = 4 << 20;
const GRAINS: usize = REGION / GRAIN;

/// Where blocks begin.
const FIRST: usize = size_of::<Region>().div_ceil(GRAIN);
const LONGEST: usize = GRAINS - FIRST;

/// So many pages may be warm, or one for so many in use.
const FEW_WARM: usize = (2 << 20) / GRAIN;
const WARM_PART: usize = 12;

const _: () = assert!(LARGEST / GRAIN <= LONGEST);

static RUNS: Mutex<Runs> = Mutex::new(Runs::new());

/// So many bytes, a multiple of [`GRAIN`]; `None` when the system has no memory left.
pub(super) fn allocate(bytes: usize) -> Option<NonNull<u8>> {
    if bytes > LARGEST { pages::map(bytes) } else { RUNS.lock().take(bytes / GRAIN) }
}

/// Frees a block.
///
/// # Safety
/// It came from [`allocate`] for as many bytes, and is not used any more.
pub(super) unsafe fn free(block: NonNull<u8>, bytes: usize) {
    if bytes > LARGEST {
        pages::unmap(block, bytes);
        return;
    }
    let mut runs = RUNS.lock();
    // SAFETY: by contract.
    unsafe { runs.give(block, bytes / GRAIN, State::Warm) };
    let most = runs.most_warm();
    cool(&mut runs, most);
}

/// Gives the system back all pages that are warm.
pub(super) fn trim() {
    cool(&mut RUNS.lock(), 0);
}

/// Gives the system back what is warm, until no more than so many pages are. Nobody waits for the system
/// meanwhile: to the others such a run is in use.
fn cool(runs: &mut MutexGuard<Runs>, most: usize) {
    while runs.warm_pages > most {
        let Some((run, len)) = runs.take_longest() else { return };
        // SAFETY: it was just taken, and is given back once.
        unsafe {
            MutexGuard::unlocked(runs, || pages::purge(run, len * GRAIN));
            runs.give(run, len, State::Cold);
        }
    }
}

/// What a run is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    /// Zero, for new headers are zeroed.
    Used = 0,
    Warm,
    Cold,
}

/// What is known of a page. Only the first and the last page of a run need be right.
struct Page {
    /// Before and after this run among the free ones of its state and length: their first pages.
    previous: *mut Page,
    next: *mut Page,
    /// The length of its run.
    len: u32,
    state: State,
}

/// What a region begins with: what is known of its pages, of which those of the header itself are never free.
/// Guarded by the lock of the runs.
struct Region {
    pages: [Page; GRAINS],
}

/// The free runs of one state, by their lengths.
struct Free {
    /// A list for each length.
    first: [*mut Page; LONGEST + 1],
    /// Which of the lists have a run.
    lengths: [u64; LONGEST / 64 + 1],
}

/// All of them.
struct Runs {
    warm: Free,
    cold: Free,
    /// Pages in use, and warm ones.
    used: usize,
    warm_pages: usize,
}

// SAFETY: regions belong to nobody but this.
unsafe impl Send for Runs {}

impl Free {
    const fn new() -> Self {
        Self { first: [ptr::null_mut(); LONGEST + 1], lengths: [0; LONGEST / 64 + 1] }
    }

    /// The shortest run of at least this length.
    fn shortest(&self, len: usize) -> Option<*mut Page> {
        let mut word = len / 64;
        let mut lengths = self.lengths[word] & (!0 << (len % 64));
        while lengths == 0 {
            word += 1;
            lengths = *self.lengths.get(word)?;
        }
        Some(self.first[word * 64 + lengths.trailing_zeros() as usize])
    }

    /// The longest run.
    fn longest(&self) -> Option<*mut Page> {
        let word = self.lengths.iter().rposition(|&lengths| lengths != 0)?;
        Some(self.first[word * 64 + self.lengths[word].ilog2() as usize])
    }

    /// # Safety
    /// It is the first page of a run of ours that is marked, and not listed.
    unsafe fn link(&mut self, run: *mut Page) {
        // SAFETY: by contract; what is listed is ours.
        unsafe {
            let len = (*run).len as usize;
            let next = self.first[len];
            ((*run).previous, (*run).next) = (ptr::null_mut(), next);
            if !next.is_null() {
                (*next).previous = run;
            }
            self.first[len] = run;
            self.lengths[len / 64] |= 1 << (len % 64);
        }
    }

    /// # Safety
    /// The run is listed here.
    unsafe fn unlink(&mut self, run: *mut Page) {
        // SAFETY: by contract; its neighbours are listed too.
        unsafe {
            let (len, previous, next) = ((*run).len as usize, (*run).previous, (*run).next);
            if !next.is_null() {
                (*next).previous = previous;
            }
            if !previous.is_null() {
                (*previous).next = next;
                return;
            }
            self.first[len] = next;
            if next.is_null() {
                self.lengths[len / 64] &= !(1 << (len % 64));
            }
        }
    }
}

impl Runs {
    const fn new() -> Self {
        Self { warm: Free::new(), cold: Free::new(), used: 0, warm_pages: 0 }
    }

    /// So many pages may be warm.
    fn most_warm(&self) -> usize {
        FEW_WARM.max(self.used / WARM_PART)
    }

    /// A run of so many pages.
    fn take(&mut self, len: usize) -> Option<NonNull<u8>> {
        let run = match self.warm.shortest(len).or_else(|| self.cold.shortest(len)) {
            Some(run) => run,
            None => self.add_region()?,
        };
        // SAFETY: a listed run is free, and at least as long.
        Some(unsafe { self.cut(run, len) })
    }

    /// The longest warm run, and its length.
    fn take_longest(&mut self) -> Option<(NonNull<u8>, usize)> {
        let run = self.warm.longest()?;
        // SAFETY: a listed run is free, and as long as it says.
        unsafe {
            let len = (*run).len as usize;
            Some((self.cut(run, len), len))
        }
    }

    /// Takes the first pages of a free run.
    ///
    /// # Safety
    /// The run is listed, and has so many.
    unsafe fn cut(&mut self, run: *mut Page, len: usize) -> NonNull<u8> {
        // SAFETY: by contract; what is left of it lies behind what is taken.
        unsafe {
            let (region, at) = place_of(run);
            let (found, state) = ((*run).len as usize, (*run).state);
            self.unlist(run);
            mark(region, at, len, State::Used);
            if found > len {
                self.list(region, at + len, found - len, state);
            }
            self.used += len;
            NonNull::new_unchecked(region.cast::<u8>().add(at * GRAIN))
        }
    }

    /// Makes a run free, together with its neighbours of the same state. A region that is one cold run goes
    /// back to the system.
    ///
    /// # Safety
    /// The block came from [`Runs::take`] or [`Runs::take_longest`] with this length, and is not used any
    /// more; it is cold if its memory was given back.
    unsafe fn give(&mut self, block: NonNull<u8>, len: usize, state: State) {
        let region = block.as_ptr().map_addr(|address| address & !(REGION - 1)).cast::<Region>();
        let at = block.addr().get() % REGION / GRAIN;
        self.used -= len;
        // SAFETY: by contract the run is in use, and lies in a region of ours. The page before is the last of
        // its run, the one behind the first: what they say is right. The header's are never free.
        unsafe {
            let (mut first, mut end) = (at, at + len);
            let before = page_at(region, at - 1);
            if (*before).state == state {
                first -= (*before).len as usize;
                self.unlist(page_at(region, first));
            }
            if end < GRAINS && (*page_at(region, end)).state == state {
                let behind = page_at(region, end);
                end += (*behind).len as usize;
                self.unlist(behind);
            }
            if state == State::Cold && end - first == LONGEST {
                pages::unmap(NonNull::new_unchecked(region.cast()), REGION);
            } else {
                self.list(region, first, end - first, state);
            }
        }
    }

    /// Makes a run free.
    ///
    /// # Safety
    /// It is a run of this region, which is ours, and it is not listed.
    unsafe fn list(&mut self, region: *mut Region, at: usize, len: usize, state: State) {
        // SAFETY: by contract.
        unsafe {
            mark(region, at, len, state);
            let run = page_at(region, at);
            if state == State::Warm {
                self.warm_pages += len;
                self.warm.link(run);
            } else {
                self.cold.link(run);
            }
        }
    }

    /// # Safety
    /// The run is listed.
    unsafe fn unlist(&mut self, run: *mut Page) {
        // SAFETY: by contract.
        unsafe {
            if (*run).state == State::Warm {
                self.warm_pages -= (*run).len as usize;
                self.warm.unlink(run);
            } else {
                self.cold.unlink(run);
            }
        }
    }

    /// A new region, which is one cold run.
    #[cold]
    fn add_region(&mut self) -> Option<*mut Page> {
        let region = pages::map_aligned(REGION)?.cast::<Region>().as_ptr();
        // SAFETY: the region is ours, aligned, and larger than its header, for which zeroed memory will do:
        // no page is free.
        unsafe {
            self.list(region, FIRST, LONGEST, State::Cold);
            Some(page_at(region, FIRST))
        }
    }
}

/// Notes a run at its first and its last page.
///
/// # Safety
/// The region is ours, and has these pages.
unsafe fn mark(region: *mut Region, at: usize, len: usize, state: State) {
    // SAFETY: by contract.
    unsafe {
        for page in [page_at(region, at), page_at(region, at + len - 1)] {
            ((*page).len, (*page).state) = (len as u32, state);
        }
    }
}

/// # Safety
/// The region is ours, and `at` less than [`GRAINS`].
unsafe fn page_at(region: *mut Region, at: usize) -> *mut Page {
    // SAFETY: by contract.
    unsafe { (&raw mut (*region).pages).cast::<Page>().add(at) }
}

/// The region and the place of a page.
///
/// # Safety
/// It is a page's of a region of ours.
unsafe fn place_of(page: *mut Page) -> (*mut Region, usize) {
    let region = page.map_addr(|address| address & !(REGION - 1)).cast::<Region>();
    // SAFETY: by contract both lie in one region.
    unsafe { (region, page.offset_from_unsigned(page_at(region, 0))) }
}
