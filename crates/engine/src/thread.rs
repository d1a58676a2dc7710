//! What the engine keeps for each thread: its place in the reclamation domain, and the stripe of
//! statistics that it counts in.

use crate::reclaim::{Domain, Participant};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

static DOMAIN: Domain = Domain::new();

/// One bit a stripe that a living thread owns.
static STRIPES: AtomicU64 = AtomicU64::new(0);

/// Stripes that one thread owns alone; threads beyond that share the stripe of this number.
pub(crate) const OWN_STRIPES: usize = 16;

struct Local {
    participant: Cell<Option<&'static Participant>>,
    depth: Cell<u32>,
    stripe: Cell<usize>,
}

thread_local! {
    static LOCAL: Local = const { Local {
        participant: Cell::new(None),
        depth: Cell::new(0),
        stripe: Cell::new(usize::MAX),
    } };
}

impl Drop for Local {
    fn drop(&mut self) {
        self.depart();
        let stripe = self.stripe.get();
        if stripe < OWN_STRIPES {
            // Release: the next owner of the stripe sees this thread's counts.
            STRIPES.fetch_and(!(1 << stripe), Ordering::Release);
        }
    }
}

impl Local {
    #[inline]
    fn participant(&self) -> &'static Participant {
        match self.participant.get() {
            Some(participant) => participant,
            None => self.arrive(),
        }
    }

    #[cold]
    fn arrive(&self) -> &'static Participant {
        let participant = DOMAIN.join();
        self.participant.set(Some(participant));
        participant
    }

    fn depart(&self) {
        if let Some(participant) = self.participant.take() {
            DOMAIN.leave(participant);
        }
    }

    #[cold]
    fn choose_stripe(&self) -> usize {
        let mut owned = STRIPES.load(Ordering::Relaxed);
        let stripe = loop {
            let free = (!owned).trailing_zeros() as usize;
            if free >= OWN_STRIPES {
                break OWN_STRIPES;
            }
            // Acquire pairs with the release of the stripe's last owner.
            match STRIPES.compare_exchange(
                owned,
                owned | 1 << free,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => break free,
                Err(now) => owned = now,
            }
        };
        self.stripe.set(stripe);
        stripe
    }
}

/// While it lives, nothing that this thread can reach is freed.
pub(crate) struct Guard {
    participant: &'static Participant,
    /// Whether the participant was lent for this guard alone, the thread being about to end.
    lent: bool,
    not_send: PhantomData<*const ()>,
}

/// Pins the calling thread. Guards nest.
#[inline]
pub(crate) fn pin() -> Guard {
    LOCAL
        .try_with(|local| {
            let participant = local.participant();
            let depth = local.depth.get();
            if depth == 0 {
                DOMAIN.pin(participant);
            }
            local.depth.set(depth + 1);
            Guard { participant, lent: false, not_send: PhantomData }
        })
        .unwrap_or_else(|_| pin_at_exit())
}

/// A guard for a thread whose thread-local storage is gone already.
#[cold]
fn pin_at_exit() -> Guard {
    let participant = DOMAIN.join();
    DOMAIN.pin(participant);
    Guard { participant, lent: true, not_send: PhantomData }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        if self.lent {
            DOMAIN.unpin(self.participant);
            DOMAIN.leave(self.participant);
            return;
        }
        let outermost = LOCAL.try_with(|local| {
            let depth = local.depth.get() - 1;
            local.depth.set(depth);
            depth == 0
        });
        if outermost.unwrap_or(true) {
            DOMAIN.unpin(self.participant);
        }
    }
}

/// The tag of something that was just unlinked.
#[inline]
pub(crate) fn tag() -> u64 {
    DOMAIN.tag()
}

/// What is tagged below the result can be freed.
pub(crate) fn horizon() -> u64 {
    DOMAIN.horizon()
}

/// Whether what this thread has just unlinked can be freed at once: no other thread reads, and
/// this one is not pinned.
#[inline]
pub(crate) fn alone() -> bool {
    let unpinned =
        LOCAL.try_with(|local| local.depth.get() == 0 && local.participant.get().is_some());
    unpinned.unwrap_or(false) && DOMAIN.alone()
}

/// The stripe that this thread counts in: its own below [`OWN_STRIPES`], else a shared one.
#[inline]
pub(crate) fn stripe() -> usize {
    LOCAL
        .try_with(|local| match local.stripe.get() {
            usize::MAX => local.choose_stripe(),
            stripe => stripe,
        })
        .unwrap_or(OWN_STRIPES)
}

/// Tells the engine that the calling thread will not use it for a while. A thread that sleeps
/// between uses calls this first: while only one thread is known, what it removes is freed at once.
pub fn rest() {
    let _ = LOCAL.try_with(|local| {
        if local.depth.get() == 0 {
            local.depart();
        }
    });
}
