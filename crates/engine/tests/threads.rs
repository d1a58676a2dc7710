//! Many threads at once: the bound holds at every moment, values are whole, counts add up, and
//! nothing is lost but what may be.

use breakwater_engine::{
    Cache, Clock, Config, Edit, EntryRef, Error, Expiry, Key, MAX_KEY_LEN, Policy, Reason,
    RemovalListener, Value,
};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

const EVICTING: [Policy; 4] = [Policy::Lfu, Policy::Auto, Policy::Lru, Policy::Random];

struct Lots(u64);

impl Lots {
    fn of(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    /// 16 B to 200 KB; small ones are common.
    fn len(&mut self) -> usize {
        let most = 16u64 << self.draw(14);
        (16 + self.draw(most.min(200_000)) as usize).min(200_000)
    }
}

/// A value that says whether it is whole: its length, then one word again and again.
fn pattern(len: usize, word: u64) -> Vec<u8> {
    let mut value = (len as u64).to_le_bytes().to_vec();
    value.extend(word.to_le_bytes().repeat(len / 8));
    value.truncate(len);
    value
}

fn check_pattern(value: &[u8]) {
    assert_eq!(value.len() as u64, u64::from_le_bytes(value[..8].try_into().unwrap()));
    assert_eq!(value[8..value.len() - 8], value[16..], "parts of two values");
}

fn number_key(n: u64) -> [u8; 8] {
    n.to_le_bytes()
}

fn set(cache: &Cache, n: u64, value: &[u8]) -> Result<bool, Error> {
    cache.set(Key::bytes(&number_key(n)), Value::bytes(value), Expiry::Never)
}

fn bounded(policy: Policy, max_entries: Option<u64>, max_bytes: Option<u64>) -> Cache {
    Cache::new(Config { policy, max_entries, max_bytes, ..Config::default() }).unwrap()
}

/// Sets, reads, deletes and edits with values of all sizes.
fn churn(cache: &Cache, seed: u64, operations: u64, keys: u64) {
    let mut lots = Lots::of(seed);
    for _ in 0..operations {
        let n = lots.draw(keys);
        let key = number_key(n);
        let key = Key::bytes(&key);
        match lots.draw(10) {
            0..=4 => {
                let value = pattern(lots.len(), lots.draw(u64::MAX));
                cache.set(key, Value::bytes(&value), Expiry::Never).unwrap();
            }
            5..=7 => _ = cache.get(key, |entry| check_pattern(entry.value().bytes)),
            8 => _ = cache.delete(key),
            _ => {
                let value = pattern(lots.len(), lots.draw(u64::MAX));
                let edit = cache.update(key, |old, out| {
                    old.iter().for_each(|entry| check_pattern(entry.value().bytes));
                    out.extend_from_slice(&value);
                    (Edit::Put { format: 0, expiry: Expiry::Keep }, ())
                });
                edit.unwrap();
            }
        }
    }
}

#[test]
fn bytes_never_pass_the_bound_at_any_moment() {
    for policy in EVICTING {
        for (bound, shards) in [(3 << 20, 1), (8 << 20, 8)] {
            let config = Config {
                policy,
                max_bytes: Some(bound),
                shards: Some(shards),
                ..Config::default()
            };
            let cache = Cache::new(config).unwrap();
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                let churners: Vec<_> = (0..4)
                    .map(|seed| {
                        let cache = &cache;
                        scope.spawn(move || churn(cache, seed, 1_500, 2_000))
                    })
                    .collect();
                let (cache, done) = (&cache, &done);
                let sampler = scope.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        assert!(cache.bytes() <= bound && cache.stats().bytes <= bound);
                        thread::yield_now();
                    }
                });
                let ends: Vec<_> = churners.into_iter().map(|churner| churner.join()).collect();
                done.store(true, Ordering::Relaxed);
                sampler.join().unwrap();
                assert!(ends.iter().all(Result::is_ok));
            });
            cache.audit().unwrap();
        }
    }
}

#[test]
fn a_cache_that_is_dropped_takes_its_garbage_along() {
    let elsewhere = bounded(Policy::Lfu, None, None);
    set(&elsewhere, 1, b"there").unwrap();
    for policy in EVICTING {
        let cache = bounded(policy, None, None);
        (0..2_000).for_each(|n| _ = set(&cache, n, &pattern(300, n)).unwrap());
        let (entered, leave) = (mpsc::channel(), mpsc::channel::<()>());
        thread::scope(|scope| {
            let elsewhere = &elsewhere;
            scope.spawn(move || {
                elsewhere.get(Key::bytes(&number_key(1)), |entry| {
                    entered.0.send(()).unwrap();
                    leave.1.recv().unwrap();
                    assert_eq!(entry.value().bytes, b"there");
                });
            });
            entered.1.recv().unwrap();
            (0..1_500).for_each(|n| assert!(cache.delete(Key::bytes(&number_key(n)))));
            assert!(cache.bytes() > 1_500 * 300, "a reader keeps what was removed");
            cache.audit().unwrap();
            drop(cache);
            leave.0.send(()).unwrap();
        });
    }
}

#[test]
fn what_was_removed_comes_back_once_its_reader_is_gone() {
    // It stands: upkeep looks at it twice.
    let cache = Cache::new(Config { clock: Clock::manual(), ..Config::default() }).unwrap();
    set(&cache, 1, b"read").unwrap();
    thread::scope(|scope| {
        let (entered, leave) = (mpsc::channel(), mpsc::channel::<()>());
        let reading = &cache;
        let reader = scope.spawn(move || {
            reading.get(Key::bytes(&number_key(1)), |_| {
                entered.0.send(()).unwrap();
                leave.1.recv().unwrap();
            });
        });
        entered.1.recv().unwrap();
        set(&cache, 2, &pattern(1 << 20, 7)).unwrap();
        cache.delete(Key::bytes(&number_key(2)));
        assert_eq!(cache.maintain(), Some(20), "it asks to be called again");
        assert!(cache.bytes() > 1 << 20);
        leave.0.send(()).unwrap();
        reader.join().unwrap();
        while cache.maintain().is_some() {
            // Readers of other caches come and go as well.
            thread::yield_now();
        }
        assert!(cache.bytes() < 1 << 16);
    });
    cache.audit().unwrap();
}

#[test]
fn threads_that_come_and_go_harm_nobody() {
    for policy in [Policy::Lfu, Policy::Auto, Policy::Lru] {
        let cache = bounded(policy, None, Some(4 << 20));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let stayers: Vec<_> = (0..2)
                .map(|seed| {
                    let (cache, done) = (&cache, &done);
                    scope.spawn(move || {
                        let mut turn = 0;
                        while !done.load(Ordering::Relaxed) {
                            turn += 1;
                            churn(cache, seed + 2 * turn, 50, 500);
                            // Rests now and then: comes back as another participant.
                            breakwater_engine::rest();
                        }
                    })
                })
                .collect();
            for wave in 0..20 {
                thread::scope(|scope| {
                    for n in 0..10 {
                        let cache = &cache;
                        scope.spawn(move || churn(cache, 1_000 + wave * 10 + n, 40, 500));
                    }
                });
            }
            done.store(true, Ordering::Relaxed);
            stayers.into_iter().for_each(|stayer| stayer.join().unwrap());
        });
        cache.audit().unwrap();
    }
}

/// Who left, by the serial number that its value begins with, and why.
struct Departures {
    seen: Vec<AtomicU8>,
    by_reason: [AtomicU64; 5],
}

impl RemovalListener for Departures {
    fn removed(&self, entry: EntryRef<'_>, reason: Reason) {
        let serial = u64::from_le_bytes(entry.value().bytes[..8].try_into().unwrap());
        assert_eq!(self.seen[serial as usize].fetch_add(1, Ordering::Relaxed), 0, "left twice");
        self.by_reason[reason as usize].fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn every_departure_is_told_once_and_the_counts_add_up() {
    const THREADS: u64 = 4;
    const EACH: u64 = 5_000;
    for policy in EVICTING {
        let clock = Clock::manual();
        let config = Config {
            policy,
            max_entries: Some(300),
            clock: clock.clone(),
            shards: Some(2),
            ..Config::default()
        };
        let cache = Cache::new(config).unwrap();
        let departures = Arc::new(Departures {
            seen: (0..THREADS * EACH).map(|_| AtomicU8::new(0)).collect(),
            by_reason: Default::default(),
        });
        cache.listen(departures.clone());
        let sets = AtomicU64::new(0);
        let deletes = AtomicU64::new(0);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (cache, sets, deletes, clock) = (&cache, &sets, &deletes, &clock);
                scope.spawn(move || {
                    let mut lots = Lots::of(thread);
                    for n in 0..EACH {
                        let serial = thread * EACH + n;
                        let key = number_key(lots.draw(600));
                        let key = Key::bytes(&key);
                        let expiry = match lots.draw(3) {
                            0 => Expiry::At(clock.now() + 1 + lots.draw(50)),
                            _ => Expiry::Never,
                        };
                        let value = serial.to_le_bytes();
                        cache.set(key, Value::bytes(&value), expiry).unwrap();
                        sets.fetch_add(1, Ordering::Relaxed);
                        match lots.draw(40) {
                            0..=9 => _ = cache.get(key, |_| ()),
                            10..=14 => {
                                deletes.fetch_add(u64::from(cache.delete(key)), Ordering::Relaxed);
                            }
                            15 => clock.advance(7),
                            16 => _ = cache.maintain(),
                            17 if n % 500 == 0 => cache.clear(),
                            _ => {}
                        }
                    }
                });
            }
        });
        cache.audit().unwrap();
        let count = |reason: Reason| departures.by_reason[reason as usize].load(Ordering::Relaxed);
        let told: u64 = departures.by_reason.iter().map(|n| n.load(Ordering::Relaxed)).sum();
        assert_eq!(sets.load(Ordering::Relaxed), told + cache.len(), "{policy:?}");
        assert_eq!(deletes.load(Ordering::Relaxed), count(Reason::Deleted), "{policy:?}");
        let stats = cache.stats();
        assert_eq!(
            [stats.sets, stats.deletes, stats.evictions, stats.expirations],
            [
                sets.load(Ordering::Relaxed),
                count(Reason::Deleted),
                count(Reason::Evicted),
                count(Reason::Expired)
            ]
        );
        let before = (told, cache.len());
        cache.clear();
        let told: u64 = departures.by_reason.iter().map(|n| n.load(Ordering::Relaxed)).sum();
        assert_eq!((told, cache.len()), (before.0 + before.1, 0));
    }
}

#[test]
fn none_refuses_what_does_not_fit_and_keeps_what_it_has() {
    for (entries, bytes) in [(Some(100), None), (None, Some(40_000))] {
        let cache = bounded(Policy::None, entries, bytes);
        let mut held = Vec::new();
        for n in 0..400 {
            match set(&cache, n, &pattern(200, n)) {
                Ok(replaced) => held.push((n, replaced)),
                Err(error) => assert_eq!(error, Error::Full),
            }
        }
        assert!(held.len() < 400 && !held.is_empty() && held.iter().all(|(_, old)| !old));
        assert_eq!(cache.stats().rejected, 400 - held.len() as u64);
        thread::scope(|scope| {
            for thread in 0..3 {
                let cache = &cache;
                scope.spawn(move || {
                    (0..300).for_each(|n| {
                        assert_eq!(
                            set(cache, 1_000 + thread * 1_000 + n, &pattern(4_000, n)),
                            Err(Error::Full)
                        );
                    })
                });
            }
        });
        for &(n, _) in &held {
            let key = number_key(n);
            let same = cache.get(Key::bytes(&key), |entry| entry.value().bytes == pattern(200, n));
            assert_eq!(same, Some(true));
        }
        cache.audit().unwrap();
        assert!(cache.delete(Key::bytes(&number_key(held[0].0))));
        assert_eq!(set(&cache, held[0].0, &pattern(200, 1)), Ok(false), "what left makes room");
    }
}

#[test]
fn what_can_never_fit_is_refused_and_nothing_is_lost() {
    for policy in Policy::ALL {
        let cache = bounded(policy, None, Some(100_000));
        set(&cache, 1, b"kept").unwrap();
        let refused = set(&cache, 1, &vec![0; 100_001]);
        assert!(matches!(refused, Err(Error::TooLarge { max, .. }) if max <= 100_000));
        let long = vec![b'k'; MAX_KEY_LEN + 1];
        let refused = cache.set(Key::bytes(&long), Value::bytes(b""), Expiry::Never);
        assert_eq!(refused, Err(Error::KeyTooLong { len: MAX_KEY_LEN + 1 }));
        let edit = cache.update(Key::bytes(&long), |_, _| (Edit::Remove, ()));
        assert_eq!(edit, Err(Error::KeyTooLong { len: MAX_KEY_LEN + 1 }));
        assert_eq!(cache.get(Key::bytes(&long), |_| ()), None);
        assert!(!cache.delete(Key::bytes(&long)));
        assert_eq!(cache.set(Key::bytes(&long[1..]), Value::bytes(b""), Expiry::Never), Ok(false));
        assert!(cache.contains(Key::bytes(&long[1..])));
        assert_eq!(
            cache.get(Key::bytes(&number_key(1)), |entry| entry.value().bytes.to_vec()),
            Some(b"kept".to_vec())
        );
        assert_eq!(set(&cache, 2, b""), Ok(false));
        assert_eq!(
            cache.get(Key::bytes(&number_key(2)), |entry| entry.value().bytes.len()),
            Some(0)
        );
        cache.audit().unwrap();
    }
}

/// A cache that has seen many small entries has a large index: it gives way to what needs room.
#[test]
fn a_value_that_fits_an_empty_cache_fits_a_used_one() {
    for policy in EVICTING {
        let cache = bounded(policy, None, Some(1_000_000));
        for n in 0..20_000 {
            set(&cache, n, b"small").unwrap();
        }
        let large = pattern(900_000, 1);
        set(&cache, 1, &large).unwrap();
        assert!(
            cache.get(Key::bytes(&number_key(1)), |entry| entry.value().bytes == large).unwrap()
        );
        cache.audit().unwrap();
    }
}

#[test]
fn a_cache_of_one_entry_takes_every_set_of_every_thread() {
    for policy in EVICTING {
        let cache = bounded(policy, Some(1), None);
        thread::scope(|scope| {
            for thread in 0..4 {
                let cache = &cache;
                scope.spawn(move || {
                    for n in 0..4_000 {
                        set(cache, (thread + n) % 5, &number_key(n)).unwrap();
                        if n % 7 == 0 {
                            cache.delete(Key::bytes(&number_key(n % 5)));
                        }
                    }
                });
            }
        });
        cache.audit().unwrap();
        set(&cache, 9, b"last").unwrap();
        assert!(cache.contains(Key::bytes(&number_key(9))));
        assert_eq!(cache.len(), 1);
    }
}

#[test]
fn the_count_of_entries_never_goes_below_none() {
    let cache = bounded(Policy::Lfu, None, None);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (cache, done) = (&cache, &done);
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let stats = cache.stats();
                assert!(cache.len() <= 2 && stats.entries <= 2 && stats.bytes < 1 << 20);
            }
        });
        let deleter = scope.spawn(move || {
            (0..60_000).for_each(|n| _ = cache.delete(Key::bytes(&number_key(n % 2))));
        });
        (0..30_000).for_each(|n| _ = set(cache, n % 2, b"v").unwrap());
        let end = deleter.join();
        done.store(true, Ordering::Relaxed);
        end.unwrap();
    });
    cache.audit().unwrap();
}

#[test]
fn bounds_move_up_and_down_under_load() {
    for policy in EVICTING {
        let cache = bounded(policy, Some(5_000), Some(8 << 20));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let churners: Vec<_> = (0..3)
                .map(|seed| {
                    let (cache, done) = (&cache, &done);
                    scope.spawn(move || {
                        let mut turn = 0;
                        while !done.load(Ordering::Relaxed) {
                            turn += 1;
                            churn(cache, seed + 3 * turn, 20, 3_000);
                        }
                    })
                })
                .collect();
            for turn in 0..40u64 {
                let (entries, bytes) =
                    [(5_000, 8 << 20), (50, 3 << 20), (1_000, 4 << 20)][turn as usize % 3];
                cache.resize(Some(entries), Some(bytes)).unwrap();
                assert_eq!(cache.bounds(), (Some(entries), Some(bytes)));
                for _ in 0..20 {
                    assert!(cache.bytes() <= bytes, "above the new bound");
                    thread::yield_now();
                }
            }
            done.store(true, Ordering::Relaxed);
            churners.into_iter().for_each(|churner| churner.join().unwrap());
        });
        cache.audit().unwrap();
        cache.resize(Some(10), Some(1 << 20)).unwrap();
        assert!(cache.len() <= 10 && cache.bytes() <= 1 << 20);
        cache.audit().unwrap();
    }
}

#[test]
fn increments_by_many_threads_lose_nothing() {
    for policy in [Policy::Lfu, Policy::Auto, Policy::Lru] {
        let cache = bounded(policy, None, None);
        let count =
            |entry: EntryRef<'_>| u64::from_le_bytes(entry.value().bytes.try_into().unwrap());
        let key = Key::text(b"counter");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        let added = cache.update(key, |old, out| {
                            out.extend((old.map_or(0, count) + 1).to_le_bytes());
                            (Edit::Put { format: 0, expiry: Expiry::Keep }, ())
                        });
                        added.unwrap();
                    }
                });
            }
        });
        assert_eq!(cache.get(key, count), Some(20_000));
        cache.audit().unwrap();
    }
}

/// A counter that is added to while somebody gives it a deadline ends at that deadline: what
/// limits rates would otherwise count for ever.
#[test]
fn an_edit_that_keeps_the_deadline_keeps_one_that_was_set_meanwhile() {
    for policy in [Policy::Lfu, Policy::Auto, Policy::Lru] {
        let config = Config { policy, clock: Clock::manual(), ..Config::default() };
        let cache = Cache::new(config).unwrap();
        for round in 1..4_000u64 {
            let key = number_key(round);
            let key = Key::bytes(&key);
            let add = || {
                let added = cache.update(key, |_, out| {
                    out.push(1);
                    (Edit::Put { format: 0, expiry: Expiry::Keep }, ())
                });
                added.unwrap();
            };
            add();
            let deadline = 1_000 + round;
            thread::scope(|scope| {
                if round % 40 == 0 {
                    scope.spawn(add);
                    scope.spawn(add);
                }
                assert!(cache.expire(key, Expiry::At(deadline)).unwrap());
            });
            assert_eq!(cache.peek(key, |entry| entry.deadline()), Some(Some(deadline)));
            cache.delete(key);
        }
        cache.audit().unwrap();
    }
}

#[test]
fn a_deadline_that_was_set_while_others_edit_is_not_lost() {
    for policy in [Policy::Lfu, Policy::Auto, Policy::Lru] {
        let config = Config { policy, clock: Clock::manual(), ..Config::default() };
        let cache = Cache::new(config).unwrap();
        let (key, done) = (Key::text(b"counter"), AtomicBool::new(false));
        let add = || {
            let added = cache.update(key, |_, out| {
                out.push(1);
                (Edit::Put { format: 0, expiry: Expiry::Keep }, ())
            });
            added.unwrap();
        };
        add();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        add();
                    }
                });
            }
            let mut lost = 0;
            for round in 1..5_000u64 {
                assert!(cache.expire(key, Expiry::At(1_000 + round)).unwrap());
                let deadline = cache.peek(key, |entry| entry.deadline()).unwrap();
                lost += u64::from(deadline != Some(1_000 + round));
            }
            done.store(true, Ordering::Relaxed);
            assert_eq!(lost, 0, "{policy:?}");
        });
        cache.audit().unwrap();
    }
}

#[test]
fn a_walk_while_the_index_grows_meets_every_key_that_stays() {
    for policy in [Policy::Lfu, Policy::Auto, Policy::Lru] {
        let config = Config { policy, shards: Some(2), ..Config::default() };
        let cache = Cache::new(config).unwrap();
        let stable = 0..300u64;
        stable.clone().for_each(|n| _ = set(&cache, n, b"stays").unwrap());
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let (cache, done) = (&cache, &done);
            let grower = scope.spawn(move || {
                (1_000..31_000).for_each(|n| _ = set(cache, n, b"comes").unwrap());
                (1_000..31_000).for_each(|n| assert!(cache.delete(Key::bytes(&number_key(n)))));
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) {
                let (mut seen, mut cursor) = (HashSet::new(), 0);
                loop {
                    cursor = cache.scan(cursor, 16, |entry| {
                        seen.insert(u64::from_le_bytes(entry.key().bytes.try_into().unwrap()));
                    });
                    if cursor == 0 {
                        break;
                    }
                }
                assert!(stable.clone().all(|n| seen.contains(&n)));
            }
            grower.join().unwrap();
        });
        cache.audit().unwrap();
    }
}
