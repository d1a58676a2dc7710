//! The grace after a deadline, on a clock that is set by hand.

mod support;

use breakwater_engine::{
    Cache, Clock, Config, Edit, Expiry, Freshness, Key, Nature, Note, Policy, Reason, Value,
};
use support::{KEY, Told, deadline, with_clock};

/// Milliseconds that an entry may be kept beyond its deadline before upkeep drops it.
const TICK: u64 = 8;

fn set(cache: &Cache, key: Key<'_>, expiry: Expiry) -> bool {
    cache.set(key, Value::bytes(b"value"), expiry).unwrap()
}

fn with_grace(policy: Policy, grace: u64) -> (Cache, Clock) {
    with_clock(Config { policy, grace, near_copies: true, ..Config::default() })
}

fn seen(cache: &Cache) -> Option<(Freshness, Option<u64>)> {
    cache.get_with_freshness(KEY, |found| (found.freshness, found.left))
}

#[test]
fn within_the_grace_an_entry_is_there_for_who_takes_stale_values_and_for_nobody_else() {
    for policy in Policy::ALL {
        let (cache, clock) = with_grace(policy, 100);
        let told = Told::by(&cache);
        set(&cache, KEY, Expiry::At(1_010));
        clock.advance(9);
        assert_eq!(seen(&cache), Some((Freshness::Fresh, Some(1))));
        clock.advance(1);
        for _ in 0..2 {
            assert_eq!(cache.get(KEY, |_| ()), None);
            assert_eq!(cache.get_stamped(KEY, |_| ()), None);
            assert!(!cache.contains(KEY));
            assert_eq!(cache.expire(KEY, Expiry::Never), Ok(false));
            assert_eq!(cache.scan(0, usize::MAX, |_| panic!("visited")), 0);
            cache.maintain();
            assert_eq!(seen(&cache), Some((Freshness::Stale, Some(clock.now() - 1_010))));
            assert!(
                cache.get_with_freshness(KEY, |found| found.stamp.version.is_none()).unwrap(),
                "no copy"
            );
            assert_eq!(told.take(), [], "it is there");
            clock.advance(99);
        }
        assert_eq!((seen(&cache), cache.len()), (None, 0), "who meets it drops it");
        assert_eq!(told.take(), [(KEY.bytes.to_vec(), Reason::Expired)]);
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.misses, stats.expirations), (1, 9, 1));
        cache.audit().unwrap();
    }
}

#[test]
fn upkeep_drops_an_entry_when_its_grace_is_over() {
    for policy in Policy::ALL {
        let (cache, clock) = with_grace(policy, 5_000);
        set(&cache, KEY, Expiry::At(1_100));
        clock.advance(5_099);
        cache.maintain();
        assert_eq!(cache.len(), 1);
        clock.advance(1 + TICK);
        cache.maintain();
        assert!(cache.is_empty());
        cache.audit().unwrap();
    }
}

#[test]
fn what_replaces_or_removes_a_stale_entry_finds_nothing() {
    for policy in Policy::ALL {
        let (cache, clock) = with_grace(policy, 100);
        let told = Told::by(&cache);
        let stale = |act: &dyn Fn()| {
            set(&cache, KEY, Expiry::At(clock.now() + 5));
            clock.advance(5);
            told.take();
            act();
            assert_eq!(told.take(), [(KEY.bytes.to_vec(), Reason::Expired)]);
            cache.delete(KEY);
            cache.audit().unwrap();
        };
        stale(&|| assert!(!cache.delete(KEY)));
        stale(&|| assert!(!set(&cache, KEY, Expiry::Never), "it replaced nothing"));
        stale(&|| {
            let put = Edit::Put { format: 0, expiry: Expiry::Keep };
            cache.update(KEY, |old, _| (put, assert!(old.is_none()))).unwrap();
            assert_eq!(deadline(&cache), Some(None));
        });
    }
}

/// A negative has no grace, so that what takes its place may stay longer than it and shorter.
#[test]
fn a_timer_serves_what_takes_the_place_of_an_entry_with_another_grace() {
    let negative = Note { nature: Nature::Negative, ..Note::default() };
    for policy in Policy::ALL {
        for grace in [0, 30, 1_000] {
            let (cache, clock) = with_grace(policy, grace);
            let learn = |at| cache.set_noted(KEY, Value::bytes(b""), Expiry::At(at), &negative);
            for (first, second) in [(100, 100), (100, 300), (300, 100)] {
                let begin = clock.now();
                set(&cache, KEY, Expiry::At(begin + first));
                learn(begin + second).unwrap();
                clock.advance(second + TICK);
                cache.maintain();
                assert!(cache.is_empty(), "{policy:?}, {grace}: {first} and {second}");
                let begin = clock.now();
                learn(begin + first).unwrap();
                set(&cache, KEY, Expiry::At(begin + second));
                clock.advance(second + grace - 1);
                cache.maintain();
                assert!(!cache.is_empty(), "{policy:?}, {grace}: {first} and {second}");
                clock.advance(TICK + 1);
                cache.maintain();
                assert!(cache.is_empty(), "{policy:?}, {grace}: {first} and {second}");
            }
        }
    }
}

#[test]
fn a_grace_may_be_as_long_as_can_be() {
    let (cache, clock) = with_grace(Policy::Lfu, u64::MAX);
    set(&cache, KEY, Expiry::At(u64::MAX));
    set(&cache, KEY, Expiry::At(1_100));
    clock.advance(1 << 47);
    cache.maintain();
    assert!(matches!(seen(&cache), Some((Freshness::Stale, Some(_)))));
    cache.audit().unwrap();
}

#[test]
fn an_update_meets_what_is_over_if_it_asks_for_that_and_as_long_as_it_is_kept() {
    for policy in Policy::ALL {
        let (cache, clock) = with_grace(policy, 100);
        let look = |kept: bool, edit: Edit| {
            let decide = |held: Option<breakwater_engine::EntryRef<'_>>, out: &mut Vec<u8>| {
                out.extend_from_slice(b"other");
                (edit, held.map(|entry| entry.value().bytes.to_vec()))
            };
            let seen =
                if kept { cache.update_kept(KEY, decide) } else { cache.update(KEY, decide) };
            seen.unwrap()
        };
        set(&cache, KEY, Expiry::At(1_010));
        assert_eq!(look(true, Edit::Keep), Some(b"value".to_vec()));
        clock.advance(109);
        assert_eq!(look(false, Edit::Keep), None, "it is over");
        for _ in 0..2 {
            assert_eq!(look(true, Edit::Keep), Some(b"value".to_vec()));
            assert_eq!(seen(&cache), Some((Freshness::Stale, Some(99))), "it stays as it was");
        }
        clock.advance(1);
        assert_eq!(look(true, Edit::Keep), None, "its grace is over");
        set(&cache, KEY, Expiry::At(clock.now() + 10));
        clock.advance(10);
        let put = Edit::Put { format: 0, expiry: Expiry::Never };
        assert_eq!(look(true, put), Some(b"value".to_vec()));
        assert_eq!(cache.get(KEY, |entry| entry.value().bytes.to_vec()), Some(b"other".to_vec()));
        assert_eq!(look(true, Edit::Remove), Some(b"other".to_vec()));
        assert_eq!(cache.len(), 0);
        cache.audit().unwrap();
    }
}
