//! What shadows know of keys: for each of up to eight caches, four bits of one word.
//!
//! A line is a cache line of eight keys. A key that finds its line full takes the place of the
//! one that fewest caches hold.

use super::super::weight::Weight;
use crate::memory;

const WAYS: usize = 8;

/// Slots for each entry of a cache: the caches hold about the same keys, and remember some more.
const SLOTS: u64 = 4;

/// Bits of a word for each cache.
const BITS: usize = 4;
/// The lowest bit of every cache's four.
const ONES: u32 = 0x1111_1111;

/// Where a cache has a key. Small and main are the values of which one bit of two is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Nowhere = 0,
    Small = 1,
    Main = 2,
    Ghost = 3,
}

/// A cache's four bits: a place, and up to three reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) place: Place,
    pub(super) reads: u64,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line {
    /// 0 for none.
    keys: [u32; WAYS],
    words: [u32; WAYS],
}

const EMPTY: Line = Line { keys: [0; WAYS], words: [0; WAYS] };

/// Where a key is, until another key takes its place: what queues hold. A record that has outlived
/// its key means the other one then, as a hint may.
pub(super) type Slot = u32;

pub(super) struct Directory {
    /// A power of two of them.
    lines: Vec<Line>,
    /// What the key of each slot weighs; none if all weigh the same.
    weights: Vec<Weight>,
}

impl Directory {
    fn len(capacity: u64) -> u64 {
        (capacity * SLOTS).div_ceil(WAYS as u64).next_power_of_two()
    }

    /// What a directory for caches of so many entries takes, in bytes.
    pub(super) fn price(capacity: u64, even: bool) -> u64 {
        let weights = if even { 0 } else { WAYS * size_of::<Weight>() };
        Self::len(capacity) * (size_of::<Line>() + weights) as u64
    }

    /// An empty directory; `None` when the system has no memory left.
    pub(super) fn new(capacity: u64, even: bool) -> Option<Self> {
        let len = Self::len(capacity) as usize;
        let mut lines = memory::try_vec(len)?;
        lines.resize(len, EMPTY);
        let slots = if even { 0 } else { len * WAYS };
        let mut weights = memory::try_vec(slots)?;
        weights.resize(slots, Weight::EVEN);
        Some(Self { lines, weights })
    }

    /// What it takes, in bytes.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> u64 {
        (size_of_val(self.lines.as_slice()) + size_of_val(self.weights.as_slice())) as u64
    }

    #[inline]
    pub(super) fn line_of(&self, key: u32) -> usize {
        // Fibonacci hashing (Knuth, TAOCP 3, 6.4): which bits of a key are alike does not matter.
        (key.wrapping_mul(0x9E37_79B1) >> 7) as usize & (self.lines.len() - 1)
    }

    #[inline]
    fn word(&mut self, slot: Slot) -> &mut u32 {
        &mut self.lines[slot as usize / WAYS].words[slot as usize % WAYS]
    }

    /// The key of a slot.
    pub(super) fn key(&self, slot: Slot) -> u32 {
        self.lines[slot as usize / WAYS].keys[slot as usize % WAYS]
    }

    /// The key's slot, in its line.
    #[inline]
    pub(super) fn find(&self, line: usize, key: u32) -> Option<Slot> {
        let found = ways(&self.lines[line].keys, key);
        (found != 0).then(|| (line * WAYS) as Slot | found.trailing_zeros())
    }

    /// What the key of a slot weighs.
    #[inline]
    pub(super) fn weight(&self, slot: Slot) -> Weight {
        self.weights.get(slot as usize).copied().unwrap_or(Weight::EVEN)
    }

    /// The key weighs so much from now on, unless a cache holds it: who holds it has counted it.
    #[inline]
    pub(super) fn weigh(&mut self, slot: Slot, weight: Weight) {
        if !self.weights.is_empty() && held(*self.word(slot)) == 0 {
            self.weights[slot as usize] = weight;
        }
    }

    /// A slot for a key that has none in its line, and what was known of another key that it was taken
    /// from, and its weight.
    pub(super) fn make(&mut self, at: usize, key: u32) -> (Slot, u32, Weight) {
        let line = &mut self.lines[at];
        let way = match (ways(&line.keys, 0), ways(&line.words, 0)) {
            (0, 0) => least(&line.words),
            (0, unknown) => unknown.trailing_zeros() as usize,
            (unused, _) => unused.trailing_zeros() as usize,
        };
        line.keys[way % WAYS] = key;
        let known = std::mem::take(&mut line.words[way % WAYS]);
        let slot = (at * WAYS + way) as Slot;
        (slot, known, self.weight(slot))
    }

    /// Counts a read of the key in every cache that holds it; the caches that do, a bit for each at
    /// the lowest of its four.
    #[inline]
    pub(super) fn read(&mut self, slot: Slot) -> u32 {
        let word = self.word(slot);
        let held = held(*word);
        let saturated = *word >> 2 & *word >> 3;
        *word += (held & !saturated) << 2;
        held
    }

    #[inline]
    pub(super) fn known(&self, cache: usize, slot: Slot) -> Known {
        let word = self.lines[slot as usize / WAYS].words[slot as usize % WAYS];
        let bits = word >> (BITS * cache);
        let place = match bits & 3 {
            0 => Place::Nowhere,
            1 => Place::Small,
            2 => Place::Main,
            _ => Place::Ghost,
        };
        Known { place, reads: u64::from(bits >> 2 & 3) }
    }

    #[inline]
    pub(super) fn put(&mut self, cache: usize, slot: Slot, place: Place, reads: u64) {
        let word = self.word(slot);
        let bits = place as u32 | (reads as u32) << 2;
        *word = *word & !(0xF << (BITS * cache)) | bits << (BITS * cache);
    }
}

/// The caches of a word that hold the key.
#[inline]
pub(super) fn held(word: u32) -> u32 {
    (word ^ word >> 1) & ONES
}

/// The ways that have the value, a bit for each: all at once, since which it is cannot be predicted.
#[inline]
fn ways(line: &[u32; WAYS], value: u32) -> u32 {
    line.iter().enumerate().fold(0, |found, (way, &it)| found | u32::from(it == value) << way)
}

/// The way of the word with which least is lost.
fn least(words: &[u32; WAYS]) -> usize {
    (1..WAYS)
        .fold(0, |least, way| if weight(words[way]) < weight(words[least]) { way } else { least })
}

/// How much is lost with a word: above all the keys that are held, then the ghosts.
fn weight(word: u32) -> u32 {
    // The highest four bits of the product are the sum: there are eight at most.
    let sum = |mask: u32| mask.wrapping_mul(ONES) >> 28;
    sum(held(word)) * WAYS as u32 + sum(word & word >> 1 & ONES)
}

/// The numbers of the caches in a mask of lowest bits.
#[inline]
pub(super) fn caches(mut mask: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let cache = (mask != 0).then(|| mask.trailing_zeros() as usize / BITS);
        mask &= mask.wrapping_sub(1);
        cache
    })
}

/// The mask of the first `count` caches.
pub(super) fn first(count: usize) -> u32 {
    (0..count).fold(0, |mask, cache| mask | 1 << (BITS * cache))
}
