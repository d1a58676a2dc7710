//! What leaves the memory because it has changed, for those who watch: counted by route, and the first
//! keys of each cause while shown, so that none is hidden by one that is more frequent. Where nobody watches, it costs a look at a flag.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most keys of a cause that are shown at once.
pub const MOST_SHOWN: usize = 64;
/// The most bytes of a key that are kept.
const LONGEST: usize = 512;

/// Why something is read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A client of this node writes.
    Write,
    /// The store tells of a change.
    News,
    /// A comparison with the store has found another value.
    Verified,
    /// The key lives in another store now.
    Moved,
    /// Somebody who runs the node asked for it.
    Hand,
}

impl Cause {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::News => "news",
            Self::Verified => "verified",
            Self::Moved => "moved",
            Self::Hand => "hand",
        }
    }
}

/// What has left since it was asked last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invalidated {
    /// How many keys, by the pattern of their route.
    pub routes: BTreeMap<String, u64>,
    /// The first of each cause, the beginnings of long ones, and whether that is all of it.
    pub keys: Vec<(Vec<u8>, bool, Cause)>,
    /// What made everything leave.
    pub everything: Vec<Cause>,
}

/// What leaves, on its way to those who watch.
#[derive(Default)]
pub(crate) struct Invalidations {
    watched: AtomicBool,
    since: Mutex<Invalidated>,
}

impl Invalidations {
    /// Somebody watches from now on, or nobody.
    pub(crate) fn watch(&self, on: bool) {
        // Relaxed: what leaves at that very moment may be told or not.
        self.watched.store(on, Ordering::Relaxed);
        *self.since.lock() = Invalidated::default();
    }

    /// Whether somebody watches.
    #[inline]
    pub(crate) fn are_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// A key has left.
    pub(crate) fn note(&self, key: &[u8], route: String, cause: Cause) {
        let mut since = self.since.lock();
        *since.routes.entry(route).or_default() += 1;
        let same = since.keys.iter().filter(|(.., of)| *of == cause).count();
        if same < MOST_SHOWN {
            let shown = &key[..key.len().min(LONGEST)];
            since.keys.push((shown.to_vec(), shown.len() == key.len(), cause));
        }
    }

    /// Everything has left.
    pub(crate) fn note_all(&self, cause: Cause) {
        let mut since = self.since.lock();
        if since.everything.len() < MOST_SHOWN {
            since.everything.push(cause);
        }
    }

    /// What has left since this was asked last.
    pub(crate) fn take(&self) -> Invalidated {
        mem::take(&mut *self.since.lock())
    }
}
