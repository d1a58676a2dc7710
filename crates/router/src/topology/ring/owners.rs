//! Which store of a ring has a key, while some are down: its *partition* is the node that the ring
//! gives it, and the one that stands in for that. What was read of a stand-in has partitions of its
//! own, so that it can be ended alone.

use super::{POINTS, Ring, RingNode};
use crate::topology::server::ServerId;
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
    options: Arc<RingOptions>,
    /// The number of the store of each node, below [`MOST_STORES`].
    ids: Vec<ServerId>,
    down: Vec<bool>,
}

impl PartialEq for RingOwners {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ring, &other.ring) && self.down == other.down
    }
}

impl Eq for RingOwners {}

impl RingOwners {
    /// A ring of stores of these numbers, none of which is down.
    pub(crate) fn new(options: &RingOptions, ids: Vec<ServerId>) -> Self {
        let ring = Ring::new(&options.nodes, POINTS, options.hash_tags);
        let down = vec![false; ids.len()];
        Self { ring: Arc::new(ring), options: Arc::new(options.clone()), ids, down }
    }

    /// How many partitions there can be.
    pub(crate) const PARTITIONS: usize = MOST_STORES * MOST_STORES;

    /// The partition of a key.
    #[inline]
    pub(crate) fn partition(&self, key: &[u8]) -> u16 {
        let own = self.ring.locate(key);
        let serving = match self.down[own] {
            true => self.ring.locate_up(key, |node| !self.down[node]),
            false => own,
        };
        self.ids[own] * MOST_STORES as u16 + self.ids[serving]
    }

    /// The store that has a partition.
    #[inline]
    pub(crate) fn serving(&self, partition: u16) -> ServerId {
        partition % MOST_STORES as u16
    }

    /// The stores behind the one that serves a key, on the ring, of those that are not down.
    pub(crate) fn behind(&self, key: &[u8]) -> impl Iterator<Item = ServerId> {
        let up = self.ring.successors(key).filter(|node| !self.down[*node]);
        up.map(|node| self.ids[node]).skip(1)
    }

    /// The numbers of the stores, in the order of the nodes.
    pub(crate) fn ids(&self) -> &[ServerId] {
        &self.ids
    }

    pub(crate) fn is_down(&self, store: ServerId) -> bool {
        self.node(store).is_some_and(|node| self.down[node])
    }

    fn node(&self, store: ServerId) -> Option<usize> {
        self.ids.iter().position(|id| *id == store)
    }

    /// The first store that is not down.
    pub(crate) fn first(&self) -> ServerId {
        self.ids[self.down.iter().position(|down| !down).unwrap_or(0)]
    }

    /// The same, with a store down or up again; `None` if that changes nothing.
    pub(crate) fn with(&self, store: ServerId, down: bool) -> Option<Self> {
        let node = self.node(store)?;
        if !self.options.take_over || self.down[node] == down {
            return None;
        }
        let mut next = self.clone();
        next.down[node] = down;
        Some(next)
    }

    /// Whether it is a ring of these stores.
    pub(crate) fn is_of(&self, options: &RingOptions, ids: &[ServerId]) -> bool {
        let own = &*self.options;
        let flags = |of: &RingOptions| (of.take_over, of.hash_tags);
        own.nodes == options.nodes && flags(own) == flags(options) && self.ids == ids
    }

    /// Another ring, of which those stores are down that are so here.
    pub(crate) fn replaced(&self, options: &RingOptions, ids: Vec<ServerId>) -> Self {
        let down = |id: &ServerId| options.take_over && self.is_down(*id);
        let down = ids.iter().map(down).collect();
        Self { down, ..Self::new(options, ids) }
    }

    /// The partitions of keys that may be elsewhere by `next`, a ring of the same nodes: those of the
    /// stores that went down, came back or left, and those that any store stands in for.
    pub(crate) fn moved(&self, next: &Self) -> Vec<u16> {
        let most = MOST_STORES as u16;
        let changed = |id: u16| {
            let left = self.node(id).is_some() != next.node(id).is_some();
            left || self.is_down(id) != next.is_down(id)
        };
        let changed: Vec<bool> = (0..most).map(changed).collect();
        let moved = |partition: &u16| {
            let (own, serving) = (partition / most, partition % most);
            own != serving || changed[usize::from(own)]
        };
        (0..Self::PARTITIONS as u16).filter(moved).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(take_over: bool) -> RingOwners {
        let node = |at: usize| RingNode { name: format!("10.0.0.{at}:6379"), weight: 1.0 };
        RingOwners::new(&options((0..5).map(node).collect(), take_over), (0..5).collect())
    }

    fn options(nodes: Vec<RingNode>, take_over: bool) -> RingOptions {
        RingOptions { stores: vec![], nodes, take_over, hash_tags: true }
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
                2 => stand_ins[usize::from(after.serving(other))] += 1,
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
            all.serving(partition) == partition / MOST_STORES as u16
        }));
        assert_eq!(all.first(), 0);
        assert!(owners(false).with(1, true).is_none());
        assert_eq!(owners(true).with(0, true).unwrap().first(), 1);
    }

    #[test]
    fn a_store_that_joins_or_leaves_takes_a_share_of_the_keys_and_no_others_move() {
        let before = owners(true).with(1, true).unwrap();
        let node = |at: usize| RingNode { name: format!("10.0.0.{at}:6379"), weight: 1.0 };
        // The store of node 3 leaves; another one, of another number, joins.
        let nodes = [0, 1, 2, 4, 7].map(node).to_vec();
        let after = before.replaced(&options(nodes, true), vec![0, 1, 2, 4, 9]);
        assert!(after.is_down(1), "what is down stays so");
        let (mut left, mut joined) = (0, 0);
        for key in keys() {
            let (one, other) = (before.partition(key.as_bytes()), after.partition(key.as_bytes()));
            if one == other {
                continue;
            }
            match (one / MOST_STORES as u16, other / MOST_STORES as u16) {
                (_, 9) => joined += 1,
                (3, _) => left += 1,
                // It stays with a store that is down, for which another one stands in.
                (1, 1) => {}
                pair => panic!("{key} moved: {pair:?}"),
            }
        }
        assert!((1_600..2_400).contains(&joined), "{joined}");
        assert!((1_200..2_400).contains(&left), "{left}");
        assert!(before.moved(&after).contains(&(3 * MOST_STORES as u16 + 3)));
    }
}
