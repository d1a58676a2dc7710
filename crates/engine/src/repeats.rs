//! Keys that a thread reads again and again: whoever learns from its reads need not hear of each.

use std::cell::Cell;

/// Keys followed at once. Few: what is read often comes back before another key takes its place.
const KEYS: usize = 32;

/// Reads of a key that are told one by one, before they are told together.
const SINGLE: u64 = 4;
/// Reads of a key between two of which the second tells of all.
pub(crate) const TOGETHER: u64 = 12;

const COUNT: u64 = 15;
const _: () = assert!(SINGLE + TOGETHER <= COUNT + 1);

/// Hashes of keys, with a count of reads in their lowest bits.
#[derive(Default)]
pub(crate) struct Repeats([Cell<u64>; KEYS]);

impl Repeats {
    /// A read of a key: how many reads are to be told of now, with this one; 0 for none.
    #[inline]
    pub(crate) fn count(&self, hash: u64) -> u64 {
        let slot = &self.0[(hash >> COUNT.count_ones()) as usize % KEYS];
        let held = slot.get();
        let is_same = (held ^ hash) & !COUNT == 0;
        let reads = if is_same { (held & COUNT) + 1 } else { 1 };
        let (kept, told) = match reads {
            ..=SINGLE => (reads, 1),
            reads if reads < SINGLE + TOGETHER => (reads, 0),
            _ => (SINGLE, TOGETHER),
        };
        slot.set(hash & !COUNT | kept);
        told
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_read_is_told_of_once_and_those_of_a_hot_key_together() {
        let repeats = Repeats::default();
        let told: Vec<u64> = (0..4 + 120).map(|_| repeats.count(0xAB0)).collect();
        assert_eq!(told[..4], [1; 4]);
        assert_eq!(told.iter().sum::<u64>(), told.len() as u64);
        assert_eq!(told[4..].iter().filter(|&&told| told > 0).count(), 10);
    }

    #[test]
    fn a_key_that_comes_back_after_another_is_told_of_one_by_one() {
        let repeats = Repeats::default();
        let other = 0xAB0 + ((KEYS as u64) << 4);
        assert!((0..100).all(|_| repeats.count(0xAB0) == 1 && repeats.count(other) == 1));
    }
}
