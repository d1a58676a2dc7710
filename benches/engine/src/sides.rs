//! The caches that are compared, behind one face. Each holds 16-byte keys and values of 32 to 62
//! bytes, has twice the room it needs, so that a read always hits, and hands out a copy.

use crate::load::{Key, Payload, key};
use breakwater_engine as engine;
use parking_lot::Mutex;
use std::hint::black_box;

/// A cache that takes part.
pub trait Side: Sync {
    /// A copy of the value.
    fn get(&self, key: Key) -> Option<Payload>;
    /// Stores a value.
    fn set(&self, key: Key, value: Payload);

    /// Asks for each key in turn, and sets every `set_every`th; 0 sets none. A method of each side,
    /// so that the compiler sees through it.
    fn work(&self, requests: &[u32], set_every: usize) {
        for (turn, &id) in requests.iter().enumerate() {
            if set_every > 0 && turn % set_every == 0 {
                self.set(key(id), Payload::of(id));
            } else {
                black_box(self.get(key(id)).expect("every key is there"));
            }
        }
    }
}

type Hasher = foldhash::fast::RandomState;

/// A name for the report and how to build the side for a number of entries.
pub type Build = (&'static str, fn(usize) -> Box<dyn Side>);

/// All sides, ours first.
pub const SIDES: [Build; 4] = [
    ("breakwater", |entries| Box::new(breakwater(entries))),
    ("quick_cache", |entries| Box::new(quick_cache::sync::Cache::<Key, Payload>::new(2 * entries))),
    ("moka", |entries| {
        let builder = moka::sync::Cache::builder().max_capacity(2 * entries as u64);
        Box::new(builder.build_with_hasher(Hasher::default()))
    }),
    ("mutex lru", |entries| {
        let room = std::num::NonZeroUsize::new(2 * entries).expect("at least one entry");
        Box::new(Mutex::new(lru::LruCache::<Key, Payload>::new(room)))
    }),
];

fn breakwater(entries: usize) -> engine::Cache {
    let max_entries = Some(2 * entries as u64);
    engine::Cache::new(engine::Config { max_entries, ..engine::Config::default() })
        .expect("a bound of at least one entry is valid")
}

impl Side for engine::Cache {
    #[inline]
    fn get(&self, key: Key) -> Option<Payload> {
        let mut copy = Payload::empty();
        self.get(engine::Key::bytes(&key), |entry| copy.fill(entry.value()))?;
        Some(copy)
    }

    #[inline]
    fn set(&self, key: Key, value: Payload) {
        let value = engine::Value::bytes(value.as_bytes());
        self.set(engine::Key::bytes(&key), value, engine::Expiry::Never).expect("there is room");
    }
}

impl Side for quick_cache::sync::Cache<Key, Payload> {
    #[inline]
    fn get(&self, key: Key) -> Option<Payload> {
        self.get(&key)
    }

    #[inline]
    fn set(&self, key: Key, value: Payload) {
        self.insert(key, value);
    }
}

impl Side for moka::sync::Cache<Key, Payload, Hasher> {
    #[inline]
    fn get(&self, key: Key) -> Option<Payload> {
        self.get(&key)
    }

    #[inline]
    fn set(&self, key: Key, value: Payload) {
        self.insert(key, value);
    }
}

impl Side for Mutex<lru::LruCache<Key, Payload>> {
    #[inline]
    fn get(&self, key: Key) -> Option<Payload> {
        self.lock().get(&key).copied()
    }

    #[inline]
    fn set(&self, key: Key, value: Payload) {
        self.lock().put(key, value);
    }
}
