//! Which keys are hot, by what each thread has counted.

use parking_lot::Mutex;
use std::collections::BTreeMap;

/// A hot key: one that has a large share of the reads that go to the store although they are not
/// remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct HotKey {
    /// The key.
    pub key: Vec<u8>,
    /// Its share of these reads, from 0 to 1, where it has most.
    pub share: f64,
}

/// How long, in milliseconds, what a thread has told counts: one that has nothing to do tells nothing.
const LASTS: u64 = 3_000;

/// When a thread told it, and its hot keys with their shares.
type ToldHot = (u64, Vec<(Vec<u8>, f64)>);

/// The hot keys of all threads.
#[derive(Default)]
pub(crate) struct HotKeys(Mutex<BTreeMap<u64, ToldHot>>);

impl HotKeys {
    /// A thread tells which keys are hot, each with its share; `now` in milliseconds of one clock.
    pub(crate) fn tell(&self, thread: u64, now: u64, hot: Vec<(Vec<u8>, f64)>) {
        let mut all = self.0.lock();
        match hot.is_empty() {
            true => all.remove(&thread),
            false => all.insert(thread, (now, hot)),
        };
    }

    /// All of them, the hottest first.
    pub(crate) fn list(&self, now: u64) -> Vec<HotKey> {
        let mut shares: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
        let all = self.0.lock();
        let told = all.values().filter(|(at, _)| at + LASTS > now);
        for (key, share) in told.flat_map(|(_, hot)| hot) {
            let known = shares.entry(key.clone()).or_default();
            *known = known.max(*share);
        }
        let mut all: Vec<_> =
            shares.into_iter().map(|(key, share)| HotKey { key, share }).collect();
        all.sort_by(|a, b| b.share.total_cmp(&a.share));
        all
    }
}
