//! Shadow caches: several caches of keys alone, each under a rule of its own, that are asked for the
//! same keys at once. They tell what each rule would do with the requests that a cache really gets.
//!
//! What the caches know of a key is one word for all of them, so that a request for a key that they
//! all hold costs one look.

mod candidate;
mod directory;
mod ring;
#[cfg(all(test, not(loom)))]
mod tests;

use super::rule::Rule;
use super::weight::{Mean, Weight};
use crate::memory;
use candidate::{Candidate, Needs};
use directory::{Directory, Slot, caches, first, held};

pub(super) struct Shadow {
    directory: Directory,
    candidates: Vec<Candidate>,
    /// Entries that each cache holds, about.
    capacity: u64,
    /// What they may weigh together.
    room: u64,
    /// All candidates, as [`Directory::read`] counts them.
    all: u32,
}

/// For what shadows are made.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Entries that each cache holds: at most, or about if they do not weigh the same.
    pub(super) capacity: u64,
    /// Whether all entries weigh the same.
    pub(super) even: bool,
}

impl Shape {
    fn rules(self) -> &'static [Rule] {
        Rule::choices(self.even)
    }

    /// Entries that there are tables and queues for: of light ones there may be many.
    fn most(self) -> u64 {
        if self.even { self.capacity } else { 2 * self.capacity }
    }
}

impl Shadow {
    /// What shadows take, in bytes.
    pub(super) fn price(shape: Shape) -> u64 {
        let most = shape.most();
        let candidates = shape.rules().iter().map(|rule| Candidate::price(Needs::of(*rule), most));
        Directory::price(most, shape.even) + candidates.sum::<u64>()
    }

    /// Empty caches with so much room, one for each rule; `None` when the system has no memory left.
    pub(super) fn new(shape: Shape, room: u64) -> Option<Self> {
        let rules = shape.rules();
        let mut candidates = memory::try_vec(rules.len())?;
        for (number, &rule) in rules.iter().enumerate() {
            candidates.push(Candidate::new(number, rule, Needs::of(rule), shape.most())?);
        }
        let directory = Directory::new(shape.most(), shape.even)?;
        let capacity = shape.capacity;
        Some(Self { directory, candidates, capacity, room, all: first(rules.len()) })
    }

    /// One cache whose rule changes from request to request, for a simulation.
    pub(super) fn changing(rule: Rule, capacity: u64) -> Option<Self> {
        let mut candidates = memory::try_vec(1)?;
        candidates.push(Candidate::new(0, rule, Needs::ALL, capacity)?);
        let directory = Directory::new(capacity, true)?;
        Some(Self { directory, candidates, capacity, room: capacity, all: first(1) })
    }

    pub(super) fn set_rule(&mut self, rule: Rule) {
        self.candidates[0].rule = rule;
    }

    /// A key, not 0, is asked for: caches that do not hold it take it in. Whether all held it.
    #[inline]
    pub(super) fn request(&mut self, key: u32, weight: Weight, mean: &Mean) -> bool {
        let line = self.directory.line_of(key);
        let found = self.directory.find(line, key);
        let missed = found.map_or(self.all, |slot| self.all & !self.directory.read(slot));
        if missed != 0 {
            self.insert(line, found, key, missed, weight, mean);
        }
        missed == 0
    }

    /// The key comes into the caches that have missed it.
    #[inline(never)]
    fn insert(
        &mut self,
        line: usize,
        found: Option<Slot>,
        key: u32,
        missed: u32,
        weight: Weight,
        mean: &Mean,
    ) {
        let slot = found.unwrap_or_else(|| {
            let (slot, dropped, its_weight) = self.directory.make(line, key);
            for cache in caches(held(dropped)) {
                self.candidates[cache].dropped(its_weight);
            }
            slot
        });
        self.directory.weigh(slot, weight);
        for cache in caches(missed) {
            self.candidates[cache].insert(&mut self.directory, slot, weight.worth, self.room, mean);
        }
    }

    /// What each candidate has missed.
    pub(super) fn misses(&self, candidate: usize) -> u64 {
        self.candidates[candidate].misses
    }

    /// How many candidates there are.
    pub(super) fn rules(&self) -> usize {
        self.candidates.len()
    }

    /// What they take, in bytes.
    #[cfg(test)]
    fn footprint(&self) -> u64 {
        self.directory.footprint() + self.candidates.iter().map(Candidate::footprint).sum::<u64>()
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }
}

/// What shadows call a key of this hash: not 0. Its lowest bits, since others choose shards and samples.
#[inline]
pub(super) fn key_of(hash: u64) -> u32 {
    (hash as u32).max(1)
}
