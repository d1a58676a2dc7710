//! How far a long piece of work is, seen from another thread, which may also end it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How far something is.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    cancelled: AtomicBool,
}

// Relaxed throughout: neither tells anything of other memory.
impl Progress {
    /// What was done until now, in the unit of whoever does it.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Whoever does it is to give it up soon.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it is to be given up.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, more: u64) {
        self.done.fetch_add(more, Ordering::Relaxed);
    }
}
