//! ARC: a list of what was requested once lately and one of what was requested more often, each with
//! a list of ghosts; a hit among ghosts shifts room to their list.
//!
//! Source: Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003.
//! Weights take the place of counts; where all weigh 1 it is the published policy.

use super::Policy;
use crate::lists::{Lists, NONE};

const ONCE: u8 = 0;
const OFTEN: u8 = 1;
const ONCE_GHOSTS: u8 = 2;
const OFTEN_GHOSTS: u8 = 3;

pub(super) struct Arc {
    capacity: u64,
    /// What the list of what was requested once should weigh.
    target: u64,
    lists: Lists<4>,
}

impl Arc {
    pub(super) fn new(capacity: u64) -> Self {
        Self { capacity, target: 0, lists: Lists::new() }
    }

    /// Evicts until there is room. `from_often`: a ghost of the list of what was requested more often
    /// came back.
    fn replace(&mut self, weight: u32, from_often: bool) {
        while self.lists.weight(ONCE) + self.lists.weight(OFTEN) + u64::from(weight) > self.capacity
        {
            let once = self.lists.weight(ONCE);
            let is_over = once > self.target || (from_often && once == self.target);
            let list =
                if once > 0 && (is_over || self.lists.back(OFTEN) == NONE) { ONCE } else { OFTEN };
            self.lists.move_front(list + ONCE_GHOSTS, self.lists.back(list));
        }
    }

    /// Forgets ghosts, and what was requested once where its list alone fills the cache, for a key
    /// that is new.
    fn forget(&mut self, weight: u32) {
        let weight = u64::from(weight);
        while self.lists.weight(ONCE) + self.lists.weight(ONCE_GHOSTS) + weight > self.capacity {
            let ghost = self.lists.back(ONCE_GHOSTS);
            let key = if ghost == NONE { self.lists.back(ONCE) } else { ghost };
            self.lists.remove(key);
        }
        let total =
            |lists: &Lists<4>| (ONCE..=OFTEN_GHOSTS).map(|list| lists.weight(list)).sum::<u64>();
        while total(&self.lists) + weight > 2 * self.capacity {
            let key = self.lists.back(OFTEN_GHOSTS);
            if key == NONE {
                break;
            }
            self.lists.remove(key);
        }
    }

    fn adapt(&mut self, ghosts: u8, weight: u32) {
        let [once, often] = [ONCE_GHOSTS, OFTEN_GHOSTS].map(|list| self.lists.weight(list).max(1));
        let weight = u64::from(weight);
        self.target = match ghosts {
            ONCE_GHOSTS => (self.target + weight * (often / once).max(1)).min(self.capacity),
            _ => self.target.saturating_sub(weight * (once / often).max(1)),
        };
    }
}

impl Policy for Arc {
    fn request(&mut self, key: u32, weight: u32) -> bool {
        let list = self.lists.list_of(key);
        let fits = u64::from(weight) <= self.capacity;
        match list {
            ONCE | OFTEN => {
                self.lists.remove(key);
                if fits {
                    self.replace(weight, false);
                    self.lists.push_front(OFTEN, key, weight);
                }
                return true;
            }
            _ if !fits => {}
            ONCE_GHOSTS | OFTEN_GHOSTS => {
                self.adapt(list, weight);
                self.lists.remove(key);
                self.replace(weight, list == OFTEN_GHOSTS);
                self.lists.push_front(OFTEN, key, weight);
            }
            _ => {
                self.forget(weight);
                self.replace(weight, false);
                self.lists.push_front(ONCE, key, weight);
            }
        }
        false
    }
}
