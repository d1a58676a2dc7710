//! Breakwater's own engine with `policy: 'lfu'`, bounded by entries: not a model of it, but itself.

use super::Policy;
use breakwater_engine::{Cache, Config, Expiry, Key, Policy as EnginePolicy, Value};

pub(super) struct Engine {
    cache: Cache,
}

impl Engine {
    pub(super) fn new(entries: u64) -> Self {
        let config = Config {
            max_entries: Some(entries.max(1)),
            policy: EnginePolicy::Lfu,
            ..Config::default()
        };
        Self { cache: Cache::new(config).expect("a bound by entries is one that can be") }
    }
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
