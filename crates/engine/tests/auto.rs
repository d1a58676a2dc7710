//! `auto`: it follows what is asked for, says what it does, and pays for what it knows.

use breakwater_engine::{Cache, Config, Expiry, Key, Policy, Value};

fn auto(max_entries: Option<u64>, max_bytes: Option<u64>) -> Cache {
    Cache::new(Config {
        policy: Policy::Auto,
        max_entries,
        max_bytes,
        shards: Some(1),
        ..Config::default()
    })
    .unwrap()
}

/// A get, and a set if it is a miss; whether it hit.
fn request(cache: &Cache, id: u64, value: &[u8]) -> bool {
    let bytes = id.to_le_bytes();
    let hit = cache.get(Key::bytes(&bytes), |_| ()).is_some();
    if !hit {
        cache.set(Key::bytes(&bytes), Value::bytes(value), Expiry::Never).unwrap();
    }
    hit
}

fn ratio(cache: &Cache, ids: impl Iterator<Item = u64>) -> f64 {
    let (mut hits, mut count) = (0u32, 0u32);
    for id in ids {
        hits += u32::from(request(cache, id, b""));
        count += 1;
    }
    f64::from(hits) / f64::from(count)
}

/// Numbers without pattern, the small ones far more often.
fn skewed(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let uniform = (state >> 11) as f64 / (1u64 << 53) as f64;
        (uniform.powi(4) * 20_000.0) as u64
    })
}

#[test]
fn a_loop_larger_than_the_cache_and_then_recency_find_the_rule_that_suits_them() {
    let cache = auto(Some(1_000), None);
    // What every rule of recency or of plain S3-FIFO misses always.
    ratio(&cache, (0..50_000).map(|at| at % 1_300));
    let looping = ratio(&cache, (0..50_000).map(|at| at % 1_300));
    assert!(looping > 0.5, "{looping}");
    // A window that moves on: what was asked for long ago is of no use.
    let window = |from: u64| {
        let mut lots = skewed(from + 1);
        (from..from + 50_000).map(move |at| 1_000_000 + at / 5 - lots.next().unwrap() % 1_500)
    };
    let lru =
        Cache::new(Config { policy: Policy::Lru, max_entries: Some(1_000), ..Config::default() });
    let lru = lru.unwrap();
    ratio(&cache, window(0));
    ratio(&lru, window(0));
    let (ours, best) = (ratio(&cache, window(50_000)), ratio(&lru, window(50_000)));
    assert!(ours > best - 0.02, "{ours} against {best}: {:?}", cache.choice());
    assert!(cache.choice().unwrap().switches >= 2);
    cache.audit().unwrap();
}

#[test]
fn it_says_what_the_rules_would_hit() {
    let cache = auto(Some(300), None);
    assert_eq!(cache.choice().unwrap().sampled, None, "nothing was evicted yet");
    let hits = ratio(&cache, skewed(3).take(60_000));
    let choice = cache.choice().unwrap();
    assert_eq!(
        (choice.sampled, choice.rules.map(|rule| rule.2).iter().sum::<usize>()),
        (Some(1), 1)
    );
    assert!(choice.judged > 100);
    let (_, told, _) = *choice.rules.iter().find(|rule| rule.0 == choice.rule).unwrap();
    assert!((told - hits).abs() < 0.05, "{told} told, {hits} seen");
    let lfu = Cache::new(Config { policy: Policy::Lfu, ..Config::default() }).unwrap();
    assert_eq!(lfu.choice(), None);
}

#[test]
fn a_large_cache_is_followed_by_a_sample() {
    let cache = auto(Some(20_000), None);
    (0..40_000).for_each(|id| _ = request(&cache, id, b""));
    assert_eq!(cache.choice().unwrap().sampled, Some(64));
    cache.audit().unwrap();
}

#[test]
fn shadows_are_paid_for_and_fit_bounds_that_change() {
    let cache = auto(None, Some(4 << 20));
    let value = |id: u64| vec![7; 100 + (id % 700) as usize];
    let mut lots = skewed(5);
    let mut run = |cache: &Cache, requests: usize| {
        for (at, id) in lots.by_ref().take(requests).enumerate() {
            request(cache, id, &value(id));
            if at % 500 == 0 {
                cache.audit().unwrap();
                assert!(cache.bytes() <= cache.bounds().1.unwrap());
            }
        }
    };
    run(&cache, 60_000);
    let followed = cache.choice().unwrap().sampled;
    assert!(followed.is_some(), "there are bytes for shadows");
    // Far smaller: too small for any, and then large again.
    cache.resize(None, Some(300 << 10)).unwrap();
    run(&cache, 5_000);
    assert_eq!(cache.choice().unwrap().sampled, None);
    cache.resize(None, Some(2 << 20)).unwrap();
    run(&cache, 40_000);
    assert!(cache.choice().unwrap().sampled.is_some());
    cache.clear();
    cache.audit().unwrap();
    assert_eq!(cache.choice().unwrap().sampled, None, "what was known went with the entries");
    run(&cache, 20_000);
}
