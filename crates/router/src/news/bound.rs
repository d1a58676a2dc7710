//! How many keys are tracked at most, of the node's own store or of one behind it: what the option
//! `tracking.maxKeys` says, and `tracking-table-max-keys` in Redis.

use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes of a key count as another one.
const LONG: usize = 256;
/// So many readers of a key count as another one.
const MANY: usize = 8;
/// The most keys that make room for one that comes: a bound that became much lower is reached little
/// by little.
pub(crate) const AT_ONCE: usize = 100;

/// How many keys a tracked one counts as: one, unless it is very long or has very many readers.
pub(crate) fn weight(len: usize, readers: usize) -> usize {
    if readers == 0 { 0 } else { own_weight(len) + readers / MANY }
}

/// The same, for one reader.
pub(crate) fn own_weight(len: usize) -> usize {
    1 + len / LONG
}

/// A bound, and how much is used of it. Relaxed throughout: sums, with which nothing is published.
pub(crate) struct Bound {
    most: AtomicUsize,
    used: AtomicUsize,
}

impl Bound {
    /// Of so many keys; without end, if it is 0.
    pub(crate) fn new(most: usize) -> Self {
        let bound = Self { most: AtomicUsize::new(0), used: AtomicUsize::new(0) };
        bound.set(most);
        bound
    }

    /// As many from now on.
    pub(crate) fn set(&self, most: usize) {
        self.most.store(if most == 0 { usize::MAX } else { most }, Ordering::Relaxed);
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// A key counted as `before` and counts as `after`.
    pub(crate) fn count(&self, before: usize, after: usize) {
        self.used.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }

    pub(crate) fn is_exceeded(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.most()
    }
}
