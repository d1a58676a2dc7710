//! Hot keys: the keys read most of late, with estimated counts, from a sample of the reads.
//!
//! Space-Saving (Metwally, Agrawal, El Abbadi, ICDT 2005): a fixed number of counters; a key
//! without one takes over the smallest and inherits its count as a possible error. The hash of a key
//! chooses a set of [`WAYS`] counters, as in a cache of a processor: to look for the key, or for the
//! smallest of them, is to look at two lines of memory. Every key has a counter whose share of what
//! falls into its set is above 1 / [`WAYS`]. Reported is the count less that
//! error, which never exceeds the truth of the sample, so that no key looks hot by inheritance.
//! All counts are halved from time to time: the list follows the traffic.

use crate::key::{Key, KeyKind};
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longer keys are not tracked, which bounds what the counters hold.
const MAX_KEY_LEN: usize = 1024;

/// Counters of a set.
const WAYS: usize = 8;

/// Samples between two halvings, in multiples of the number of counters. Large enough that a
/// counter at the threshold of being noticed has seen its key more than a few times.
const WINDOW: usize = 64;

/// A key that is read often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotKey {
    /// What the bytes spell.
    pub kind: KeyKind,
    /// The key's bytes.
    pub bytes: Vec<u8>,
    /// Estimated reads of late: older ones count for less.
    pub count: u64,
}

/// Counters of the keys that are read most.
#[derive(Debug)]
pub struct HotKeys {
    counters: Mutex<HotCounters>,
    /// Bytes held by `counters`, to be read without its lock.
    footprint: AtomicU64,
}

#[derive(Debug)]
struct HotCounters {
    /// A power of two, allocated with the first sample.
    sets: Box<[Set]>,
    /// The keys of all counters, set by set.
    keys: Box<[HeldKey]>,
    how_many_sets: usize,
    samples: usize,
    key_bytes: usize,
}

/// Counters of keys of one class of hashes, apart from the keys: a sample of a key that has one looks at
/// nothing else. Hashes first, a line of memory, and then the counts, another one.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
struct Set {
    /// With their lowest bit set; 0 for a counter that nobody has.
    hashes: [u64; WAYS],
    counts: [u64; WAYS],
    /// What of each count may belong to keys that had the counter before.
    errors: [u64; WAYS],
}

#[derive(Clone, Debug)]
struct HeldKey {
    kind: KeyKind,
    bytes: Box<[u8]>,
}

impl HotKeys {
    /// At least so many counters. They are allocated when the first key comes.
    pub fn new(capacity: usize) -> Self {
        let counters = HotCounters {
            sets: Box::default(),
            keys: Box::default(),
            how_many_sets: capacity.div_ceil(WAYS).next_power_of_two(),
            samples: 0,
            key_bytes: 0,
        };
        Self { counters: Mutex::new(counters), footprint: AtomicU64::new(0) }
    }

    /// Counts one sampled read that stands for `weight` reads. `hash` is the key's, well mixed.
    /// Never waits: if another thread is counting the sample is lost.
    pub fn record(&self, hash: u64, key: Key<'_>, weight: u32) {
        if key.bytes.len() > MAX_KEY_LEN {
            return;
        }
        let Some(mut counters) = self.counters.try_lock() else { return };
        counters.record(hash, key, u64::from(weight));
        self.publish(&counters);
    }

    /// The `n` keys counted most, most first.
    pub fn top(&self, n: usize) -> Vec<HotKey> {
        let counters = self.counters.lock();
        let sure = counters.sets.iter().flat_map(Set::sure);
        let mut counted: Vec<_> = sure.zip(&counters.keys).filter(|&(sure, _)| sure > 0).collect();
        counted.sort_by_key(|&(sure, _)| Reverse(sure));
        counted.truncate(n);
        let hot = |(count, HeldKey { kind, bytes }): (u64, &HeldKey)| HotKey {
            kind: *kind,
            bytes: bytes.to_vec(),
            count,
        };
        counted.into_iter().map(hot).collect()
    }

    /// Which share of the samples the keys counted most have, for each number of them: from 0 to 1.
    pub fn shares<const N: usize>(&self, of: [usize; N]) -> [f64; N] {
        let counters = self.counters.lock();
        // Every sample is counted somewhere.
        let all: u64 = counters.sets.iter().flat_map(|set| set.counts).sum();
        let mut sure: Vec<_> = counters.sets.iter().flat_map(Set::sure).collect();
        drop(counters);
        sure.sort_unstable_by(|one, other| other.cmp(one));
        of.map(|keys| sure.iter().take(keys).sum::<u64>() as f64 / all.max(1) as f64)
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut counters = self.counters.lock();
        counters.clear();
        self.publish(&counters);
    }

    /// Bytes held on the heap, without the allocator's own.
    pub fn footprint(&self) -> u64 {
        // Relaxed: a size, which guards nothing.
        self.footprint.load(Ordering::Relaxed)
    }

    fn publish(&self, counters: &HotCounters) {
        self.footprint.store(counters.footprint(), Ordering::Relaxed);
    }
}

impl Set {
    /// The counts that their keys certainly have.
    fn sure(&self) -> [u64; WAYS] {
        std::array::from_fn(|way| self.counts[way] - self.errors[way])
    }

    /// The counter of a hash. All are compared: which one it is could not be predicted.
    #[inline]
    fn way_of(&self, hash: u64) -> Option<usize> {
        let bit = |way: usize| u32::from(self.hashes[way] == hash) << way;
        let found = (0..WAYS).fold(0, |bits, way| bits | bit(way));
        (found != 0).then(|| found.trailing_zeros() as usize)
    }

    /// The counter that counts least.
    fn smallest(&self) -> usize {
        (1..WAYS)
            .fold(0, |least, way| if self.counts[way] < self.counts[least] { way } else { least })
    }

    fn halve(&mut self) {
        self.counts.iter_mut().chain(&mut self.errors).for_each(|count| *count /= 2);
    }
}

impl HotCounters {
    fn record(&mut self, hash: u64, key: Key<'_>, weight: u64) {
        if self.sets.is_empty() {
            self.allocate();
        }
        let hash = hash | 1;
        let at = (hash >> 32) as usize & (self.sets.len() - 1);
        let set = &mut self.sets[at];
        if let Some(way) = set.way_of(hash) {
            set.counts[way] += weight;
        } else {
            let way = set.smallest();
            set.hashes[way] = hash;
            set.errors[way] = set.counts[way];
            set.counts[way] += weight;
            self.hold(at * WAYS + way, key);
        }
        self.samples += 1;
        if self.samples >= self.keys.len() * WINDOW {
            self.samples = 0;
            self.sets.iter_mut().for_each(Set::halve);
        }
    }

    #[cold]
    fn allocate(&mut self) {
        let nobody = HeldKey { kind: KeyKind::Bytes, bytes: Box::default() };
        self.sets = vec![Set::default(); self.how_many_sets].into();
        self.keys = vec![nobody; self.how_many_sets * WAYS].into();
    }

    /// A counter has this key from now on.
    fn hold(&mut self, at: usize, key: Key<'_>) {
        let held = &mut self.keys[at];
        held.kind = key.kind;
        if held.bytes.len() == key.bytes.len() {
            held.bytes.copy_from_slice(key.bytes);
        } else {
            self.key_bytes = self.key_bytes + key.bytes.len() - held.bytes.len();
            held.bytes = key.bytes.into();
        }
    }

    fn clear(&mut self) {
        (self.sets, self.keys) = (Box::default(), Box::default());
        (self.samples, self.key_bytes) = (0, 0);
    }

    fn footprint(&self) -> u64 {
        (size_of_val(&*self.sets) + size_of_val(&*self.keys) + self.key_bytes) as u64
    }
}

#[cfg(test)]
mod tests;
