//! A cache that no longer has entries gives their memory back to the system.
#![cfg(all(target_os = "linux", not(fuzzing)))]

use breakwater_engine::{Cache, Config, Expiry, Key, Policy, Value};
use std::sync::Mutex;

const FILLED: u64 = 32 << 20;

/// The memory that the process takes, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn cache() -> Cache {
    let config = Config { policy: Policy::Lfu, max_bytes: Some(1 << 30), ..Config::default() };
    Cache::new(config).unwrap()
}

/// The tests of this file measure one process: each has it for itself.
static ALONE: Mutex<()> = Mutex::new(());

fn fill(cache: &Cache, len: usize) {
    let value = vec![7; len];
    for n in 0..FILLED / len as u64 {
        cache.set(Key::bytes(&n.to_le_bytes()), Value::bytes(&value), Expiry::Never).unwrap();
    }
}

#[test]
fn memory_goes_back_to_the_system_whatever_the_size_of_the_values() {
    let _alone = ALONE.lock().unwrap();
    type Way = fn(Cache) -> Option<Cache>;
    let ways: [(&str, Way); 2] = [
        ("clear", |cache| {
            cache.clear();
            Some(cache)
        }),
        ("drop", |_| None),
    ];
    let before = resident();
    for (name, way) in ways {
        for len in [1_000, 5_000, 100_000] {
            let cache = cache();
            fill(&cache, len);
            assert!(resident() >= before + FILLED, "{name}, {len}: it was not there");
            let _rest = way(cache);
            let left = resident().saturating_sub(before);
            assert!(left < FILLED / 8, "{name}, {len}: {left} bytes are left");
        }
    }
}

#[test]
fn memory_between_large_values_that_stay_goes_back_to_the_system() {
    let _alone = ALONE.lock().unwrap();
    let before = resident();
    for len in [20_000, 100_000, 2 << 20] {
        let cache = cache();
        fill(&cache, len);
        assert!(resident() >= before + FILLED, "{len}: it was not there");
        for n in (0..FILLED / len as u64).filter(|n| n % 16 != 7) {
            cache.delete(Key::bytes(&n.to_le_bytes()));
        }
        cache.maintain();
        let stays = cache.bytes();
        assert!(stays < FILLED / 8, "{len}: {stays} bytes stay");
        let left = resident().saturating_sub(before);
        assert!(left < stays + FILLED / 8, "{len}: {left} bytes are left of {stays}");
    }
}
