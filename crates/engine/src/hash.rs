//! Hashing: foldhash, seeded once a process, because keys come from strangers.

use crate::key::Key;
use foldhash::quality::{RandomState, SeedableRandomState};
use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

/// A 64-bit hash, read in three places that do not overlap: the lowest bits choose the bucket, bits
/// 42 to 49 the shard, the highest 14 are the tag in the index.
#[derive(Clone)]
pub(crate) struct KeyHasher(SeedableRandomState);

impl KeyHasher {
    /// A hasher with the process's seed, which comes from the system's entropy.
    pub(crate) fn new() -> Self {
        static SEED: OnceLock<u64> = OnceLock::new();
        let seed = *SEED.get_or_init(|| {
            getrandom::u64().unwrap_or_else(|_| RandomState::default().build_hasher().finish())
        });
        Self(SeedableRandomState::with_seed(seed, foldhash::SharedSeed::global_random()))
    }

    #[inline]
    pub(crate) fn hash(&self, key: Key<'_>) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(key.bytes);
        hasher.write_u8(key.kind as u8);
        hasher.finish()
    }
}
