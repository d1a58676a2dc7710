//! A first-in-first-out queue in chunks: to become longer it copies nothing that it holds, and what
//! becomes empty is freed at once.

use crate::memory;
use std::collections::VecDeque;

/// Items of a chunk, but for the first ones.
const CHUNK: usize = 512;

/// The smallest chunk: a queue of few items should not take a page.
const FIRST: usize = 16;

pub(crate) struct Fifo<T> {
    chunks: VecDeque<VecDeque<T>>,
    len: usize,
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self { chunks: VecDeque::new(), len: 0 }
    }
}

impl<T> Fifo<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.chunks.back().is_some_and(|chunk| chunk.len() < chunk.capacity())
    }

    /// The bytes of the chunk that [`Fifo::extend`] would add.
    pub(crate) fn next_chunk(&self) -> u64 {
        (self.next_capacity() * size_of::<T>()) as u64
    }

    fn next_capacity(&self) -> usize {
        self.chunks.back().map_or(FIRST, |last| (last.capacity() * 2).min(CHUNK))
    }

    /// Makes room for more; false when the system has no memory left.
    #[must_use]
    pub(crate) fn extend(&mut self) -> bool {
        let capacity = self.next_capacity();
        let chunk = memory::try_vec(capacity).map(VecDeque::from);
        let has_room = self.chunks.try_reserve(1).is_ok();
        match chunk.filter(|_| has_room) {
            Some(chunk) => {
                self.chunks.push_back(chunk);
                true
            }
            None => false,
        }
    }

    /// Appends an item, for which there is room.
    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        debug_assert!(self.has_room());
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.push_back(item);
            self.len += 1;
        }
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.chunks.front()?.front()
    }

    /// Takes the first item, and the bytes that were freed: a chunk that becomes empty is, unless it
    /// is the last one.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(T, u64)> {
        let first = self.chunks.front_mut()?;
        let item = first.pop_front()?;
        self.len -= 1;
        if !first.is_empty() || self.chunks.len() == 1 {
            return Some((item, 0));
        }
        let empty = self.chunks.pop_front();
        Some((item, empty.map_or(0, |chunk| bytes_of(&chunk))))
    }

    /// What the chunks take, in bytes.
    pub(crate) fn footprint(&self) -> u64 {
        self.chunks.iter().map(bytes_of).sum()
    }

    /// The items, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// Takes all items that are left.
    pub(crate) fn into_items(self) -> impl Iterator<Item = T> {
        self.chunks.into_iter().flatten()
    }
}

fn bytes_of<T>(chunk: &VecDeque<T>) -> u64 {
    (chunk.capacity() * size_of::<T>()) as u64
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_is_first_in_first_out_and_frees_what_is_empty() {
        let mut queue = Fifo::default();
        let (mut bytes, mut next) = (0, 0);
        for n in 0..5_000u64 {
            if !queue.has_room() {
                bytes += queue.next_chunk();
                assert!(queue.extend());
            }
            queue.push(n);
            assert_eq!(queue.footprint(), bytes);
            if n % 3 == 0 {
                let (item, freed) = queue.pop().unwrap();
                assert_eq!(item, next);
                (bytes, next) = (bytes - freed, next + 1);
            }
        }
        assert_eq!(queue.len(), 5_000 - next as usize);
        assert_eq!(queue.into_items().collect::<Vec<_>>(), (next..5_000).collect::<Vec<_>>());
    }
}
