//! `random`: the first entry of a bucket drawn by lot.

use super::take;
use crate::entry::EntryPtr;
use crate::index::{Host, Index};

/// Draws before the buckets are tried one after the other.
const DRAWS: usize = 32;

pub(crate) struct Lottery(u64);

impl Lottery {
    pub(super) fn new() -> Self {
        Self(getrandom::u64().unwrap_or(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Marsaglia's xorshift: no more than spread is asked for.
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn evict(&mut self, index: &Index, host: &impl Host) -> Option<EntryPtr> {
        for _ in 0..DRAWS {
            let lot = self.draw();
            let mut found = Vec::new();
            index.visit_home(lot, |_, entry| found.push(entry));
            if found.is_empty() {
                continue;
            }
            let chosen = found[(lot >> 32) as usize % found.len()];
            if let Some(victim) = Self::take_exactly(index, host, chosen) {
                return Some(victim);
            }
        }
        Self::evict_first(index, host)
    }

    pub(super) fn evict_first(index: &Index, host: &impl Host) -> Option<EntryPtr> {
        let mut cursor = 0;
        loop {
            let mut found = Vec::new();
            cursor = index.visit(cursor, |_, entry| found.push(entry));
            let mut victims = found.into_iter();
            if let Some(victim) = victims.find_map(|entry| Self::take_exactly(index, host, entry)) {
                return Some(victim);
            }
            if cursor == 0 {
                return None;
            }
        }
    }

    fn take_exactly(index: &Index, host: &impl Host, chosen: EntryPtr) -> Option<EntryPtr> {
        take(index, host, host.hash_of(chosen), |_, entry| entry == chosen)
    }
}
