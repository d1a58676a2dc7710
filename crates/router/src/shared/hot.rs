//! Which keys are hot, by what each thread has counted.

use parking_lot::Mutex;
use std::collections::BTreeMap;

/// A hot key: one that is pinned, or has a large share of the reads that go to the store although they
/// are not remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct HotKey {
    /// The key.
    pub key: Vec<u8>,
    /// Its share of these reads, from 0 to 1, where it has most.
    pub share: f64,
    /// How many of these reads it had in a second, in all threads.
    pub rate: f64,
    /// Whether it is hot by the configuration.
    pub pinned: bool,
    /// The pattern of its route.
    pub route: String,
    /// The store that takes its writes; nothing while none is known.
    pub store: Option<String>,
    /// How many other stores have copies of what was read of it.
    pub copies: usize,
}

/// How long, in milliseconds, what a thread has told counts: one that has nothing to do tells nothing.
const LASTS: u64 = 3_000;

/// What a thread has counted of a hot key.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Heated {
    pub(crate) share: f64,
    pub(crate) rate: f64,
}

/// When a thread told it, and its hot keys.
type ToldHot = (u64, Vec<(Vec<u8>, Heated)>);

/// The hot keys of all threads.
#[derive(Default)]
pub(crate) struct HotKeys(Mutex<BTreeMap<u64, ToldHot>>);

impl HotKeys {
    /// A thread tells which keys are hot, each with what it has counted; `now` in milliseconds of one
    /// clock.
    pub(crate) fn tell(&self, thread: u64, now: u64, hot: Vec<(Vec<u8>, Heated)>) {
        let mut all = self.0.lock();
        match hot.is_empty() {
            true => all.remove(&thread),
            false => all.insert(thread, (now, hot)),
        };
    }

    /// All of them, and these as well, the hottest first.
    pub(crate) fn list(&self, now: u64, pinned: &[Vec<u8>]) -> Vec<(Vec<u8>, Heated)> {
        let mut heated: BTreeMap<Vec<u8>, Heated> =
            pinned.iter().map(|key| (key.clone(), Heated::default())).collect();
        let all = self.0.lock();
        let told = all.values().filter(|(at, _)| at + LASTS > now);
        for (key, told) in told.flat_map(|(_, hot)| hot) {
            let known = heated.entry(key.clone()).or_default();
            known.share = known.share.max(told.share);
            known.rate += told.rate;
        }
        let mut all: Vec<_> = heated.into_iter().collect();
        all.sort_by(|a, b| b.1.share.total_cmp(&a.1.share));
        all
    }
}
