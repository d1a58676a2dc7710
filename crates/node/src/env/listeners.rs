//! Who hears of a cache's removals: the way from the thread that caused one to the environments
//! that listen.

use super::outbox::Outbox;
use super::removal::Removal;
use breakwater_engine::{EntryRef, Reason, RemovalListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One instance's interest in the removals of its cache.
pub struct Listener {
    /// Tells the facade which instance it is.
    pub id: u64,
    /// Where its removals go.
    pub outbox: Arc<Outbox>,
    /// Whether each removal must arrive: an object is let go by it. There are at most a few
    /// more than the cache had entries, since the owner's calls empty the outbox.
    pub must: bool,
    /// Removals that found the outbox full.
    pub dropped: AtomicU64,
}

impl RemovalListener for Listener {
    fn removed(&self, entry: EntryRef<'_>, reason: Reason) {
        let removal = Removal::new(self.id, entry, reason);
        if !self.outbox.push(removal, self.must) {
            // Relaxed: a count that orders nothing.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
