//! A cache and what all its users share beside it.

use super::port::Ports;
use breakwater_engine::{Cache, Expiry};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether a cache is to be looked at in the next pass of maintenance.
#[derive(Default)]
pub struct Stirred(AtomicBool);

impl Stirred {
    /// It is; whether that was known already. SeqCst, as [`Stirred::clear`]: either the pass sees
    /// this or this sees that the pass has been.
    pub fn set(&self) -> bool {
        self.0.swap(true, Ordering::SeqCst)
    }

    /// It is looked at now; whether it was to be.
    pub fn clear(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

/// What a cache was asked to be: what users that come later must agree with.
#[derive(Debug)]
pub struct Description {
    /// What other threads know it by.
    pub name: Option<String>,
    /// The most entries.
    pub max: Option<u64>,
    /// The most bytes.
    pub max_bytes: Option<u64>,
    /// The eviction policy's name.
    pub policy: String,
    /// What it weighs.
    pub weigh: String,
    /// The codec's name.
    pub codec: String,
    /// The codec's number, kept in the high half of each value's format.
    pub codec_id: u8,
    /// What the codec's encoding may be: a set of `values::ACCEPT_*` and `values::TAGGED`.
    pub accepts: u8,
    /// How long entries live unless told otherwise, in milliseconds.
    pub ttl: Option<f64>,
    /// How much lives vary.
    pub jitter: f64,
    /// Whether isolates may keep copies of values.
    pub near: bool,
    /// How long entries stay after their end, in milliseconds.
    pub grace: f64,
}

/// A cache and what its users share beside it.
pub struct Shared {
    /// Unique in the process, never used again.
    pub id: u64,
    /// The engine.
    pub cache: Cache,
    /// What it was asked to be.
    pub description: Description,
    /// Tells maintenance that there may be work.
    pub stirred: Arc<Stirred>,
    /// The near caches' side of it.
    pub ports: Ports,
}

impl Shared {
    /// A cache that is in no registry yet.
    pub fn new(cache: Cache, description: Description) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self {
            // Relaxed: the numbers only have to differ.
            id: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            cache,
            description,
            stirred: Arc::default(),
            ports: Ports::default(),
        }
    }

    /// Milliseconds from now as a deadline: rounded up, infinity is never.
    #[inline]
    pub fn expiry(&self, ttl: f64) -> Expiry {
        // As many milliseconds as a double counts exactly are 285,000 years.
        if ttl < 9e15 {
            Expiry::At(self.cache.clock().now_rounded_up() + ttl.ceil() as u64)
        } else {
            Expiry::Never
        }
    }

    /// The deadline of an entry whose life is `ttl`, if that is known, or else the cache's default.
    #[inline]
    pub fn expiry_or_default(&self, ttl: Option<f64>) -> Expiry {
        match ttl.or(self.description.ttl) {
            Some(ttl) => self.expiry(ttl),
            None => Expiry::Never,
        }
    }
}
