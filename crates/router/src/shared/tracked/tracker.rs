//! A client that tracks: who is told in its place, and which of its registrations count.

use crate::news::ClientId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// The number of the next registration, of whichever table: a client may be in several.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The number of a registration.
pub(super) fn draw() -> u64 {
    // AcqRel: what is drawn after a floor is above it.
    NEXT.fetch_add(1, Ordering::AcqRel)
}

/// A client that tracks.
pub(crate) struct Tracker {
    pub(crate) client: ClientId,
    /// The number of its thread's relay.
    pub(crate) thread: u64,
    /// Who is told in its place; 0 if it is itself.
    pub(crate) target: AtomicU64,
    /// Whether that one was found gone.
    pub(crate) broken: AtomicBool,
    /// Whether it hears of prefixes, and not of what it reads.
    pub(crate) broadcasts: AtomicBool,
    /// Whether what it reads is registered in another table, that of a connection.
    apart: AtomicBool,
    /// Registrations of smaller numbers do not count.
    floor: AtomicU64,
    weight: AtomicUsize,
}

/// Somebody to be told.
pub(crate) struct Told {
    pub(crate) tracker: Arc<Tracker>,
    /// Of this key; of all, if there is none.
    pub(crate) key: Option<Arc<[u8]>>,
}

impl Tracker {
    pub(super) fn new(client: ClientId, thread: u64) -> Self {
        Self {
            client,
            thread,
            target: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            broadcasts: AtomicBool::new(false),
            apart: AtomicBool::new(false),
            floor: AtomicU64::new(0),
            weight: AtomicUsize::new(0),
        }
    }

    /// What other clients are shown of it: who is told in its place, whether that one was found gone,
    /// and whether it hears of prefixes.
    pub(crate) fn shown(&self) -> (i64, bool, bool) {
        (
            self.target.load(Ordering::Acquire) as i64,
            self.is_broken(),
            self.broadcasts.load(Ordering::Relaxed),
        )
    }

    /// Another one is told in its place; it is itself, if that is 0.
    pub(super) fn redirect(&self, target: ClientId) {
        self.target.store(target, Ordering::Release);
        self.broken.store(false, Ordering::Release);
    }

    /// Whether the one that is told in its place was found gone.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// What it reads is registered in another table, that of a connection.
    pub(super) fn set_apart(&self) {
        // Release: whoever is to tell all that may be missed tells this one.
        self.apart.store(true, Ordering::Release);
    }

    pub(super) fn is_apart(&self) -> bool {
        self.apart.load(Ordering::Acquire)
    }

    /// Registrations count from this number on.
    pub(super) fn floor(&self) -> u64 {
        self.floor.load(Ordering::Acquire)
    }

    /// One more of its registrations weighs so much; what all of them do.
    pub(super) fn add(&self, own: usize) -> usize {
        // Relaxed: a bound, which may be passed by a little.
        self.weight.fetch_add(own, Ordering::Relaxed) + own
    }

    /// One of its registrations has gone, which weighed so much.
    pub(super) fn remove(&self, own: usize) {
        let less = |weight: usize| Some(weight.saturating_sub(own));
        // Relaxed: a bound. It never fails: there is always a smaller one.
        let _ = self.weight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Its registrations end, but for those that are yet to come: it is to be told of all keys.
    pub(super) fn forget_all(self: Arc<Self>) -> Told {
        self.drop_all(draw());
        Told { tracker: self, key: None }
    }

    /// It tracks no more.
    pub(super) fn end(&self) {
        self.drop_all(u64::MAX);
    }

    fn drop_all(&self, floor: u64) {
        self.floor.fetch_max(floor, Ordering::AcqRel);
        self.weight.store(0, Ordering::Relaxed);
    }
}
