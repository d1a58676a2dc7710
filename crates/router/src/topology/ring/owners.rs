//! Which store of a ring has a key, while some are down: its *partition* is the node that the ring
//! gives it, and the one that stands in for that. What was read of a stand-in has partitions of its
//! own, so that it can be ended alone.

use super::{POINTS, Ring, RingNode};
use crate::upstream::StoreAddress;
use std::sync::Arc;

/// The most stores: a partition has a number for each two of them.
pub const MOST_STORES: usize = 64;

/// How keys are shared out between independent stores.
#[derive(Clone, Debug, Default)]
pub struct RingOptions {
    /// The stores, [`MOST_STORES`] at the most.
    pub stores: Vec<StoreAddress>,
    /// A node for each store, in the order of the stores.
    pub nodes: Vec<RingNode>,
    /// Whether the next store on the ring stands in for one that is down.
    pub take_over: bool,
    /// Whether only the hash tag of a key counts.
    pub hash_tags: bool,
}

/// The stores of a ring, and which of them are down.
#[derive(Clone, Debug)]
pub(crate) struct RingOwners {
    ring: Arc<Ring>,
    take_over: bool,
    down: Vec<bool>,
}

impl PartialEq for RingOwners {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ring, &other.ring) && self.down == other.down
    }
}

impl Eq for RingOwners {}

impl RingOwners {
    pub(crate) fn new(options: &RingOptions) -> Self {
        Self {
            ring: Arc::new(Ring::new(&options.nodes, POINTS, options.hash_tags)),
            take_over: options.take_over,
            down: vec![false; options.nodes.len()],
        }
    }

    fn count(&self) -> usize {
        self.down.len()
    }

    /// How many partitions there are.
    pub(crate) fn partitions(&self) -> usize {
        self.count() * self.count()
    }

    /// The partition of a key.
    #[inline]
    pub(crate) fn partition(&self, key: &[u8]) -> u16 {
        let own = self.ring.locate(key);
        let serving = match self.down[own] {
            true => self.ring.locate_up(key, |node| !self.down[node]),
            false => own,
        };
        (own * self.count() + serving) as u16
    }

    /// The store that has a partition.
    #[inline]
    pub(crate) fn serving(&self, partition: u16) -> usize {
        usize::from(partition) % self.count()
    }

    pub(crate) fn is_down(&self, store: usize) -> bool {
        self.down.get(store).is_some_and(|down| *down)
    }

    /// The first store that is not down.
    pub(crate) fn first(&self) -> usize {
        self.down.iter().position(|down| !down).unwrap_or(0)
    }

    /// The same, with a store down or up again; `None` if that changes nothing.
    pub(crate) fn with(&self, store: usize, down: bool) -> Option<Self> {
        if !self.take_over || *self.down.get(store)? == down {
            return None;
        }
        let mut next = self.clone();
        next.down[store] = down;
        Some(next)
    }

    /// The partitions of keys that may be elsewhere by `next`: those of the stores that went down or
    /// came back, and those that any store stands in for.
    pub(crate) fn moved(&self, next: &Self) -> Vec<u16> {
        let count = self.count();
        let moved = |partition: &usize| {
            let (own, serving) = (partition / count, partition % count);
            own != serving || self.down[own] != next.down[own]
        };
        (0..self.partitions()).filter(moved).map(|partition| partition as u16).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(take_over: bool) -> RingOwners {
        let node = |at: usize| RingNode { name: format!("10.0.0.{at}:6379"), weight: 1.0 };
        RingOwners::new(&RingOptions {
            stores: vec![],
            nodes: (0..5).map(node).collect(),
            take_over,
            hash_tags: true,
        })
    }

    fn keys() -> impl Iterator<Item = String> {
        (0..10_000).map(|at| format!("user:{at}"))
    }

    #[test]
    fn a_store_that_is_down_hands_its_keys_to_the_others_and_gets_them_back() {
        let before = owners(true);
        let after = before.with(2, true).unwrap();
        let mut stand_ins = [0; 5];
        for key in keys() {
            let (one, other) = (before.partition(key.as_bytes()), after.partition(key.as_bytes()));
            match before.serving(one) {
                2 => stand_ins[after.serving(other)] += 1,
                _ => assert_eq!(one, other, "{key} is not concerned"),
            }
        }
        assert_eq!(stand_ins[2], 0);
        assert!(stand_ins.iter().filter(|count| **count > 0).count() >= 3, "{stand_ins:?}");
        let back = after.with(2, false).unwrap();
        assert!(
            keys().all(|key| back.partition(key.as_bytes()) == before.partition(key.as_bytes()))
        );
        assert!(back.with(2, false).is_none(), "it is up already");
    }

    #[test]
    fn what_was_read_of_a_stand_in_ends_and_what_was_read_of_others_does_not() {
        let before = owners(true);
        let down = before.with(2, true).unwrap();
        let moved = down.moved(&before);
        for key in keys() {
            let (own, stood_in) =
                (before.partition(key.as_bytes()), down.partition(key.as_bytes()));
            assert_eq!(own != stood_in, moved.contains(&stood_in), "{key}");
            assert_eq!(before.serving(own) == 2, moved.contains(&own), "{key}");
        }
    }

    #[test]
    fn the_last_store_keeps_its_keys_and_no_store_stands_in_unless_it_may() {
        let mut all = owners(true);
        for store in 0..5 {
            all = all.with(store, true).unwrap();
        }
        assert!(keys().all(|key| {
            let partition = all.partition(key.as_bytes());
            all.serving(partition) == usize::from(partition) / 5
        }));
        assert_eq!(all.first(), 0);
        assert!(owners(false).with(1, true).is_none());
        assert_eq!(owners(true).with(0, true).unwrap().first(), 1);
    }
}
