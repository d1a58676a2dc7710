//! What a router sees of itself at work.

use super::clients::Client;
use super::router::Router;
use crate::cache::RouteTotals;
use crate::sight::{Cold, RecordingStart, Seat, Seen, Sighting, Skew};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Router {
    /// What the node sees of itself.
    pub fn sight(&self) -> Sighting {
        let (hits, misses) = self.sight.cold().unwrap_or_else(|| self.found());
        let clients = self.registry.all().into_iter();
        let errors = clients.map(|client| client.errors.load(Ordering::Relaxed)).max();
        let shares = self.cache().skew([1, 10, 100]);
        Sighting {
            requests: self.sight.requests(),
            answered: self.sight.answered(),
            waited: self.sight.waited(),
            threads: self.sight.threads(),
            crowding: self.sight.crowding(),
            skew: Skew { top1: shares[0], top10: shares[1], top100: shares[2] },
            cold: Cold { hits, misses },
            errors: self.sight.errors.load(Ordering::Relaxed),
            errors_of_one: errors.unwrap_or(0),
        }
    }

    /// A lane for a driver of a node without a store behind it: [`Relay::seat`](crate::Relay::seat) has
    /// that of one with a store.
    pub fn seat(&self) -> Seat {
        self.sight.sit()
    }

    /// Begins to record what clients read; `false` if somebody records already.
    pub fn record(&self, start: RecordingStart) -> bool {
        self.sight.tape.begin(self.replies.now(), start)
    }

    /// What was read since this was asked last, in the order of its time; and how many reads were lost.
    pub fn recorded(&self) -> (Vec<Seen>, u64) {
        self.sight.tape.take()
    }

    /// Records no more.
    pub fn end_recording(&self) {
        self.sight.tape.end();
    }

    /// Whether somebody records.
    #[inline]
    pub(crate) fn is_recorded(&self) -> bool {
        self.sight.tape.runs()
    }

    /// Notes what a request has read, if somebody records.
    #[inline]
    pub(crate) fn note_read<'k>(
        &self,
        db: u8,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
        bytes: usize,
    ) {
        if self.is_recorded() {
            self.sight.tape.note(self.replies.now(), db, keys, bytes);
        }
    }

    /// It is so late, in Unix milliseconds: a minute after its start a node ceases to be cold.
    pub fn note_time(&self, now: u64) {
        self.sight.warm(now.saturating_sub(self.started), || self.found());
    }

    /// Reads that found what they asked for, and that did not.
    fn found(&self) -> (u64, u64) {
        if self.setup.upstream.is_none() {
            let stats = self.cache().stats();
            return (stats.hits, stats.misses);
        }
        let rules = self.rules();
        let sum = |(hits, misses), totals: &Arc<RouteTotals>| {
            let counts = totals.read();
            (hits + counts.hits, misses + counts.misses + counts.joined)
        };
        rules.totals.iter().fold((0, 0), sum)
    }

    /// A client gets a reply that is an error.
    pub(crate) fn count_error(&self, client: &Client) {
        client.errors.fetch_add(1, Ordering::Relaxed);
        self.sight.errors.fetch_add(1, Ordering::Relaxed);
    }
}
