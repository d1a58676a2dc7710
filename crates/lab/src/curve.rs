//! The hit ratio of LRU at every capacity at once, from a sample of the keys.
//!
//! A request is a hit in every cache that holds more than its *stack distance*: what was requested
//! since its key was last, each key once. Of the keys only those are watched whose hash is below a
//! rate, and their distances are scaled by it.
//!
//! Source: Mattson et al., "Evaluation techniques for storage hierarchies", 1970; Waldspurger et al.,
//! "Efficient MRC construction with SHARDS", FAST 2015, whose correction of the first distance is
//! made here too (SHARDS-adj).

use crate::mix::mix;

/// A capacity and its hit ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Entries, or bytes if requests have weights.
    pub capacity: u64,
    /// From 0 to 1.
    pub hit_ratio: f64,
}

/// A curve that is being measured, request by request.
pub struct Curve {
    rate: f64,
    /// Keys whose hash is below this are watched.
    threshold: u64,
    stack: Stack,
    /// What was requested before is found below these distances, unscaled and in no order.
    distances: Vec<u64>,
    requests: u64,
    watched: u64,
}

impl Curve {
    /// Watches this share of the keys: from above 0 to 1, which is exact.
    pub fn new(rate: f64) -> Self {
        let rate = rate.clamp(f64::MIN_POSITIVE, 1.0);
        let threshold = if rate < 1.0 { (rate * u64::MAX as f64) as u64 } else { u64::MAX };
        let stack = Stack::default();
        Self { rate, threshold, stack, distances: Vec::new(), requests: 0, watched: 0 }
    }

    /// One request more.
    pub fn request(&mut self, key: u32, weight: u32) {
        self.requests += 1;
        if mix(u64::from(key)) > self.threshold {
            return;
        }
        self.watched += 1;
        if let Some(distance) = self.stack.request(key, weight) {
            self.distances.push(distance);
        }
    }

    /// The hit ratio at each of some capacities, in their order.
    pub fn points(mut self, capacities: &[u64]) -> Vec<Point> {
        self.distances.sort_unstable();
        // As if the share of the requests that was watched had been as large as that of the keys.
        let expected = self.requests as f64 * self.rate;
        let missing = expected - self.watched as f64;
        let ratio_at = |capacity: u64| {
            let scaled = capacity as f64 * self.rate;
            let hits = self.distances.partition_point(|&distance| distance as f64 <= scaled);
            if expected > 0.0 { ((hits as f64 + missing) / expected).clamp(0.0, 1.0) } else { 0.0 }
        };
        let point = |&capacity| Point { capacity, hit_ratio: ratio_at(capacity) };
        capacities.iter().map(point).collect()
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
