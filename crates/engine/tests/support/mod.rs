//! What several tests of time, notes and tags are made of.
#![allow(dead_code, reason = "each program of tests uses a part of it")]

use breakwater_engine::{Cache, Clock, Config, EntryRef, Key, Reason, RemovalListener};
use std::sync::{Arc, Mutex};

pub const KEY: Key<'static> = Key::text(b"key");

/// A cache whose clock stands at 1,000 and is set by hand.
pub fn with_clock(config: Config) -> (Cache, Clock) {
    let clock = Clock::manual();
    clock.advance(1_000);
    let config = Config { clock: clock.clone(), ..config };
    (Cache::new(config).unwrap(), clock)
}

/// The deadline of [`KEY`].
pub fn deadline(cache: &Cache) -> Option<Option<u64>> {
    cache.peek(KEY, |entry| entry.deadline())
}

/// The keys that left, and why.
#[derive(Default)]
pub struct Told(Mutex<Vec<(Vec<u8>, Reason)>>);

impl RemovalListener for Told {
    fn removed(&self, entry: EntryRef<'_>, reason: Reason) {
        self.0.lock().unwrap().push((entry.key().bytes.to_vec(), reason));
    }
}

impl Told {
    pub fn by(cache: &Cache) -> Arc<Self> {
        let told = Arc::new(Self::default());
        cache.listen(told.clone());
        told
    }

    /// What was told since the last call.
    pub fn take(&self) -> Vec<(Vec<u8>, Reason)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub fn reasons(&self) -> Vec<Reason> {
        self.take().into_iter().map(|(_, reason)| reason).collect()
    }
}
