//! Admission: keys that are changed before what was read of them is of use are left out for a while.
//!
//! A change that finds a reply which nobody was given is a waste; one that finds a reply that was
//! given clears the key's record. Records are kept by hash: keys that share one share their luck.

use foldhash::fast::FixedState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU8, Ordering};

const RECORDS: usize = 4096;
/// Wastes one after the other from which on a key is left out.
const WASTES: u8 = 4;
/// The share of the reads of such a key that is remembered all the same, to see whether it is of use
/// by now.
const PROBES: f64 = 1.0 / 16.0;

/// The wastes of keys.
pub(super) struct Admission(Box<[AtomicU8]>);

impl Default for Admission {
    fn default() -> Self {
        Self((0..RECORDS).map(|_| AtomicU8::new(0)).collect())
    }
}

impl Admission {
    fn record(&self, key: &[u8]) -> &AtomicU8 {
        &self.0[FixedState::default().hash_one(key) as usize % RECORDS]
    }

    /// What was remembered of a key has ended by a change; whether it had been given to anybody.
    pub(super) fn ended(&self, key: &[u8], was_given: bool) {
        let record = self.record(key);
        // Relaxed: an estimate; a count that is lost comes again.
        let wastes = record.load(Ordering::Relaxed);
        let new = if was_given { 0 } else { wastes.saturating_add(1).min(WASTES) };
        if new != wastes {
            record.store(new, Ordering::Relaxed);
        }
    }

    /// Whether a reply is worth to be remembered; `chance` is drawn from 0 to 1.
    pub(super) fn admits(&self, key: &[u8], chance: f64) -> bool {
        chance < PROBES || self.record(key).load(Ordering::Relaxed) < WASTES
    }
}
