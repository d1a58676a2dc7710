//! How often keys were requested lately, approximately: a count-min sketch of counters up to 15, all
//! halved from time to time.
//!
//! Source: Einziger et al., "TinyLFU: a highly efficient cache admission policy", TOS 2017.

use crate::mix::mix;

/// Counters of a key.
const ROWS: usize = 4;

/// Requests for each entry of the cache between two halvings.
const SAMPLE: u64 = 10;

pub(super) struct Sketch {
    counters: Vec<u8>,
    mask: u64,
    requests: u64,
    sample: u64,
}

impl Sketch {
    pub(super) fn new(entries: u64) -> Self {
        let width = entries.clamp(16, 1 << 28).next_power_of_two();
        let counters = vec![0; (width as usize) * ROWS];
        Self { counters, mask: width - 1, requests: 0, sample: entries.max(16) * SAMPLE }
    }

    fn places(&self, key: u32) -> [usize; ROWS] {
        let mut hash = u64::from(key) + 1;
        std::array::from_fn(|row| {
            hash = mix(hash);
            ((hash & self.mask) as usize) * ROWS + row
        })
    }

    /// One request more. Only the lowest counters grow.
    pub(super) fn add(&mut self, key: u32) {
        let places = self.places(key);
        let least = self.estimate(key);
        if least < 15 {
            for place in places {
                self.counters[place] += u8::from(self.counters[place] == least);
            }
        }
        self.requests += 1;
        if self.requests >= self.sample {
            self.requests /= 2;
            self.counters.iter_mut().for_each(|counter| *counter /= 2);
        }
    }

    pub(super) fn estimate(&self, key: u32) -> u8 {
        self.places(key).into_iter().map(|place| self.counters[place]).min().unwrap_or(0)
    }
}
