//! Keys that clients have read and want to hear of: who is told when one changes.
//!
//! A registration says that a client is told of the next change of a key, once. It has a number,
//! drawn in ascending order. A client that asks for a key registers before the store is asked, or
//! memory looked at; whoever hears of a change removes what was read first, and then takes the
//! registrations out and tells. So a client whose registration has gone when its reply comes was told
//! before it: it is told again behind the reply. `holds` says whether that is so.
//!
//! What is dropped because there is too much of it is told as if it had changed.
//!
//! `tracker` is a client that tracks, `stripe` a part of the table of keys, `prefixes` are those whose keys
//! clients hear of without having read them.

mod prefixes;
mod stripe;
mod tracker;

use crate::cache::KeyList;
use crate::news::{AT_ONCE, Bound, ClientId, own_weight, weight};
use parking_lot::Mutex;
use prefixes::TrackedPrefixes;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stripe::{Registrations, Stripe, count};
use tracker::draw;
pub(crate) use tracker::{Told, Tracker};

const STRIPES: usize = 16;

/// All keys that clients track.
pub(crate) struct TrackedReads {
    stripes: [Mutex<Stripe>; STRIPES],
    hasher: RandomState,
    trackers: Mutex<BTreeMap<ClientId, Arc<Tracker>>>,
    /// How many trackers there are.
    count: AtomicUsize,
    /// Those who are told of all keys that begin with a prefix.
    pub(crate) prefixes: TrackedPrefixes,
    /// How many keys there may be, and how many of one client.
    bound: Bound,
    bound_of_one: Bound,
    /// Which stripe makes room next.
    turn: AtomicUsize,
}

impl TrackedReads {
    pub(crate) fn new(most: usize, most_of_one: usize) -> Self {
        Self {
            stripes: Default::default(),
            hasher: RandomState::new(),
            trackers: Mutex::default(),
            count: AtomicUsize::new(0),
            prefixes: TrackedPrefixes::default(),
            bound: Bound::new(most),
            bound_of_one: Bound::new(most_of_one),
            turn: AtomicUsize::new(0),
        }
    }

    /// There may be so many keys from now on, and so many of one client; any number, if it is 0.
    pub(crate) fn bound(&self, most: usize, most_of_one: usize) {
        self.bound.set(most);
        self.bound_of_one.set(most_of_one);
    }

    /// Takes out what a stripe has of a key.
    fn take(&self, stripe: &mut Stripe, key: &[u8]) -> Option<Registrations> {
        let all = stripe.take(key)?;
        self.bound.count(weight(key.len(), all.len()), 0);
        Some(all)
    }

    /// Takes out keys that came first, where there are too many.
    fn make_room(&self, told: &mut Vec<Told>) {
        for _ in 0..AT_ONCE + STRIPES {
            if !self.bound.is_exceeded() {
                return;
            }
            // Relaxed: any order will do.
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let taken = self.stripes[turn % STRIPES].lock().take_oldest();
            if let Some((key, all)) = taken {
                self.bound.count(weight(key.len(), all.len()), 0);
                told.extend(count(&key, all));
            }
        }
    }

    fn stripe(&self, key: &[u8]) -> &Mutex<Stripe> {
        &self.stripes[self.hasher.hash_one(key) as usize % STRIPES]
    }

    /// Whether nobody tracks anything. Acquire: who has registered is seen.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// A client tracks from now on, or goes on with another one to be told.
    pub(crate) fn begin(&self, client: ClientId, thread: u64, target: ClientId) -> Arc<Tracker> {
        let mut trackers = self.trackers.lock();
        let new = || Arc::new(Tracker::new(client, thread));
        let tracker = trackers.entry(client).or_insert_with(new).clone();
        tracker.redirect(target);
        self.count.store(trackers.len(), Ordering::Release);
        tracker
    }

    /// A client that tracks already is in this table as well.
    pub(crate) fn adopt(&self, tracker: &Arc<Tracker>) {
        tracker.set_apart();
        let mut trackers = self.trackers.lock();
        trackers.insert(tracker.client, tracker.clone());
        self.count.store(trackers.len(), Ordering::Release);
    }

    /// A client tracks no more. What it has registered goes when its time comes.
    pub(crate) fn end(&self, client: ClientId) {
        let mut trackers = self.trackers.lock();
        if let Some(tracker) = trackers.remove(&client) {
            tracker.end();
            self.count.store(trackers.len(), Ordering::Release);
            self.prefixes.remove(&tracker);
        }
        if trackers.is_empty() {
            for stripe in &self.stripes {
                let gone = std::mem::take(&mut *stripe.lock());
                self.bound.count(gone.weight(), 0);
            }
        }
    }

    /// Whether the client that is told in the place of this one was found gone.
    pub(crate) fn is_broken(&self, client: ClientId) -> bool {
        self.of(client).is_some_and(|tracker| tracker.is_broken())
    }

    /// As whom a client tracks, if it does.
    pub(crate) fn of(&self, client: ClientId) -> Option<Arc<Tracker>> {
        self.trackers.lock().get(&client).cloned()
    }

    /// Registers a client for keys; the number of that, and who is to be told for it.
    pub(crate) fn register(&self, tracker: &Arc<Tracker>, keys: &KeyList) -> (u64, Vec<Told>) {
        let (number, mut told) = (draw(), vec![]);
        for key in keys.iter() {
            self.register_one(tracker, key, number, &mut told);
        }
        (number, told)
    }

    fn register_one(&self, tracker: &Arc<Tracker>, key: &[u8], number: u64, told: &mut Vec<Told>) {
        let mut stripe = self.stripe(key).lock();
        let before = stripe.weight();
        if !stripe.register(tracker, key, number) {
            return;
        }
        self.bound.count(before, stripe.weight());
        let of_one = tracker.add(own_weight(key.len()));
        stripe.tidy();
        drop(stripe);
        self.make_room(told);
        if of_one > self.bound_of_one.most() {
            told.push(tracker.clone().forget_all());
        }
    }

    /// Whether a client has not been told of a key since it registered with this number.
    pub(crate) fn holds(&self, tracker: &Arc<Tracker>, key: &[u8], number: u64) -> bool {
        self.stripe(key).lock().holds(tracker, key, number)
    }

    /// A key has changed: takes out those who are to be told.
    pub(crate) fn changed(&self, key: &[u8]) -> Vec<Told> {
        let mut stripe = self.stripe(key).lock();
        let Some(all) = self.take(&mut stripe, key) else { return vec![] };
        stripe.tidy();
        count(&key.into(), all).collect()
    }

    /// A client has changed a key itself: it is not told of that.
    pub(crate) fn forget(&self, client: ClientId, key: &[u8]) {
        let mut stripe = self.stripe(key).lock();
        let Some(mut all) = self.take(&mut stripe, key) else { return };
        let Some(at) = all.iter().position(|(tracker, _)| tracker.client == client) else {
            return self.put_back(&mut stripe, key, all);
        };
        let own = SmallVec::from_elem(all.remove(at), 1);
        self.put_back(&mut stripe, key, all);
        count(&key.into(), own).for_each(drop);
    }

    /// Puts back what was taken out of a key.
    fn put_back(&self, stripe: &mut Stripe, key: &[u8], all: Registrations) {
        let before = stripe.weight();
        stripe.put_back(key, all);
        self.bound.count(before, stripe.weight());
    }

    /// Keys of which this is so may have changed: takes out those who are to be told. All keys are
    /// looked at.
    pub(crate) fn changed_where(&self, is_so: impl Fn(&[u8]) -> bool) -> Vec<Told> {
        let mut told = vec![];
        for stripe in &self.stripes {
            let mut stripe = stripe.lock();
            for key in stripe.keys_where(&is_so) {
                told.extend(self.take(&mut stripe, &key).map(|all| count(&key, all)));
            }
            stripe.tidy();
        }
        told.into_iter().flatten().collect()
    }

    /// What was read may have changed of those whose reads are registered in other tables: all their
    /// registrations end.
    pub(crate) fn flush_apart(&self) -> Vec<Told> {
        let apart = self.all().into_iter().filter(|tracker| tracker.is_apart());
        apart.map(Tracker::forget_all).collect()
    }

    /// Any key may have changed: takes out all, who are to be told.
    pub(crate) fn flush(&self) -> Vec<Told> {
        self.all().into_iter().map(Tracker::forget_all).collect()
    }

    fn all(&self) -> Vec<Arc<Tracker>> {
        self.trackers.lock().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests;
