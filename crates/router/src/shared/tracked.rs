//! Keys that clients have read and want to hear of: who is told when one changes.
//!
//! A registration says that a client is told of the next change of a key, once. It has a number,
//! drawn in ascending order. A client that asks for a key registers before the store is asked, or
//! memory looked at; whoever hears of a change removes what was read first, and then takes the
//! registrations out and tells. So a client whose registration has gone when its reply comes was told
//! before it: it is told again behind the reply. `holds` says whether that is so.
//!
//! What is dropped because there is too much of it is told as if it had changed.

use crate::cache::KeyList;
use crate::news::{AT_ONCE, Bound, ClientId, own_weight, weight};
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

const STRIPES: usize = 16;

/// The number of the next registration, of whichever table: a client may be in several.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A client that tracks.
pub(crate) struct Tracker {
    pub(crate) client: ClientId,
    /// The number of its thread's relay.
    pub(crate) thread: u64,
    /// Who is told in its place; 0 if it is itself.
    pub(crate) target: AtomicU64,
    /// Whether that one was found gone.
    pub(crate) broken: AtomicBool,
    /// Whether it hears of prefixes, and not of what it reads.
    pub(crate) broadcasts: AtomicBool,
    /// Whether what it reads is registered in another table, that of a connection.
    apart: AtomicBool,
    /// Registrations of smaller numbers do not count.
    floor: AtomicU64,
    weight: AtomicUsize,
}

impl Tracker {
    /// What other clients are shown of it: who is told in its place, whether that one was found gone,
    /// and whether it hears of prefixes.
    pub(crate) fn shown(&self) -> (i64, bool, bool) {
        (
            self.target.load(Ordering::Acquire) as i64,
            self.broken.load(Ordering::Acquire),
            self.broadcasts.load(Ordering::Relaxed),
        )
    }

    /// Its registrations end, but for those that are yet to come.
    fn drop_all(&self, floor: u64) {
        self.floor.fetch_max(floor, Ordering::AcqRel);
        self.weight.store(0, Ordering::Relaxed);
    }
}

/// A client, and the number of its registration.
type Registration = (Arc<Tracker>, u64);
type Registrations = SmallVec<[Registration; 1]>;
/// Keys that begin with a prefix, and those who are told of it.
type ToldOf<'k> = (Vec<&'k [u8]>, Vec<Arc<Tracker>>);

#[derive(Default)]
struct Stripe {
    keys: HashMap<Arc<[u8]>, Registrations>,
    /// The keys in the order in which they came, some of which have gone.
    order: VecDeque<Arc<[u8]>>,
    weight: usize,
}

impl Stripe {
    fn take(&mut self, key: &[u8]) -> Option<Registrations> {
        let all = self.keys.remove(key)?;
        self.weight -= weight(key.len(), all.len());
        Some(all)
    }

    /// Takes out the key that came first; `None` if there is none.
    fn take_oldest(&mut self) -> Option<(Arc<[u8]>, Registrations)> {
        loop {
            let key = self.order.pop_front()?;
            if let Some(all) = self.take(&key) {
                return Some((key, all));
            }
        }
    }

    fn tidy(&mut self) {
        if self.order.len() > 2 * self.keys.len() + 64 {
            let keys = &self.keys;
            self.order.retain(|key| keys.contains_key(key));
        }
    }
}

/// Somebody to be told.
pub(crate) struct Told {
    pub(crate) tracker: Arc<Tracker>,
    /// Of this key; of all, if there is none.
    pub(crate) key: Option<Arc<[u8]>>,
}

/// All keys that clients track.
pub(crate) struct TrackedReads {
    stripes: [Mutex<Stripe>; STRIPES],
    hasher: RandomState,
    trackers: Mutex<BTreeMap<ClientId, Arc<Tracker>>>,
    /// How many trackers there are.
    count: AtomicUsize,
    /// Those who are told of all keys that begin with a prefix.
    prefixes: Mutex<BTreeMap<Vec<u8>, Vec<Arc<Tracker>>>>,
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
            prefixes: Mutex::default(),
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

    fn draw(&self) -> u64 {
        // AcqRel: what is drawn after a floor is above it.
        NEXT.fetch_add(1, Ordering::AcqRel)
    }

    /// Whether nobody tracks anything. Acquire: who has registered is seen.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// A client tracks from now on, or goes on with another one to be told.
    pub(crate) fn begin(&self, client: ClientId, thread: u64, target: ClientId) -> Arc<Tracker> {
        let mut trackers = self.trackers.lock();
        let new = || {
            Arc::new(Tracker {
                client,
                thread,
                target: AtomicU64::new(0),
                broken: AtomicBool::new(false),
                broadcasts: AtomicBool::new(false),
                apart: AtomicBool::new(false),
                floor: AtomicU64::new(0),
                weight: AtomicUsize::new(0),
            })
        };
        let tracker = trackers.entry(client).or_insert_with(new).clone();
        tracker.target.store(target, Ordering::Release);
        tracker.broken.store(false, Ordering::Release);
        self.count.store(trackers.len(), Ordering::Release);
        tracker
    }

    /// A client that tracks already is in this table as well.
    pub(crate) fn adopt(&self, tracker: &Arc<Tracker>) {
        // Release: whoever is to tell all that may be missed tells this one.
        tracker.apart.store(true, Ordering::Release);
        let mut trackers = self.trackers.lock();
        trackers.insert(tracker.client, tracker.clone());
        self.count.store(trackers.len(), Ordering::Release);
    }

    /// A client tracks no more. What it has registered goes when its time comes.
    pub(crate) fn end(&self, client: ClientId) {
        let mut trackers = self.trackers.lock();
        if let Some(tracker) = trackers.remove(&client) {
            tracker.drop_all(u64::MAX);
            self.count.store(trackers.len(), Ordering::Release);
            let mut prefixes = self.prefixes.lock();
            prefixes.retain(|_, all| {
                all.retain(|other| !Arc::ptr_eq(other, &tracker));
                !all.is_empty()
            });
        }
        if trackers.is_empty() {
            for stripe in &self.stripes {
                let gone = std::mem::take(&mut *stripe.lock());
                self.bound.count(gone.weight, 0);
            }
        }
    }

    /// Whether the client that is told in the place of this one was found gone.
    pub(crate) fn is_broken(&self, client: ClientId) -> bool {
        self.of(client).is_some_and(|tracker| tracker.broken.load(Ordering::Acquire))
    }

    /// As whom a client tracks, if it does.
    pub(crate) fn of(&self, client: ClientId) -> Option<Arc<Tracker>> {
        self.trackers.lock().get(&client).cloned()
    }

    /// Registers a client for keys; the number of that, and who is to be told for it.
    pub(crate) fn register(&self, tracker: &Arc<Tracker>, keys: &KeyList) -> (u64, Vec<Told>) {
        let (number, mut told) = (self.draw(), vec![]);
        for key in keys.iter() {
            self.register_one(tracker, key, number, &mut told);
        }
        (number, told)
    }

    fn register_one(&self, tracker: &Arc<Tracker>, key: &[u8], number: u64, told: &mut Vec<Told>) {
        let mut stripe = self.stripe(key).lock();
        let floor = tracker.floor.load(Ordering::Acquire);
        let Stripe { keys, order, weight: all, .. } = &mut *stripe;
        let held = match keys.get_mut(key) {
            Some(held) => held,
            None => {
                let name: Arc<[u8]> = key.into();
                order.push_back(name.clone());
                keys.entry(name).or_default()
            }
        };
        match held.iter_mut().find(|(other, _)| Arc::ptr_eq(other, tracker)) {
            Some((_, known)) if *known >= floor => return,
            Some((_, known)) => *known = number,
            None => {
                let before = weight(key.len(), held.len());
                held.push((tracker.clone(), number));
                let after = weight(key.len(), held.len());
                *all += after - before;
                self.bound.count(before, after);
            }
        }
        // Relaxed: a bound, which may be passed by a little.
        let own = own_weight(key.len());
        let of_one = tracker.weight.fetch_add(own, Ordering::Relaxed) + own;
        stripe.tidy();
        drop(stripe);
        self.make_room(told);
        if of_one > self.bound_of_one.most() {
            tracker.drop_all(self.draw());
            told.push(Told { tracker: tracker.clone(), key: None });
        }
    }

    /// Whether a client has not been told of a key since it registered with this number.
    pub(crate) fn holds(&self, tracker: &Arc<Tracker>, key: &[u8], number: u64) -> bool {
        let stripe = self.stripe(key).lock();
        let all = stripe.keys.get(key).into_iter().flatten();
        let floor = tracker.floor.load(Ordering::Acquire);
        all.filter(|(other, _)| Arc::ptr_eq(other, tracker))
            .any(|(_, known)| (floor..=number).contains(known))
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
        if all.is_empty() {
            return stripe.tidy();
        }
        let weight = weight(key.len(), all.len());
        stripe.weight += weight;
        self.bound.count(0, weight);
        stripe.keys.insert(key.into(), all);
    }

    /// Keys of which this is so may have changed: takes out those who are to be told. All keys are
    /// looked at.
    pub(crate) fn changed_where(&self, is_so: impl Fn(&[u8]) -> bool) -> Vec<Told> {
        let mut told = vec![];
        for stripe in &self.stripes {
            let mut stripe = stripe.lock();
            let keys: Vec<_> = stripe.keys.keys().filter(|key| is_so(key)).cloned().collect();
            for key in keys {
                told.extend(self.take(&mut stripe, &key).map(|all| count(&key, all)));
            }
            stripe.tidy();
        }
        told.into_iter().flatten().collect()
    }

    /// What was read may have changed of those whose reads are registered in other tables: all their
    /// registrations end.
    pub(crate) fn flush_apart(&self) -> Vec<Told> {
        let trackers: Vec<_> = self.trackers.lock().values().cloned().collect();
        let apart = trackers.into_iter().filter(|tracker| tracker.apart.load(Ordering::Acquire));
        let told = apart.map(|tracker| {
            tracker.drop_all(self.draw());
            Told { tracker, key: None }
        });
        told.collect()
    }

    /// Any key may have changed: takes out all, who are to be told.
    pub(crate) fn flush(&self) -> Vec<Told> {
        let trackers: Vec<_> = self.trackers.lock().values().cloned().collect();
        let told = trackers.into_iter().map(|tracker| {
            tracker.drop_all(self.draw());
            Told { tracker, key: None }
        });
        told.collect()
    }

    /// A client is told of all changes of keys that begin so.
    pub(crate) fn add_prefix(&self, tracker: &Arc<Tracker>, prefix: &[u8]) {
        let mut prefixes = self.prefixes.lock();
        let all = prefixes.entry(prefix.to_vec()).or_default();
        if all.iter().all(|other| !Arc::ptr_eq(other, tracker)) {
            all.push(tracker.clone());
        }
    }

    /// The prefixes that anybody is told of.
    pub(crate) fn prefixes(&self) -> Vec<Vec<u8>> {
        self.prefixes.lock().keys().cloned().collect()
    }

    /// Those who are told of prefixes, each with those of the keys that begin so.
    pub(crate) fn told_of<'k>(&self, keys: &[&'k [u8]]) -> Vec<ToldOf<'k>> {
        let prefixes = self.prefixes.lock();
        let of =
            |prefix: &[u8]| keys.iter().copied().filter(|key| key.starts_with(prefix)).collect();
        let each = prefixes.iter().map(|(prefix, all)| (of(prefix), all.clone()));
        each.filter(|(keys, _): &(Vec<_>, _)| !keys.is_empty()).collect()
    }

    /// All who are told of prefixes.
    pub(crate) fn by_prefix(&self) -> Vec<Told> {
        let mut all: BTreeMap<ClientId, Arc<Tracker>> = BTreeMap::new();
        for tracker in self.prefixes.lock().values().flatten() {
            all.insert(tracker.client, tracker.clone());
        }
        all.into_values().map(|tracker| Told { tracker, key: None }).collect()
    }
}

/// Those whose registrations count.
fn count(key: &Arc<[u8]>, all: Registrations) -> impl Iterator<Item = Told> + use<> {
    let (key, of_one) = (key.clone(), own_weight(key.len()));
    all.into_iter().filter_map(move |(tracker, number)| {
        if number < tracker.floor.load(Ordering::Acquire) {
            return None;
        }
        let less = |weight: usize| Some(weight.saturating_sub(of_one));
        // Relaxed: a bound. It never fails: there is always a smaller one.
        let _ = tracker.weight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        Some(Told { tracker, key: Some(key.clone()) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> KeyList {
        names.iter().map(|name| name.as_bytes()).collect()
    }

    fn told(all: &[Told]) -> Vec<(ClientId, Option<String>)> {
        let text = |key: &Arc<[u8]>| String::from_utf8_lossy(key).into_owned();
        all.iter().map(|told| (told.tracker.client, told.key.as_ref().map(text))).collect()
    }

    #[test]
    fn whose_reads_are_registered_in_the_table_of_a_connection_is_told_that_all_may_have_changed() {
        let (all, of_one) = (TrackedReads::new(100, 100), TrackedReads::new(100, 100));
        let (one, two) = (all.begin(1, 1, 0), all.begin(2, 1, 0));
        of_one.adopt(&two);
        all.register(&one, &keys(&["a"]));
        let (number, _) = of_one.register(&two, &keys(&["a"]));
        assert!(of_one.holds(&two, b"a", number));
        assert_eq!(told(&all.flush_apart()), [(2, None)]);
        assert!(!of_one.holds(&two, b"a", number) && told(&of_one.changed(b"a")).is_empty());
        assert_eq!(told(&all.changed(b"a")), [(1, Some("a".to_owned()))]);
    }

    #[test]
    fn a_change_is_told_once_to_each_that_has_read_the_key_since_it_was_told_last() {
        let tracked = TrackedReads::new(1 << 20, 1 << 20);
        let (one, two) = (tracked.begin(1, 1, 0), tracked.begin(2, 1, 0));
        let (first, _) = tracked.register(&one, &keys(&["a", "b"]));
        tracked.register(&two, &keys(&["a"]));
        assert!(tracked.holds(&one, b"a", first));
        let a = Some("a".to_owned());
        assert_eq!(told(&tracked.changed(b"a")), [(1, a.clone()), (2, a.clone())]);
        assert!(told(&tracked.changed(b"a")).is_empty());
        assert!(!tracked.holds(&one, b"a", first) && tracked.holds(&one, b"b", first));
        // What is read again meanwhile does not hide that it was told before its first reply.
        let (second, _) = tracked.register(&one, &keys(&["a"]));
        assert!(!tracked.holds(&one, b"a", first) && tracked.holds(&one, b"a", second));
        tracked.end(1);
        assert!(told(&tracked.changed(b"a")).is_empty());
    }

    #[test]
    fn a_flush_is_told_to_all_and_leaves_what_is_read_after_it() {
        let tracked = TrackedReads::new(1 << 20, 1 << 20);
        let one = tracked.begin(1, 1, 0);
        let (before, _) = tracked.register(&one, &keys(&["a"]));
        assert_eq!(told(&tracked.flush()), [(1, None)]);
        assert!(!tracked.holds(&one, b"a", before) && tracked.changed(b"a").is_empty());
        let (after, _) = tracked.register(&one, &keys(&["a"]));
        assert!(tracked.holds(&one, b"a", after));
    }

    #[test]
    fn of_keys_that_may_have_changed_those_are_told_who_have_read_them() {
        let tracked = TrackedReads::new(100, 100);
        let [one, two] = [1, 2].map(|client| tracked.begin(client, 1, 0));
        tracked.register(&one, &keys(&["a1", "b1"]));
        let (number, _) = tracked.register(&two, &keys(&["a2", "b1"]));
        let mut changed = told(&tracked.changed_where(|key| key.starts_with(b"a")));
        changed.sort();
        assert_eq!(changed, [(1, Some("a1".into())), (2, Some("a2".into()))]);
        assert!(tracked.holds(&two, b"b1", number) && !tracked.holds(&two, b"a2", number));
        assert!(tracked.changed_where(|key| key.starts_with(b"a")).is_empty());
    }

    #[test]
    fn what_does_not_fit_is_told_as_changed() {
        let tracked = TrackedReads::new(STRIPES * 4, 1 << 20);
        let one = tracked.begin(1, 1, 0);
        let mut kept = std::collections::BTreeSet::new();
        for at in 0..1_000 {
            let name = format!("k{at}");
            kept.insert(name.clone());
            let (_, dropped) = tracked.register(&one, &keys(&[&name]));
            told(&dropped).into_iter().for_each(|(_, key)| assert!(kept.remove(&key.unwrap())));
        }
        assert!((1..=STRIPES * 4).contains(&kept.len()));
        assert!(kept.iter().all(|key| tracked.changed(key.as_bytes()).len() == 1));
    }

    #[test]
    fn a_client_that_tracks_more_than_its_share_forgets_all_and_is_told_so() {
        let tracked = TrackedReads::new(1 << 20, 10);
        let (one, two) = (tracked.begin(1, 1, 0), tracked.begin(2, 1, 0));
        tracked.register(&two, &keys(&["k0"]));
        let mut dropped = vec![];
        for at in 0..11 {
            dropped.extend(tracked.register(&one, &keys(&[&format!("k{at}")])).1);
        }
        assert_eq!(told(&dropped), [(1, None)]);
        assert_eq!(told(&tracked.changed(b"k0")), [(2, Some("k0".to_owned()))]);
        // One key may weigh more than that.
        let long = "x".repeat(256 * 20);
        assert_eq!(told(&tracked.register(&one, &keys(&[&long])).1), [(1, None)]);
    }
}
