//! What has waited for a reader is freed once the thread that writes is the only one that uses the engine.
//!
//! One test: another one beside it would be another thread.

use breakwater_engine::{Cache, Config, Expiry, Key, Policy, Value};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

const KEY: Key<'static> = Key::text(b"key");

/// Values that are replaced while somebody reads.
const REPLACED: u64 = 10_000;

/// Entries that a thread's lane keeps: two batches.
const LANE: u64 = 2 * 32;

fn cache(policy: Policy) -> Arc<Cache> {
    Arc::new(Cache::new(Config { policy, shards: Some(1), ..Config::default() }).unwrap())
}

fn set(cache: &Cache, expiry: Expiry) {
    cache.set(KEY, Value::bytes(b"value"), expiry).unwrap();
}

/// Runs `f` while another thread, which ends then, is in the middle of a read.
fn beside_a_reader(cache: &Arc<Cache>, f: impl FnOnce()) {
    let (begun, is_reading) = channel();
    let (over, is_over) = channel::<()>();
    let reader = thread::spawn({
        let cache = cache.clone();
        move || {
            cache.get(KEY, |_| {
                begun.send(()).unwrap();
                // Until the other end is dropped.
                is_over.recv().unwrap_err();
            })
        }
    });
    is_reading.recv().unwrap();
    f();
    drop(over);
    assert_eq!(reader.join().unwrap(), Some(()));
}

#[test]
fn what_has_waited_for_a_reader_is_freed_by_a_writer_that_is_alone() {
    for policy in Policy::ALL {
        for expiry in [Expiry::Never, Expiry::At(1 << 40)] {
            let (quiet, cache) = (self::cache(policy), self::cache(policy));
            (0..1 + REPLACED).for_each(|_| set(&quiet, expiry));
            set(&cache, expiry);
            beside_a_reader(&cache, || (0..REPLACED).for_each(|_| set(&cache, expiry)));
            let entry = cache.info(KEY, None).unwrap().bytes;
            let held = cache.bytes();
            assert!(held > (REPLACED - LANE) * entry, "{policy:?}, {expiry:?}: nothing waited");
            // Some of it with each set.
            for _ in 0..REPLACED / 100 {
                set(&quiet, expiry);
                set(&cache, expiry);
            }
            let in_lane = if expiry == Expiry::Never { LANE * entry } else { 0 };
            let left = cache.bytes().saturating_sub(quiet.bytes());
            assert!(left <= in_lane, "{policy:?}, {expiry:?}: {left} bytes wait still");
            cache.audit().unwrap();
        }
    }
}
