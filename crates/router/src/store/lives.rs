//! How many keys of each database end, and in how long: exact where there are few, and from a sample of
//! random ones otherwise, so that who asks never waits for a walk through all.

use super::databases::{DATABASES, Store};
use breakwater_engine::{EntryRef, run_to_end};
use std::ops::ControlFlow::Continue;

/// How many keys are looked at.
const SAMPLE: u64 = 1024;

/// Of one database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lives {
    /// Its keys.
    pub(crate) keys: u64,
    /// How many of them end.
    pub(crate) ending: u64,
    /// How many milliseconds these have left, on average.
    pub(crate) left: u64,
}

/// What was seen of one database.
#[derive(Clone, Copy, Default)]
struct Sampled {
    keys: u64,
    ending: u64,
    left: u64,
}

impl Store {
    /// Of every database.
    pub(crate) fn lives(&self) -> [Lives; DATABASES] {
        let now = self.cache().clock().now();
        let mut seen = [Sampled::default(); DATABASES];
        let mut look = |entry: EntryRef<'_>| {
            let db = entry.key().bytes.first().map(|&db| usize::from(db));
            let Some(one) = db.and_then(|db| seen.get_mut(db)) else { return };
            one.keys += 1;
            if let Some(ends) = entry.deadline() {
                one.ending += 1;
                one.left = one.left.saturating_add(ends.saturating_sub(now));
            }
        };
        if self.cache().len() <= SAMPLE {
            run_to_end::<()>(|cursor| Continue(self.cache().scan(cursor, usize::MAX, &mut look)));
        } else {
            for _ in 0..SAMPLE {
                self.cache().random(&mut look);
            }
        }
        std::array::from_fn(|db| {
            let (keys, seen) = (self.count(db as u8), seen[db]);
            let ending = keys * seen.ending / seen.keys.max(1);
            Lives { keys, ending, left: seen.left / seen.ending.max(1) }
        })
    }
}
