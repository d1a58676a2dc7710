//! Everything that a cache can do, by two threads at once, and the audit after it.

use breakwater_engine::{Cache, Clock, Config, Edit, Expiry, Key, Note, Policy, Value};
use std::thread;

const STEPS: u64 = 2_000;
const KEYS: u64 = 24;

/// A step that depends on nothing but its number and the thread's.
fn lot(step: u64, thread: u64) -> u64 {
    let mut x = (step * 2 + thread + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ (x >> 32)
}

/// One operation, whatever it is.
fn step(cache: &Cache, clock: &Clock, lot: u64) {
    let bytes = (lot % KEYS).to_le_bytes();
    let key = if lot.is_multiple_of(5) { Key::bytes(&bytes[..3]) } else { Key::bytes(&bytes) };
    let long = [lot as u8; 200];
    let value = Value::bytes(&long[..(lot >> 8) as usize % 200]);
    let check = |bytes: &[u8]| assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]));
    match (lot >> 16) % 16 {
        0..=3 => _ = cache.set(key, value, Expiry::Never),
        4 => _ = cache.set(key, value, Expiry::At(clock.now() + lot % 50)),
        5 => {
            let note = Note { tags: vec![cache.tag_group("tag")], ..Note::default() };
            _ = cache.set_noted(key, value, Expiry::Never, &note);
        }
        6..=8 => {
            cache.expect(&[key, Key::bytes(b"nobody's")]);
            _ = cache.get(key, |entry| check(entry.value().bytes));
        }
        9 => _ = cache.delete(key),
        10 => {
            _ = cache.update(key, |old, out| {
                old.iter().for_each(|entry| check(entry.value().bytes));
                out.extend_from_slice(&long[..20]);
                (Edit::Put { format: 0, expiry: Expiry::Keep }, ())
            });
        }
        11 => _ = cache.expire(key, Expiry::At(clock.now() + lot % 20)),
        12 => _ = cache.get_with_freshness(key, |_| ()),
        13 => cache.invalidate_tag("tag", lot.is_multiple_of(2)),
        14 => _ = cache.maintain(),
        _ => {
            clock.advance(lot % 10);
            if lot.is_multiple_of(7) {
                cache.clear();
            }
        }
    }
}

#[test]
fn two_threads_do_everything_once() {
    for policy in Policy::ALL {
        let clock = Clock::manual();
        let config = Config {
            max_entries: Some(12),
            shards: Some(1),
            clock: clock.clone(),
            policy,
            ..Config::default()
        };
        let cache = Cache::new(config).unwrap();
        thread::scope(|scope| {
            for thread in 0..2 {
                let (cache, clock) = (&cache, &clock);
                scope.spawn(move || (0..STEPS).for_each(|n| step(cache, clock, lot(n, thread))));
            }
        });
        cache.scan(0, usize::MAX, |entry| assert!(entry.value().bytes.len() <= 200));
        cache.audit().unwrap();
    }
}
