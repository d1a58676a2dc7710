//! When tags were invalidated: what the caches that share the store keep beside their values. Each
//! record is of one key, knows the tags that were invalidated last, and for all others a clock at
//! which they were at the latest, its floor. What has to make room raises the floor, or goes with its
//! record: values that depend on it then count as invalidated.

use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// About the most bytes of all records.
const MOST: usize = 64 * 1024 * 1024;
/// What a tag and a record take beside their names, in bytes.
const TAG: usize = 160;
const RECORD: usize = 300;

/// The records, under one lock.
pub(crate) struct Records {
    shelf: Mutex<TagRecords>,
    /// Whether there ever was one.
    any: AtomicBool,
}

impl Default for Records {
    fn default() -> Self {
        Self { shelf: Mutex::new(TagRecords::new(MOST)), any: AtomicBool::new(false) }
    }
}

impl Records {
    pub(crate) fn lock(&self) -> MutexGuard<'_, TagRecords> {
        self.shelf.lock()
    }

    /// To change them, which begins them.
    pub(crate) fn begin(&self) -> MutexGuard<'_, TagRecords> {
        // Relaxed: who is to find a record has heard of it from who made it.
        self.any.store(true, Ordering::Relaxed);
        self.shelf.lock()
    }

    /// Forgets the record of a key; whether there was one.
    #[inline]
    pub(super) fn forget(&self, key: &[u8]) -> bool {
        self.any.load(Ordering::Relaxed) && self.shelf.lock().forget(key)
    }
}

/// The clocks of one record's tags.
struct Record {
    floor: u64,
    tags: HashMap<Arc<[u8]>, u64>,
    /// No two tags have one clock.
    by_clock: BTreeMap<u64, Arc<[u8]>>,
    bytes: usize,
    /// When it was used last, by the shelf's count.
    used: u64,
}

/// All records, by the keys that they are of.
pub(crate) struct TagRecords {
    records: HashMap<Arc<[u8]>, Record>,
    by_use: BTreeMap<u64, Arc<[u8]>>,
    uses: u64,
    bytes: usize,
    most: usize,
}

impl TagRecords {
    fn new(most: usize) -> Self {
        let (records, by_use) = (HashMap::new(), BTreeMap::new());
        Self { records, by_use, uses: 0, bytes: 0, most }
    }

    /// The last clock of a record.
    pub(crate) fn last(&self, key: &[u8]) -> Option<u64> {
        let record = self.records.get(key)?;
        Some(record.by_clock.last_key_value().map_or(record.floor, |(clock, _)| *clock))
    }

    /// A tag is invalidated at `clock`, which is later than any before. Of `most` tags a record knows
    /// when; one that begins knows of none before `floor`.
    pub(crate) fn invalidate(
        &mut self,
        key: &[u8],
        tag: &[u8],
        clock: u64,
        floor: u64,
        most: usize,
    ) {
        self.touch(key, floor);
        let Some(record) = self.records.get_mut(key) else { return };
        let before = record.bytes;
        record.note(tag, clock);
        while record.tags.len() > most {
            record.raise();
        }
        self.bytes = self.bytes + record.bytes - before;
        while self.bytes > self.most && self.make_room(key) {}
    }

    /// At which clock each of some tags was invalidated, if not before; `None` if nothing is known.
    pub(crate) fn clocks<'a>(
        &mut self,
        key: &[u8],
        tags: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Vec<u64>> {
        if self.records.contains_key(key) {
            self.touch(key, 0);
        }
        let record = self.records.get(key)?;
        Some(tags.map(|tag| record.tags.get(tag).copied().unwrap_or(record.floor)).collect())
    }

    /// Forgets the records of a database, whose number their keys begin with.
    pub(crate) fn forget_database(&mut self, db: u8) {
        let keys: Vec<_> = self.records.keys().filter(|key| key[0] == db).cloned().collect();
        for key in keys {
            self.forget(&key);
        }
    }

    pub(crate) fn forget_all(&mut self) {
        *self = Self::new(self.most);
    }

    /// Forgets a record; whether there was one.
    fn forget(&mut self, key: &[u8]) -> bool {
        let Some(record) = self.records.remove(key) else { return false };
        self.bytes -= record.bytes;
        self.by_use.remove(&record.used);
        true
    }

    /// A record is used, and begins if there is none.
    fn touch(&mut self, key: &[u8], floor: u64) {
        self.uses += 1;
        let used = self.uses;
        let name = match self.records.get_mut(key) {
            Some(record) => self.by_use.remove(&std::mem::replace(&mut record.used, used)),
            None => None,
        };
        let name = name.unwrap_or_else(|| {
            let (name, bytes) = (Arc::from(key), RECORD + 2 * key.len());
            let (tags, by_clock) = (HashMap::new(), BTreeMap::new());
            self.records.insert(Arc::clone(&name), Record { floor, tags, by_clock, bytes, used });
            self.bytes += bytes;
            name
        });
        self.by_use.insert(used, name);
    }

    /// Forgets the record that was used the longest ago, or of the only one the oldest tag; whether
    /// there was any.
    fn make_room(&mut self, own: &[u8]) -> bool {
        let oldest = self.by_use.first_key_value().map(|(_, key)| key.clone());
        if let Some(key) = oldest.filter(|key| **key != *own) {
            self.forget(&key);
            return true;
        }
        let Some(record) = self.records.get_mut(own) else { return false };
        let before = record.bytes;
        record.raise();
        self.bytes = self.bytes + record.bytes - before;
        record.bytes < before
    }
}

impl Record {
    fn note(&mut self, tag: &[u8], clock: u64) {
        let name = match self.tags.get_key_value(tag) {
            Some((name, old)) => {
                self.by_clock.remove(old);
                name.clone()
            }
            None => {
                self.bytes += TAG + tag.len();
                Arc::from(tag)
            }
        };
        self.by_clock.insert(clock, name.clone());
        self.tags.insert(name, clock);
    }

    /// Forgets the tag that was invalidated first: all that are not known may have been as late.
    fn raise(&mut self) {
        if let Some((clock, name)) = self.by_clock.pop_first() {
            self.tags.remove(&name);
            self.bytes -= TAG + name.len();
            self.floor = self.floor.max(clock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However little room there is: no tag seems to have been invalidated before it was.
        #[test]
        fn no_invalidation_is_forgotten(
            steps in prop::collection::vec((0u8..4, 0u8..12), 1..200),
            most in 1usize..10,
            room in 1usize..20,
        ) {
            let mut shelf = TagRecords::new(room * (TAG + RECORD));
            let mut model: HashMap<(u8, u8), u64> = HashMap::new();
            for (n, (key, tag)) in steps.into_iter().enumerate() {
                let clock = 100 + n as u64;
                shelf.invalidate(&[key], &[tag], clock, clock - 1, most);
                model.insert((key, tag), clock);
                prop_assert!(shelf.bytes <= shelf.most || shelf.records.len() == 1);
                prop_assert_eq!(shelf.last(&[key]), Some(clock));
                let bytes: usize = shelf.records.values().map(|record| record.bytes).sum();
                prop_assert_eq!(bytes, shelf.bytes);
                for (&(key, tag), &clock) in &model {
                    // What is not known at all counts as invalidated.
                    let Some(known) = shelf.clocks(&[key], [&[tag][..]].into_iter()) else { continue };
                    prop_assert!(known[0] >= clock, "{} {}", known[0], clock);
                }
            }
        }
    }
}
