//! `random`: the first entry of a bucket drawn by lot.

use super::sweep::Sweep;
use super::{Eviction, take};
use crate::index::{Host, Index};

/// Draws before the buckets are tried one after the other.
const DRAWS: usize = 32;

pub(crate) struct Lottery {
    state: u64,
    sweep: Sweep,
}

impl Lottery {
    pub(super) fn new() -> Self {
        let state = getrandom::u64().unwrap_or(0x9E37_79B9_7F4A_7C15) | 1;
        Self { state, sweep: Sweep::default() }
    }

    /// Marsaglia's xorshift: no more than spread is asked for.
    fn draw(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    pub(super) fn evict(&mut self, index: &Index, host: &impl Host) -> Eviction {
        for _ in 0..DRAWS {
            let lot = self.draw();
            let mut found = Vec::new();
            index.visit_home(lot, |_, entry| found.push(entry));
            if found.is_empty() {
                continue;
            }
            let chosen = found[(lot >> 32) as usize % found.len()];
            let hash = host.hash_of(chosen);
            if let Some(victim) = take(index, host, hash, |_, entry| entry == chosen) {
                return Eviction::Victim(victim);
            }
        }
        self.sweep.evict(index, host)
    }
}
