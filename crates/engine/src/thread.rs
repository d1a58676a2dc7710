//! What the engine keeps for each thread: its participant in the reclamation domain, and the stripe
//! of statistics that it counts in. An operation looks its thread up once, and hands it on.

use crate::reclaim::{Before, Domain, Participant};
use crate::spares::Spares;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(not(loom))]
static DOMAIN: Domain = Domain::new();
#[cfg(loom)]
loom::lazy_static! { static ref DOMAIN: Domain = Domain::new(); }

/// One bit for each stripe that a living thread owns.
static STRIPES: AtomicU64 = AtomicU64::new(0);

/// Stripes that one thread owns alone; threads beyond that share the stripe of this number.
pub(crate) const OWN_STRIPES: usize = 16;

thread_local! {
    // Two, because a variable without a destructor is cheaper to look up.
    static HERE: Cell<Option<&'static Participant>> = const { Cell::new(None) };
    static LEAVER: Leaver = const { Leaver };
}

/// Gives the participant back when the thread ends.
struct Leaver;

impl Drop for Leaver {
    fn drop(&mut self) {
        depart();
    }
}

/// The calling thread, as the engine knows it.
#[derive(Clone, Copy)]
pub(crate) struct Thread {
    participant: &'static Participant,
    not_send: PhantomData<*const ()>,
}

/// The calling thread.
#[inline]
pub(crate) fn here() -> Thread {
    let participant = HERE.with(Cell::get).unwrap_or_else(arrive);
    Thread { participant, not_send: PhantomData }
}

#[cold]
fn arrive() -> &'static Participant {
    let participant = DOMAIN.join();
    participant.stripe.set(choose_stripe());
    HERE.with(|here| here.set(Some(participant)));
    // A thread whose destructors run already never leaves: one participant is lost, no more.
    let _ = LEAVER.try_with(|_| ());
    participant
}

fn depart() {
    if let Some(participant) = HERE.with(Cell::take) {
        let stripe = participant.stripe.get();
        if stripe < OWN_STRIPES {
            // Release: the next owner of the stripe sees this thread's counts.
            STRIPES.fetch_and(!(1 << stripe), Ordering::Release);
        }
        participant.spares.clear();
        DOMAIN.leave(participant);
    }
}

/// A stripe that no living thread owns, or the one that many share: at most [`OWN_STRIPES`].
fn choose_stripe() -> usize {
    let mut owned = STRIPES.load(Ordering::Relaxed);
    loop {
        let free = (!owned).trailing_zeros() as usize;
        if free >= OWN_STRIPES {
            return OWN_STRIPES;
        }
        let wanted = owned | 1 << free;
        // Acquire pairs with the release of the stripe's last owner.
        match STRIPES.compare_exchange(owned, wanted, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return free,
            Err(now) => owned = now,
        }
    }
}

impl Thread {
    /// Pins the thread. Guards nest, and end in the reverse order of their beginnings: it is the
    /// outermost one that counts.
    #[inline]
    pub(crate) fn pin(self) -> Guard {
        Guard {
            thread: self,
            before: DOMAIN.pin(self.participant),
            #[cfg(debug_assertions)]
            number: {
                let number = self.participant.guards.get() + 1;
                self.participant.guards.set(number);
                number
            },
        }
    }

    /// Whether what this thread has just unlinked can be freed at once: no other thread reads, and
    /// this one is not pinned.
    #[inline]
    pub(crate) fn is_alone(self) -> bool {
        !self.participant.is_pinned() && DOMAIN.alone()
    }

    /// A read of a key of this hash: see [`Repeats::count`].
    ///
    /// [`Repeats::count`]: crate::repeats::Repeats::count
    #[inline]
    pub(crate) fn repeats(self, hash: u64) -> u64 {
        self.participant.repeats.count(hash)
    }

    /// Blocks for the thread's next entries.
    #[inline]
    pub(crate) fn spares(self) -> &'static Spares {
        &self.participant.spares
    }

    /// The stripe that the thread counts in: its own below [`OWN_STRIPES`], else a shared one.
    #[inline]
    pub(crate) fn stripe(self) -> usize {
        self.participant.stripe.get()
    }
}

/// Checks, where debug assertions are on, that the calling thread may wait for others: that it is
/// not pinned, and so keeps nobody from freeing memory meanwhile.
#[inline]
pub(crate) fn assert_unpinned() {
    debug_assert!(
        HERE.with(Cell::get).is_none_or(|participant| !participant.is_pinned()),
        "a pinned thread waits for a lock or for memory",
    );
}

/// While it lives, nothing that this thread can reach is freed.
pub(crate) struct Guard {
    thread: Thread,
    before: Before,
    /// How many there were when it began, with itself.
    #[cfg(debug_assertions)]
    number: u32,
}

impl Guard {
    /// Whether nobody can be reading what this thread has just unlinked: no other thread, and nothing of
    /// this one that began before the guard.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        self.before.is_idle() && DOMAIN.alone()
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        #[cfg(debug_assertions)]
        {
            let guards = self.thread.participant.guards.replace(self.number - 1);
            debug_assert_eq!(
                guards, self.number,
                "guards end in the reverse order of their beginnings"
            );
        }
        DOMAIN.unpin(self.thread.participant, &self.before);
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

/// Tells the engine that the calling thread will not use it for a while. A thread that sleeps
/// between uses calls this first: while only one thread is known, what it removes is freed at once.
pub fn rest() {
    if HERE.with(Cell::get).is_some_and(|participant| !participant.is_pinned()) {
        depart();
    }
}
