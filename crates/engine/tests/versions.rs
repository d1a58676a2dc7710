//! Versions of values: an older one never takes the place of a newer one.

mod support;

use breakwater_engine::{
    Cache, Clock, Config, Error, Expiry, Freshness, Key, Nature, Note, Policy, Reason, Role, Value,
};
use support::{KEY, Told, with_clock};

fn new(policy: Policy) -> (Cache, Clock) {
    with_clock(Config { policy, grace: 50, ..Config::default() })
}

fn note(version: u64) -> Note {
    Note { version: Some(version), ..Note::default() }
}

fn set(cache: &Cache, version: u64, expiry: Expiry) -> Result<bool, Error> {
    let value = version.to_le_bytes();
    cache.set_noted(KEY, Value::bytes(&value), expiry, &note(version))
}

fn held(cache: &Cache) -> Option<u64> {
    let bytes = cache.get(KEY, |entry| entry.value().bytes.to_vec())?;
    Some(u64::from_le_bytes(bytes.try_into().unwrap()))
}

#[test]
fn a_higher_version_stays_and_an_equal_one_gives_way() {
    for policy in Policy::ALL {
        let (cache, _) = new(policy);
        assert_eq!(set(&cache, 5, Expiry::Never), Ok(false));
        assert_eq!(set(&cache, 4, Expiry::Never), Err(Error::Outdated));
        assert_eq!(held(&cache), Some(5));
        assert_eq!(set(&cache, 5, Expiry::At(9_000)), Ok(true));
        assert_eq!(set(&cache, 6, Expiry::Never), Ok(true));
        assert_eq!(held(&cache), Some(6));
        let Role::Lead(lease) = cache.flights().join(KEY, 1, &[]) else { panic!("nobody leads") };
        let landing = cache.land(&lease, Value::bytes(b"late"), Expiry::Never, Some(&note(5)));
        assert_eq!(landing.unwrap().stored, Some(Err(Error::Outdated)));
        cache.set(KEY, Value::bytes(&[0; 8]), Expiry::Never).unwrap();
        assert_eq!(held(&cache), Some(0), "what has no version takes any place");
        assert_eq!(set(&cache, 1, Expiry::Never), Ok(true));
        assert_eq!(cache.stats().rejected, 2);
        cache.audit().unwrap();
    }
}

#[test]
fn a_stale_version_counts_as_long_as_it_is_there() {
    for policy in Policy::ALL {
        let (cache, clock) = new(policy);
        set(&cache, 5, Expiry::At(1_010)).unwrap();
        clock.advance(59);
        assert_eq!(set(&cache, 4, Expiry::Never), Err(Error::Outdated));
        assert_eq!(cache.get_with_freshness(KEY, |found| found.freshness), Some(Freshness::Stale));
        clock.advance(1);
        assert_eq!(set(&cache, 4, Expiry::Never), Ok(false), "it is gone");
        assert_eq!(held(&cache), Some(4));
        cache.audit().unwrap();
    }
}

#[test]
fn what_is_buried_keeps_older_versions_away_for_its_time() {
    for policy in Policy::ALL {
        let (cache, clock) = new(policy);
        let told = Told::by(&cache);
        set(&cache, 5, Expiry::Never).unwrap();
        assert!(!cache.delete_versioned(KEY, 4, Expiry::At(1_100)), "it is newer");
        assert_eq!(held(&cache), Some(5));
        assert!(cache.delete_versioned(KEY, 6, Expiry::At(1_100)));
        assert_eq!(held(&cache), None);
        assert!(cache.get_with_freshness(KEY, |_| ()).is_none(), "nobody sees a tombstone");
        assert_eq!(cache.scan(0, 100, |_| panic!("visited")), 0);
        assert_eq!(set(&cache, 5, Expiry::Never), Err(Error::Outdated));
        assert!(!cache.delete(KEY), "there is nothing to delete");
        clock.advance(99);
        assert_eq!(set(&cache, 5, Expiry::Never), Err(Error::Outdated));
        clock.advance(1);
        assert_eq!(set(&cache, 5, Expiry::Never), Ok(false), "it has no grace");
        assert!(cache.delete_versioned(KEY, 7, Expiry::At(2_000)));
        assert_eq!(set(&cache, 7, Expiry::Never), Ok(false), "an equal one may come back");
        assert_eq!(told.reasons(), [Reason::Deleted, Reason::Deleted]);
        let stats = cache.stats();
        assert_eq!((stats.sets, stats.deletes), (3, 2));
        cache.audit().unwrap();
    }
}

#[test]
fn a_negative_of_a_version_keeps_older_ones_away() {
    let (cache, _) = new(Policy::Lfu);
    let nothing = Note { nature: Nature::Negative, ..note(5) };
    cache.set_noted(KEY, Value::bytes(b""), Expiry::At(1_100), &nothing).unwrap();
    assert_eq!(set(&cache, 4, Expiry::Never), Err(Error::Outdated));
    assert_eq!(set(&cache, 5, Expiry::Never), Ok(false));
}

#[test]
fn what_cannot_have_a_tombstone_goes_all_the_same() {
    let config = Config { policy: Policy::None, max_bytes: Some(4_096), ..Config::default() };
    let cache = Cache::new(config).unwrap();
    let add = |n: u32| cache.set(Key::bytes(&n.to_le_bytes()), Value::bytes(b""), Expiry::Never);
    assert_eq!(set(&cache, 5, Expiry::Never), Ok(false));
    (0..).find(|&n| add(n).is_err());
    assert!(!cache.delete_versioned(KEY, 4, Expiry::At(u64::MAX)), "it is newer");
    assert_eq!(held(&cache), Some(5));
    assert!(cache.delete_versioned(KEY, 5, Expiry::At(u64::MAX)));
    assert_eq!(held(&cache), None);
    cache.audit().unwrap();
}

#[test]
fn of_versions_that_meet_the_highest_stays() {
    for policy in Policy::ALL {
        for _ in 0..50 {
            let (cache, _) = new(policy);
            std::thread::scope(|scope| {
                for thread in 0..4u64 {
                    let cache = &cache;
                    scope.spawn(move || {
                        let mut last = 0;
                        for n in 0..200 {
                            let version = n * 4 + thread;
                            let stored = match version % 7 {
                                0 => cache.delete_versioned(KEY, version, Expiry::Never),
                                _ => set(cache, version, Expiry::Never).is_ok(),
                            };
                            let now = held(cache);
                            if stored && let Some(now) = now {
                                assert!(now >= version, "{now} came after {version}");
                            }
                            assert!(now.is_none_or(|now| now >= last), "it went back");
                            last = last.max(now.unwrap_or(0));
                        }
                    });
                }
            });
            assert_eq!(held(&cache), Some(799).filter(|version| version % 7 != 0));
            cache.audit().unwrap();
        }
    }
}
