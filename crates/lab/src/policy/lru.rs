//! The least recently used leaves.

use super::Policy;
use crate::lists::{Lists, NOWHERE};

const ALL: u8 = 0;

pub(super) struct Lru {
    capacity: u64,
    /// The most recently used first.
    lists: Lists<1>,
}

impl Lru {
    pub(super) fn new(capacity: u64) -> Self {
        Self { capacity, lists: Lists::new() }
    }

    fn make_room(&mut self, weight: u32) {
        while self.lists.weight(ALL) + u64::from(weight) > self.capacity {
            self.lists.remove(self.lists.back(ALL));
        }
    }
}

impl Policy for Lru {
    fn request(&mut self, key: u32, weight: u32) -> bool {
        let found = self.lists.list_of(key) != NOWHERE;
        if found {
            self.lists.remove(key);
        }
        if u64::from(weight) <= self.capacity {
            self.make_room(weight);
            self.lists.push_front(ALL, key, weight);
        }
        found
    }
}
