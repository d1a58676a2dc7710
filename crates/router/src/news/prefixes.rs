//! Who is told of all changes of keys that begin with a prefix.

use super::mail::ClientId;
use super::recipient::Recipient;
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Who has a prefix.
type Holders = Vec<Arc<Recipient>>;

/// The prefixes, by their lengths: a key is looked up once for each length that there is.
#[derive(Default)]
pub(super) struct Prefixes(BTreeMap<usize, HashMap<Box<[u8]>, Holders, RandomState>>);

impl Prefixes {
    /// A client is told of this prefix from now on.
    pub(super) fn add(&mut self, prefix: &[u8], client: &Arc<Recipient>) {
        let holders = self.0.entry(prefix.len()).or_default().entry(prefix.into()).or_default();
        if holders.iter().all(|one| one.id != client.id) {
            holders.push(client.clone());
        }
    }

    /// It no longer is.
    pub(super) fn remove(&mut self, prefix: &[u8], client: ClientId) {
        let Some(alike) = self.0.get_mut(&prefix.len()) else { return };
        let Some(holders) = alike.get_mut(prefix) else { return };
        holders.retain(|one| one.id != client);
        if holders.is_empty() {
            alike.remove(prefix);
        }
        if alike.is_empty() {
            self.0.remove(&prefix.len());
        }
    }

    /// Who is told of a key.
    pub(super) fn of<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = &'a Arc<Recipient>> {
        let fitting = self.0.range(..=key.len());
        fitting.filter_map(|(len, alike)| alike.get(&key[..*len])).flatten()
    }

    /// How many prefixes there are.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(HashMap::len).sum()
    }
}
