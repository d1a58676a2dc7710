//! How long what a client has sent has waited for the store: from when it arrived, behind all that its
//! client sent before, or from the last reply that the store gave the client. A client that takes its
//! replies late, and a command that blocks, hold up nobody but themselves: that time does not count,
//! and neither does that of a pause.

use std::collections::VecDeque;
use std::mem;

/// Bytes that come within so many milliseconds count as having come together.
const GRAIN: u64 = 10;

/// When the bytes of a client came that are kept.
#[derive(Default)]
pub(super) struct Arrivals {
    /// For how many milliseconds commands of the client have waited for the store, in all.
    waited: u64,
    /// Since when they wait now.
    since: Option<u64>,
    /// How many bytes came when `waited` was that, in their order.
    came: VecDeque<(usize, u64)>,
    /// What `waited` was at the last reply of the store.
    answered: u64,
    /// Whether the store has answered since that was noted.
    hears: bool,
}

impl Arrivals {
    /// From now on a command waits for the store.
    pub(super) fn wait(&mut self, now: u64) {
        self.since = Some(now);
    }

    /// Commands are tried again.
    pub(super) fn resume(&mut self, now: u64) {
        self.waited = self.clock(now);
        self.since = None;
        if mem::take(&mut self.hears) {
            self.answered = self.waited;
        }
    }

    /// The store has answered the client.
    pub(super) fn hear(&mut self) {
        self.hears = true;
    }

    /// Bytes are kept behind the others.
    pub(super) fn keep(&mut self, count: usize, now: u64) {
        let clock = self.clock(now);
        match self.came.back_mut() {
            Some((bytes, at)) if clock - *at < GRAIN => *bytes += count,
            _ if count > 0 => self.came.push_back((count, clock)),
            _ => {}
        }
    }

    /// Bytes are kept behind the others, of which nobody asks how long they wait.
    pub(super) fn append(&mut self, count: usize) {
        match self.came.back_mut() {
            Some((bytes, _)) => *bytes += count,
            None => self.came.push_back((count, self.waited)),
        }
    }

    /// The first bytes are kept no more.
    pub(super) fn drop(&mut self, mut count: usize) {
        while let Some((bytes, _)) = self.came.front_mut() {
            if *bytes > count {
                *bytes -= count;
                return;
            }
            count -= *bytes;
            self.came.pop_front();
        }
    }

    /// For how many milliseconds a command has waited that ends with the byte of this number.
    pub(super) fn waited(&self, end: usize) -> u64 {
        let mut seen = 0;
        let came = self.came.iter().find(|(bytes, _)| {
            seen += bytes;
            seen >= end
        });
        came.map_or(0, |(_, at)| self.waited - (*at).max(self.answered))
    }

    fn clock(&self, now: u64) -> u64 {
        self.waited + self.since.map_or(0, |since| now.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::Arrivals;

    #[test]
    fn what_waits_behind_others_has_waited_since_it_came() {
        let mut arrivals = Arrivals::default();
        arrivals.keep(100, 1_000);
        arrivals.wait(1_000);
        arrivals.keep(50, 1_400);
        arrivals.resume(2_000);
        assert_eq!([1, 100, 101, 150].map(|end| arrivals.waited(end)), [1_000, 1_000, 600, 600]);
        arrivals.drop(120);
        assert_eq!((arrivals.waited(30), arrivals.waited(31)), (600, 0));
    }

    #[test]
    fn time_in_which_the_store_is_not_waited_for_does_not_count() {
        let mut arrivals = Arrivals::default();
        arrivals.keep(100, 1_000);
        arrivals.resume(9_000);
        assert_eq!(arrivals.waited(100), 0);
        arrivals.wait(9_000);
        arrivals.resume(9_500);
        arrivals.resume(20_000);
        assert_eq!(arrivals.waited(100), 500);
    }

    #[test]
    fn a_reply_of_the_store_lets_the_time_begin_anew() {
        let mut arrivals = Arrivals::default();
        arrivals.keep(100, 0);
        arrivals.wait(0);
        arrivals.hear();
        arrivals.resume(1_500);
        assert_eq!(arrivals.waited(100), 0);
        arrivals.wait(1_500);
        arrivals.keep(100, 1_700);
        arrivals.resume(2_000);
        assert_eq!((arrivals.waited(100), arrivals.waited(200)), (500, 300));
    }

    #[test]
    fn bytes_that_come_one_by_one_are_remembered_by_their_times_and_not_one_by_one() {
        let mut arrivals = Arrivals::default();
        arrivals.wait(0);
        for now in 0..1_000 {
            arrivals.keep(1, now);
        }
        assert_eq!(arrivals.came.len(), 100);
        (0..1_000).for_each(|_| arrivals.append(1));
        assert_eq!(arrivals.came.len(), 100);
        arrivals.drop(2_000);
        assert!(arrivals.came.is_empty());
    }
}
