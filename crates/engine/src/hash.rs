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
