//! Deadlines, on a clock that is set by hand.

mod support;

use breakwater_engine::{Cache, Clock, Config, Edit, Error, Expiry, Key, Policy, Reason, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::{KEY, Told, deadline, with_clock};

/// Milliseconds that an entry may be kept beyond its deadline before upkeep drops it.
const TICK: u64 = 8;

fn new(policy: Policy) -> (Cache, Clock) {
    with_clock(Config { policy, ..Config::default() })
}

fn set(cache: &Cache, key: Key<'_>, expiry: Expiry) -> bool {
    cache.set(key, Value::bytes(b"value"), expiry).unwrap()
}

#[test]
fn a_read_finds_nothing_from_the_very_millisecond_of_the_deadline_on() {
    for policy in Policy::ALL {
        let (cache, clock) = new(policy);
        let told = Told::by(&cache);
        set(&cache, KEY, Expiry::At(1_005));
        clock.advance(4);
        assert_eq!(cache.get(KEY, |entry| entry.deadline()), Some(Some(1_005)));
        clock.advance(1);
        assert_eq!(cache.len(), 1, "nobody has met it");
        assert_eq!(cache.get(KEY, |_| ()), None);
        assert_eq!(cache.len(), 0, "who meets it drops it");
        assert_eq!(told.take(), [(KEY.bytes.to_vec(), Reason::Expired)]);
        let stats = cache.stats();
        assert_eq!((stats.expirations, stats.misses, stats.deletes), (1, 1, 0));
        cache.audit().unwrap();
    }
}

#[test]
fn what_expired_is_absent_for_every_operation() {
    for policy in Policy::ALL {
        let (cache, clock) = new(policy);
        let told = Told::by(&cache);
        let expired = |act: &dyn Fn()| {
            set(&cache, KEY, Expiry::At(clock.now() + 5));
            clock.advance(5);
            told.take();
            act();
            assert_eq!(told.take(), [(KEY.bytes.to_vec(), Reason::Expired)]);
            cache.delete(KEY);
        };
        expired(&|| assert!(!cache.delete(KEY)));
        expired(&|| assert!(!set(&cache, KEY, Expiry::Never), "it replaced nothing"));
        expired(&|| {
            let put = (Edit::Put { format: 0, expiry: Expiry::Keep }, ());
            let seen = cache.update(KEY, |old, _| (put.0, assert!(old.is_none())));
            seen.unwrap();
            assert_eq!(deadline(&cache), Some(None), "there was no deadline to keep");
        });
        expired(&|| cache.update(KEY, |_, _| (Edit::Remove, ())).unwrap());
        expired(&|| {
            assert_eq!(cache.expire(KEY, Expiry::Never), Ok(false));
            assert!(!cache.contains(KEY));
        });
        expired(&|| {
            assert_eq!(cache.scan(0, usize::MAX, |_| panic!("visited")), 0);
            assert_eq!(cache.random(|_| ()), None);
            cache.maintain();
            clock.advance(TICK);
            cache.maintain();
        });
        cache.audit().unwrap();
    }
}

#[test]
fn upkeep_drops_what_expired_a_tick_late_at_most_and_never_early() {
    for policy in Policy::ALL {
        let (cache, clock) = new(policy);
        let told = Told::by(&cache);
        let deadlines: Vec<u64> =
            (0..1_000u64).map(|n| 1_001 + n * n * 7_919 % 2_000_000).collect();
        for (n, &at) in deadlines.iter().enumerate() {
            set(&cache, Key::bytes(&n.to_le_bytes()), Expiry::At(at));
        }
        let mut gone = vec![false; deadlines.len()];
        while let Some(pause) = cache.maintain() {
            for (key, reason) in told.take() {
                let n = usize::from_le_bytes(key.try_into().unwrap());
                assert_eq!(reason, Reason::Expired);
                assert!(deadlines[n] <= clock.now() && clock.now() < deadlines[n] + TICK);
                assert!(!std::mem::replace(&mut gone[n], true));
            }
            clock.advance(pause);
        }
        let last = told.take();
        assert_eq!(gone.iter().filter(|gone| **gone).count() + last.len(), deadlines.len());
        assert!(cache.is_empty());
        cache.audit().unwrap();
    }
}

#[test]
fn deadlines_past_and_far_are_what_they_say() {
    let (cache, _) = new(Policy::Lfu);
    set(&cache, KEY, Expiry::At(0));
    assert!(!cache.contains(KEY), "the past is over");
    set(&cache, KEY, Expiry::At(1_000));
    assert!(!cache.contains(KEY), "now is over");
    set(&cache, KEY, Expiry::At(u64::MAX));
    assert_eq!(deadline(&cache), Some(Some((1 << 48) - 1)), "the last millisecond there is");
    cache.maintain();
    assert!(cache.contains(KEY));
    cache.audit().unwrap();
}

#[test]
fn keep_keeps_the_deadline_and_never_invents_one() {
    for policy in Policy::ALL {
        let (cache, clock) = new(policy);
        assert!(!set(&cache, KEY, Expiry::Keep));
        assert_eq!(deadline(&cache), Some(None));
        set(&cache, KEY, Expiry::At(1_100));
        assert!(set(&cache, KEY, Expiry::Keep));
        assert_eq!(deadline(&cache), Some(Some(1_100)));
        assert_eq!(cache.expire(KEY, Expiry::Keep), Ok(true));
        assert_eq!(deadline(&cache), Some(Some(1_100)));
        clock.advance(100 + TICK);
        cache.maintain();
        assert!(cache.is_empty(), "the kept deadline is on the wheel");
        cache.audit().unwrap();
    }
}

#[test]
fn expire_moves_the_end_both_ways() {
    for policy in Policy::ALL {
        let (cache, clock) = new(policy);
        assert_eq!(cache.expire(KEY, Expiry::At(9_999)), Ok(false), "nothing is there");
        set(&cache, KEY, Expiry::At(1_100));
        assert_eq!(cache.expire(KEY, Expiry::At(5_000)), Ok(true));
        clock.advance(1_000);
        cache.maintain();
        assert_eq!(deadline(&cache), Some(Some(5_000)), "it lives on");
        assert_eq!(cache.expire(KEY, Expiry::At(2_050)), Ok(true));
        clock.advance(50 + TICK);
        cache.maintain();
        assert!(cache.is_empty(), "it ends before its first deadline fires");
        set(&cache, KEY, Expiry::At(3_000));
        assert_eq!(cache.expire(KEY, Expiry::Never), Ok(true));
        clock.advance(10_000);
        cache.maintain();
        assert_eq!(deadline(&cache), Some(None));
        assert_eq!(cache.expire(KEY, Expiry::At(clock.now() + 10)), Ok(true));
        clock.advance(10 + TICK);
        cache.maintain();
        assert!(cache.is_empty(), "it is on the wheel again");
        cache.audit().unwrap();
    }
}

/// One key, deadlines that never come: the nodes of replaced deadlines must not pile up.
#[test]
fn replaced_deadlines_do_not_pile_up() {
    type Replace = fn(&Cache, u64);
    let ways: [(&str, Replace); 5] = [
        ("set later", |cache, n| _ = set(cache, KEY, Expiry::At(1 << 30 | n))),
        ("set earlier", |cache, n| _ = set(cache, KEY, Expiry::At((1 << 30) - n))),
        ("set with and without", |cache, n| {
            set(cache, KEY, Expiry::Never);
            set(cache, KEY, Expiry::At(1 << 30 | n));
        }),
        ("expire earlier", |cache, n| {
            cache.expire(KEY, Expiry::At((1 << 30) - n)).unwrap();
        }),
        ("delete and set", |cache, n| {
            cache.delete(KEY);
            set(cache, KEY, Expiry::At(1 << 30 | n));
        }),
    ];
    for (policy, times) in [(Policy::Lfu, 100_000), (Policy::Lru, 10_000)] {
        for (way, replace) in ways {
            let (cache, clock) = new(policy);
            set(&cache, KEY, Expiry::At(1 << 30));
            (0..times).for_each(|n| replace(&cache, n));
            // A test beside this one may sleep while it reads, and hold what was removed till then.
            let patience = Instant::now() + Duration::from_secs(60);
            let mut more = times..;
            while cache.bytes() >= 32 * 1024 && Instant::now() < patience {
                replace(&cache, more.next().unwrap());
                std::thread::yield_now();
            }
            assert!(cache.bytes() < 32 * 1024, "{way}, {policy:?}: {} bytes", cache.bytes());
            cache.audit().unwrap();
            let last = deadline(&cache).unwrap().unwrap();
            clock.advance(last - clock.now() - 1);
            cache.maintain();
            assert!(cache.contains(KEY), "{way}, {policy:?}: too early");
            clock.advance(1 + TICK);
            cache.maintain();
            assert!(cache.is_empty(), "{way}, {policy:?}: too late");
        }
    }
}

#[test]
fn the_alarm_rings_when_an_earlier_deadline_comes_and_only_then() {
    let (cache, clock) = new(Policy::Lfu);
    let rung = Arc::new(AtomicU64::new(0));
    cache.set_alarm(Some(Arc::new({
        let rung = rung.clone();
        move || _ = rung.fetch_add(1, Ordering::Relaxed)
    })));
    let rings = || rung.swap(0, Ordering::Relaxed);
    let key = |n: u8| [n];
    assert_eq!(cache.maintain(), None);
    set(&cache, KEY, Expiry::Never);
    assert_eq!(rings(), 0, "no deadline");
    set(&cache, Key::bytes(&key(1)), Expiry::At(5_000));
    assert_eq!(rings(), 1, "the first one");
    set(&cache, Key::bytes(&key(2)), Expiry::At(5_000));
    set(&cache, Key::bytes(&key(3)), Expiry::At(9_000));
    assert_eq!(rings(), 0, "no earlier one");
    set(&cache, Key::bytes(&key(4)), Expiry::At(4_000));
    assert_eq!(rings(), 1, "an earlier one");
    cache.expire(KEY, Expiry::At(3_000)).unwrap();
    assert_eq!(rings(), 1, "of expire");
    let put = Edit::Put { format: 0, expiry: Expiry::At(2_000) };
    cache.update(KEY, |_, _| (put, ())).unwrap();
    assert_eq!(rings(), 1, "of update");
    cache.expire(KEY, Expiry::At(2_500)).unwrap();
    assert_eq!(rings(), 0, "a later one");
    let pause = cache.maintain().unwrap();
    assert!(clock.now() + pause <= 2_500 + TICK, "not after the earliest");
    set(&cache, Key::bytes(&key(5)), Expiry::At(clock.now() + pause + 100));
    assert_eq!(rings(), 0, "upkeep comes before it");
    set(&cache, Key::bytes(&key(6)), Expiry::At(clock.now() + 1));
    assert_eq!(rings(), 1);
    cache.set_alarm(None);
    set(&cache, Key::bytes(&key(7)), Expiry::At(clock.now()));
    assert_eq!(rings(), 0, "nobody listens");
}

#[test]
fn what_expired_makes_room_where_nothing_is_evicted() {
    for (max_entries, max_bytes) in [(Some(50), None), (None, Some(20_000))] {
        let clock = Clock::manual();
        let config = Config {
            policy: Policy::None,
            max_entries,
            max_bytes,
            clock: clock.clone(),
            ..Config::default()
        };
        let cache = Cache::new(config).unwrap();
        let set = |n: u32, at: u64| {
            cache.set(Key::bytes(&n.to_le_bytes()), Value::bytes(&[7; 100]), Expiry::At(at))
        };
        let fits = (0..).find(|&n| set(n, 1_000) == Err(Error::Full)).unwrap();
        assert!(fits >= 50);
        clock.advance(1_000 + TICK);
        assert_eq!(set(fits, 5_000), Ok(false), "what expired has left");
        assert_eq!(cache.len(), 1);
        cache.audit().unwrap();
    }
}

/// Whatever the bound leaves to entries, index and wheel: each operation succeeds or says why not,
/// and comes back.
#[test]
fn a_deadline_that_does_not_fit_is_refused() {
    for policy in Policy::ALL {
        for bound in (4_096..9_000).step_by(100) {
            let config = Config {
                policy,
                max_bytes: Some(bound),
                clock: Clock::manual(),
                ..Config::default()
            };
            let cache = Cache::new(config).unwrap();
            for n in 0..60u64 {
                let key = n.to_le_bytes();
                let _ = cache.set(Key::bytes(&key), Value::bytes(&key), Expiry::Never);
                match cache.expire(Key::bytes(&key), Expiry::At(1_000)) {
                    Ok(true) => assert!(cache.contains(Key::bytes(&key))),
                    Ok(false) => assert!(!cache.contains(Key::bytes(&key))),
                    Err(error) => {
                        assert!(matches!(error, Error::Full | Error::TooLarge { .. }));
                    }
                }
                cache.audit().unwrap();
            }
        }
    }
}

#[test]
fn what_is_evicted_after_its_deadline_is_reported_as_expired() {
    let clock = Clock::manual();
    let config = Config {
        policy: Policy::Lru,
        max_entries: Some(1),
        clock: clock.clone(),
        ..Config::default()
    };
    let cache = Cache::new(config).unwrap();
    let told = Told::by(&cache);
    set(&cache, KEY, Expiry::At(10));
    clock.advance(10);
    set(&cache, Key::text(b"other"), Expiry::Never);
    set(&cache, Key::text(b"third"), Expiry::Never);
    assert_eq!(
        told.take(),
        [(b"key".to_vec(), Reason::Expired), (b"other".to_vec(), Reason::Evicted)]
    );
    let stats = cache.stats();
    assert_eq!((stats.expirations, stats.evictions), (1, 1));
}

#[test]
fn an_entry_that_gets_its_first_deadline_keeps_its_value_and_nobody_is_told() {
    for policy in Policy::ALL {
        let (cache, clock) = new(policy);
        let told = Told::by(&cache);
        set(&cache, KEY, Expiry::Never);
        let before = cache.stats();
        assert_eq!(cache.expire(KEY, Expiry::Never), Ok(true));
        assert_eq!(cache.expire(KEY, Expiry::At(1_005)), Ok(true));
        let now = cache.get(KEY, |entry| (entry.value().bytes.to_vec(), entry.deadline()));
        assert_eq!(now, Some((b"value".to_vec(), Some(1_005))));
        let after = cache.stats();
        assert_eq!((after.sets, after.deletes, after.entries), (before.sets, before.deletes, 1));
        assert_eq!(after.bytes - after.overhead, before.bytes - before.overhead);
        assert_eq!(told.take(), []);
        cache.audit().unwrap();
        clock.advance(10 * TICK);
        cache.maintain();
        assert_eq!((cache.len(), told.take()), (0, vec![(KEY.bytes.to_vec(), Reason::Expired)]));
        cache.audit().unwrap();
    }
}

#[test]
fn first_deadlines_writes_and_changes_that_meet_lose_nothing() {
    let (cache, _) = new(Policy::Lfu);
    let key = |n: u64| [n as u8 % 4; 8];
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let cache = &cache;
            scope.spawn(move || {
                for n in 0..20_000u64 {
                    let key = key(n / 3 + thread);
                    let key = Key::bytes(&key);
                    match (n + thread) % 4 {
                        0 => _ = cache.set(key, Value::bytes(&key.bytes[..5]), Expiry::Never),
                        1 => _ = cache.expire(key, Expiry::At(1 << 40 | n)),
                        2 => {
                            let whole = |entry: breakwater_engine::EntryRef<'_>| {
                                entry.value().bytes == &key.bytes[..5]
                            };
                            assert_ne!(cache.get(key, whole), Some(false));
                        }
                        _ => {
                            let same = cache.update(key, |old, out| {
                                out.extend_from_slice(
                                    old.map_or(&key.bytes[..5], |old| old.value().bytes),
                                );
                                (Edit::Put { format: 0, expiry: Expiry::Keep }, ())
                            });
                            same.unwrap();
                        }
                    }
                }
            });
        }
    });
    for n in 0..4 {
        let key = key(n);
        assert_eq!(cache.expire(Key::bytes(&key), Expiry::At(1 << 41)), Ok(true));
        assert_eq!(cache.get(Key::bytes(&key), |entry| entry.deadline()), Some(Some(1 << 41)));
    }
    assert_eq!(cache.len(), 4);
    cache.audit().unwrap();
}

#[test]
fn an_entry_takes_eight_bytes_beside_its_key_and_value_and_eight_more_for_a_deadline() {
    let (cache, _) = new(Policy::Lfu);
    for len in 0..500 {
        for (expiry, beside) in [(Expiry::Never, 8), (Expiry::At(1 << 40), 16)] {
            let key = [1; 16];
            cache.set(Key::bytes(&key), Value::bytes(&vec![7; len]), expiry).unwrap();
            let taken = cache.info(Key::bytes(&key), None).unwrap().bytes;
            let wasted = taken - (key.len() + len + beside) as u64;
            // Classes are eight bytes apart up to 512 bytes.
            assert!(wasted < 8 || taken > 512, "{len}: {taken}");
        }
    }
}
