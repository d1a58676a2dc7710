//! A first-in-first-out queue of hashes, in chunks of one page, each charged before it is made.

use crate::index::Host;
use std::collections::VecDeque;

const CHUNK: usize = 512;

/// The smallest chunk: a shard with few entries should not pay a page for each queue.
const FIRST: usize = 16;

#[derive(Default)]
pub(super) struct Queue {
    chunks: VecDeque<Vec<u64>>,
    /// Where the first chunk begins.
    head: usize,
    len: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn has_room(&self) -> bool {
        self.chunks.back().is_some_and(|chunk| chunk.len() < chunk.capacity())
    }

    /// Makes room for one more hash; the bytes that were refused, if there is none.
    #[inline]
    pub(super) fn prepare(&mut self, host: &impl Host) -> Result<(), u64> {
        if self.has_room() { Ok(()) } else { self.add_chunk(host) }
    }

    #[cold]
    fn add_chunk(&mut self, host: &impl Host) -> Result<(), u64> {
        let capacity = match self.chunks.back() {
            None => FIRST,
            Some(last) => (last.capacity() * 2).min(CHUNK),
        };
        let bytes = (capacity * size_of::<u64>()) as u64;
        if !host.charge(bytes) {
            return Err(bytes);
        }
        self.chunks.push_back(Vec::with_capacity(capacity));
        Ok(())
    }

    /// Appends a hash. [`Queue::prepare`] has made room for it, or a pop has.
    #[inline]
    pub(super) fn push(&mut self, hash: u64) {
        debug_assert!(self.has_room());
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.push(hash);
            self.len += 1;
        }
    }

    pub(super) fn pop(&mut self, host: &impl Host) -> Option<u64> {
        let first = self.chunks.front()?;
        let hash = *first.get(self.head)?;
        self.head += 1;
        self.len -= 1;
        if self.head == first.capacity() {
            self.head = 0;
            self.drop_first(host);
        }
        Some(hash)
    }

    /// What the chunks are charged.
    pub(super) fn footprint(&self) -> u64 {
        self.chunks.iter().map(|chunk| (chunk.capacity() * size_of::<u64>()) as u64).sum()
    }

    fn drop_first(&mut self, host: &impl Host) {
        if let Some(chunk) = self.chunks.pop_front() {
            host.release((chunk.capacity() * size_of::<u64>()) as u64);
        }
    }

    /// Keeps the hashes that `keep` wants, in their order and in place, and frees what is left.
    pub(super) fn retain(&mut self, host: &impl Host, mut keep: impl FnMut(u64) -> bool) {
        let (mut to, mut at, mut kept) = (0, 0, 0);
        for from in 0..self.chunks.len() {
            let head = if from == 0 { self.head } else { 0 };
            for read in head..self.chunks[from].len() {
                let hash = self.chunks[from][read];
                if !keep(hash) {
                    continue;
                }
                if at == self.chunks[to].capacity() {
                    (to, at) = (to + 1, 0);
                }
                self.chunks[to][at] = hash;
                at += 1;
                kept += 1;
            }
        }
        (self.head, self.len) = (0, kept);
        while self.chunks.len() > to + 1 {
            self.drop_last(host);
        }
        if let Some(last) = self.chunks.back_mut() {
            last.truncate(at);
        }
    }

    fn drop_last(&mut self, host: &impl Host) {
        if let Some(chunk) = self.chunks.pop_back() {
            host.release((chunk.capacity() * size_of::<u64>()) as u64);
        }
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self, host: &impl Host) {
        while !self.chunks.is_empty() {
            self.drop_last(host);
        }
        (self.head, self.len) = (0, 0);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::policy::tests::Purse;

    #[test]
    fn it_is_first_in_first_out_and_pays_for_its_chunks_and_no_more() {
        let purse = Purse::default();
        let mut queue = Queue::default();
        for hash in 0..5_000 {
            queue.prepare(&purse).unwrap();
            queue.push(hash);
        }
        assert!(purse.charged() >= 5_000 * 8);
        for hash in 0..1_000 {
            assert_eq!(queue.pop(&purse), Some(hash));
        }
        queue.retain(&purse, |hash| hash % 3 == 0);
        assert!(purse.charged() < 2_500 * 8);
        let rest: Vec<u64> = std::iter::from_fn(|| queue.pop(&purse)).collect();
        assert_eq!(rest, (1_000..5_000).filter(|hash| hash % 3 == 0).collect::<Vec<_>>());
        queue.forget(&purse);
        assert_eq!(purse.charged(), 0);
    }
}
