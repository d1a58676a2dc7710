//! Tests with a system that runs out of memory in the middle of things.

use super::Cache;
use crate::config::{Config, Error, Policy};
use crate::entry::{Expiry, Value};
use crate::key::Key;
use crate::memory::scarcity;
use crate::note::Note;

/// Uses all that allocates; how many calls found no memory.
fn use_all(cache: &Cache) -> u32 {
    let mut refused = 0;
    let mut check = |result: Result<bool, Error>| match result {
        Ok(_) => {}
        Err(Error::Full) => refused += 1,
        Err(other) => panic!("{other:?}"),
    };
    for n in 0..2_000u64 {
        let key = n.to_ne_bytes();
        let (key, value) = (Key::bytes(&key), Value::bytes(&[7; 40]));
        match n % 8 {
            0 => {
                let note = Note { tags: vec![cache.tag_group("tag")], ..Note::default() };
                check(cache.set_noted(key, value, Expiry::Never, &note));
            }
            1 | 2 => check(cache.set(key, value, Expiry::At(1_000 * n))),
            3 => {
                let before = (n - 1).to_ne_bytes();
                check(cache.expire(Key::bytes(&before), Expiry::At(2_000 * n)));
            }
            _ => check(cache.set(key, value, Expiry::Never)),
        }
        if n % 5 == 0 {
            cache.delete(key);
        }
    }
    refused
}

#[test]
fn where_the_system_has_no_memory_calls_say_full_and_nothing_is_lost() {
    for policy in Policy::ALL {
        let mut refused = 0;
        // Each allocation fails in its turn, and so do all after it.
        for n in (0..150).chain((150..4_000).step_by(191)) {
            let config = Config { max_bytes: Some(150_000), policy, ..Config::default() };
            let cache = Cache::new(config).unwrap();
            refused += scarcity::after(n, || use_all(&cache));
            cache.audit().unwrap();
            // There is memory again.
            assert!(use_all(&cache) == 0 || policy == Policy::None);
            cache.audit().unwrap();
            scarcity::after(0, || cache.clear());
            assert!(cache.is_empty());
            cache.audit().unwrap();
        }
        assert!(refused > 0);
    }
}

#[test]
fn a_cache_that_the_system_has_no_memory_for_is_refused() {
    for n in 0..4 {
        let made =
            scarcity::after(n, || Cache::new(Config { shards: Some(4), ..Config::default() }));
        assert_eq!(made.err().map(|error| error.option), Some("shards"));
    }
}
