//! Transactions on their way over a connection that all share, to a server of a cluster: one of which
//! a part was refused since its keys are elsewhere has not been done, and is sent again, whole.

use std::collections::HashMap;

/// One on its way.
pub(super) struct Batch {
    /// All that was sent: each request that gets a reply of its own.
    pub(super) whole: Vec<Vec<u8>>,
    /// What the server said that has not done it.
    pub(super) refused: Option<Vec<u8>>,
    /// Until when it is tried; 0 if it was not refused before.
    pub(super) until: u64,
}

/// All of a thread, by numbers.
#[derive(Default)]
pub(super) struct Batches {
    all: HashMap<u64, Batch>,
    last: u64,
}

impl Batches {
    /// One is sent; its number.
    pub(super) fn add(&mut self, whole: Vec<Vec<u8>>, until: u64) -> u64 {
        self.last += 1;
        self.all.insert(self.last, Batch { whole, refused: None, until });
        self.last
    }

    /// A part was refused: the first says why.
    pub(super) fn refuse(&mut self, batch: u64, reply: &[u8]) {
        if let Some(batch) = self.all.get_mut(&batch) {
            batch.refused.get_or_insert_with(|| reply.to_vec());
        }
    }

    /// The last reply of one has come.
    pub(super) fn end(&mut self, batch: u64) -> Option<Batch> {
        self.all.remove(&batch)
    }
}
