//! TinyLFU's sketch: how often a key came in, as a count-min sketch of 4-bit counters that ages
//! (Cormode and Muthukrishnan, J. Algorithms 2005; Einziger, Friedman and Manes, ACM TOS 2017).
//!
//! A key has four counters, all in one word, one in each quarter of it: they are counted at once, and
//! the smallest is the estimate. Ageing halves a few words at each addition, so that no addition has to
//! halve them all, and soon has halved all of them: two keys of which one was halved and the other not
//! cannot be compared.

use crate::memory;

/// Counters for each key that is to be told apart.
const COUNTERS: u64 = 8;

/// Every counter is halved once in so many additions for each key.
const MEMORY: u64 = 10;

/// A sketch for fewer keys would forget a key before it can come back.
const LEAST_KEYS: u64 = 256;

/// Words that an addition halves while counters age: a cache line of them.
const HALVED_AT_ONCE: usize = 8;

const MOST: u64 = 15;

/// All counters of a word, without their highest bits.
const HALVED: u64 = 0x7777_7777_7777_7777;

const COUNTERS_A_WORD: u64 = 16;

/// Bits of a counter, and of a quarter of a word.
const BITS: usize = 4;
const QUARTER: usize = 16;

/// One in a counter of each of two quarters, by the two bits that choose each.
static ONES: [u32; 16] = ones();

const fn ones() -> [u32; 16] {
    let mut ones = [0; 16];
    let mut places = 0;
    while places < 16 {
        ones[places] = 1 << (BITS * (places & 3)) | 1 << (QUARTER + BITS * (places >> 2));
        places += 1;
    }
    ones
}

pub(super) struct Sketch {
    /// A power of two of them.
    words: Vec<u64>,
    /// Additions until words are halved, and from when all were until they are again.
    left: u32,
    period: u32,
    /// The word that is halved next.
    hand: usize,
}

impl Sketch {
    /// What a sketch for so many keys takes, in bytes.
    pub(super) fn price(keys: u64) -> u64 {
        Self::len(keys) * size_of::<u64>() as u64
    }

    fn len(keys: u64) -> u64 {
        (keys.max(LEAST_KEYS) * COUNTERS / COUNTERS_A_WORD).next_power_of_two()
    }

    /// For how many of so many keys a sketch may be made of so many bytes; `None` if for too few to
    /// be worth it.
    pub(super) fn affordable(keys: u64, bytes: u64) -> Option<u64> {
        (0..=2).map(|halvings| keys >> halvings).find(|&keys| Self::price(keys) <= bytes)
    }

    /// An empty sketch; `None` when the system has no memory left.
    pub(super) fn new(keys: u64) -> Option<Self> {
        let len = Self::len(keys);
        let mut words = memory::try_vec(len as usize)?;
        words.resize(len as usize, 0);
        let period = u32::try_from(keys.max(LEAST_KEYS) * MEMORY).unwrap_or(u32::MAX);
        Some(Self { words, left: period, period, hand: 0 })
    }

    /// What it takes, in bytes.
    pub(super) fn footprint(&self) -> u64 {
        size_of_val(self.words.as_slice()) as u64
    }

    /// The key's word, and two bits for each quarter of it: which counter of the four is the key's.
    #[inline]
    fn place(&self, hash: u64) -> (usize, usize) {
        // An odd constant without pattern (Steele and Vigna, "Computationally easy, spectrally good
        // multipliers", 2021): the high bits of the product depend on all of the hash.
        let mixed = hash.wrapping_mul(0xD134_2543_DE82_EF95);
        let word = (mixed >> 20) as usize & (self.words.len() - 1);
        (word, (mixed >> 56) as usize)
    }

    /// Counts a key.
    #[inline]
    pub(super) fn add(&mut self, hash: u64) {
        let (word, places) = self.place(hash);
        let ones = u64::from(ONES[places & 15]) | u64::from(ONES[places >> 4]) << 32;
        let counters = self.words[word];
        let halves = counters & counters >> 1;
        let saturated = halves & halves >> 2;
        self.words[word] = counters + (ones & !saturated);
        self.left -= 1;
        if self.left == 0 {
            self.age();
        }
    }

    #[cold]
    fn age(&mut self) {
        let rest = &mut self.words[self.hand..];
        let count = rest.len().min(HALVED_AT_ONCE);
        rest[..count].iter_mut().for_each(|word| *word = *word >> 1 & HALVED);
        self.hand += count;
        self.left = 1;
        if self.hand == self.words.len() {
            (self.hand, self.left) = (0, self.period);
        }
    }

    /// How often the key was counted of late, up to 15: seldom too little, sometimes too much.
    #[inline]
    pub(super) fn estimate(&self, hash: u64) -> u64 {
        let (word, places) = self.place(hash);
        let counters = self.words[word];
        let count = |quarter: usize| {
            let counter = places >> (2 * quarter) & 3;
            counters >> (QUARTER * quarter + BITS * counter) & MOST
        };
        (0..4).map(count).fold(MOST, u64::min)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::policy::tests::scatter;

    #[test]
    fn it_tells_frequent_keys_from_rare_ones_and_forgets() {
        let mut sketch = Sketch::new(1_000).unwrap();
        for round in 0..4 {
            (0..100).for_each(|key| sketch.add(scatter(key)));
            (0..900).for_each(|key| sketch.add(scatter(1_000 + round * 900 + key)));
        }
        let mean = |sketch: &Sketch, from: u64| {
            (from..from + 100).map(|key| sketch.estimate(scatter(key))).sum::<u64>() as f64 / 100.0
        };
        assert!(mean(&sketch, 0) > mean(&sketch, 3_000) + 2.0);
        (10_000..60_000).for_each(|key| sketch.add(scatter(key)));
        assert!(mean(&sketch, 0) < mean(&sketch, 59_900) + 1.0, "they were long ago");
    }

    #[test]
    fn its_price_is_what_it_takes() {
        for keys in [0, 1, 300, 1_000, 100_000] {
            assert_eq!(Sketch::price(keys), Sketch::new(keys).unwrap().footprint());
        }
    }
}
