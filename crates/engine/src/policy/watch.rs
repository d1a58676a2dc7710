//! The shadows of a shard at work: which keys they follow, how large they are, and what each rule has hit.

use super::chooser::Chooser;
use super::rule::RULES;
use super::shadow::{Shadow, Shape, key_of};
use super::weight::{Mean, Weight};
use crate::index::Sample;

/// Entries of a shadow at least, where keys are sampled: fewer say little of the whole. A shard of
/// fewer than twice as many entries is followed key by key.
const LEAST_SAMPLED: u64 = 256;

/// Entries of a shadow at least, where memory allows no more; with fewer there is none.
const LEAST: u64 = 64;

/// Entries that a shard has at least for a rule to matter.
const LEAST_WATCHED: u64 = 32;

/// Shadows at work.
pub(super) struct Watch {
    shadow: Shadow,
    sample: Sample,
    plan: Plan,
    /// Requests left of the interval.
    left: u64,
    /// What hits of all requests of the interval would have been worth.
    asked: u64,
    /// What each had missed when the interval began.
    before: [u64; RULES],
}

/// What the shadows of a shard have to be like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    /// One key of two to this power is sampled.
    bits: u32,
    capacity: u64,
    even: bool,
}

impl Plan {
    /// For so many entries, and so many bytes at most; `None` if that is too little.
    pub(super) fn new(entries: u64, even: bool, allowance: u64) -> Option<Self> {
        let at = |bits: u32| Self { bits, capacity: entries >> bits, even };
        let mut plan = at(0);
        while plan.bits < Sample::MOST_BITS
            && (plan.capacity / 2 >= LEAST_SAMPLED || plan.price() > allowance)
        {
            plan = at(plan.bits + 1);
        }
        let enough = plan.capacity >= if plan.bits == 0 { LEAST_WATCHED } else { LEAST };
        (enough && plan.price() <= allowance).then_some(plan)
    }

    /// What the shadows take, in bytes.
    pub(super) fn price(self) -> u64 {
        Shadow::price(self.shape()) + size_of::<Watch>() as u64
    }

    fn shape(self) -> Shape {
        Shape { capacity: self.capacity, even: self.even }
    }
}

impl Watch {
    /// For a cache of so many entries that weigh the same; `None` if there is nothing to learn, or no
    /// memory left.
    pub(super) fn new(entries: u64, allowance: u64) -> Option<Self> {
        Self::of(Plan::new(entries, true, allowance)?, 1)
    }

    /// With so much room for each entry.
    pub(super) fn of(plan: Plan, room: u32) -> Option<Self> {
        Some(Self {
            shadow: Shadow::new(plan.shape(), plan.capacity.saturating_mul(room.into()))?,
            sample: Sample::one_of(plan.bits),
            plan,
            left: Chooser::interval(plan.capacity),
            asked: 0,
            before: [0; RULES],
        })
    }

    /// What they take, in bytes.
    pub(super) fn price(&self) -> u64 {
        self.plan.price()
    }

    /// One key of so many is followed.
    pub(super) fn sampled(&self) -> u64 {
        1 << self.plan.bits
    }

    #[inline]
    pub(super) fn sample(&self) -> Sample {
        self.sample
    }

    /// Asks the shadows for the key, for so many requests; whether the interval is over.
    #[inline]
    pub(super) fn request(
        &mut self,
        hash: u64,
        weight: Weight,
        mean: &Mean,
        requests: u64,
    ) -> bool {
        self.shadow.request(key_of(hash), weight, mean);
        self.asked += u64::from(weight.worth) * requests;
        self.left = self.left.saturating_sub(requests);
        self.left == 0
    }

    /// What each rule has hit of what was asked for in the interval, 0 to 1; the next one begins.
    pub(super) fn close(&mut self) -> [f64; RULES] {
        self.left = Chooser::interval(self.plan.capacity);
        let asked = std::mem::take(&mut self.asked).max(1) as f64;
        let mut ratios = [0.0; RULES];
        for (rule, ratio) in ratios.iter_mut().enumerate().take(self.shadow.rules()) {
            let misses = self.shadow.misses(rule);
            let missed = misses - std::mem::replace(&mut self.before[rule], misses);
            *ratio = 1.0 - missed as f64 / asked;
        }
        ratios
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn small_shards_are_followed_whole_and_large_ones_by_a_sample() {
        let plan =
            |entries| Plan::new(entries, true, u64::MAX).map(|plan| (plan.bits, plan.capacity));
        assert_eq!(plan(10), None);
        assert_eq!(plan(32), Some((0, 32)));
        assert_eq!(plan(511), Some((0, 511)));
        assert_eq!(plan(512), Some((1, 256)));
        assert_eq!(plan(10_000), Some((5, 312)));
        assert_eq!(plan(1_000_000), Some((6, 15_625)));
    }

    #[test]
    fn shadows_are_smaller_where_memory_is_short_and_none_where_there_is_next_to_none() {
        let whole = Plan::new(500, true, u64::MAX).unwrap();
        let half = Plan::new(500, true, whole.price() - 1).unwrap();
        assert_eq!((half.bits, half.capacity), (1, 250));
        assert!(half.price() < whole.price());
        assert_eq!(Plan::new(500, true, 8_000), None);
    }
}
