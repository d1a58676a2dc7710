//! Breakwater's own engine, bounded by entries: not a model of it, but itself. By bytes it is the
//! engine's choice of who leaves, beside a count of the weights: keys and overhead weigh nothing.

use super::Policy;
use breakwater_engine::{
    Cache, Config, EntryRef, Expiry, Key, Policy as EnginePolicy, Reason, RemovalListener, Value,
    Weigh,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) struct Engine {
    cache: Cache,
}

impl Engine {
    pub(super) fn new(policy: EnginePolicy, entries: u64) -> Self {
        Self {
            cache: cache(Config { policy, max_entries: Some(entries.max(1)), ..Config::default() }),
        }
    }
}

fn cache(config: Config) -> Cache {
    Cache::new(config).expect("a bound by entries is one that can be")
}

impl Policy for Engine {
    fn request(&mut self, key: u32, _: u32) -> bool {
        let bytes = key.to_le_bytes();
        let key = Key::bytes(&bytes);
        if self.cache.get(key, |_| ()).is_some() {
            return true;
        }
        // Bounded by entries alone it is full only if the system has no memory left: a miss then.
        let _ = self.cache.set(key, Value::bytes(&[]), Expiry::Never);
        false
    }
}

/// The engine without bounds, told to evict whenever the weights are more than the capacity.
pub(super) struct WeighedEngine {
    cache: Cache,
    held: Arc<Held>,
    most: u64,
}

/// The sum of the weights, which are the values of the entries.
#[derive(Default)]
struct Held(AtomicU64);

impl RemovalListener for Held {
    fn removed(&self, entry: EntryRef<'_>, _: Reason) {
        // Relaxed: one thread uses the cache.
        self.0.fetch_sub(weight_of(entry).into(), Ordering::Relaxed);
    }
}

fn weight_of(entry: EntryRef<'_>) -> u32 {
    entry.value().bytes.try_into().map_or(0, u32::from_le_bytes)
}

impl WeighedEngine {
    pub(super) fn new(policy: EnginePolicy, weigh: Weigh, most: u64) -> Self {
        let room = Some((|entry| weight_of(entry).into()) as fn(EntryRef<'_>) -> u64);
        let cache = cache(Config { policy, weigh, room, shards: Some(1), ..Config::default() });
        let held = Arc::new(Held::default());
        cache.listen(held.clone());
        Self { cache, held, most }
    }

    /// Stores an entry of this weight, if it is not more than fits.
    fn store(&self, key: Key<'_>, weight: u32) {
        if u64::from(weight) > self.most {
            return;
        }
        self.make_room(weight.into());
        // It is full only if the system has no memory left: the entry is not there then.
        if self.cache.set(key, Value::bytes(&weight.to_le_bytes()), Expiry::Never).is_ok() {
            self.held.0.fetch_add(weight.into(), Ordering::Relaxed);
        }
    }

    /// Makes room for so much.
    fn make_room(&self, weight: u64) {
        while self.held.0.load(Ordering::Relaxed) + weight > self.most {
            match self.cache.len() {
                0 => return,
                1 => self.cache.clear(),
                entries => {
                    let bounded = self.cache.resize(Some(entries - 1), None);
                    bounded.expect("one entry can be evicted");
                    self.cache.resize(None, None).expect("bounds can be lifted");
                }
            }
        }
    }
}

impl Policy for WeighedEngine {
    fn request(&mut self, key: u32, weight: u32) -> bool {
        let bytes = key.to_le_bytes();
        let key = Key::bytes(&bytes);
        let before = self.cache.get(key, weight_of);
        if before != Some(weight) {
            // What has become heavier or lighter is another value.
            self.cache.delete(key);
            self.store(key, weight);
        }
        before.is_some()
    }
}
