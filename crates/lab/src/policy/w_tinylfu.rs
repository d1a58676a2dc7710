//! W-TinyLFU: new keys pass a small window; who leaves it enters the main part only if it was
//! requested more often lately than who would leave there. The main part is a segmented LRU.
//!
//! Source: Einziger, Friedman, Manes, "TinyLFU", TOS 2017. The window has its published share of 1 %
//! and does not adapt.

use super::Policy;
use super::sketch::Sketch;
use crate::lists::{Lists, NONE};

const WINDOW: u8 = 0;
const PROBATION: u8 = 1;
const PROTECTED: u8 = 2;

pub(super) struct WTinyLfu {
    capacity: u64,
    window: u64,
    protected: u64,
    lists: Lists<3>,
    sketch: Sketch,
}

impl WTinyLfu {
    pub(super) fn new(capacity: u64) -> Self {
        let window = (capacity / 100).max(1);
        let protected = (capacity - window.min(capacity)) * 4 / 5;
        Self { capacity, window, protected, lists: Lists::new(), sketch: Sketch::new(capacity) }
    }

    fn weight(&self) -> u64 {
        (WINDOW..=PROTECTED).map(|list| self.lists.weight(list)).sum()
    }

    fn touch(&mut self, key: u32, list: u8) {
        match list {
            WINDOW => self.lists.move_front(WINDOW, key),
            _ => self.lists.move_front(PROTECTED, key),
        }
        while self.lists.weight(PROTECTED) > self.protected {
            self.lists.move_front(PROBATION, self.lists.back(PROTECTED));
        }
    }

    /// Moves what the window holds too much of, and evicts while there is too much in all.
    fn settle(&mut self) {
        while self.lists.weight(WINDOW) > self.window {
            let candidate = self.lists.back(WINDOW);
            self.lists.move_front(PROBATION, candidate);
            while self.weight() > self.capacity {
                if !self.evict(candidate) {
                    break;
                }
            }
        }
        while self.weight() > self.capacity {
            self.evict(NONE);
        }
    }

    /// Evicts the candidate or who would leave the main part; whether the candidate is still there.
    fn evict(&mut self, candidate: u32) -> bool {
        // A candidate never drives out what the window has: who comes in is stored.
        let lists: &[u8] = if candidate == NONE {
            &[PROBATION, PROTECTED, WINDOW]
        } else {
            &[PROBATION, PROTECTED]
        };
        let victim = lists
            .iter()
            .map(|&list| self.lists.back(list))
            .find(|&key| key != NONE && key != candidate);
        let Some(victim) = victim else {
            self.lists.remove(candidate);
            return false;
        };
        let is_better =
            candidate == NONE || self.sketch.estimate(candidate) > self.sketch.estimate(victim);
        self.lists.remove(if is_better { victim } else { candidate });
        is_better
    }
}

impl Policy for WTinyLfu {
    fn request(&mut self, key: u32, weight: u32) -> bool {
        self.sketch.add(key);
        let list = self.lists.list_of(key);
        if list <= PROTECTED {
            self.lists.reweigh(key, weight);
            self.touch(key, list);
            self.settle();
            return true;
        }
        if u64::from(weight) <= self.capacity {
            self.lists.push_front(WINDOW, key, weight);
            self.settle();
        }
        false
    }
}
