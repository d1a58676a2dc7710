//! Who hears of a cache's removals: the way from the thread that caused one to the environments
//! that listen.

use super::outbox::Outbox;
use super::removal::Removal;
use breakwater_engine::{EntryRef, Reason, RemovalListener};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One instance's interest in the removals of its cache.
pub struct Listener {
    /// Tells the facade which instance it is.
    pub id: u64,
    /// Where its removals go.
    pub outbox: Arc<Outbox>,
    /// Whether each removal must arrive: an object is let go by it. There are at most as many as
    /// the cache had entries, since each call of the owner empties the outbox.
    pub must: bool,
    /// Removals that found the outbox full.
    pub dropped: AtomicU64,
}

/// The listeners of a cache.
#[derive(Default)]
pub struct Listeners(RwLock<Vec<Arc<Listener>>>);

impl Listeners {
    /// Adds one.
    pub fn add(&self, listener: Arc<Listener>) {
        self.0.write().push(listener);
    }

    /// Removes one; whether any are left.
    pub fn remove(&self, listener: &Arc<Listener>) -> bool {
        let mut all = self.0.write();
        all.retain(|other| !Arc::ptr_eq(other, listener));
        !all.is_empty()
    }
}

impl RemovalListener for Listeners {
    fn removed(&self, entry: EntryRef<'_>, reason: Reason) {
        for listener in &*self.0.read() {
            let removal = Removal::new(listener.id, entry, reason);
            if !listener.outbox.push(removal, listener.must) {
                // Relaxed: a count that orders nothing.
                listener.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
