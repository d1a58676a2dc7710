//! Notes: what entries say beside key and value, and what those who look closely see of it.

mod support;

use breakwater_engine::{
    Cache, Clock, Config, Expiry, Freshness, Nature, Note, Policy, Reason, Role, Value,
};
use support::{KEY, Told, with_clock};

const VALUE: Value<'static> = Value { format: 7, bytes: b"value" };

fn new(policy: Policy) -> (Cache, Clock) {
    with_clock(Config { policy, near_copies: true, ..Config::default() })
}

fn negative() -> Note {
    Note { nature: Nature::Negative, ..Note::default() }
}

fn seen(cache: &Cache) -> Option<(Freshness, bool, Option<u64>)> {
    cache.get_with_freshness(KEY, |found| (found.freshness, found.negative, found.left))
}

#[test]
fn a_note_stays_with_its_entry_and_is_charged() {
    for policy in Policy::ALL {
        let (cache, _) = new(policy);
        for tags in [0, 1, 64] {
            let note = Note {
                early: 5,
                cost: 70,
                version: Some(9),
                epoch: Some(3),
                tags: (0..tags).map(|n| n * 3).collect(),
                life: Some(1 << 40).filter(|_| tags != 1),
                nature: Nature::Value,
            };
            cache.set_noted(KEY, VALUE, Expiry::At(9_000), &note).unwrap();
            let read = cache.get_with_freshness(KEY, |found| {
                let (entry, note) = (found.entry, found.entry.note().unwrap());
                assert_eq!((entry.key(), entry.value()), (KEY, VALUE));
                Note {
                    early: note.early(),
                    cost: note.cost(),
                    version: note.version(),
                    epoch: Some(note.epoch()),
                    tags: note.tags().collect(),
                    life: note.life(),
                    nature: Nature::Value,
                }
            });
            assert_eq!(read, Some(note));
            cache.audit().unwrap();
        }
        cache.set(KEY, VALUE, Expiry::Never).unwrap();
        assert!(cache.get(KEY, |entry| entry.note().is_none()).unwrap(), "a set leaves none");
        cache.audit().unwrap();
    }
}

#[test]
fn from_its_early_window_on_an_entry_is_early_and_no_copy_is_kept() {
    let (cache, clock) = new(Policy::Lfu);
    let note = Note { early: 30, ..Note::default() };
    cache.set_noted(KEY, VALUE, Expiry::At(1_100), &note).unwrap();
    let copy = || {
        let (end, stamp) = cache.get_stamped(KEY, |entry| entry.copy_deadline()).unwrap();
        (end, stamp.version.is_some())
    };
    clock.advance(69);
    assert_eq!(seen(&cache), Some((Freshness::Fresh, false, Some(31))));
    assert_eq!(copy(), (Some(1_070), true), "a copy ends where the window begins");
    clock.advance(1);
    assert_eq!(seen(&cache), Some((Freshness::Early, false, Some(30))));
    assert_eq!(copy(), (Some(1_070), false));
    assert!(cache.get_with_freshness(KEY, |found| found.stamp.version.is_none()).unwrap());
    clock.advance(30);
    assert_eq!(seen(&cache), None);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (5, 1));
}

#[test]
fn a_negative_is_there_for_who_looks_and_for_nobody_else() {
    for policy in Policy::ALL {
        let (cache, clock) = new(policy);
        let told = Told::by(&cache);
        let learn = || cache.set_noted(KEY, VALUE, Expiry::At(clock.now() + 10), &negative());
        learn().unwrap();
        assert_eq!(seen(&cache), Some((Freshness::Fresh, true, Some(10))));
        assert_eq!(cache.get(KEY, |_| ()), None);
        assert_eq!(cache.get_stamped(KEY, |_| ()), None);
        assert!(!cache.contains(KEY));
        assert_eq!(cache.scan(0, 100, |_| panic!("it was visited")), 0);
        assert_eq!(cache.random(|_| ()), None);
        assert_eq!(cache.expire(KEY, Expiry::Never), Ok(false));
        assert_eq!(cache.len(), 1, "it takes its room");
        cache.audit().unwrap();
        assert_eq!(cache.set(KEY, VALUE, Expiry::Never), Ok(false), "it replaced nothing");
        learn().unwrap();
        assert!(!cache.delete(KEY), "nothing was there");
        learn().unwrap();
        clock.advance(10);
        assert_eq!(seen(&cache), None, "it ends");
        assert_eq!(told.reasons(), [Reason::Replaced], "nobody is told of it");
        cache.audit().unwrap();
    }
}

#[test]
fn what_a_flight_lands_has_its_note() {
    let (cache, _) = new(Policy::Lfu);
    let Role::Lead(lease) = cache.flights().join(KEY, 1, &[]) else { panic!("nobody leads") };
    let note = Note { cost: 12, ..Note::default() };
    let landing = cache.land(&lease, VALUE, Expiry::Never, Some(&note)).unwrap();
    assert_eq!(landing.stored, Some(Ok(false)));
    assert_eq!(cache.get_with_freshness(KEY, |found| found.entry.note().unwrap().cost()), Some(12));
}
