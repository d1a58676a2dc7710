//! The hottest entries: what is read comes before what is not, as far as the policy knows.

use breakwater_engine::{Cache, Clock, Config, Expiry, Key, Policy, Value};
use std::collections::HashMap;

const ENTRIES: u32 = 10_000;
const READ: u32 = 500;

fn fill(policy: Policy, clock: &Clock) -> Cache {
    let config = Config { policy, clock: clock.clone(), ..Config::default() };
    let cache = Cache::new(config).unwrap();
    for id in 0..ENTRIES {
        let expiry = if id % 2 == 0 { Expiry::Never } else { Expiry::At(1_000) };
        cache.set(Key::bytes(&id.to_be_bytes()), Value::bytes(b"value"), expiry).unwrap();
    }
    cache
}

fn hottest(cache: &Cache, limit: usize) -> HashMap<u32, u8> {
    let mut found = HashMap::new();
    cache.hottest(limit, |entry, heat| {
        let id = u32::from_be_bytes(entry.key().bytes.try_into().unwrap());
        assert_eq!(found.insert(id, heat), None, "visited once");
    });
    found
}

#[test]
fn what_is_read_is_hotter_than_what_is_not() {
    let clock = Clock::manual();
    let cache = fill(Policy::Lfu, &clock);
    for id in (0..ENTRIES).step_by((ENTRIES / READ) as usize) {
        for _ in 0..=id % 3 {
            cache.get(Key::bytes(&id.to_be_bytes()), |_| ());
        }
    }
    let found = hottest(&cache, READ as usize);
    assert_eq!(found.len(), READ as usize);
    assert!(found.keys().all(|id| id % (ENTRIES / READ) == 0));
    let most = found.values().max().unwrap();
    assert!(found.iter().all(|(id, heat)| (heat == most) == (id % 3 == 2)));
    // Fewer than are as hot, and more than there are that were read.
    let few = hottest(&cache, 10);
    assert_eq!(few.len(), 10);
    assert!(few.values().all(|heat| heat == most));
    let many = hottest(&cache, 2 * READ as usize);
    assert_eq!(many.len(), 2 * READ as usize);
    assert!(found.keys().all(|id| many.contains_key(id)));
}

#[test]
fn every_policy_gives_what_there_is() {
    for policy in Policy::ALL {
        let clock = Clock::manual();
        let cache = fill(policy, &clock);
        assert_eq!(hottest(&cache, usize::MAX).len(), ENTRIES as usize);
        assert_eq!(hottest(&cache, 7).len(), 7);
        assert_eq!(hottest(&cache, 0).len(), 0);
        clock.advance(1_000);
        let left = hottest(&cache, usize::MAX);
        assert_eq!(left.len(), ENTRIES as usize / 2);
        assert!(left.keys().all(|id| id % 2 == 0), "what is over is not told of");
    }
}
