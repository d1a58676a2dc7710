//! S3-FIFO: new keys pass a small queue, those that were read there enter the main one, and those
//! that were not leave a ghost behind, by which they enter the main one when they come back.
//!
//! Source: Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.

use super::Policy;
use crate::lists::{Lists, NONE, NOWHERE};

const SMALL: u8 = 0;
const MAIN: u8 = 1;
const GHOST: u8 = 2;

/// Reads are counted up to this.
const MOST_READS: u8 = 3;

pub(super) struct S3Fifo {
    capacity: u64,
    /// What the small queue may weigh before it is evicted from.
    small: u64,
    /// Reads in the small queue that lead to the main one.
    promoted: u8,
    lists: Lists<3>,
    reads: Vec<u8>,
}

impl S3Fifo {
    pub(super) fn new(capacity: u64, promoted: u8) -> Self {
        let small = (capacity / 10).max(1);
        Self { capacity, small, promoted, lists: Lists::new(), reads: Vec::new() }
    }

    fn weight(&self) -> u64 {
        self.lists.weight(SMALL) + self.lists.weight(MAIN)
    }

    fn make_room(&mut self, weight: u32) {
        while self.weight() + u64::from(weight) > self.capacity {
            let is_small_full = self.lists.weight(SMALL) >= self.small;
            if is_small_full || self.lists.back(MAIN) == NONE {
                self.evict_small();
            } else {
                self.evict_main();
            }
        }
    }

    /// One step at the end of the small queue.
    fn evict_small(&mut self) {
        let key = self.lists.back(SMALL);
        if key == NONE {
            return self.evict_main();
        }
        let reads = std::mem::take(&mut self.reads[key as usize]);
        if reads >= self.promoted {
            self.lists.move_front(MAIN, key);
            return;
        }
        self.lists.move_front(GHOST, key);
        while self.lists.weight(GHOST) > self.capacity.saturating_sub(self.small) {
            self.lists.remove(self.lists.back(GHOST));
        }
    }

    /// One step at the end of the main queue.
    fn evict_main(&mut self) {
        let key = self.lists.back(MAIN);
        let reads = &mut self.reads[key as usize];
        if *reads > 0 {
            *reads -= 1;
            self.lists.move_front(MAIN, key);
        } else {
            self.lists.remove(key);
        }
    }
}

impl Policy for S3Fifo {
    fn request(&mut self, key: u32, weight: u32) -> bool {
        if self.reads.len() <= key as usize {
            self.reads.resize(key as usize + 1, 0);
        }
        let list = self.lists.list_of(key);
        if list == SMALL || list == MAIN {
            let reads = &mut self.reads[key as usize];
            *reads = (*reads + 1).min(MOST_READS);
            self.lists.reweigh(key, weight);
            self.make_room(0);
            return true;
        }
        if u64::from(weight) > self.capacity {
            return false;
        }
        if list == GHOST {
            self.lists.remove(key);
        }
        self.make_room(weight);
        self.reads[key as usize] = 0;
        self.lists.push_front(if list == NOWHERE { SMALL } else { MAIN }, key, weight);
        false
    }
}
