//! The points of a ring: numbers of 64 bits in their order, each with the node that it belongs to.

use xxhash_rust::xxh64::xxh64;

/// The hash of keys and of points: XXH64 with seed 0.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    xxh64(bytes, 0)
}

/// The points of nodes, in order. A key belongs to the first point that is not before its hash.
#[derive(Debug)]
pub(super) struct Points {
    hashes: Box<[u64]>,
    /// The node of each point.
    nodes: Box<[u16]>,
    /// Where the points begin that share their upper bits.
    first: Box<[u32]>,
    shift: u32,
}

impl Points {
    /// The points of nodes, each with its name and how many it has.
    pub(super) fn new<'a>(nodes: impl Iterator<Item = (&'a str, usize)>) -> Self {
        let mut all: Vec<(u64, &str, u16)> = (0u16..)
            .zip(nodes)
            .flat_map(|(node, (name, count))| {
                (0..count).map(move |at| (hash(format!("{name}_{at}").as_bytes()), name, node))
            })
            .collect();
        // Of two at one place that of the lesser name is first.
        all.sort_unstable();
        let hashes: Box<[u64]> = all.iter().map(|point| point.0).collect();
        // About as many groups as points, so that a group has one or two.
        let bits = hashes.len().next_power_of_two().trailing_zeros().clamp(1, 24);
        let shift = u64::BITS - bits;
        let first = (0..1u64 << bits)
            .map(|group| hashes.partition_point(|hash| hash >> shift < group) as u32)
            .collect();
        Self { hashes, nodes: all.iter().map(|point| point.2).collect(), first, shift }
    }

    /// The point that a hash belongs to.
    #[inline]
    pub(super) fn of(&self, hash: u64) -> usize {
        let mut at = self.first[(hash >> self.shift) as usize] as usize;
        while self.hashes.get(at).is_some_and(|point| *point < hash) {
            at += 1;
        }
        if at == self.hashes.len() { 0 } else { at }
    }

    /// The node of a point.
    #[inline]
    pub(super) fn node(&self, point: usize) -> usize {
        usize::from(self.nodes[point])
    }

    /// The nodes of the points from one on, around the ring; one may come more than once.
    pub(super) fn from(&self, point: usize) -> impl Iterator<Item = usize> {
        let (before, behind) = self.nodes.split_at(point);
        behind.iter().chain(before).map(|node| usize::from(*node))
    }
}
