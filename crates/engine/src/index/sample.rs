//! Which keys' reads a policy is told of even when their words count no more: a sample of the tags.

use super::word::{FREQUENCY, TAG_SHIFT, Word};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A mask over the low bits of a word whose count of reads is saturated: the key is in the sample if
/// it leaves nothing.
///
/// A key is in it always or never, since its tag is a part of its hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sample(u64);

impl Sample {
    /// No key: the count's bits stay.
    pub(crate) const NONE: Self = Self(FREQUENCY);

    /// The most that [`Sample::one_of`] takes.
    pub(crate) const MOST_BITS: u32 = 6;

    /// One key of two to this power.
    pub(crate) const fn one_of(bits: u32) -> Self {
        assert!(bits <= Self::MOST_BITS);
        Self(((1 << bits) - 1) << TAG_SHIFT)
    }

    /// Whether the key of this hash is in it.
    #[inline]
    pub(crate) fn has(self, hash: u64) -> bool {
        (Word::tag_of(hash) | FREQUENCY) & self.0 == 0
    }

    /// Whether the key is in it whose word this is; or the word still counts reads.
    #[inline]
    pub(super) fn wants(self, word: Word) -> bool {
        word.0 & self.0 == 0 || word.0 & FREQUENCY != FREQUENCY
    }

    /// The place in a list by density; `None` where there is no key.
    const fn density(self) -> Option<usize> {
        if self.0 == Self::NONE.0 { None } else { Some(self.0.count_ones() as usize) }
    }
}

/// The samples that the shards of a cache take, and the densest of them, which has the keys of all.
///
/// Readers look at that one alone: it is read with what else all shards share.
pub(crate) struct Samples {
    densest: AtomicU64,
    /// Shards by the bits of their sample.
    shards: Mutex<[u32; Sample::MOST_BITS as usize + 1]>,
}

impl Default for Samples {
    fn default() -> Self {
        Self { densest: AtomicU64::new(Sample::NONE.0), shards: Mutex::default() }
    }
}

impl Samples {
    /// The keys that readers are to tell the policy of; some shards want fewer.
    #[inline]
    pub(crate) fn densest(&self) -> Sample {
        // Relaxed: who sees another one late tells too much or too little.
        Sample(self.densest.load(Ordering::Relaxed))
    }

    /// A shard takes another sample from now on.
    pub(crate) fn change(&self, before: Sample, now: Sample) {
        let mut shards = self.shards.lock();
        if let Some(bits) = before.density() {
            shards[bits] -= 1;
        }
        if let Some(bits) = now.density() {
            shards[bits] += 1;
        }
        let densest = shards.iter().position(|&shards| shards > 0);
        let densest = densest.map_or(Sample::NONE, |bits| Sample::one_of(bits as u32));
        self.densest.store(densest.0, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::index::MAX_FREQUENCY;

    #[test]
    fn words_and_hashes_agree_on_what_is_sampled() {
        let samples = [Sample::NONE, Sample::one_of(0), Sample::one_of(1), Sample::one_of(6)];
        for sample in samples {
            let mut sampled = 0;
            for tag in 0..1 << 14 {
                let hash = tag << 50 | 12_345;
                let word = Word(Word::tag_of(hash));
                sampled += u64::from(sample.has(hash));
                assert_eq!(sample.wants(word.with_frequency(MAX_FREQUENCY)), sample.has(hash));
                assert!((0..MAX_FREQUENCY).all(|reads| sample.wants(word.with_frequency(reads))));
            }
            let share = if sample == Sample::NONE { 0 } else { (1 << 14) / (1 << bits(sample)) };
            assert_eq!(sampled, share);
        }
    }

    fn bits(sample: Sample) -> u32 {
        sample.0.count_ones()
    }

    #[test]
    fn readers_see_the_densest_sample_of_all_shards() {
        let samples = Samples::default();
        let [one, two] = [1, 4].map(Sample::one_of);
        assert_eq!(samples.densest(), Sample::NONE);
        samples.change(Sample::NONE, two);
        samples.change(Sample::NONE, one);
        assert_eq!(samples.densest(), one);
        samples.change(one, two);
        assert_eq!(samples.densest(), two);
        samples.change(two, Sample::NONE);
        assert_eq!(samples.densest(), two);
        samples.change(two, Sample::NONE);
        assert_eq!(samples.densest(), Sample::NONE);
    }
}
