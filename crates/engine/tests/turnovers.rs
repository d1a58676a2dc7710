//! What a cache takes beside its keys and values, however often all its entries were replaced.

use breakwater_engine::{Cache, Config, Expiry, Key, Policy, Value};

const ENTRIES: u64 = 4_000;

/// Bytes an entry beside key and value.
fn overhead(cache: &Cache) -> f64 {
    let stats = cache.stats();
    stats.overhead as f64 / stats.entries as f64
}

/// Replaces all entries by new ones, so many times.
fn turn_over(cache: &Cache, next: &mut u64, times: u64) {
    for _ in 0..ENTRIES * times {
        let (key, value) = (next.to_ne_bytes(), [7; 40]);
        cache.set(Key::bytes(&key), Value::bytes(&value), Expiry::Never).unwrap();
        *next += 1;
    }
}

#[test]
fn a_full_cache_takes_as_much_after_a_hundred_turnovers_as_after_one() {
    for policy in [Policy::Lfu, Policy::Auto, Policy::Lru, Policy::Random] {
        let max_entries = Some(ENTRIES);
        let cache = Cache::new(Config { max_entries, policy, ..Config::default() }).unwrap();
        let mut next = 0;
        // Once to fill it, and then once over. Where chance decides, a third of the first entries is
        // still there then: the ages of entries settle later.
        let first = if policy == Policy::Random { 6 } else { 1 };
        turn_over(&cache, &mut next, 1 + first);
        let before = overhead(&cache);
        for (times, more) in [(10, 10 - first), (100, 90)] {
            turn_over(&cache, &mut next, more);
            let now = overhead(&cache);
            assert!(
                (now / before - 1.0).abs() <= 0.05,
                "{policy:?}: {now:.1} bytes after {times} turnovers, {before:.1} after {first}"
            );
        }
        cache.audit().unwrap();
    }
}
