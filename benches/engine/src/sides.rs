//! The caches that are compared, behind one face. Each holds 16-byte keys and values of 32 to 62
//! bytes, has twice the room it needs, so that a read always hits, and copies the value for its
//! caller: the peers return it, ours copies it to where the caller wants it. A second side of ours
//! returns it as well: bytes of any length are then moved that were written a moment ago, in pieces
//! of other sizes, for which the processor waits.

use crate::load::{Key, Payload, key};
use breakwater_engine as engine;
use parking_lot::Mutex;
use std::hint::black_box;

/// A cache that takes part.
pub trait Side: Sync {
    /// Copies the value; whether there is one.
    fn read(&self, key: Key) -> bool;
    /// Stores a value.
    fn set(&self, key: Key, value: Payload);

    /// Asks for each key in turn, and sets every `set_every`th; 0 sets none. A method of each side,
    /// so that the compiler sees through it.
    fn work(&self, requests: &[u32], set_every: usize) {
        for (turn, &id) in requests.iter().enumerate() {
            if set_every > 0 && turn % set_every == 0 {
                self.set(key(id), Payload::of(id));
            } else {
                assert!(self.read(key(id)), "every key is there");
            }
        }
    }
}

type Hasher = foldhash::fast::RandomState;

/// A name for the report and how to build the side for a number of entries.
pub type Build = (&'static str, fn(usize) -> Box<dyn Side>);

/// All sides, ours first.
pub const SIDES: [Build; 5] = [
    ("breakwater", |entries| Box::new(breakwater(entries))),
    ("breakwater returned", |entries| Box::new(Returned(breakwater(entries)))),
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
    fn read(&self, key: Key) -> bool {
        let mut copy = Payload::empty();
        let found = self.get(engine::Key::bytes(&key), |entry| copy.fill(entry.value())).is_some();
        black_box(&copy);
        found
    }

    #[inline]
    fn set(&self, key: Key, value: Payload) {
        let value = engine::Value::bytes(value.as_bytes());
        self.set(engine::Key::bytes(&key), value, engine::Expiry::Never).expect("there is room");
    }
}

/// Ours, where the value is returned.
struct Returned(engine::Cache);

impl Side for Returned {
    #[inline]
    fn read(&self, key: Key) -> bool {
        let copied = self.0.get(engine::Key::bytes(&key), |entry| {
            let mut copy = Payload::empty();
            copy.fill(entry.value());
            copy
        });
        is_some(copied)
    }

    #[inline]
    fn set(&self, key: Key, value: Payload) {
        Side::set(&self.0, key, value);
    }
}

/// Whether there is a value, which its caller has.
#[inline]
fn is_some(value: Option<Payload>) -> bool {
    black_box(value).is_some()
}

impl Side for quick_cache::sync::Cache<Key, Payload> {
    #[inline]
    fn read(&self, key: Key) -> bool {
        is_some(self.get(&key))
    }

    #[inline]
    fn set(&self, key: Key, value: Payload) {
        self.insert(key, value);
    }
}

impl Side for moka::sync::Cache<Key, Payload, Hasher> {
    #[inline]
    fn read(&self, key: Key) -> bool {
        is_some(self.get(&key))
    }

    #[inline]
    fn set(&self, key: Key, value: Payload) {
        self.insert(key, value);
    }
}

impl Side for Mutex<lru::LruCache<Key, Payload>> {
    #[inline]
    fn read(&self, key: Key) -> bool {
        is_some(self.lock().get(&key).copied())
    }

    #[inline]
    fn set(&self, key: Key, value: Payload) {
        self.lock().put(key, value);
    }
}
