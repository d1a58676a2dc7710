//! `CLIENT PAUSE`: until when the requests of all clients of the node wait, and which of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A pause, or none.
#[derive(Default)]
pub(crate) struct Pause {
    /// When it ends, in milliseconds of the relays' clock; 0 if there is none.
    until: AtomicU64,
    /// Whether it holds up reads as well.
    all: AtomicBool,
}

impl Pause {
    /// Whether there may be one. Relaxed: a request that comes at the same time may go or wait.
    #[inline]
    pub(crate) fn may_be(&self) -> bool {
        self.until.load(Ordering::Relaxed) != 0
    }

    /// Begins one. If there is one already, the longer and the stricter of both holds, as in Redis.
    pub(crate) fn begin(&self, until: u64, all: bool) {
        // Release, with the time: who sees that knows what is held up.
        self.all.fetch_or(all, Ordering::Release);
        self.until.fetch_max(until, Ordering::Release);
    }

    /// Until when requests wait, and whether reads do; `None` if none does any more.
    pub(crate) fn until(&self, now: u64) -> Option<(u64, bool)> {
        let until = self.until.load(Ordering::Acquire);
        if until > now {
            return Some((until, self.all.load(Ordering::Acquire)));
        }
        if until != 0
            && self.until.compare_exchange(until, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        {
            self.all.store(false, Ordering::Release);
        }
        None
    }

    /// Ends it.
    pub(crate) fn end(&self) {
        self.until.store(0, Ordering::Release);
        self.all.store(false, Ordering::Release);
    }
}
