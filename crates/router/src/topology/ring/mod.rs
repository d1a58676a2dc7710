//! A consistent hash ring: each key has a node, and few keys move when a node joins or leaves. It puts
//! each key where `Ring` of `breakwater/routing` does, whose vectors hold it.
//!
//! A node named `n` has its points at the hashes of `n_0`, `n_1` and so on; a key belongs to the first
//! point that is not before its own hash. The hash is XXH64 with seed 0.

mod owners;
mod points;

pub(crate) use owners::RingOwners;
pub use owners::{MOST_STORES, RingOptions};

use super::tag::tag_of;
use points::{Points, hash};

/// Points of a node of the weight 1: the shares of equal nodes differ by some 3 %.
pub(crate) const POINTS: u32 = 1024;

/// A node of a ring.
#[derive(Clone, Debug, PartialEq)]
pub struct RingNode {
    /// What it is called; its points depend on nothing else.
    pub name: String,
    /// How many keys it takes compared with others, above 0.
    pub weight: f64,
}

/// A ring of nodes, which are known by their places in the list that it is made of.
#[derive(Debug)]
pub struct Ring {
    points: Points,
    count: usize,
    /// Whether only the hash tag of a key counts.
    hash_tags: bool,
}

impl Ring {
    /// A ring of at least one and at most 65,536 nodes whose names differ.
    pub fn new(nodes: &[RingNode], points: u32, hash_tags: bool) -> Self {
        let count = |weight: f64| ((f64::from(points) * weight + 0.5).floor() as usize).max(1);
        let counts = nodes.iter().map(|node| (node.name.as_str(), count(node.weight)));
        Self { points: Points::new(counts), count: nodes.len(), hash_tags }
    }

    #[inline]
    fn point(&self, key: &[u8]) -> usize {
        self.points.of(hash(if self.hash_tags { tag_of(key) } else { key }))
    }

    /// The node of a key.
    #[inline]
    pub fn locate(&self, key: &[u8]) -> usize {
        self.points.node(self.point(key))
    }

    /// The nodes of a key, each once: its own, that which takes over when it is down, and so on.
    pub fn successors(&self, key: &[u8]) -> impl Iterator<Item = usize> {
        let mut seen = vec![false; self.count];
        let fresh = move |node: &usize| !std::mem::replace(&mut seen[*node], true);
        self.points.from(self.point(key)).filter(fresh).take(self.count)
    }

    /// The node of a key while some are left out: the next on the ring takes over. If all are, the
    /// key's own.
    pub fn locate_up(&self, key: &[u8], is_up: impl Fn(usize) -> bool) -> usize {
        let own = self.locate(key);
        if is_up(own) {
            return own;
        }
        self.successors(key).find(|node| is_up(*node)).unwrap_or(own)
    }
}

#[cfg(test)]
mod tests;
