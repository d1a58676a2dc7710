//! What a removal listener may do.

use breakwater_engine::{
    Cache, Config, EntryRef, Expiry, Key, Reason, RemovalListener, Value, rest,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
struct Sleeper(AtomicU64);

impl RemovalListener for Sleeper {
    fn removed(&self, entry: EntryRef<'_>, _: Reason) {
        assert_eq!(entry.value().bytes.len(), 64);
        rest();
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_listener_that_rests_does_not_give_its_thread_away() {
    let cache = Cache::new(Config { max_entries: Some(64), ..Config::default() }).unwrap();
    let sleeper = Arc::new(Sleeper::default());
    cache.set_listener(Some(sleeper.clone()));
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let cache = &cache;
            scope.spawn(move || {
                for n in 0..10_000u64 {
                    let key = (n * 7 + thread).to_le_bytes();
                    cache.set(Key::bytes(&key), Value::bytes(&[1; 64]), Expiry::Never).unwrap();
                }
            });
        }
    });
    cache.audit().unwrap();
    let stats = cache.stats();
    assert_eq!(stats.sets, sleeper.0.load(Ordering::Relaxed) + stats.entries);
}
