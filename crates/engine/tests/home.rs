//! Entries move within their bucket when others have left it: nobody who reads or writes them sees
//! anything of it.

use breakwater_engine::{Cache, Config, Expiry, Key, Policy, Value};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Keys that stay, and keys that come and go; together they fill the buckets of a table that does not
/// grow any more.
const STAY: u64 = 2_000;
const COME: u64 = 2_000;
const ROUNDS: u64 = if cfg!(debug_assertions) { 100 } else { 600 };

fn set(cache: &Cache, n: u64, value: u64) -> bool {
    let (key, value) = (n.to_le_bytes(), value.to_le_bytes());
    cache.set(Key::bytes(&key), Value::bytes(&value), Expiry::Never).unwrap()
}

fn get(cache: &Cache, n: u64) -> Option<u64> {
    let key = n.to_le_bytes();
    cache.get(Key::bytes(&key), |entry| u64::from_le_bytes(entry.value().bytes.try_into().unwrap()))
}

#[test]
fn a_key_that_stays_is_never_missing_and_never_goes_back_while_others_come_and_go() {
    let cache = Cache::new(Config { policy: Policy::None, ..Config::default() }).unwrap();
    // In turns, so that both kinds lie behind others.
    for n in 0..STAY + COME {
        assert!(!set(&cache, n, 0));
    }
    let (cache, over) = (&cache, AtomicBool::new(false));
    let stays = |n: u64| n.is_multiple_of(2);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = vec![0; (STAY + COME) as usize];
            while !over.load(Ordering::Relaxed) {
                for n in (0..STAY + COME).filter(|&n| stays(n)) {
                    let value = get(cache, n).expect("it was there all the time");
                    assert!(value >= seen[n as usize], "an older value came back");
                    seen[n as usize] = value;
                }
                let mut scanned = vec![false; (STAY + COME) as usize];
                cache.scan(0, usize::MAX, |entry| {
                    let n = u64::from_le_bytes(entry.key().bytes.try_into().unwrap());
                    scanned[n as usize] = true;
                });
                assert!((0..STAY + COME).all(|n| !stays(n) || scanned[n as usize]), "not scanned");
            }
        });
        let writer = scope.spawn(|| {
            let mut value = 0;
            while !over.load(Ordering::Relaxed) {
                value += 1;
                for n in (0..STAY + COME).filter(|&n| stays(n)) {
                    assert!(set(cache, n, value), "it was there");
                    assert_eq!(get(cache, n), Some(value));
                }
            }
        });
        for round in 0..ROUNDS {
            // In another order each time: who lies behind is another one.
            let come = |n: u64| 1 + 2 * ((n * 7 + round * 13) % COME);
            (0..COME).for_each(|n| _ = cache.delete(Key::bytes(&come(n).to_le_bytes())));
            (0..COME).for_each(|n| _ = set(cache, come(n), round));
        }
        over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        writer.join().unwrap();
    });
    cache.audit().unwrap();
}
