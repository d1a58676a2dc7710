//! The keys that clients have read and track, and who. Bounded: beyond, some are taken out and their
//! readers told that they changed.

use super::recipient::Recipient;
use foldhash::fast::{FixedState, RandomState};
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Parts with locks of their own.
const PARTS: usize = 32;
/// What a key takes beside its name, and what a reader of it takes, in bytes.
const KEY: usize = 128;
const READER: usize = 16;

/// Who has read a key.
pub(super) type Readers = SmallVec<[Arc<Recipient>; 2]>;

/// A key that is tracked.
struct Tracked {
    readers: Readers,
    /// Its place in the list of all.
    at: usize,
}

#[derive(Default)]
struct Part {
    keys: HashMap<Arc<[u8]>, Tracked, FixedState>,
    /// All keys, so that one can be drawn.
    all: Vec<Arc<[u8]>>,
    bytes: usize,
    /// How many were drawn.
    draws: u64,
}

/// The keys that are tracked.
pub(super) struct TrackedKeys {
    parts: [Mutex<Part>; PARTS],
    hasher: RandomState,
    /// The most bytes of one part.
    most: usize,
}

impl TrackedKeys {
    /// Of at most about so many bytes.
    pub(super) fn new(most: usize) -> Self {
        let parts = std::array::from_fn(|_| Mutex::default());
        Self { parts, hasher: RandomState::default(), most: most / PARTS }
    }

    /// A client is about to read a key. What had to make room for it: its readers are to be told.
    pub(super) fn add(&self, name: &[u8], reader: &Arc<Recipient>) -> Vec<(Arc<[u8]>, Readers)> {
        let mut part = self.part(name).lock();
        let part = &mut *part;
        match part.keys.get_mut(name) {
            Some(tracked) if tracked.readers.iter().any(|one| one.id == reader.id) => return vec![],
            Some(tracked) => {
                tracked.readers.push(reader.clone());
                part.bytes += READER;
            }
            None => {
                let name: Arc<[u8]> = name.into();
                let mut readers = Readers::new();
                readers.push(reader.clone());
                part.bytes += name.len() + KEY + READER;
                part.all.push(name.clone());
                part.keys.insert(name, Tracked { readers, at: part.all.len() - 1 });
            }
        }
        let mut dropped = vec![];
        while part.bytes > self.most && !part.all.is_empty() {
            part.draws += 1;
            let draw = self.hasher.hash_one(part.draws) as usize % part.all.len();
            let name = part.all[draw].clone();
            dropped.extend(part.take(&name).map(|readers| (name, readers)));
        }
        dropped
    }

    /// A key has changed: who has read it, who is not remembered any longer.
    pub(super) fn take(&self, name: &[u8]) -> Readers {
        self.part(name).lock().take(name).unwrap_or_default()
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        self.parts.iter().for_each(|part| *part.lock() = Part::default());
    }

    /// How many keys are tracked.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().all.len()).sum()
    }

    fn part(&self, name: &[u8]) -> &Mutex<Part> {
        &self.parts[self.hasher.hash_one(name) as usize % PARTS]
    }
}

impl Part {
    fn take(&mut self, name: &[u8]) -> Option<Readers> {
        let Tracked { readers, at } = self.keys.remove(name)?;
        self.bytes -= name.len() + KEY + READER * readers.len();
        self.all.swap_remove(at);
        if let Some(moved) = self.all.get(at)
            && let Some(tracked) = self.keys.get_mut(moved)
        {
            tracked.at = at;
        }
        Some(readers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::news::Mailbox;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    proptest! {
        /// Whatever is read and changed: who has read a key since its last change is remembered, or
        /// was told that the key had to make room.
        #[test]
        fn no_reader_is_lost(steps in prop::collection::vec((0u8..40, 1u64..5, any::<bool>()), 1..400)) {
            let mail = Arc::new(Mailbox::new(0, Box::new(|| {})));
            let clients: Vec<_> =
                (0..5).map(|id| Arc::new(Recipient::new(id, mail.clone()))).collect();
            // Two keys a part.
            let tracked = TrackedKeys::new(2 * PARTS * (KEY + READER + 1));
            let mut model: BTreeMap<Vec<u8>, BTreeSet<u64>> = BTreeMap::new();
            for (key, client, reads) in steps {
                let name = vec![key];
                if reads {
                    model.entry(name.clone()).or_default().insert(client);
                    for (gone, readers) in tracked.add(&name, &clients[client as usize]) {
                        let expected = model.remove(&*gone).unwrap_or_default();
                        prop_assert_eq!(readers.iter().map(|one| one.id).collect::<BTreeSet<_>>(), expected);
                    }
                } else {
                    let readers = tracked.take(&name);
                    let expected = model.remove(&name).unwrap_or_default();
                    prop_assert_eq!(readers.iter().map(|one| one.id).collect::<BTreeSet<_>>(), expected);
                }
                prop_assert_eq!(tracked.len(), model.len());
                for part in &tracked.parts {
                    prop_assert!(part.lock().bytes <= tracked.most);
                }
            }
        }
    }
}
