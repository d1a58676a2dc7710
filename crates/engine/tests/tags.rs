//! Tags: entries that are invalidated together, and loads that come too late for that.

mod support;

use breakwater_engine::{
    Cache, Clock, Config, Error, Expiry, Freshness, Key, Nature, Note, Policy, Reason, Role, Value,
};
use support::{KEY, Told, with_clock};

const OTHER: Key<'static> = Key::text(b"other");
const VALUE: Value<'static> = Value::bytes(b"value");

fn new(policy: Policy, grace: u64) -> (Cache, Clock) {
    with_clock(Config { policy, grace, near_copies: true, ..Config::default() })
}

/// Names of tags that do not share a group.
fn names<const N: usize>(cache: &Cache) -> [String; N] {
    let mut slots = Vec::new();
    let mut names = (0..).map(|n| format!("tag {n}")).filter(|name| {
        let group = cache.tag_group(name);
        let is_new = !slots.contains(&group);
        slots.push(group);
        is_new
    });
    std::array::from_fn(|_| names.next().unwrap())
}

fn tagged(cache: &Cache, tags: &[&str]) -> Note {
    Note { tags: tags.iter().map(|tag| cache.tag_group(tag)).collect(), ..Note::default() }
}

fn set(cache: &Cache, key: Key<'_>, expiry: Expiry, tags: &[&str]) -> Result<bool, Error> {
    cache.set_noted(key, VALUE, expiry, &tagged(cache, tags))
}

#[test]
fn an_invalidation_ends_what_has_its_tag_and_nothing_else() {
    for policy in Policy::ALL {
        let (cache, _) = new(policy, 0);
        let [a, b, c] = names(&cache);
        let told = Told::by(&cache);
        set(&cache, KEY, Expiry::Never, &[&a, &b]).unwrap();
        set(&cache, OTHER, Expiry::Never, &[&c]).unwrap();
        let (_, stamp) = cache.get_stamped(KEY, |_| ()).unwrap();
        cache.invalidate_tag(&b, false);
        assert!(!cache.versions().unwrap().is_current(stamp), "copies are spoilt");
        assert_eq!(cache.scan(0, 100, |entry| assert_eq!(entry.key(), OTHER)), 0);
        assert!(!cache.contains(KEY) && cache.contains(OTHER));
        assert_eq!(cache.len(), 1, "who met it dropped it");
        assert_eq!(told.reasons(), [Reason::Expired]);
        assert_eq!(set(&cache, KEY, Expiry::Never, &[&a, &b]), Ok(false));
        assert!(cache.contains(KEY), "what came after it is valid");
        cache.invalidate_tag(&a, false);
        assert_eq!(cache.set(KEY, VALUE, Expiry::Never), Ok(false), "it replaced nothing");
        assert!(cache.contains(KEY), "it has no tags");
        set(&cache, KEY, Expiry::Never, &[&a]).unwrap();
        cache.invalidate_tag(&a, false);
        assert!(!cache.delete(KEY));
        cache.audit().unwrap();
    }
}

#[test]
fn a_soft_invalidation_makes_stale_what_may_be_stale() {
    for policy in Policy::ALL {
        let (cache, clock) = new(policy, 100);
        let seen = || cache.get_with_freshness(KEY, |found| (found.freshness, found.left));
        set(&cache, KEY, Expiry::At(1_050), &["a"]).unwrap();
        cache.invalidate_tag("a", true);
        assert_eq!(seen(), Some((Freshness::Stale, Some(0))));
        assert_eq!(cache.get(KEY, |_| ()), None);
        clock.advance(60);
        assert_eq!(seen(), Some((Freshness::Stale, Some(60))), "longer than since its deadline");
        clock.advance(40);
        assert_eq!((seen(), cache.len()), (None, 0));
        set(&cache, KEY, Expiry::Never, &["a"]).unwrap();
        cache.invalidate_tag("a", true);
        assert_eq!(seen(), Some((Freshness::Stale, Some(0))));
        cache.invalidate_tag("a", false);
        assert_eq!((seen(), cache.len()), (None, 0), "a hard one takes it away");
        let (cache, _) = new(policy, 0);
        set(&cache, KEY, Expiry::Never, &["a"]).unwrap();
        cache.invalidate_tag("a", true);
        assert!(
            cache.get_with_freshness(KEY, |_| ()).is_none() && cache.is_empty(),
            "without a grace"
        );
    }
}

#[test]
fn what_is_stale_by_its_tag_ends_with_its_grace_however_often_that_is_invalidated() {
    for policy in Policy::ALL {
        let (cache, clock) = new(policy, 100);
        let age = |key| cache.get_with_freshness(key, |found| found.left);
        set(&cache, KEY, Expiry::Never, &["a"]).unwrap();
        cache.invalidate_tag("a", true);
        clock.advance(99);
        cache.invalidate_tag("a", true);
        assert_eq!(age(KEY), Some(Some(99)));
        clock.advance(1);
        set(&cache, OTHER, Expiry::Never, &["a"]).unwrap();
        cache.invalidate_tag("a", true);
        assert_eq!((age(KEY), age(OTHER)), (None, Some(Some(0))), "nobody had met it");
        clock.advance(100);
        assert_eq!((age(OTHER), cache.len()), (None, 0));
        cache.audit().unwrap();
    }
}

#[test]
fn the_knowledge_that_there_is_no_value_ends_by_its_tags() {
    for soft in [false, true] {
        let (cache, _) = new(Policy::Lfu, 100);
        let note = Note { nature: Nature::Negative, ..tagged(&cache, &["a"]) };
        cache.set_noted(KEY, VALUE, Expiry::Never, &note).unwrap();
        assert_eq!(cache.get_with_freshness(KEY, |found| found.negative), Some(true));
        cache.invalidate_tag("a", soft);
        assert!(cache.get_with_freshness(KEY, |_| ()).is_none() && cache.freshness(KEY).is_none());
        assert!(cache.is_empty());
    }
}

#[test]
fn what_an_invalidation_ended_gives_way_where_nothing_is_evicted() {
    let mut keys = 0u32..;
    let mut fill = |cache: &Cache| {
        let mut add = || {
            let key = keys.next().unwrap().to_le_bytes();
            set(cache, Key::bytes(&key), Expiry::Never, &["a"])
        };
        // A key whose bucket is full needs memory of the index, which another key may not need: it is
        // full when no key fits.
        let mut fits = 0;
        while (0..1_000).any(|_| add().is_ok()) {
            fits += 1;
        }
        fits
    };
    for (max_entries, max_bytes) in [(Some(100), None), (None, Some(20_000))] {
        let clock = Clock::manual();
        let config = Config {
            policy: Policy::None,
            grace: 50,
            clock: clock.clone(),
            max_entries,
            max_bytes,
            ..Config::default()
        };
        let cache = Cache::new(config).unwrap();
        let most = fill(&cache);
        cache.invalidate_tag("a", false);
        assert!(fill(&cache) > most / 2, "there is room again");
        cache.invalidate_tag("a", true);
        assert_eq!(fill(&cache), 0, "what is stale stays");
        clock.advance(50);
        assert!(fill(&cache) > most / 2, "until its grace is over");
        cache.audit().unwrap();
    }
}

#[test]
fn what_was_read_before_an_invalidation_is_not_stored_after_it() {
    for soft in [false, true] {
        let (cache, _) = new(Policy::Lfu, 100);
        let late = Note { epoch: Some(cache.epoch()), ..tagged(&cache, &["a"]) };
        let untagged = Note { tags: Vec::new(), ..late.clone() };
        cache.invalidate_tag("a", soft);
        cache.set(KEY, VALUE, Expiry::Never).unwrap();
        assert_eq!(
            cache.set_noted(KEY, Value::bytes(b"late"), Expiry::Never, &late),
            Err(Error::Outdated)
        );
        assert_eq!(cache.get(KEY, |entry| entry.value() == VALUE), Some(true), "it stays");
        assert!(cache.set_noted(OTHER, VALUE, Expiry::Never, &untagged).is_ok());
        assert_eq!(set(&cache, KEY, Expiry::Never, &["a"]), Ok(true));
        cache.audit().unwrap();
    }
}

#[test]
fn a_flight_whose_epoch_has_passed_lands_nothing() {
    let (cache, _) = new(Policy::Lfu, 0);
    let epoch = Some(cache.epoch());
    cache.invalidate_tag("a", false);
    let Role::Lead(lease) = cache.flights().join(KEY, 1, &[]) else { panic!("nobody leads") };
    let note = Note { epoch, ..tagged(&cache, &["a"]) };
    let landing = cache.land(&lease, VALUE, Expiry::Never, Some(&note)).unwrap();
    assert_eq!(landing.stored, Some(Err(Error::Outdated)));
    assert!(cache.is_empty());
}

#[test]
fn the_table_of_tags_is_paid_when_it_is_needed_and_gives_way_to_nothing() {
    for max_bytes in [4_096, 20_000, 1 << 20] {
        let config = Config { max_bytes: Some(max_bytes), ..Config::default() };
        let cache = Cache::new(config).unwrap();
        let before = cache.bytes();
        cache.invalidate_tag("a", false);
        assert_eq!(cache.bytes(), before, "an invalidation needs none");
        for n in 0..5_000u32 {
            let key = n.to_le_bytes();
            assert_eq!(set(&cache, Key::bytes(&key), Expiry::Never, &["a", "b"]), Ok(false));
            assert!(cache.contains(Key::bytes(&key)));
        }
        assert!(cache.bytes() <= max_bytes);
        cache.audit().unwrap();
        cache.invalidate_tag("a", false);
        assert_eq!(cache.scan(0, usize::MAX, |_| panic!("visited")), 0);
    }
}

#[test]
fn snapshots_leave_out_what_has_tags() {
    let (cache, _) = new(Policy::Lfu, 0);
    set(&cache, KEY, Expiry::Never, &["a"]).unwrap();
    cache.set(OTHER, VALUE, Expiry::Never).unwrap();
    let path = std::env::temp_dir().join(format!("breakwater-tags-{}", std::process::id()));
    assert_eq!(cache.save(&path).unwrap(), 1);
    let (copy, _) = new(Policy::Lfu, 0);
    let loaded = copy.load(&path);
    std::fs::remove_file(&path).unwrap();
    assert_eq!((loaded.unwrap(), copy.contains(OTHER)), (1, true));
}
