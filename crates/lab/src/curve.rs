//! The hit ratio of LRU at every capacity at once, from a sample of the keys.
//!
//! A request is a hit in every cache that holds more than its *stack distance*: what was requested
//! since its key was last, each key once. Of the keys only those are watched whose hash is below a
//! rate, and their distances are scaled by it. The keys watched are also divided into parts, each of
//! which gives a curve of its own: how far these are from one another tells how far off the whole is.
//!
//! Source: Mattson et al., "Evaluation techniques for storage hierarchies", 1970; Waldspurger et al.,
//! "Efficient MRC construction with SHARDS", FAST 2015, whose correction of the first distance is
//! made here too (SHARDS-adj).

use crate::mix::mix;

/// Into so many parts the watched keys are divided.
const PARTS: u64 = 8;

/// A capacity and its hit ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Entries, or bytes if requests have weights.
    pub capacity: u64,
    /// From 0 to 1.
    pub hit_ratio: f64,
    /// The standard error of the hit ratio; 0 if all keys were watched.
    pub error: f64,
}

/// A curve that is being measured, request by request.
pub struct Curve {
    /// Keys whose hash is at most this are watched.
    threshold: u64,
    whole: Sample,
    /// None if all keys are watched.
    parts: Vec<Sample>,
    /// Which keys were requested, a bit each.
    seen: Vec<u64>,
}

impl Curve {
    /// Watches this share of the keys: from above 0 to 1, which is exact.
    pub fn new(rate: f64) -> Self {
        let rate = rate.clamp(f64::MIN_POSITIVE, 1.0);
        let sampled = rate < 1.0;
        let threshold = if sampled { (rate * u64::MAX as f64) as u64 } else { u64::MAX };
        let parts = if sampled { PARTS } else { 0 };
        let part = |_| Sample::new(rate / PARTS as f64);
        Self {
            threshold,
            whole: Sample::new(rate),
            parts: (0..parts).map(part).collect(),
            seen: Vec::new(),
        }
    }

    /// One request more.
    pub fn request(&mut self, key: u32, weight: u32) {
        self.whole.requests += 1;
        self.whole.first += u64::from(self.is_first(key));
        let hash = mix(u64::from(key));
        if hash > self.threshold {
            return;
        }
        self.whole.watch(key, weight);
        // The threshold is of the upper bits: the lower ones are as good as drawn.
        if let Some(part) = self.parts.get_mut((hash % PARTS) as usize) {
            part.watch(key, weight);
        }
    }

    /// Whether no request before was of this key.
    fn is_first(&mut self, key: u32) -> bool {
        let (at, bit) = (key as usize / 64, 1 << (key % 64));
        if self.seen.len() <= at {
            self.seen.resize(at + 1, 0);
        }
        let was = self.seen[at];
        self.seen[at] |= bit;
        was & bit == 0
    }

    /// The hit ratio at each of some capacities, in their order.
    pub fn points(mut self, capacities: &[u64]) -> Vec<Point> {
        for part in &mut self.parts {
            (part.requests, part.first) = (self.whole.requests, self.whole.first);
        }
        let ratios = self.whole.hit_ratios(capacities);
        let parts: Vec<_> =
            self.parts.into_iter().map(|part| part.hit_ratios(capacities)).collect();
        let point = |(at, (&capacity, hit_ratio)): (usize, (&u64, f64))| {
            let error = standard_error(parts.iter().map(|part| part[at]));
            Point { capacity, hit_ratio, error }
        };
        capacities.iter().zip(ratios).enumerate().map(point).collect()
    }
}

/// That of the mean of some values; 0 of fewer than two.
fn standard_error(values: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let count = values.len() as f64;
    if count < 2.0 {
        return 0.0;
    }
    let mean = values.clone().sum::<f64>() / count;
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    (squares / (count - 1.0) / count).sqrt()
}

/// What was seen of a share of the keys.
struct Sample {
    rate: f64,
    stack: Stack,
    /// What was requested before is found below these distances, unscaled and in no order.
    distances: Vec<u64>,
    /// Of all keys, and how many of these were the first of their key.
    requests: u64,
    first: u64,
    watched: u64,
}

impl Sample {
    fn new(rate: f64) -> Self {
        let stack = Stack::default();
        Self { rate, stack, distances: Vec::new(), requests: 0, first: 0, watched: 0 }
    }

    /// One request of a key that is watched.
    fn watch(&mut self, key: u32, weight: u32) {
        self.watched += 1;
        if let Some(distance) = self.stack.request(key, weight) {
            self.distances.push(distance);
        }
    }

    fn hit_ratios(mut self, capacities: &[u64]) -> Vec<f64> {
        self.distances.sort_unstable();
        // As if the share of the requests that was watched had been as large as that of the keys.
        let expected = self.requests as f64 * self.rate;
        let missing = expected - self.watched as f64;
        // A cache for all keys misses the first request of each: where the curve ends is known.
        let end = expected - self.first as f64 * self.rate;
        let scale = (end - missing) / (self.distances.len() as f64).max(1.0);
        let ratio_at = |&capacity: &u64| {
            let scaled = capacity as f64 * self.rate;
            let hits = self.distances.partition_point(|&distance| distance as f64 <= scaled) as f64;
            if expected > 0.0 { ((hits * scale + missing) / expected).clamp(0.0, 1.0) } else { 0.0 }
        };
        capacities.iter().map(ratio_at).collect()
    }
}

/// The keys in the order of their latest requests: a sum tree (Fenwick, 1994) over the weights at the
/// times of these requests.
#[derive(Default)]
struct Stack {
    /// When each key was requested last; 0: never.
    latest: Vec<usize>,
    /// The key and its weight at each time, from 1 on; 0 weighs nothing.
    at: Vec<(u32, u32)>,
    sums: Vec<u64>,
    total: u64,
    keys: usize,
}

impl Stack {
    /// The weight of all keys requested since this one was, with its own; `None` if it is new.
    fn request(&mut self, key: u32, weight: u32) -> Option<u64> {
        if self.at.len() >= self.sums.len() {
            self.renumber();
        }
        if self.latest.len() <= key as usize {
            self.latest.resize(key as usize + 1, 0);
        }
        let before = self.latest[key as usize];
        let distance = (before != 0).then(|| {
            let old = std::mem::replace(&mut self.at[before], (key, 0)).1;
            self.add(before, u64::from(old).wrapping_neg());
            self.total - self.sum(before) + u64::from(weight)
        });
        self.keys += usize::from(before == 0);
        let now = self.at.len();
        self.at.push((key, weight));
        self.latest[key as usize] = now;
        self.add(now, u64::from(weight));
        distance
    }

    /// Times that are no key's latest are given up, and the tree has room for as many again.
    fn renumber(&mut self) {
        let old = std::mem::replace(&mut self.at, vec![(0, 0)]);
        self.sums = vec![0; (self.keys * 2).max(1 << 10) + 1];
        self.total = 0;
        for (time, (key, weight)) in old.into_iter().enumerate().skip(1) {
            if self.latest[key as usize] != time {
                continue;
            }
            let now = self.at.len();
            self.at.push((key, weight));
            self.latest[key as usize] = now;
            self.add(now, u64::from(weight));
        }
    }

    fn add(&mut self, mut time: usize, weight: u64) {
        self.total = self.total.wrapping_add(weight);
        while time < self.sums.len() {
            self.sums[time] = self.sums[time].wrapping_add(weight);
            time += time & time.wrapping_neg();
        }
    }

    /// The weights up to a time.
    fn sum(&self, mut time: usize) -> u64 {
        let mut sum = 0_u64;
        while time > 0 {
            sum = sum.wrapping_add(self.sums[time]);
            time &= time - 1;
        }
        sum
    }
}
