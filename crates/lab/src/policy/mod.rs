//! Which entry leaves when a new one needs its room: the policies that can be simulated.

mod arc;
mod engine;
mod lru;
mod optimum;
mod s3_fifo;
mod sieve;
mod sketch;
mod w_tinylfu;

pub(crate) use optimum::optimum;

use crate::capacity::Capacity;
use breakwater_engine::{Policy as EnginePolicy, Weigh};
use engine::{Engine, WeighedEngine};
use std::fmt;
use std::str::FromStr;

/// Reads in the small queue of S3-FIFO that lead to the main one, as published.
const READS: u8 = 1;

/// The same in Breakwater's engine.
const ENGINE_READS: u8 = 2;

/// A cache of some capacity that holds keys with weights and no values.
pub trait Policy {
    /// Asks for a key; whether it is there. If not it is stored, unless it outweighs the capacity.
    fn request(&mut self, key: u32, weight: u32) -> bool;
}

/// The policies by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyName {
    /// The least recently used leaves.
    Lru,
    /// What Breakwater does with `policy: 'lfu'`: its own engine where entries count, S3-FIFO where
    /// bytes do.
    Lfu,
    /// What Breakwater does with `policy: 'auto'`: its own engine.
    Auto,
    /// The same with `weigh: 'bytes'`; where entries count, there are no bytes to weigh.
    AutoBytes,
    /// One queue and a hand (Zhang et al., NSDI 2024).
    Sieve,
    /// Three queues (Yang et al., SOSP 2023).
    S3Fifo,
    /// Adaptive replacement (Megiddo and Modha, FAST 2003).
    Arc,
    /// A window before a filter by frequency (Einziger et al., TOS 2017).
    WTinyLfu,
    /// Whose next request is farthest leaves (Bélády, 1966): no policy can do better where all
    /// entries weigh the same.
    Optimum,
}

impl PolicyName {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Lru,
        Self::Lfu,
        Self::Auto,
        Self::AutoBytes,
        Self::Sieve,
        Self::S3Fifo,
        Self::Arc,
        Self::WTinyLfu,
        Self::Optimum,
    ];

    /// How it is spelled.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lru => "lru",
            Self::Lfu => "lfu",
            Self::Auto => "auto",
            Self::AutoBytes => "auto-bytes",
            Self::Sieve => "sieve",
            Self::S3Fifo => "s3-fifo",
            Self::Arc => "arc",
            Self::WTinyLfu => "w-tinylfu",
            Self::Optimum => "optimum",
        }
    }

    /// An empty cache; `None` for the optimum, which has to know the future.
    pub fn cache(self, capacity: Capacity) -> Option<Box<dyn Policy>> {
        let most = capacity.most();
        Some(match self {
            Self::Lru => Box::new(lru::Lru::new(most)),
            Self::Lfu => match capacity {
                Capacity::Entries(most) => Box::new(Engine::new(EnginePolicy::Lfu, most)),
                Capacity::Bytes(most) => Box::new(s3_fifo::S3Fifo::new(most, ENGINE_READS)),
            },
            Self::Auto | Self::AutoBytes => match capacity {
                Capacity::Entries(most) => Box::new(Engine::new(EnginePolicy::Auto, most)),
                Capacity::Bytes(most) => {
                    let weigh = if self == Self::Auto { Weigh::Hits } else { Weigh::Bytes };
                    Box::new(WeighedEngine::new(EnginePolicy::Auto, weigh, most))
                }
            },
            Self::Sieve => Box::new(sieve::Sieve::new(most)),
            Self::S3Fifo => Box::new(s3_fifo::S3Fifo::new(most, READS)),
            Self::Arc => Box::new(arc::Arc::new(most)),
            Self::WTinyLfu => Box::new(w_tinylfu::WTinyLfu::new(most)),
            Self::Optimum => return None,
        })
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no policy has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPolicy(pub String);

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = PolicyName::ALL.map(PolicyName::as_str).join(", ");
        write!(f, "a policy must be one of {names}, not {}", self.0)
    }
}

impl std::error::Error for UnknownPolicy {}

impl FromStr for PolicyName {
    type Err = UnknownPolicy;

    fn from_str(name: &str) -> Result<Self, UnknownPolicy> {
        let found = Self::ALL.into_iter().find(|policy| policy.as_str() == name);
        found.ok_or_else(|| UnknownPolicy(name.to_owned()))
    }
}
