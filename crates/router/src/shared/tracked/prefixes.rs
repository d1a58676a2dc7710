//! Prefixes of whose keys clients are told, whether they have read them or not.

use super::tracker::{Told, Tracker};
use crate::news::ClientId;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keys that begin with a prefix, and those who are told of it.
type ToldOf<'k> = (Vec<&'k [u8]>, Vec<Arc<Tracker>>);

/// Those who are told of all keys that begin with a prefix.
#[derive(Default)]
pub(crate) struct TrackedPrefixes(Mutex<BTreeMap<Vec<u8>, Vec<Arc<Tracker>>>>);

impl TrackedPrefixes {
    /// A client is told of all changes of keys that begin so.
    pub(crate) fn add(&self, tracker: &Arc<Tracker>, prefix: &[u8]) {
        let mut prefixes = self.0.lock();
        let all = prefixes.entry(prefix.to_vec()).or_default();
        if all.iter().all(|other| !Arc::ptr_eq(other, tracker)) {
            all.push(tracker.clone());
        }
    }

    /// A client is told of no prefix any more.
    pub(super) fn remove(&self, tracker: &Arc<Tracker>) {
        self.0.lock().retain(|_, all| {
            all.retain(|other| !Arc::ptr_eq(other, tracker));
            !all.is_empty()
        });
    }

    /// The prefixes that anybody is told of.
    pub(crate) fn all(&self) -> Vec<Vec<u8>> {
        self.0.lock().keys().cloned().collect()
    }

    /// Those who are told of prefixes, each with those of the keys that begin so.
    pub(crate) fn told_of<'k>(&self, keys: &[&'k [u8]]) -> Vec<ToldOf<'k>> {
        let prefixes = self.0.lock();
        let of =
            |prefix: &[u8]| keys.iter().copied().filter(|key| key.starts_with(prefix)).collect();
        let each = prefixes.iter().map(|(prefix, all)| (of(prefix), all.clone()));
        each.filter(|(keys, _): &(Vec<_>, _)| !keys.is_empty()).collect()
    }

    /// All who are told of prefixes.
    pub(crate) fn told_of_all(&self) -> Vec<Told> {
        let mut all: BTreeMap<ClientId, Arc<Tracker>> = BTreeMap::new();
        for tracker in self.0.lock().values().flatten() {
            all.insert(tracker.client, tracker.clone());
        }
        all.into_values().map(|tracker| Told { tracker, key: None }).collect()
    }
}
