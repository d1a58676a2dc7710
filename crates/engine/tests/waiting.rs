//! Nobody waits for memory while others wait for it: calls that meet in a full cache go on at once.

use breakwater_engine::{
    Cache, Config, Error, Expiry, FlightTable, Key, Note, Policy, Role, Value,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const KEYS: u64 = 8;

/// No call takes longer, even on a busy machine: the fault that this looks for lasted for seconds.
const BOUND: Duration = Duration::from_secs(1);

/// How often values land; a mutation of each kind meets them.
const LANDINGS: u64 = 20_000;

fn key(n: u64) -> [u8; 8] {
    (n % KEYS).to_ne_bytes()
}

/// Begins a flight of the key, unless one is up, and lands it.
fn load(flights: &FlightTable, cache: &Cache, n: u64, note: Option<&Note>) -> Result<(), Error> {
    let key = key(n);
    let Role::Lead(lease) = flights.join(Key::bytes(&key), 1, &[]) else { return Ok(()) };
    let value = [7; 3_000];
    let landing = cache.land(&lease, Value::bytes(&value), Expiry::At(u64::MAX), note);
    match landing.and_then(|landing| landing.stored) {
        Some(Err(error)) if error != Error::Outdated => Err(error),
        _ => Ok(()),
    }
}

type Mutation = (&'static str, fn(&Cache, u64));

/// Whatever kills a flight, or changes an entry.
const MUTATIONS: [Mutation; 9] = [
    ("delete", |cache, n| _ = cache.delete(Key::bytes(&key(n)))),
    ("set", |cache, n| {
        let stored = cache.set(Key::bytes(&key(n)), Value::bytes(&[1; 2_000]), Expiry::Never);
        assert_eq!(stored.err(), None);
    }),
    ("clear", |cache, _| cache.clear()),
    ("invalidate_tag", |cache, _| cache.invalidate_tag("tag", false)),
    ("expire", |cache, n| _ = cache.expire(Key::bytes(&key(n)), Expiry::At(1 << 40))),
    ("update", |cache, n| {
        let put = cache.set(Key::bytes(&key(n)), Value::bytes(&[2; 1_000]), Expiry::Keep);
        assert_eq!(put.err(), None);
    }),
    ("delete_versioned", |cache, n| {
        cache.delete_versioned(Key::bytes(&key(n)), n, Expiry::Never);
    }),
    ("owner_gone", |cache, n| _ = cache.flights().owner_gone(n % 3)),
    ("resize", |cache, n| _ = cache.resize(None, Some(40_000 + n % 2 * 4_000))),
];

/// Ends the other thread, however this one ends.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `mutate` against loads of the same keys in a cache that is full.
fn meet(name: &str, policy: Policy, mutate: fn(&Cache, u64)) {
    let config = Config { max_bytes: Some(40_000), policy, ..Config::default() };
    let cache = Cache::new(config).unwrap();
    let note = Note { tags: vec![cache.tag_group("tag")], ..Note::default() };
    let done = AtomicBool::new(false);
    let timed = |f: &mut dyn FnMut()| {
        let begun = Instant::now();
        f();
        assert!(begun.elapsed() < BOUND, "{name} under {policy:?}: {:?}", begun.elapsed());
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                timed(&mut || mutate(&cache, n));
                n += 1;
            }
        });
        let _ends = Ends(&done);
        for n in 0..LANDINGS {
            let note = Some(&note).filter(|_| n % 2 == 0);
            timed(&mut || assert_eq!(load(cache.flights(), &cache, n, note), Ok(()), "{name}"));
        }
    });
    cache.audit().unwrap();
}

#[test]
fn whatever_ends_a_load_never_waits_for_one_that_waits_for_memory() {
    for policy in [Policy::Lru, Policy::Lfu, Policy::Auto] {
        for (name, mutate) in MUTATIONS {
            meet(name, policy, mutate);
        }
    }
}
