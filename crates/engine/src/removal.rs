//! Who is told that an entry left, and why it did.

use crate::entry::EntryRef;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why an entry left the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Another entry needed its room.
    Evicted = 0,
    /// Its deadline passed.
    Expired = 1,
    /// `delete` or an edit removed it.
    Deleted = 2,
    /// A new value took its place.
    Replaced = 3,
    /// `clear` removed it.
    Cleared = 4,
}

/// Told of every entry that leaves: after it left, with no lock held, on the thread that caused
/// it. It must not call back into the cache.
pub trait RemovalListener: Send + Sync {
    /// `entry` left for `reason`.
    fn removed(&self, entry: EntryRef<'_>, reason: Reason);
}

/// Who is told of the removals of a cache. Whether anybody is, and who, changes under one lock: of
/// two who begin and cease to listen at once, neither undoes what the other did.
#[derive(Default)]
pub(crate) struct Listeners {
    any: AtomicBool,
    all: RwLock<Arc<[Arc<dyn RemovalListener>]>>,
}

impl Listeners {
    /// Whether anybody listens.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        // Relaxed: who begins to listen is told of what leaves from some moment on.
        self.any.load(Ordering::Relaxed)
    }

    /// Those who listen now.
    pub(crate) fn all(&self) -> Arc<[Arc<dyn RemovalListener>]> {
        self.all.read().clone()
    }

    pub(crate) fn add(&self, listener: Arc<dyn RemovalListener>) {
        self.change(|all| all.push(listener));
    }

    pub(crate) fn remove(&self, is_it: impl Fn(&Arc<dyn RemovalListener>) -> bool) {
        self.change(|all| all.retain(|listener| !is_it(listener)));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<dyn RemovalListener>>)) {
        let mut current = self.all.write();
        let mut all = current.to_vec();
        change(&mut all);
        self.any.store(!all.is_empty(), Ordering::Relaxed);
        *current = all.into();
    }
}
