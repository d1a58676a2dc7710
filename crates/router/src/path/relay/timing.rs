//! How long requests take, and what is counted of them, in the lane of the thread.

use super::Relay;
use crate::sight::{CommandClass, Seat, StepCounts};
use crate::topology::ServerId;

impl Relay {
    /// The lane of its thread.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// What time it is, in nanoseconds of a clock that never goes back: latencies are counted by it.
    #[inline]
    pub fn tick(&mut self, clock: u64) {
        self.clock = clock;
    }

    /// The requests that were taken since this was asked last.
    #[inline]
    pub(crate) fn counted(&mut self) -> StepCounts {
        std::mem::take(&mut self.batch)
    }

    /// A server has answered what a client asked for at such a time.
    pub(super) fn clocked(&mut self, server: ServerId, class: CommandClass, asked: u64) {
        let at = usize::from(server);
        if at >= self.timings.len() {
            self.timings.resize(at + 1, None);
        }
        let timings = self.timings[at].get_or_insert_with(|| self.seat.store(at));
        timings[class as usize].record(self.clock.saturating_sub(asked), 1);
    }
}
