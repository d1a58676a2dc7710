//! What one thread counts for itself.

use super::histogram::{Histogram, add};
use super::step::StepCounts;
use parking_lot::Mutex;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// More reads than this that wait for one reply are a herd.
pub const HERD: u64 = 10;

/// Why a reply was given beyond its time.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum StaleReason {
    /// The store could not be asked.
    Unreachable,
    /// It was asked and did not answer.
    Failed,
    /// It was asked for as many reads as it may be.
    Busy,
    /// It has failed too often, and is not asked for a while.
    Open,
}

/// How long a store took, by class.
pub(crate) type StoreLatencies = [Histogram; 3];

/// The counts of one driver at a time. Its thread alone writes them.
#[derive(Debug, Default)]
pub struct Lane {
    /// Whether a driver has it.
    taken: AtomicBool,
    pub(super) requests: [AtomicU64; 3],
    /// How long the node took for what it answered itself, by class.
    pub(super) answered: [Histogram; 3],
    /// How long reads waited for the reply to another one.
    pub(super) waited: Histogram,
    /// How long stores took, by their numbers.
    pub(super) stores: Mutex<Vec<Option<Arc<StoreLatencies>>>>,
    pub(super) herds: AtomicU64,
    pub(super) largest_herd: AtomicU64,
    pub(super) stale: [AtomicU64; 4],
    /// Handshakes of TLS with clients that came to an end, and that failed.
    pub(super) handshakes: [AtomicU64; 2],
    /// How often connections had to wait until they were let in: for their rate, for handshakes.
    pub(super) held_back: [AtomicU64; 2],
    /// Tasks that the last turn left.
    pub(super) queue: AtomicU64,
    /// Nanoseconds of all turns.
    pub(super) busy: AtomicU64,
}

impl Lane {
    /// Takes it, unless a driver has it.
    pub(super) fn take(&self) -> bool {
        // Acquire, with the release in `drop`: what the last driver counted is added to.
        !self.taken.swap(true, Ordering::Acquire)
    }

    /// A step of a client has ended, so many nanoseconds after its thread knew that there was something
    /// to do: its replies leave together.
    #[inline]
    pub fn close(&self, batch: &StepCounts, nanos: u64) {
        for at in 0..3 {
            if batch.requests[at] > 0 {
                add(&self.requests[at], u64::from(batch.requests[at]));
            }
            if batch.answered[at] > 0 {
                self.answered[at].record(nanos, u64::from(batch.answered[at]));
            }
        }
    }

    /// A turn of the driver has ended that took so long, and left so many tasks.
    #[inline]
    pub fn turn(&self, nanos: u64, queue: usize) {
        add(&self.busy, nanos);
        self.queue.store(queue as u64, Ordering::Relaxed);
    }

    /// A handshake with a client has come to an end, or has failed.
    pub fn handshake(&self, failed: bool) {
        add(&self.handshakes[usize::from(failed)], 1);
    }

    /// Connections have to wait until they are let in: there are too many a second, or too many
    /// handshakes.
    pub fn hold_back(&self, handshakes: bool) {
        add(&self.held_back[usize::from(handshakes)], 1);
    }

    /// The latencies of a store, by its number, to be recorded by this thread.
    pub(crate) fn store(&self, server: usize) -> Arc<StoreLatencies> {
        let mut stores = self.stores.lock();
        if stores.len() <= server {
            stores.resize(server + 1, None);
        }
        stores[server].get_or_insert_default().clone()
    }

    /// A read has waited for another one's reply for so long.
    pub(crate) fn wait(&self, nanos: u64) {
        self.waited.record(nanos, 1);
    }

    /// So many reads waited in this thread for one reply, and so many `before` in others.
    pub(crate) fn crowd(&self, before: u64, here: u64) {
        let all = before + here;
        if before <= HERD && all > HERD {
            add(&self.herds, 1);
        }
        if all > self.largest_herd.load(Ordering::Relaxed) {
            self.largest_herd.store(all, Ordering::Relaxed);
        }
    }

    /// A reply was given beyond its time.
    pub(crate) fn give_stale(&self, reason: StaleReason) {
        add(&self.stale[reason as usize], 1);
    }
}

/// A driver's place in a lane, which the next driver has after it: there are no more lanes than drivers
/// at one time, and what was counted stays.
#[derive(Clone, Debug)]
pub struct Seat(Arc<Seated>);

#[derive(Debug)]
struct Seated(Arc<Lane>);

impl Seat {
    /// Of a lane that was taken.
    pub(super) fn new(lane: Arc<Lane>) -> Self {
        Self(Arc::new(Seated(lane)))
    }
}

impl Deref for Seat {
    type Target = Lane;

    #[inline]
    fn deref(&self) -> &Lane {
        &self.0.0
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.0.queue.store(0, Ordering::Relaxed);
        // Release, with the acquire in `take`.
        self.0.taken.store(false, Ordering::Release);
    }
}
