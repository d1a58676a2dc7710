//! What a thread keeps of a cache for itself is within the bound, and serves others who need it.

use breakwater_engine::{Cache, Config, Error, Expiry, Key, Policy, Value};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

const MAX_BYTES: u64 = 1 << 20;

fn cache() -> Cache {
    let config = Config {
        policy: Policy::None,
        max_bytes: Some(MAX_BYTES),
        shards: Some(1),
        ..Config::default()
    };
    Cache::new(config).unwrap()
}

fn set(cache: &Cache, n: u64) -> Result<bool, Error> {
    cache.set(Key::bytes(&n.to_le_bytes()), Value::bytes(&[7; 24]), Expiry::Never)
}

/// How many entries find room.
fn fill(cache: &Cache) -> u64 {
    (0..).take_while(|&n| set(cache, n) != Err(Error::Full)).count() as u64
}

/// Has a thread replace values again and again, and sleep while `f` runs.
fn beside_one_that_has_replaced<R>(cache: &Cache, f: impl FnOnce() -> R) -> R {
    let (replaced, is_ready) = channel();
    let (asleep, done) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            (0..100).for_each(|_| _ = set(cache, 0).unwrap());
            replaced.send(()).unwrap();
            // Until the other end is dropped.
            done.recv().unwrap_err();
        });
        let _asleep = asleep;
        is_ready.recv().unwrap();
        f()
    })
}

#[test]
fn what_a_sleeping_thread_has_replaced_makes_room_for_others() {
    let reference = fill(&cache());
    let cache = cache();
    let room = beside_one_that_has_replaced(&cache, || fill(&cache));
    cache.audit().unwrap();
    assert_eq!(room, reference);
}

#[test]
fn upkeep_and_clear_free_what_a_sleeping_thread_has_replaced() {
    let once = cache();
    set(&once, 0).unwrap();
    type Way = fn(&Cache);
    let ways: [(&str, Way); 2] = [
        ("maintain", |cache| _ = cache.maintain()),
        ("clear", |cache| {
            cache.clear();
            set(cache, 0).unwrap();
        }),
    ];
    for (name, way) in ways {
        let cache = cache();
        beside_one_that_has_replaced(&cache, || {
            let before = cache.bytes();
            assert!(
                before > once.bytes(),
                "{name}: what was replaced is charged until it is freed"
            );
            // Another test of this process may have lost its processor in the middle of a read.
            let patience = Instant::now() + Duration::from_secs(60);
            loop {
                way(&cache);
                let left = cache.bytes();
                if left == once.bytes() {
                    break;
                }
                assert!(Instant::now() < patience, "{name}: {left} bytes are left");
                thread::yield_now();
            }
        });
        cache.audit().unwrap();
    }
}

#[test]
fn a_bound_is_lowered_though_a_sleeping_thread_has_replaced_values() {
    let reference = cache();
    (0..10_000).for_each(|n| _ = set(&reference, n).unwrap());
    let cache = cache();
    beside_one_that_has_replaced(&cache, || {
        (0..10_000).for_each(|n| _ = set(&cache, n).unwrap());
        assert!(cache.resize(None, Some(reference.bytes())).is_ok());
    });
    assert!(cache.bytes() <= reference.bytes());
    cache.audit().unwrap();
}
