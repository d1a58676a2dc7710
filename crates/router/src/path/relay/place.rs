//! The place of a read among those that a server is asked: see `misses`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many places are taken. Relaxed: one thread has it.
#[derive(Default)]
pub(super) struct TakenPlaces(Arc<AtomicUsize>);

/// A place: free again when it is dropped.
pub(super) struct Place(Arc<AtomicUsize>);

impl TakenPlaces {
    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes one.
    pub(super) fn take(&self) -> Place {
        self.0.fetch_add(1, Ordering::Relaxed);
        Place(self.0.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
