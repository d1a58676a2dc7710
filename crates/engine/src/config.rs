//! What a cache is asked to be, and the errors of asking for what cannot be.

use crate::clock::Clock;
use crate::entry::EntryRef;
use std::fmt;
use std::str::FromStr;

/// Which entry leaves when a new one needs its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// The least recently used one: exact while one thread uses the cache and it has one shard.
    Lru,
    /// One seldom used: S3-FIFO (Yang et al., SOSP 2023). Resists scans; reads write nothing once
    /// an entry is known to be popular.
    #[default]
    Lfu,
    /// Whichever of several rules for the queues of `Lfu` hits most of late: recency, frequency, or
    /// something between. Shadow caches of a sample of the keys tell.
    Auto,
    /// Any one.
    Random,
    /// None: a set that does not fit fails with [`Error::Full`].
    None,
}

impl Policy {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Lru, Self::Lfu, Self::Auto, Self::Random, Self::None];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lru => "lru",
            Self::Lfu => "lfu",
            Self::Auto => "auto",
            Self::Random => "random",
            Self::None => "none",
        }
    }
}

impl FromStr for Policy {
    type Err = ConfigError;

    /// The policy of a [`Policy::name`].
    fn from_str(name: &str) -> Result<Self, ConfigError> {
        Self::ALL.into_iter().find(|policy| policy.name() == name).ok_or_else(|| ConfigError {
            option: "policy",
            value: name.to_owned(),
            allowed: "lru, lfu, auto, random or none",
        })
    }
}

/// What [`Policy::Auto`] is to hit as much of as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Weigh {
    /// Requests: each counts alike.
    #[default]
    Hits,
    /// Bytes of keys and values.
    Bytes,
    /// What loading took, as the notes of entries say: [`crate::Note::cost`]. An entry that says
    /// nothing counts as 1 millisecond.
    Cost,
}

impl Weigh {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Hits, Self::Bytes, Self::Cost];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hits => "hits",
            Self::Bytes => "bytes",
            Self::Cost => "cost",
        }
    }
}

impl FromStr for Weigh {
    type Err = ConfigError;

    /// What a [`Weigh::name`] means.
    fn from_str(name: &str) -> Result<Self, ConfigError> {
        Self::ALL.into_iter().find(|weigh| weigh.name() == name).ok_or_else(|| ConfigError {
            option: "weigh",
            value: name.to_owned(),
            allowed: "hits, bytes or cost",
        })
    }
}

/// How to build a [`crate::Cache`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The most entries held at once; `None` for no bound.
    pub max_entries: Option<u64>,
    /// The most bytes held at once: index, entries, policy and retired bytes; `None` for no bound.
    pub max_bytes: Option<u64>,
    /// Which entry leaves when a new one needs its room.
    pub policy: Policy,
    /// What the policy `auto` is to hit as much of as it can; the others do not ask.
    pub weigh: Weigh,
    /// What an entry takes of the bound, for the policy `auto`, where entries stand for what they
    /// are not; `None`: its bytes where bytes are bounded, and otherwise 1.
    #[doc(hidden)]
    pub room: Option<fn(EntryRef<'_>) -> u64>,
    /// Whether an entry stands for one that is awaited, and whose room nobody knows yet: the policy
    /// `auto` hears of it when an update puts that in its place. `None`: no entry does.
    #[doc(hidden)]
    pub awaited: Option<fn(EntryRef<'_>) -> bool>,
    /// How many shards, a power of two; `None` lets the bounds and the machine decide.
    pub shards: Option<usize>,
    /// The clock that deadlines are measured on.
    pub clock: Clock,
    /// Whether readers may keep copies of values: writes then keep [`crate::Versions`] for them.
    pub near_copies: bool,
    /// Milliseconds that an entry stays after its deadline, for those who take stale values.
    pub grace: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_entries: None,
            max_bytes: None,
            policy: Policy::default(),
            weigh: Weigh::default(),
            room: None,
            awaited: None,
            shards: None,
            clock: Clock::system(),
            near_copies: false,
            grace: 0,
        }
    }
}

/// An option that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The option's name, as the field of [`Config`] is called.
    pub option: &'static str,
    /// What was given.
    pub value: String,
    /// What would have been allowed.
    pub allowed: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be {}, not {}", self.option, self.allowed, self.value)
    }
}

impl std::error::Error for ConfigError {}

/// Why an entry was not stored. What the key held before is untouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The key has more than [`crate::MAX_KEY_LEN`] bytes.
    KeyTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The entry alone is larger than the cache may be.
    TooLarge {
        /// What the entry would be charged, in bytes.
        size: u64,
        /// What the cache may hold, in bytes.
        max: u64,
    },
    /// The bounds are reached and nothing can be evicted.
    Full,
    /// The key has a higher version, or a tag of the value was invalidated since it was read.
    Outdated,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyTooLong { len } => {
                write!(f, "a key has at most {} bytes, not {len}", crate::MAX_KEY_LEN)
            }
            Self::TooLarge { size, max } => {
                write!(f, "an entry of {size} bytes does not fit a cache of {max} bytes")
            }
            Self::Full => f.write_str("the cache is full and nothing can be evicted"),
            Self::Outdated => f.write_str("what the cache knows is newer"),
        }
    }
}

impl std::error::Error for Error {}
