//! What a removal listener may do, and that each hears what it listens to.

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
    cache.listen(sleeper.clone());
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

#[derive(Default)]
struct Ears(AtomicU64);

impl RemovalListener for Ears {
    fn removed(&self, _: EntryRef<'_>, _: Reason) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Threads begin and cease to listen, and each hears what it removes itself in between.
#[test]
fn whoever_listens_hears_whatever_others_begin_or_cease() {
    let cache = Cache::new(Config { max_entries: Some(64), ..Config::default() }).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let cache = &cache;
            scope.spawn(move || {
                let (key, ears) = (thread.to_le_bytes(), Arc::new(Ears::default()));
                for n in 1..20_000u64 {
                    cache.listen(ears.clone());
                    let before = ears.0.load(Ordering::Relaxed);
                    cache.set(Key::bytes(&key), Value::bytes(&[1]), Expiry::Never).unwrap();
                    assert!(cache.delete(Key::bytes(&key)));
                    assert!(ears.0.load(Ordering::Relaxed) > before, "deaf in round {n}");
                    cache.unlisten(&ears);
                }
            });
        }
    });
}
