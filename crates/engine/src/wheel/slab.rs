//! The memory of a wheel's nodes.

use super::Node;
use crate::memory;

/// Nodes by their numbers, in chunks: a new chunk moves none of those that there are. Only the first
/// one grows.
#[derive(Default)]
pub(super) struct Slab {
    chunks: Vec<Vec<Node>>,
}

const CHUNK: usize = 256;
const FIRST_CHUNK: usize = 16;

impl Slab {
    pub(super) fn len(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        (full + self.chunks.last().map_or(0, Vec::len)) as u32
    }

    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.chunks.last().is_some_and(|chunk| chunk.len() < chunk.capacity())
    }

    /// What [`Slab::extend`] adds, in nodes.
    pub(super) fn more(&self) -> usize {
        match self.chunks.as_slice() {
            [] => FIRST_CHUNK,
            [first] if first.capacity() < CHUNK => first.capacity(),
            _ => CHUNK,
        }
    }

    pub(super) fn next_bytes(&self) -> u64 {
        (self.more() * size_of::<Node>()) as u64
    }

    /// Makes room for more nodes; false when the system has no memory left.
    pub(super) fn extend(&mut self) -> bool {
        let more = self.more();
        if let [first] = self.chunks.as_mut_slice()
            && first.capacity() < CHUNK
        {
            let Some(mut larger) = memory::try_vec(first.capacity() + more) else { return false };
            larger.extend_from_slice(first);
            *first = larger;
            return true;
        }
        let chunk = memory::try_vec(more).filter(|_| self.chunks.try_reserve(1).is_ok());
        chunk.map(|chunk| self.chunks.push(chunk)).is_some()
    }

    /// Adds a node, for which there is room; its number.
    pub(super) fn push(&mut self, node: Node) -> u32 {
        let number = self.len();
        if let Some(last) = self.chunks.last_mut() {
            last.push(node);
        }
        number
    }

    #[inline]
    pub(super) fn at(&mut self, node: u32) -> &mut Node {
        &mut self.chunks[node as usize / CHUNK][node as usize % CHUNK]
    }

    pub(super) fn footprint(&self) -> u64 {
        self.chunks.iter().map(|chunk| (chunk.capacity() * size_of::<Node>()) as u64).sum()
    }
}
