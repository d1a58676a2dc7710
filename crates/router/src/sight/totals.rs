//! All lanes of a node, added up when somebody asks.

use super::histogram::Latencies;
use super::lane::{Lane, Seat};
use super::tape::Tape;
use parking_lot::Mutex;
use std::array;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// How long after its start a node is cold, in milliseconds.
const COLD: u64 = 60_000;

/// What one thread has done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ThreadCounts {
    /// Requests taken.
    pub requests: u64,
    /// Tasks that its last turn left.
    pub queue: u64,
    /// How long its turns took together, in milliseconds.
    pub busy: f64,
}

/// What became of reads that many waited for, and of replies given late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crowding {
    /// Replies that more than [`HERD`](crate::HERD) reads waited for.
    pub herds: u64,
    /// The most reads that waited for one reply.
    pub largest_herd: u64,
    /// Replies given beyond their time since the store could not be asked.
    pub stale_unreachable: u64,
    /// Replies given beyond their time since the store was asked and did not answer.
    pub stale_failed: u64,
    /// Replies given beyond their time since the store was asked for as many reads as it may be.
    pub stale_busy: u64,
    /// Replies given beyond their time since the store had failed too often to be asked.
    pub stale_open: u64,
    /// Handshakes of TLS with clients that came to an end.
    pub handshakes: u64,
    /// Handshakes of TLS with clients that failed.
    pub handshakes_failed: u64,
    /// How often connections had to wait since as many had come in as may in a second.
    pub held_back_by_rate: u64,
    /// How often they had to wait since as many agreed on keys as may at once.
    pub held_back_by_handshakes: u64,
}

/// The shares that the keys read most have of the reads that were sampled, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Skew {
    /// Of the key that is read most.
    pub top1: f64,
    /// Of the 10 keys that are.
    pub top10: f64,
    /// Of the 100 keys that are.
    pub top100: f64,
}

/// Reads in the first minute after the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cold {
    /// Those that found what they asked for.
    pub hits: u64,
    /// Those that did not.
    pub misses: u64,
}

/// What a node sees of itself, since its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sighting {
    /// Requests taken, by class.
    pub requests: [u64; 3],
    /// How long the node took for what it answered itself, by class: from when its thread knew that
    /// there was something to read until the replies were written.
    pub answered: [Latencies; 3],
    /// How long reads waited for the reply to another one.
    pub waited: Latencies,
    /// What each thread has done.
    pub threads: Vec<ThreadCounts>,
    /// What became of reads that many waited for, and of replies given late.
    pub crowding: Crowding,
    /// How uneven the reads of keys in memory are.
    pub skew: Skew,
    /// Reads in the first minute.
    pub cold: Cold,
    /// Replies to clients that were errors.
    pub errors: u64,
    /// The most of them that one client has got who is connected.
    pub errors_of_one: u64,
}

/// All lanes of a node.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    lanes: Mutex<Vec<Arc<Lane>>>,
    /// Hits and misses when the node ceased to be cold.
    cold: OnceLock<(u64, u64)>,
    /// Replies to clients that were errors.
    pub(crate) errors: AtomicU64,
    /// What clients read, while somebody records it.
    pub(crate) tape: Tape,
}

impl Sight {
    /// A lane for a driver: the first that none has.
    pub(crate) fn sit(&self) -> Seat {
        let mut lanes = self.lanes.lock();
        let free = lanes.iter().find(|lane| lane.take()).cloned();
        Seat::new(free.unwrap_or_else(|| {
            let lane = Arc::<Lane>::default();
            lane.take();
            lanes.push(lane.clone());
            lane
        }))
    }

    fn sum(&self, of: impl Fn(&Lane) -> &AtomicU64) -> u64 {
        // Relaxed: sums of independent steps.
        self.lanes.lock().iter().map(|lane| of(lane).load(Ordering::Relaxed)).sum()
    }

    /// Requests taken, by class.
    pub(crate) fn requests(&self) -> [u64; 3] {
        array::from_fn(|class| self.sum(|lane| &lane.requests[class]))
    }

    /// How long the node took for what it answered itself, by class.
    pub(crate) fn answered(&self) -> [Latencies; 3] {
        let lanes = self.lanes.lock();
        array::from_fn(|class| {
            let mut sum = Latencies::default();
            lanes.iter().for_each(|lane| sum.merge(&lane.answered[class]));
            sum
        })
    }

    /// How long reads waited for the reply to another one.
    pub(crate) fn waited(&self) -> Latencies {
        let mut sum = Latencies::default();
        self.lanes.lock().iter().for_each(|lane| sum.merge(&lane.waited));
        sum
    }

    /// How long a store took for what clients asked, by class.
    pub(crate) fn store(&self, server: usize) -> [Latencies; 3] {
        let mut sums: [Latencies; 3] = Default::default();
        for lane in &*self.lanes.lock() {
            if let Some(Some(store)) = lane.stores.lock().get(server) {
                sums.iter_mut().zip(store.iter()).for_each(|(sum, one)| sum.merge(one));
            }
        }
        sums
    }

    /// What each thread has done.
    pub(crate) fn threads(&self) -> Vec<ThreadCounts> {
        let counts = |lane: &Arc<Lane>| ThreadCounts {
            requests: lane.requests.iter().map(|count| count.load(Ordering::Relaxed)).sum(),
            queue: lane.queue.load(Ordering::Relaxed),
            busy: lane.busy.load(Ordering::Relaxed) as f64 / 1e6,
        };
        self.lanes.lock().iter().map(counts).collect()
    }

    /// What became of reads that many waited for, and of replies given late.
    pub(crate) fn crowding(&self) -> Crowding {
        let lanes = self.lanes.lock();
        let largest = lanes.iter().map(|lane| lane.largest_herd.load(Ordering::Relaxed)).max();
        drop(lanes);
        Crowding {
            herds: self.sum(|lane| &lane.herds),
            largest_herd: largest.unwrap_or(0),
            stale_unreachable: self.sum(|lane| &lane.stale[0]),
            stale_failed: self.sum(|lane| &lane.stale[1]),
            stale_busy: self.sum(|lane| &lane.stale[2]),
            stale_open: self.sum(|lane| &lane.stale[3]),
            handshakes: self.sum(|lane| &lane.handshakes[0]),
            handshakes_failed: self.sum(|lane| &lane.handshakes[1]),
            held_back_by_rate: self.sum(|lane| &lane.held_back[0]),
            held_back_by_handshakes: self.sum(|lane| &lane.held_back[1]),
        }
    }

    /// Notes what was counted when the node ceases to be cold, that old in milliseconds.
    pub(crate) fn warm(&self, age: u64, counts: impl FnOnce() -> (u64, u64)) {
        if age >= COLD {
            self.cold.get_or_init(counts);
        }
    }

    /// Hits and misses while the node was cold.
    pub(crate) fn cold(&self) -> Option<(u64, u64)> {
        self.cold.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sight::{CommandClass, StepCounts};

    #[test]
    fn a_lane_is_had_by_one_driver_and_its_counts_stay() {
        let sight = Sight::default();
        let (one, other) = (sight.sit(), sight.sit());
        let mut batch = StepCounts::default();
        batch.request(CommandClass::Read);
        batch.answer(CommandClass::Read);
        one.close(&batch, 1_500);
        other.close(&batch, 1_500);
        assert_eq!(sight.threads().len(), 2);
        drop(one);
        let again = sight.sit();
        again.close(&batch, 1_500);
        let requests: Vec<_> = sight.threads().iter().map(|thread| thread.requests).collect();
        assert_eq!(requests, [2, 1]);
        assert_eq!(sight.answered()[0].count(), 3);
        assert_eq!(sight.requests(), [3, 0, 0]);
    }

    #[test]
    fn a_herd_of_several_threads_is_counted_once() {
        let sight = Sight::default();
        let (one, other) = (sight.sit(), sight.sit());
        one.crowd(0, 6);
        other.crowd(6, 4);
        assert_eq!(sight.crowding().herds, 0, "ten are none");
        one.crowd(0, 6);
        other.crowd(6, 5);
        one.crowd(11, 9);
        assert_eq!((sight.crowding().herds, sight.crowding().largest_herd), (1, 20));
    }

    #[test]
    fn what_was_counted_in_the_first_minute_stays() {
        let sight = Sight::default();
        sight.warm(COLD - 1, || (1, 1));
        assert_eq!(sight.cold(), None);
        sight.warm(COLD, || (2, 3));
        sight.warm(COLD + 1, || (4, 5));
        assert_eq!(sight.cold(), Some((2, 3)));
    }
}
