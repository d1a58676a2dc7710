//! A part of the table of keys that clients track, behind a lock of its own: who is registered for each key,
//! and in which order the keys came.

use super::tracker::{Told, Tracker};
use crate::news::{own_weight, weight};
use smallvec::SmallVec;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// A client, and the number of its registration.
type Registration = (Arc<Tracker>, u64);
pub(super) type Registrations = SmallVec<[Registration; 1]>;

#[derive(Default)]
pub(super) struct Stripe {
    keys: HashMap<Arc<[u8]>, Registrations>,
    /// The keys in the order in which they came, some of which have gone.
    order: VecDeque<Arc<[u8]>>,
    weight: usize,
}

impl Stripe {
    /// What its keys weigh.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// Registers a client for a key by this number, unless it is registered for it already.
    pub(super) fn register(&mut self, tracker: &Arc<Tracker>, key: &[u8], number: u64) -> bool {
        let floor = tracker.floor();
        let held = match self.keys.get_mut(key) {
            Some(held) => held,
            None => {
                let name: Arc<[u8]> = key.into();
                self.order.push_back(name.clone());
                self.keys.entry(name).or_default()
            }
        };
        match held.iter_mut().find(|(other, _)| Arc::ptr_eq(other, tracker)) {
            Some((_, known)) if *known >= floor => return false,
            Some((_, known)) => *known = number,
            None => {
                let before = weight(key.len(), held.len());
                held.push((tracker.clone(), number));
                self.weight += weight(key.len(), held.len()) - before;
            }
        }
        true
    }

    /// Whether a client is registered for a key by a number that counts, and is not above this one.
    pub(super) fn holds(&self, tracker: &Arc<Tracker>, key: &[u8], number: u64) -> bool {
        let all = self.keys.get(key).into_iter().flatten();
        let floor = tracker.floor();
        all.filter(|(other, _)| Arc::ptr_eq(other, tracker))
            .any(|(_, known)| (floor..=number).contains(known))
    }

    /// The keys of which this is so.
    pub(super) fn keys_where(&self, is_so: impl Fn(&[u8]) -> bool) -> Vec<Arc<[u8]>> {
        self.keys.keys().filter(|key| is_so(key)).cloned().collect()
    }

    /// Takes out all who are registered for a key.
    pub(super) fn take(&mut self, key: &[u8]) -> Option<Registrations> {
        let all = self.keys.remove(key)?;
        self.weight -= weight(key.len(), all.len());
        Some(all)
    }

    /// Takes out the key that came first; `None` if there is none.
    pub(super) fn take_oldest(&mut self) -> Option<(Arc<[u8]>, Registrations)> {
        loop {
            let key = self.order.pop_front()?;
            if let Some(all) = self.take(&key) {
                return Some((key, all));
            }
        }
    }

    /// Puts back what was taken out of a key.
    pub(super) fn put_back(&mut self, key: &[u8], all: Registrations) {
        if all.is_empty() {
            return self.tidy();
        }
        self.weight += weight(key.len(), all.len());
        self.keys.insert(key.into(), all);
    }

    /// Forgets the order of keys that have gone, once they are many.
    pub(super) fn tidy(&mut self) {
        if self.order.len() > 2 * self.keys.len() + 64 {
            let keys = &self.keys;
            self.order.retain(|key| keys.contains_key(key));
        }
    }
}

/// Those whose registrations count, who are to be told of a key.
pub(super) fn count(key: &Arc<[u8]>, all: Registrations) -> impl Iterator<Item = Told> + use<> {
    let (key, of_one) = (key.clone(), own_weight(key.len()));
    all.into_iter().filter(|(tracker, number)| *number >= tracker.floor()).map(
        move |(tracker, _)| {
            tracker.remove(of_one);
            Told { tracker, key: Some(key.clone()) }
        },
    )
}
