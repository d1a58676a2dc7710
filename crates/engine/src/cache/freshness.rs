//! Reads for those who load what is missing, and want to know how fresh it is.

use super::Cache;
use crate::entry::EntryRef;
use crate::key::Key;
use crate::thread;
use crate::versions::Stamp;

/// How fresh an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Before its deadline.
    Fresh,
    /// Before its deadline, and so near to it that it should be loaded anew.
    Early,
    /// There only for those who take stale values.
    Stale,
}

/// An entry as [`Cache::get_with_freshness`] finds it.
pub struct Found<'a> {
    /// The entry.
    pub entry: EntryRef<'a>,
    /// How fresh it is.
    pub freshness: Freshness,
    /// Whether it is no value but the knowledge that there is none.
    pub negative: bool,
    /// Milliseconds until its deadline; if it is stale, since then or since a tag of it was
    /// invalidated. `None` if it has no deadline.
    pub left: Option<u64>,
    /// By which stamp a copy of the value can be kept until its early window begins.
    pub stamp: Stamp,
}

impl Cache {
    /// Hands the key's entry to `f`, also one that is stale or negative. What is fresh counts as a
    /// hit, what is not as a miss; the policy is told of both.
    pub fn get_with_freshness<R>(&self, key: Key<'_>, f: impl FnOnce(Found<'_>) -> R) -> Option<R> {
        let hash = self.shared.hasher.hash(key);
        let here = thread::here();
        let stamp = self.stamp(hash);
        let wanted = |entry| self.examine(entry, stamp);
        let found = self.read_if(here, hash, key, true, wanted, |found| {
            (found.freshness != Freshness::Stale, f(found))
        });
        let hit = found.as_ref().is_some_and(|&(is_fresh, _)| is_fresh);
        self.count_read(here, hash, key, hit);
        found.map(|(_, result)| result)
    }

    /// How fresh the key's entry is; what is negative is fresh. Counts nothing.
    pub fn freshness(&self, key: Key<'_>) -> Option<Freshness> {
        let hash = self.shared.hasher.hash(key);
        let stamp = self.stamp(hash);
        let wanted = |entry| self.examine(entry, stamp);
        self.read_if(thread::here(), hash, key, false, wanted, |found| found.freshness)
    }

    /// `None` if there is nothing to see.
    pub(super) fn examine<'a>(&self, entry: EntryRef<'a>, stamp: Stamp) -> Option<Found<'a>> {
        if entry.is_tombstone() || self.is_gone(entry) {
            return None;
        }
        let now = self.clock.now();
        let (freshness, left) = match self.stale_since(entry) {
            Some(since) => (Freshness::Stale, Some(now.saturating_sub(since))),
            None => {
                let left = entry.deadline().map(|deadline| deadline.saturating_sub(now));
                (if self.is_early(entry) { Freshness::Early } else { Freshness::Fresh }, left)
            }
        };
        let stamp = if freshness == Freshness::Fresh { stamp } else { stamp.unusable() };
        Some(Found { entry, freshness, negative: entry.is_absent(), left, stamp })
    }
}
