//! What is counted of a server: by each thread for itself, and added up at the end of its turns.

use std::sync::atomic::{AtomicI64, Ordering};

const COUNTS: usize = 12;

/// What is counted of a server.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(crate) enum Flow {
    /// Connections that serve.
    Connections,
    /// Connections that began to serve.
    Connects,
    /// Connections that served and were lost.
    Losses,
    /// Tries to connect that came to nothing.
    Failures,
    /// Requests sent, those of the node itself included.
    Requests,
    /// Of these, those that wait for their replies.
    InFlight,
    /// Connections that belong to single clients.
    Pinned,
    /// Of these, those that no client has.
    PinnedIdle,
    /// Clients that wait for one.
    PinnedWaiting,
    /// Reads that memory did not answer and the server is asked.
    Misses,
    /// Those that wait until it may be asked.
    WaitingMisses,
    /// Those that were not asked, since as many waited as may or they waited for too long.
    TurnedAway,
}

/// Counts of one thread, or of all.
#[derive(Debug, Default)]
pub(crate) struct ServerTotals([AtomicI64; COUNTS]);

impl ServerTotals {
    pub(crate) fn read(&self, of: Flow) -> u64 {
        // Relaxed: sums of independent steps. A sum may be read between two steps of two threads.
        self.0[of as usize].load(Ordering::Relaxed).max(0) as u64
    }
}

/// What one thread has counted of a server and not added up yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerTally([i64; COUNTS]);

impl ServerTally {
    #[inline]
    pub(crate) fn add(&mut self, to: Flow, count: i64) {
        self.0[to as usize] += count;
    }

    /// Adds up what was counted, and counts anew.
    pub(crate) fn settle(&mut self, totals: &ServerTotals) {
        for (count, total) in self.0.iter_mut().zip(&totals.0).filter(|(count, _)| **count != 0) {
            total.fetch_add(std::mem::take(count), Ordering::Relaxed);
        }
    }
}
