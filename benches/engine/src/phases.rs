//! Requests whose pattern changes every [`PHASE`]: what a policy must notice by itself.

use crate::load::{Distribution, mix};
use std::collections::{BTreeMap, HashMap};

/// Requests of one pattern.
pub const PHASE: usize = 100_000;

/// A pattern of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Ten times as many keys as there are entries, some asked for far more often.
    Zipf,
    /// Keys that nobody asked for before.
    Scan,
    /// A third more keys than there are entries, one after the other, again and again.
    Loop,
    /// One new key of five; the others are asked for the sooner again, the newer they are.
    Recency,
}

impl Pattern {
    /// Its name in the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zipf => "zipf",
            Self::Scan => "scan",
            Self::Loop => "loop",
            Self::Recency => "recency",
        }
    }
}

/// The patterns, one after the other.
pub const ORDER: [Pattern; 10] = [
    Pattern::Zipf,
    Pattern::Scan,
    Pattern::Loop,
    Pattern::Recency,
    Pattern::Zipf,
    Pattern::Loop,
    Pattern::Recency,
    Pattern::Scan,
    Pattern::Zipf,
    Pattern::Recency,
];

/// A million requests for a cache of so many entries.
#[must_use]
pub fn draw(entries: u64, seed: u64) -> Vec<u32> {
    let entries = entries as u32;
    let mut turn = seed << 32;
    let mut next = || {
        turn += 1;
        mix(turn)
    };
    let (mut fresh, mut newest) = (1 << 30, 1 << 29);
    let mut requests = Vec::with_capacity(ORDER.len() * PHASE);
    for (phase, pattern) in ORDER.into_iter().enumerate() {
        match pattern {
            Pattern::Zipf => requests.extend(Distribution::Zipf.draw(10 * entries, PHASE, seed)),
            Pattern::Scan => {
                requests.extend(fresh..fresh + PHASE as u32);
                fresh += PHASE as u32;
            }
            Pattern::Loop => {
                let keys = entries + entries / 3;
                let first = 1 << 28 | (phase as u32) << 20;
                requests.extend((0..PHASE as u32).map(|at| first + at % keys));
            }
            Pattern::Recency => requests.extend((0..PHASE).map(|_| {
                if next() % 5 == 0 {
                    newest += 1;
                    return newest;
                }
                let uniform = (next() as f64 + 1.0) / (u64::MAX as f64 + 1.0);
                newest - (-uniform.ln() * f64::from(entries) / 2.0) as u32
            })),
        }
    }
    requests
}

/// Exact LRU, of keys alone.
pub struct Lru {
    entries: usize,
    turn: u64,
    used: HashMap<u32, u64>,
    order: BTreeMap<u64, u32>,
}

impl Lru {
    /// An empty one.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        Self { entries, turn: 0, used: HashMap::new(), order: BTreeMap::new() }
    }

    /// The key is asked for, and stored if it is not there; whether it was.
    pub fn request(&mut self, id: u32) -> bool {
        self.turn += 1;
        let before = self.used.insert(id, self.turn);
        if let Some(before) = before {
            self.order.remove(&before);
        } else if self.used.len() > self.entries
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.used.remove(&oldest);
        }
        self.order.insert(self.turn, id);
        before.is_some()
    }
}
