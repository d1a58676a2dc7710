//! `auto`: it follows what is asked for, says what it does, and pays for what it knows.

use breakwater_engine::{Cache, Config, Edit, EntryRef, Expiry, Key, Note, Policy, Value, Weigh};

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
        (choice.sampled, choice.rules.iter().map(|rule| rule.2).sum::<usize>()),
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

/// What was hit, as shares of all: of requests, of bytes, of what loading costs.
#[derive(Default, Clone, Copy, Debug)]
struct Spared {
    hits: f64,
    bytes: f64,
    cost: f64,
}

/// Stores what a miss asked for.
type Load = fn(&Cache, Key<'_>, Value<'_>, Note);

fn at_once(cache: &Cache, key: Key<'_>, value: Value<'_>, note: Note) {
    cache.set_noted(key, value, Expiry::Never, &note).unwrap();
}

/// The format of what stands for a value that is under way.
const UNDER_WAY: u8 = 9;

/// First something that stands for the value, and then the value in its place.
fn later(cache: &Cache, key: Key<'_>, value: Value<'_>, _: Note) {
    let put = |format| (Edit::Put { format, expiry: Expiry::Never }, ());
    cache.update(key, |_, _| put(UNDER_WAY)).unwrap();
    let landed = cache.update(key, |_, out| {
        out.extend_from_slice(value.bytes);
        put(value.format)
    });
    landed.unwrap();
}

/// A cache that weighs this, asked for keys of mixed sizes and costs; after a quarter of the requests
/// all are counted.
fn spared(weigh: Weigh, max_entries: Option<u64>, max_bytes: Option<u64>, seed: u64) -> Spared {
    let config = Config { weigh, max_entries, max_bytes, ..Config::default() };
    spared_by(config, seed, at_once)
}

fn spared_by(config: Config, seed: u64, load: Load) -> Spared {
    const REQUESTS: usize = 100_000;
    let weigh = config.weigh;
    let config = Config { policy: Policy::Auto, shards: Some(1), ..config };
    let cache = Cache::new(config).unwrap();
    let (mut hit, mut asked) = (Spared::default(), Spared::default());
    for (at, id) in skewed(seed).take(REQUESTS).enumerate() {
        let mixed = (id + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        // From 64 bytes to 8 KB, and from 1 ms to 128 ms, all as often as each other.
        let bytes = 64 << (mixed % 8);
        let cost = 1 << (mixed / 8 % 8);
        let key = id.to_le_bytes();
        let found = cache.get(Key::bytes(&key), |_| ()).is_some();
        if !found {
            let (value, note) = (vec![7; bytes], Note { cost, ..Note::default() });
            load(&cache, Key::bytes(&key), Value::bytes(&value), note);
        }
        let count = |of: &mut Spared| {
            of.hits += 1.0;
            of.bytes += bytes as f64;
            of.cost += f64::from(cost);
        };
        if at >= REQUESTS / 4 {
            count(&mut asked);
            if found {
                count(&mut hit);
            }
        }
    }
    cache.audit().unwrap();
    let choice = cache.choice().unwrap();
    assert_eq!((choice.weigh, choice.sampled.is_some()), (weigh, true));
    Spared {
        hits: hit.hits / asked.hits,
        bytes: hit.bytes / asked.bytes,
        cost: hit.cost / asked.cost,
    }
}

#[test]
fn what_is_weighed_is_what_it_hits_more_of() {
    for seed in [3, 2_026] {
        let [hits, bytes, cost] = Weigh::ALL.map(|weigh| spared(weigh, None, Some(2 << 20), seed));
        println!("{hits:?}\n{bytes:?}\n{cost:?}");
        assert!(hits.hits > bytes.hits + 0.02, "{hits:?} {bytes:?}");
        assert!(bytes.bytes > hits.bytes + 0.02, "{hits:?} {bytes:?}");
        assert!(cost.cost > hits.cost + 0.02, "{hits:?} {cost:?}");
        assert!(cost.cost > bytes.cost + 0.02, "{bytes:?} {cost:?}");
    }
}

#[test]
fn where_entries_are_counted_large_and_dear_ones_stay_if_they_are_weighed() {
    for seed in [3, 2_026] {
        let [hits, bytes, cost] = Weigh::ALL.map(|weigh| spared(weigh, Some(1_000), None, seed));
        println!("{hits:?}\n{bytes:?}\n{cost:?}");
        assert!(bytes.bytes > hits.bytes + 0.02, "{hits:?} {bytes:?}");
        assert!(cost.cost > hits.cost + 0.02, "{hits:?} {cost:?}");
        assert!(hits.hits > bytes.hits && hits.hits > cost.hits, "{hits:?} {bytes:?} {cost:?}");
    }
}

#[test]
fn what_is_awaited_is_weighed_when_it_comes() {
    let config = Config { max_bytes: Some(2 << 20), ..Config::default() };
    let awaited: fn(EntryRef<'_>) -> bool = |entry| entry.value().format == UNDER_WAY;
    let told = spared_by(Config { awaited: Some(awaited), ..config.clone() }, 3, later);
    let [at_once, untold] = [at_once as Load, later].map(|load| spared_by(config.clone(), 3, load));
    println!("{at_once:?}\n{told:?}\n{untold:?}");
    assert!(told.hits > untold.hits + 0.02, "{told:?} {untold:?}");
    // And large ones that come back find the queue that they would have come to at once.
    assert!((told.bytes - at_once.bytes).abs() < 0.04, "{told:?} {at_once:?}");
}
