//! The requests of a benchmark: keys, values, and which keys are asked for.

use breakwater_engine as engine;

/// A key as the benchmarks use it.
pub type Key = [u8; 16];

/// Spreads the bits of a number (SplitMix64's finalizer, Steele et al., OOPSLA 2014).
pub fn mix(mut n: u64) -> u64 {
    n = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

/// The key of number `id`. It is computed, so that no side pays for the memory of a list of keys.
#[inline]
pub fn key(id: u32) -> Key {
    let id = u64::from(id);
    let mut key = [0; 16];
    key[..8].copy_from_slice(&id.to_le_bytes());
    key[8..].copy_from_slice(&id.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    key
}

/// A value of 32 to 62 bytes, held in place: the cheapest way for a peer to keep and return it.
#[derive(Clone, Copy, Debug)]
pub struct Payload {
    len: u8,
    bytes: [u8; 63],
}

impl Payload {
    /// The value of number `id`.
    pub fn of(id: u32) -> Self {
        let mut bytes = [0; 63];
        bytes[..4].copy_from_slice(&id.to_le_bytes());
        Self { len: 32 + (mix(u64::from(id)) % 31) as u8, bytes }
    }

    /// An empty value, to be filled.
    #[inline]
    pub fn empty() -> Self {
        Self { len: 0, bytes: [0; 63] }
    }

    /// Becomes a copy of bytes that [`Payload::as_bytes`] gave.
    #[inline]
    pub fn fill(&mut self, from: engine::Value<'_>) {
        self.len = from.bytes.len() as u8;
        from.copy_to(&mut self.bytes);
    }

    /// The value.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Which keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Key of rank r with a probability in proportion to 1 / r^0.99, as YCSB has it.
    Zipf,
    /// Every key alike.
    Uniform,
}

impl Distribution {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zipf => "zipf",
            Self::Uniform => "uniform",
        }
    }

    /// `count` draws from keys 0..`keys`, the same for the same `seed`.
    pub fn draw(self, keys: u32, count: usize, seed: u64) -> Vec<u32> {
        let mut turn = seed << 32;
        let mut next = || {
            turn += 1;
            mix(turn)
        };
        match self {
            Self::Uniform => (0..count).map(|_| (next() % u64::from(keys)) as u32).collect(),
            Self::Zipf => {
                let mut sum = 0.0;
                let weight = |rank: u32| (f64::from(rank) + 1.0).powf(-0.99);
                let sums: Vec<f64> = (0..keys)
                    .map(|rank| {
                        sum += weight(rank);
                        sum
                    })
                    .collect();
                let draw = |_| {
                    let point = next() as f64 / u64::MAX as f64 * sum;
                    (sums.partition_point(|&sum| sum < point) as u32).min(keys - 1)
                };
                (0..count).map(draw).collect()
            }
        }
    }
}
