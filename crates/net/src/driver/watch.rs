//! How long requests take: the clock that a turn reads anyway, told to those who count by it.

use super::Driver;
use std::time::{Duration, Instant};

/// Moments of a turn, in nanoseconds by the clock of all drivers.
#[derive(Default)]
pub(super) struct Stopwatch {
    /// When the turn began.
    turn: u64,
    /// When the last step ended.
    now: u64,
    /// Since when it was known what there is to do.
    known: u64,
}

impl Stopwatch {
    /// What there is to do becomes known now.
    pub(super) fn restart(&mut self) {
        self.known = self.now;
    }
}

impl Driver {
    /// A turn begins.
    pub(super) fn begin_turn(&mut self, begun: Instant) {
        let now = self.membership.nanos(begun);
        (self.watch.turn, self.watch.now) = (now, now);
        self.router.note_time(self.work.now);
        self.tick();
    }

    /// A step ends: its replies are written. How long the turn has taken.
    pub(super) fn end_step(&mut self, begun: Instant) -> Duration {
        let elapsed = begun.elapsed();
        self.watch.now = self.watch.turn + elapsed.as_nanos() as u64;
        let batch = std::mem::take(&mut self.work.output.batch);
        if !batch.is_empty() {
            self.work.seat.close(&batch, self.watch.now - self.watch.known.min(self.watch.now));
        }
        self.tick();
        elapsed
    }

    /// A turn ends.
    pub(super) fn end_turn(&mut self) {
        self.work.seat.turn(self.watch.now - self.watch.turn, self.queue.len());
    }

    fn tick(&mut self) {
        if let Some(relay) = &mut self.work.relay {
            relay.tick(self.watch.now);
        }
    }
}
