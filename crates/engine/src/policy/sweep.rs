//! Evicting whatever comes next, bucket by bucket: where nothing better is known.

use super::{Eviction, TURNS, take};
use crate::index::{Host, Index};

/// How far a sweep has come.
#[derive(Default)]
pub(super) struct Sweep {
    cursor: u64,
    /// Whether it began at the beginning: if nothing is found up to the end, nothing is there.
    whole: bool,
}

impl Sweep {
    /// Takes an entry of the next few buckets.
    pub(super) fn evict(&mut self, index: &Index, host: &impl Host) -> Eviction {
        for _ in 0..TURNS {
            let mut found = Vec::new();
            self.whole |= self.cursor == 0;
            self.cursor = index.visit(self.cursor, |_, entry| found.push(entry));
            let mut victims = found.into_iter();
            let taken =
                victims.find_map(|held| take(index, host, host.hash_of(held), |_, e| e == held));
            if let Some(victim) = taken {
                self.whole = false;
                return Eviction::Victim(victim);
            }
            if self.cursor == 0 && std::mem::take(&mut self.whole) {
                return Eviction::Nothing;
            }
        }
        Eviction::Again
    }
}
