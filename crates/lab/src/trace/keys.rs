//! Numbers for keys: the first one is 0, and each new one is the next number.

use super::{Request, Trace};
use foldhash::fast::FixedState;
use foldhash::quality::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// A trace that is being read.
pub(super) struct Recording {
    trace: Trace,
    numbers: HashMap<u64, u32, FixedState>,
    /// Of keys that are text only the hash is kept. That two of a million keys share one happens in
    /// one of 40 million traces.
    texts: RandomState,
    most: usize,
}

impl Recording {
    pub(super) fn new(most: usize) -> Self {
        let (numbers, texts) = (HashMap::default(), RandomState::default());
        Self { trace: Trace::default(), numbers, texts, most }
    }

    /// Whether it has as many requests as it may.
    pub(super) fn is_full(&self) -> bool {
        self.trace.keys.len() >= self.most
    }

    pub(super) fn text(&mut self, key: &[u8], request: Request) {
        self.number(self.texts.hash_one(key), request);
    }

    pub(super) fn number(&mut self, key: u64, request: Request) {
        if self.is_full() {
            return;
        }
        let next = self.numbers.len() as u32;
        let key = *self.numbers.entry(key).or_insert(next);
        self.trace.keys.push(key);
        // All requests of a file have a size, or none has; and so with times.
        self.trace.sizes.extend(request.size);
        self.trace.times.extend(request.time);
    }

    pub(super) fn finish(mut self) -> Trace {
        self.trace.distinct = self.numbers.len();
        self.trace
    }
}
