//! Readers who keep near copies of values: what they need to know, and what they tell in return.

use super::Cache;
use crate::config::Policy;
use crate::entry::EntryRef;
use crate::index::Host;
use crate::key::Key;
use crate::versions::{Stamp, Versions};
use std::sync::Arc;

impl Cache {
    /// The versions of the keys, if [`crate::Config::near_copies`] asked for them.
    pub fn versions(&self) -> Option<&Arc<Versions>> {
        self.shared.versions.as_ref()
    }

    /// What versions and tags are charged, to the first shard.
    pub(super) fn price_of_extras(&self) -> u64 {
        let versions = self.shared.versions.as_ref().map_or(0, |versions| versions.footprint());
        versions + self.tags.footprint()
    }

    /// As [`Cache::get`], with the stamp by which a copy of the value can be kept.
    #[inline]
    pub fn get_stamped<R>(
        &self,
        key: Key<'_>,
        f: impl FnOnce(EntryRef<'_>) -> R,
    ) -> Option<(R, Stamp)> {
        let hash = self.shared.hasher.hash(key);
        let stamp = self.stamp(hash);
        self.get_hashed(hash, key, |entry| {
            let is_early = entry.has_note() && self.is_early(entry);
            let version = if is_early { None } else { stamp.version };
            (f(entry), Stamp { hash, version })
        })
    }

    /// The stamp for a copy of a value that is about to be read: what changes from here on spoils
    /// it.
    #[inline]
    pub(super) fn stamp(&self, hash: u64) -> Stamp {
        match &self.shared.versions {
            Some(versions) => versions.stamp(hash),
            None => Stamp { hash, version: None },
        }
    }

    /// Tells the policy that a reader used a copy of the entry of this hash. Counts no hit.
    ///
    /// Should another key have the same hash, or, but for `lru`, nearly the same, it is taken for
    /// this one: a policy's guess is a little worse then.
    pub fn record_use(&self, hash: u64) {
        let shard = self.shard_of(hash);
        let _guard = shard.here.pin();
        match self.policy {
            Policy::Lfu | Policy::Auto => {
                if let Some(hit) = shard.index.find(hash, |_| true) {
                    hit.count_read();
                    self.tell_shadows(shard.here, hash);
                }
            }
            Policy::Lru => {
                let mut guarded = shard.guarded.lock();
                let same = |entry| shard.hash_of(entry) == hash;
                if let Some(hit) = shard.index.find(hash, same) {
                    guarded.order.touched(hit.entry());
                }
            }
            Policy::Random | Policy::None => {}
        }
    }

    /// Counts `reads` of the entry of this hash among those that [`Cache::hot_keys`] ranks.
    pub fn record_reads(&self, hash: u64, reads: u32) {
        let shard = self.shard_of(hash);
        let _guard = shard.here.pin();
        if let Some(hit) = shard.index.find(hash, |entry| shard.hash_of(entry) == hash) {
            // SAFETY: pinned: what the index holds is not freed.
            self.hot.record(hash, unsafe { hit.entry().read() }.key(), reads);
        }
    }
}
