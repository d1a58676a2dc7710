//! Hashing: foldhash, seeded once a process, because keys come from strangers.

use crate::key::{KINDS, Key};
use foldhash::quality::{RandomState, SeedableRandomState};
use std::array;
use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

/// A 64-bit hash, read in three places that do not overlap: the lowest bits choose the bucket, bits
/// 42 to 49 the shard, the highest 14 are the tag in the index.
///
/// Each kind of key has a seed of its own: hashing the kind as well would be one more multiplication,
/// which the others wait for.
#[derive(Clone)]
pub(crate) struct KeyHasher([SeedableRandomState; KINDS]);

impl KeyHasher {
    /// A hasher with the process's seeds, which come from the system's entropy.
    pub(crate) fn new() -> Self {
        static SEEDS: OnceLock<[u64; KINDS]> = OnceLock::new();
        let seeds = SEEDS.get_or_init(|| {
            array::from_fn(|_| {
                getrandom::u64().unwrap_or_else(|_| RandomState::default().build_hasher().finish())
            })
        });
        let shared = foldhash::SharedSeed::global_random();
        Self(seeds.map(|seed| SeedableRandomState::with_seed(seed, shared)))
    }

    #[inline]
    pub(crate) fn hash(&self, key: Key<'_>) -> u64 {
        let mut hasher = self.0[key.kind as usize].build_hasher();
        hasher.write(key.bytes);
        hasher.finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Chi-squared of how keys spread over 1,024 classes, by the degrees of freedom: near 1 if they do
    /// so by chance.
    fn unevenness(hashes: &[u64], shift: u32) -> f64 {
        const CLASSES: usize = 1024;
        let mut counts = [0u32; CLASSES];
        for hash in hashes {
            counts[(hash >> shift) as usize % CLASSES] += 1;
        }
        let expected = hashes.len() as f64 / CLASSES as f64;
        let squares = counts.map(|count| (f64::from(count) - expected).powi(2));
        squares.iter().sum::<f64>() / expected / (CLASSES - 1) as f64
    }

    #[test]
    fn keys_that_differ_little_spread_over_buckets_shards_and_tags() {
        let hasher = KeyHasher::new();
        type KeyOf = fn(u64) -> Vec<u8>;
        let families: [(&str, KeyOf); 8] = [
            ("counted", |n| n.to_le_bytes().to_vec()),
            ("counted from the other end", |n| n.to_be_bytes().to_vec()),
            ("numbers", |n| (n as f64).to_le_bytes().to_vec()),
            ("thousands", |n| (n * 1000).to_le_bytes().to_vec()),
            ("few characters", |n| n.to_string().into_bytes()),
            ("a prefix", |n| format!("user:{n}").into_bytes()),
            ("a prefix and a suffix", |n| format!("user:{n}:profile").into_bytes()),
            ("long", |n| format!("/a/page/with/a/rather/long/address/{n:08}?q=1").into_bytes()),
        ];
        for (name, key) in families {
            let hashes: Vec<u64> = (0..1 << 15).map(|n| hasher.hash(Key::bytes(&key(n)))).collect();
            // Bucket, shard and tag.
            for shift in [0, 40, 54] {
                let unevenness = unevenness(&hashes, shift);
                assert!(unevenness < 1.3, "{name}, from bit {shift}: {unevenness}");
            }
        }
    }
}
