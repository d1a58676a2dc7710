//! Epoch-based reclamation (Fraser, "Practical lock-freedom", 2004): when is nobody able to read
//! what has just been unlinked?
//!
//! A thread announces the epoch it saw while it reads (`pin`). What is unlinked is tagged with the
//! epoch of that moment (`Domain::tag`). Once every announced epoch is later than the tag
//! (`Domain::horizon`), nobody can hold a pointer to it and its owner frees it. The domain holds
//! no garbage: each shard keeps its own, so that its bytes stay charged to that cache, any thread
//! may free them, and a cache that is dropped takes its garbage along.
//!
//! # Why it is safe
//! U unlinks x, then executes a sequentially consistent fence F1 (in `tag`) and reads the epoch t.
//! R announces p, executes the fence F2 (in `pin`), then reads shared pointers. H begins the epoch h,
//! executes the fence F3 (in `horizon`), then reads what is announced: its horizon is at most h.
//! Fences are totally ordered. If F1 < F2, R cannot see x any more. If F2 < F1, then p <= t, since R
//! read the epoch before F2 and U read it after F1. If t < h, then U read the epoch before H raised it,
//! and F1 < F3: H sees R's announcement, its horizon is at most p, and x stays. So a horizon holds for
//! whatever has a tag below it, also for what is tagged after it was computed.

use crate::repeats::Repeats;
use crate::shim::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
use crate::spares::Spares;
use crossbeam_utils::CachePadded;
use std::cell::Cell;
use std::ptr;

#[cfg(all(test, loom))]
mod models;

/// An idle participant announces this; epochs begin above it.
const IDLE: u64 = 0;

/// What a participant had announced before a pin.
pub(crate) struct Before(u64);

impl Before {
    /// Whether it was idle.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.0 == IDLE
    }
}

/// The threads that read, and the epoch that they agree on.
pub(crate) struct Domain {
    epoch: CachePadded<AtomicU64>,
    /// A list that only grows; a participant that leaves is given to the next thread that comes.
    participants: AtomicPtr<Participant>,
    registered: AtomicUsize,
}

/// One thread's announcement, and what only that thread looks at.
pub(crate) struct Participant {
    announced: CachePadded<AtomicU64>,
    taken: AtomicBool,
    next: *mut Participant,
    /// Guards of the thread that are alive, which end in the reverse order of their beginnings.
    #[cfg(debug_assertions)]
    pub(crate) guards: Cell<u32>,
    /// Where the thread counts its statistics.
    pub(crate) stripe: Cell<usize>,
    /// What it has read again and again.
    pub(crate) repeats: Repeats,
    /// Blocks for its next entries.
    pub(crate) spares: Spares,
}

// SAFETY: `next` is written before the participant is published and never again; the cells are
// touched by the thread alone that has taken it, and handed on by `leave` and `join`.
unsafe impl Sync for Participant {}

impl Participant {
    /// What its thread, which asks, has announced.
    #[inline]
    fn announced(&self) -> u64 {
        // Relaxed: a thread sees its own stores.
        self.announced.load(Ordering::Relaxed)
    }

    /// Whether its thread, which asks, is pinned.
    #[inline]
    pub(crate) fn is_pinned(&self) -> bool {
        self.announced() != IDLE
    }
}

impl Domain {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self {
            epoch: CachePadded::new(AtomicU64::new(1)),
            participants: AtomicPtr::new(ptr::null_mut()),
            registered: AtomicUsize::new(0),
        }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            epoch: CachePadded::new(AtomicU64::new(1)),
            participants: AtomicPtr::new(ptr::null_mut()),
            registered: AtomicUsize::new(0),
        }
    }

    /// A participant for the calling thread, until it calls [`Domain::leave`].
    pub(crate) fn join(&self) -> &Participant {
        // SeqCst: `alone` must not miss a thread that pins after this (see there).
        self.registered.fetch_add(1, Ordering::SeqCst);
        let mut head = self.participants.load(Ordering::Acquire);
        let mut at = head;
        // SAFETY: participants are never freed while the domain lives.
        while let Some(participant) = unsafe { at.as_ref() } {
            // Acquire and release pair with `leave`: the announcement is handed over idle.
            if participant
                .taken
                .compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
            {
                return participant;
            }
            at = participant.next;
        }
        let new = Box::into_raw(Box::new(Participant {
            announced: CachePadded::new(AtomicU64::new(IDLE)),
            taken: AtomicBool::new(true),
            next: head,
            #[cfg(debug_assertions)]
            guards: Cell::new(0),
            stripe: Cell::new(0),
            repeats: Repeats::default(),
            spares: Spares::default(),
        }));
        loop {
            // Release publishes the participant's fields.
            match self.participants.compare_exchange(head, new, Ordering::AcqRel, Ordering::Acquire)
            {
                // SAFETY: just allocated, and never freed while the domain lives.
                Ok(_) => return unsafe { &*new },
                Err(now) => {
                    head = now;
                    // SAFETY: not published yet: this thread alone has it.
                    unsafe { (*new).next = head };
                }
            }
        }
    }

    /// Gives the participant back. It must not be pinned.
    pub(crate) fn leave(&self, participant: &Participant) {
        participant.taken.store(false, Ordering::Release);
        self.registered.fetch_sub(1, Ordering::SeqCst);
    }

    /// Announces that the participant reads from now on, unless it does already; what it had announced
    /// before.
    #[inline]
    pub(crate) fn pin(&self, participant: &Participant) -> Before {
        let before = participant.announced();
        if before == IDLE {
            self.announce(participant);
        }
        Before(before)
    }

    #[inline(always)]
    fn announce(&self, participant: &Participant) {
        let epoch = self.epoch.load(Ordering::Relaxed);
        #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
        {
            // On x86 an exchange is a full fence, and cheaper than a store followed by one.
            participant.announced.swap(epoch, Ordering::SeqCst);
            std::sync::atomic::compiler_fence(Ordering::SeqCst);
        }
        #[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
        {
            // Release: who sees this announcement instead of the idle one before it sees the reads
            // before that one end as well.
            participant.announced.store(epoch, Ordering::Release);
            fence(Ordering::SeqCst);
        }
    }

    /// Announces what the participant had announced before the pin that ends: in most cases that it reads
    /// no more.
    #[inline]
    pub(crate) fn unpin(&self, participant: &Participant, before: &Before) {
        // Release: its reads happen before whatever is freed because of this.
        participant.announced.store(before.0, Ordering::Release);
    }

    /// The tag of something that the caller has unlinked, by an atomic exchange.
    #[inline]
    pub(crate) fn tag(&self) -> u64 {
        full_fence_after_exchange();
        self.epoch.load(Ordering::Relaxed)
    }

    /// Begins a new epoch. What has a tag below the result can be freed, now and later.
    pub(crate) fn horizon(&self) -> u64 {
        let mut horizon = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        fence(Ordering::SeqCst);
        let mut at = self.participants.load(Ordering::Acquire);
        // SAFETY: participants are never freed while the domain lives.
        while let Some(participant) = unsafe { at.as_ref() } {
            // Acquire pairs with the release in `unpin`.
            match participant.announced.load(Ordering::Acquire) {
                IDLE => {}
                epoch => horizon = horizon.min(epoch),
            }
            at = participant.next;
        }
        horizon
    }

    /// Whether no thread but the caller, which joined, can be reading. A thread
    /// that joins later pins later, and cannot see what the caller unlinked before it asked: the
    /// caller unlinks, fences, and reads the count; the other counts itself, fences in `pin`, and
    /// reads the pointers.
    #[inline]
    pub(crate) fn alone(&self) -> bool {
        full_fence_after_exchange();
        self.registered.load(Ordering::Acquire) == 1
    }
}

/// A full fence between an atomic exchange and what comes after it: on x86 the exchange is one.
#[inline]
fn full_fence_after_exchange() {
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
    fence(Ordering::SeqCst);
}

impl Drop for Domain {
    fn drop(&mut self) {
        let mut at = self.participants.load(Ordering::Relaxed);
        while !at.is_null() {
            // SAFETY: made by Box::into_raw in `join`; whoever drops the domain is its last user.
            at = unsafe { Box::from_raw(at) }.next;
        }
    }
}
