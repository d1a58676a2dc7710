//! The sketch of hot keys against streams whose counts are known.

use super::*;

const SAMPLE: u32 = 64;

/// SplitMix64, for streams that are the same in every run.
fn mix(mut n: u64) -> u64 {
    n = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

/// Ranks 0.. of a Zipf distribution of exponent 0.99 over `keys` keys.
fn zipf(keys: usize) -> impl FnMut() -> usize {
    let mut sums = vec![0.0; keys];
    let mut sum = 0.0;
    for (rank, slot) in sums.iter_mut().enumerate() {
        sum += 1.0 / (rank as f64 + 1.0).powf(0.99);
        *slot = sum;
    }
    let mut turn = 0;
    move || {
        turn += 1;
        let point = mix(turn) as f64 / u64::MAX as f64 * sum;
        sums.partition_point(|&sum| sum < point).min(keys - 1)
    }
}

fn read(hot: &HotKeys, id: usize) {
    hot.record(mix(!(id as u64)), Key::text(format!("user:{id}").as_bytes()), SAMPLE);
}

fn ids(top: &[HotKey]) -> Vec<usize> {
    let id = |key: &HotKey| String::from_utf8(key.bytes.clone()).unwrap()[5..].parse().unwrap();
    top.iter().map(id).collect()
}

#[test]
fn the_ten_hottest_of_a_zipf_stream_are_found_with_their_counts() {
    const READS: usize = 16_000;
    let (hot, mut next) = (HotKeys::new(256), zipf(100_000));
    let mut truth = vec![0u64; 100_000];
    for _ in 0..READS {
        let id = next();
        truth[id] += u64::from(SAMPLE);
        read(&hot, id);
    }
    let top = hot.top(10);
    let mut found = ids(&top);
    for (key, &id) in top.iter().zip(&found) {
        assert!(key.count <= truth[id], "{id} is not overestimated");
        assert!(key.count as f64 > truth[id] as f64 * 0.7, "{id}: {} of {}", key.count, truth[id]);
    }
    found.sort_unstable();
    let mut expected: Vec<_> = (0..truth.len()).collect();
    expected.sort_by_key(|&id| std::cmp::Reverse(truth[id]));
    expected.truncate(10);
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn few_keys_are_counted_exactly() {
    let hot = HotKeys::new(256);
    for id in 1..=9 {
        (0..id).for_each(|_| read(&hot, id));
    }
    let top = hot.top(3);
    assert_eq!(ids(&top), [9, 8, 7]);
    assert_eq!(top[0].count, 9 * u64::from(SAMPLE));
    assert_eq!(hot.top(100).len(), 9);
}

#[test]
fn the_list_follows_the_traffic() {
    let hot = HotKeys::new(64);
    let mut old = zipf(10_000);
    (0..64 * WINDOW).for_each(|_| read(&hot, old()));
    assert_eq!(ids(&hot.top(1)), [0]);
    let mut new = zipf(10_000);
    (0..4 * 64 * WINDOW).for_each(|_| read(&hot, 50_000 + new()));
    let top = ids(&hot.top(5));
    assert!(top.iter().all(|&id| id >= 50_000), "{top:?}");
}

#[test]
fn uniform_traffic_has_no_hot_keys_to_speak_of() {
    let hot = HotKeys::new(256);
    for turn in 0..16_000u64 {
        read(&hot, mix(turn) as usize % 100_000);
    }
    let hottest = hot.top(1)[0].count;
    assert!(hottest <= 5 * u64::from(SAMPLE), "{hottest}");
}

#[test]
fn kinds_are_kept_and_huge_keys_are_not_tracked() {
    let hot = HotKeys::new(8);
    hot.record(1, Key { kind: KeyKind::Number, bytes: &1f64.to_ne_bytes() }, 1);
    hot.record(2, Key::bytes(&[0; MAX_KEY_LEN + 1]), 1);
    let top = hot.top(8);
    assert_eq!(top.len(), 1);
    assert_eq!((top[0].kind, top[0].count), (KeyKind::Number, 1));
}

#[test]
fn the_footprint_stays_bounded_and_goes_away() {
    let hot = HotKeys::new(256);
    assert_eq!(hot.footprint(), 0);
    for id in 0..100_000 {
        read(&hot, id);
    }
    let footprint = hot.footprint();
    assert!((256 * 40..40_000).contains(&footprint), "{footprint}");
    hot.clear();
    assert_eq!((hot.footprint(), hot.top(1).len()), (0, 0));
}

#[test]
fn a_record_never_waits_for_a_reader_of_the_list() {
    let hot = HotKeys::new(8);
    let reading = hot.counters.lock();
    read(&hot, 1);
    drop(reading);
    assert!(hot.top(1).is_empty(), "the sample was dropped, not waited for");
}
