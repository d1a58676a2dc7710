//! `auto`, or one of its rules, as a cache of hashes alone: hit ratios without a cache, for studies
//! of traces and for tests. It does what a shard does.

use super::chooser::Chooser;
use super::rule::Rule;
use super::shadow::{Shadow, key_of};
use super::watch::Watch;
use super::weight::{Mean, Weight};

/// A cache of so many entries of unit size.
pub struct Simulation {
    cache: Shadow,
    chooser: Chooser,
    watch: Option<Watch>,
    adapts: bool,
}

impl Simulation {
    /// Under `auto`.
    ///
    /// # Panics
    /// When the system has no memory left.
    #[must_use]
    pub fn auto(entries: u64) -> Self {
        Self { adapts: true, ..Self::fixed(Rule::S3_FIFO, entries) }
    }

    /// Under a rule that never changes.
    ///
    /// # Panics
    /// When the system has no memory left.
    #[must_use]
    pub fn fixed(rule: Rule, entries: u64) -> Self {
        let cache = Shadow::changing(rule, entries).expect("there is memory");
        Self { cache, chooser: Chooser::default(), watch: None, adapts: false }
    }

    /// The key of this hash is asked for, and stored if it is not there; whether it was.
    pub fn request(&mut self, hash: u64) -> bool {
        let hit = self.cache.request(key_of(hash), Weight::EVEN, &Mean::default());
        if let Some(watch) = &mut self.watch {
            if watch.sample().has(hash)
                && watch.request(hash, Weight::EVEN, &Mean::default(), 1)
                && self.chooser.judge(watch.close())
            {
                self.cache.set_rule(Rule::ALL[self.chooser.in_force()]);
            }
        } else if self.adapts && self.cache.misses(0) > self.cache.capacity() {
            self.watch = Watch::new(self.cache.capacity(), u64::MAX);
            self.adapts = self.watch.is_some();
        }
        hit
    }

    /// The rule in force.
    #[must_use]
    pub fn rule(&self) -> Rule {
        Rule::ALL[self.chooser.in_force()]
    }
}
