//! The ghost queue: which keys were evicted lately, as fingerprints in a small table.
//!
//! A slot holds 16 bits of the hash and 16 bits of age; a bucket is one cache line of 16 slots, of
//! which the oldest makes room. A key passes for a ghost by mistake once in four thousand times.

use crate::index::Host;
use crate::memory;

const WAYS: usize = 16;

/// Units of age that the table's capacity is divided into.
const UNITS: u64 = 1024;

type Bucket = [u32; WAYS];

#[derive(Default)]
pub(super) struct Ghost {
    buckets: Vec<Bucket>,
    /// Evictions seen.
    count: u64,
    /// Evictions in a unit of age.
    unit: u64,
    /// Ghosts older than so many evictions are forgotten.
    limit: u64,
}

impl Ghost {
    /// Remembers a key that is evicted, and of the last `limit` ones any.
    pub(super) fn insert(&mut self, hash: u64, limit: u64, host: &impl Host) {
        self.limit = limit.max(1);
        if self.limit * 5 / 4 > (self.buckets.len() * WAYS) as u64 {
            self.grow(host);
        }
        if self.buckets.is_empty() {
            return;
        }
        self.count += 1;
        let age = (self.count / self.unit) as u16;
        let bucket = self.bucket(hash);
        let oldest = (0..WAYS).max_by_key(|&way| match self.buckets[bucket][way] {
            0 => u16::MAX,
            slot => age.wrapping_sub(slot as u16),
        });
        if let Some(way) = oldest {
            self.buckets[bucket][way] = fingerprint(hash) << 16 | u32::from(age);
        }
    }

    /// Whether the key was evicted lately; it is forgotten.
    pub(super) fn take(&mut self, hash: u64) -> bool {
        if self.buckets.is_empty() {
            return false;
        }
        let (bucket, unit) = (self.bucket(hash), self.unit);
        let now = (self.count / unit) as u16;
        let (wanted, limit) = (fingerprint(hash), self.limit);
        let found = self.buckets[bucket].iter_mut().find(|slot| {
            let age = u64::from(now.wrapping_sub(**slot as u16));
            **slot >> 16 == wanted && age * unit <= limit
        });
        found.map(|slot| *slot = 0).is_some()
    }

    fn bucket(&self, hash: u64) -> usize {
        // The length is a power of two; the bits are neither the shard's nor the fingerprint's.
        hash as usize & (self.buckets.len() - 1)
    }

    /// Doubles the table, empty: ages and places of the old one mean nothing in the new one.
    #[cold]
    fn grow(&mut self, host: &impl Host) {
        let wanted = (self.limit * 3 / 2).div_ceil(WAYS as u64).next_power_of_two() as usize;
        let bytes = |len: usize| (len * size_of::<Bucket>()) as u64;
        if !host.charge(bytes(wanted)) {
            return;
        }
        let Some(mut buckets) = memory::try_vec(wanted) else {
            host.release(bytes(wanted));
            return;
        };
        buckets.resize(wanted, [0; WAYS]);
        host.release(bytes(self.buckets.len()));
        self.buckets = buckets;
        self.unit = ((wanted * WAYS) as u64 / UNITS).max(1);
    }

    /// What the table is charged.
    pub(super) fn footprint(&self) -> u64 {
        (self.buckets.len() * size_of::<Bucket>()) as u64
    }
}

/// 16 bits of the hash, never 0.
fn fingerprint(hash: u64) -> u32 {
    ((hash >> 26) as u16).max(1).into()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::policy::tests::{Purse, scatter};

    #[test]
    fn it_remembers_the_last_evictions_and_forgets_those_before() {
        let purse = Purse::default();
        let mut ghost = Ghost::default();
        for key in 0..10_000 {
            ghost.insert(scatter(key), 1_000, &purse);
        }
        let known = |ghost: &mut Ghost, keys: std::ops::Range<u64>| {
            keys.filter(|&key| ghost.take(scatter(key))).count()
        };
        assert!(known(&mut ghost, 9_050..10_000) > 900);
        assert!(known(&mut ghost, 0..8_900) < 50);
        assert_eq!(known(&mut ghost, 9_050..10_000), 0, "taken once");
        assert_eq!(purse.charged(), ghost.footprint());
    }
}
