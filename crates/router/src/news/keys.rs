//! The keys that clients have read and track, and who. Bounded: beyond, some are taken out and their
//! readers told that they changed.

use super::bound::{AT_ONCE, Bound, weight};
use super::recipient::Recipient;
use foldhash::fast::{FixedState, RandomState};
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Parts with locks of their own.
const PARTS: usize = 32;

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
}

/// The keys that are tracked.
pub(super) struct TrackedKeys {
    parts: [Mutex<Part>; PARTS],
    hasher: RandomState,
    bound: Bound,
    /// How many were drawn.
    draws: AtomicUsize,
}

impl TrackedKeys {
    /// Of at most so many; any number, if it is 0.
    pub(super) fn new(most: usize) -> Self {
        let parts = std::array::from_fn(|_| Mutex::default());
        let (bound, draws) = (Bound::new(most), AtomicUsize::new(0));
        Self { parts, hasher: RandomState::default(), bound, draws }
    }

    /// Of at most so many from now on.
    pub(super) fn bound(&self, most: usize) {
        self.bound.set(most);
    }

    /// A client is about to read a key. What had to make room for it: its readers are to be told.
    pub(super) fn add(&self, name: &[u8], reader: &Arc<Recipient>) -> Vec<(Arc<[u8]>, Readers)> {
        let mut guard = self.part(name).lock();
        let part = &mut *guard;
        let mut before = 0;
        match part.keys.get_mut(name) {
            Some(tracked) if tracked.readers.iter().any(|one| one.id == reader.id) => return vec![],
            Some(tracked) => {
                before = tracked.readers.len();
                tracked.readers.push(reader.clone());
            }
            None => {
                let name: Arc<[u8]> = name.into();
                let mut readers = Readers::new();
                readers.push(reader.clone());
                part.all.push(name.clone());
                part.keys.insert(name, Tracked { readers, at: part.all.len() - 1 });
            }
        }
        self.bound.count(weight(name.len(), before), weight(name.len(), before + 1));
        drop(guard);
        self.make_room()
    }

    /// Takes out keys that are drawn, where there are too many: they and their readers.
    fn make_room(&self) -> Vec<(Arc<[u8]>, Readers)> {
        let mut dropped = vec![];
        let mut tries = 0;
        while self.bound.is_exceeded() && dropped.len() < AT_ONCE && tries < AT_ONCE + PARTS {
            tries += 1;
            // Relaxed: the numbers only have to differ.
            let draw = self.draws.fetch_add(1, Ordering::Relaxed);
            let mut part = self.parts[draw % PARTS].lock();
            let Some(of_part) = part.all.len().checked_sub(1) else { continue };
            let at = self.hasher.hash_one(draw) as usize % (of_part + 1);
            let name = part.all[at].clone();
            dropped.extend(self.take_from(&mut part, &name).map(|readers| (name, readers)));
        }
        dropped
    }

    fn take_from(&self, part: &mut Part, name: &[u8]) -> Option<Readers> {
        let readers = part.take(name)?;
        self.bound.count(weight(name.len(), readers.len()), 0);
        Some(readers)
    }

    /// A key has changed: who has read it, who is not remembered any longer.
    pub(super) fn take(&self, name: &[u8]) -> Readers {
        self.take_from(&mut self.part(name).lock(), name).unwrap_or_default()
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        for part in &self.parts {
            let mut part = part.lock();
            let weigh =
                |(name, tracked): (&Arc<[u8]>, &Tracked)| weight(name.len(), tracked.readers.len());
            self.bound.count(part.keys.iter().map(weigh).sum(), 0);
            *part = Part::default();
        }
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
            let tracked = TrackedKeys::new(20);
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
                prop_assert!(tracked.len() <= 20 && !tracked.bound.is_exceeded());
            }
        }
    }
}
