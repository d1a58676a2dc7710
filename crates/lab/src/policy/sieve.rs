//! SIEVE: one queue in order of arrival, and a hand that walks from its end to its front and evicts
//! the first entry that was not read since it last came by.
//!
//! Source: Zhang et al., "SIEVE is simpler than LRU", NSDI 2024.

use super::Policy;
use crate::lists::{Lists, NONE, NOWHERE};

const ALL: u8 = 0;

pub(super) struct Sieve {
    capacity: u64,
    lists: Lists<1>,
    /// Whether a key was read since the hand last came by.
    visited: Vec<bool>,
    /// Where the hand is; [`NONE`]: behind the end.
    hand: u32,
}

impl Sieve {
    pub(super) fn new(capacity: u64) -> Self {
        Self { capacity, lists: Lists::new(), visited: Vec::new(), hand: NONE }
    }

    fn evict(&mut self) {
        let mut at = if self.hand == NONE { self.lists.back(ALL) } else { self.hand };
        while std::mem::take(&mut self.visited[at as usize]) {
            let next = self.lists.before(at);
            at = if next == NONE { self.lists.back(ALL) } else { next };
        }
        self.remove(at);
    }

    fn remove(&mut self, key: u32) {
        // Where it was, its neighbour is next.
        self.hand = self.lists.before(key);
        self.lists.remove(key);
    }

    fn make_room(&mut self, weight: u32) {
        while self.lists.weight(ALL) + u64::from(weight) > self.capacity {
            self.evict();
        }
    }
}

impl Policy for Sieve {
    fn request(&mut self, key: u32, weight: u32) -> bool {
        if self.visited.len() <= key as usize {
            self.visited.resize(key as usize + 1, false);
        }
        if self.lists.list_of(key) != NOWHERE {
            self.visited[key as usize] = true;
            self.lists.reweigh(key, weight);
            self.make_room(0);
            return true;
        }
        if u64::from(weight) <= self.capacity {
            self.make_room(weight);
            self.visited[key as usize] = false;
            self.lists.push_front(ALL, key, weight);
        }
        false
    }
}
