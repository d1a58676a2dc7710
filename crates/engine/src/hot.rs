//! Hot keys: the keys read most of late, with estimated counts, from a sample of the reads.
//!
//! Space-Saving (Metwally, Agrawal, El Abbadi, ICDT 2005): a fixed number of counters; a key
//! without one takes over the smallest and inherits its count as a possible error. Every key
//! whose share of the sample is above 1 / counters has a counter. Reported is the count less that
//! error, which never exceeds the truth of the sample, so that no key looks hot by inheritance.
//! All counts are halved from time to time: the list follows the traffic.

use crate::key::{Key, KeyKind};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longer keys are not tracked, which bounds what the counters hold.
const MAX_KEY_LEN: usize = 1024;

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
    capacity: usize,
    slots: Vec<Slot>,
    by_hash: HashMap<u64, u32, foldhash::fast::RandomState>,
    /// No full slot counts less than this. Raised when a search finds none that counts as little.
    floor: u64,
    /// Where the search for the smallest slot goes on.
    hand: usize,
    samples: usize,
    key_bytes: usize,
}

#[derive(Debug)]
struct Slot {
    hash: u64,
    count: u64,
    /// What of `count` may belong to keys that had the slot before.
    error: u64,
    kind: KeyKind,
    bytes: Box<[u8]>,
}

impl HotKeys {
    /// `capacity` counters, at least one. They are allocated as keys come.
    pub fn new(capacity: usize) -> Self {
        let counters = HotCounters {
            capacity: capacity.max(1),
            slots: Vec::new(),
            by_hash: HashMap::default(),
            floor: 0,
            hand: 0,
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
        let mut slots: Vec<_> = counters.slots.iter().filter(|slot| slot.sure() > 0).collect();
        slots.sort_unstable_by_key(|slot| std::cmp::Reverse(slot.sure()));
        slots.truncate(n);
        slots
            .into_iter()
            .map(|slot| HotKey { kind: slot.kind, bytes: slot.bytes.to_vec(), count: slot.sure() })
            .collect()
    }

    /// Which share of the samples the keys counted most have, for each number of them: from 0 to 1.
    pub fn shares<const N: usize>(&self, of: [usize; N]) -> [f64; N] {
        let counters = self.counters.lock();
        // Every sample is counted somewhere.
        let all: u64 = counters.slots.iter().map(|slot| slot.count).sum();
        let mut sure: Vec<_> = counters.slots.iter().map(Slot::sure).collect();
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

impl Slot {
    fn sure(&self) -> u64 {
        self.count - self.error
    }
}

impl HotCounters {
    fn record(&mut self, hash: u64, key: Key<'_>, weight: u64) {
        if let Some(&at) = self.by_hash.get(&hash) {
            self.slots[at as usize].count += weight;
        } else if self.slots.len() < self.capacity {
            self.key_bytes += key.bytes.len();
            self.by_hash.insert(hash, self.slots.len() as u32);
            let (kind, bytes) = (key.kind, key.bytes.into());
            self.slots.push(Slot { hash, count: weight, error: 0, kind, bytes });
        } else {
            self.take_over(hash, key, weight);
        }
        self.samples += 1;
        if self.samples >= self.capacity * WINDOW {
            self.halve();
        }
    }

    fn take_over(&mut self, hash: u64, key: Key<'_>, weight: u64) {
        let at = self.smallest();
        let slot = &mut self.slots[at];
        self.by_hash.remove(&slot.hash);
        self.by_hash.insert(hash, at as u32);
        self.key_bytes = self.key_bytes + key.bytes.len() - slot.bytes.len();
        slot.error = slot.count;
        slot.count += weight;
        slot.hash = hash;
        slot.kind = key.kind;
        if slot.bytes.len() == key.bytes.len() {
            slot.bytes.copy_from_slice(key.bytes);
        } else {
            slot.bytes = key.bytes.into();
        }
    }

    /// Equal counts are taken round the clock, so that a search looks at few slots: it goes round
    /// only when the last slot of the smallest count is gone.
    fn smallest(&mut self) -> usize {
        loop {
            for _ in 0..self.slots.len() {
                let at = self.hand;
                self.hand = (at + 1) % self.slots.len();
                if self.slots[at].count <= self.floor {
                    return at;
                }
            }
            self.floor = self.slots.iter().map(|slot| slot.count).min().unwrap_or(0);
        }
    }

    fn halve(&mut self) {
        self.samples = 0;
        self.floor /= 2;
        for slot in &mut self.slots {
            slot.count /= 2;
            slot.error /= 2;
        }
    }

    fn clear(&mut self) {
        self.slots = Vec::new();
        self.by_hash = HashMap::default();
        (self.floor, self.hand, self.samples, self.key_bytes) = (0, 0, 0, 0);
    }

    fn footprint(&self) -> u64 {
        let slots = self.slots.capacity() * size_of::<Slot>();
        // A table of std: a control byte for each of its power-of-two slots, 7/8 of them usable.
        let slots_of_index = (self.by_hash.capacity() * 8 / 7).next_power_of_two();
        let index = if self.by_hash.capacity() == 0 {
            0
        } else {
            slots_of_index * (size_of::<(u64, u32)>() + 1)
        };
        (slots + index + self.key_bytes) as u64
    }
}

#[cfg(test)]
mod tests;
