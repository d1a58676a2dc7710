//! Near caches: copies of values that an environment keeps in JavaScript, and what both sides tell
//! each other about them through memory, since a call would cost more than the copy saves.
//!
//! A [`Port`] is the memory of one instance: JavaScript counts there and writes which copies it
//! used; this side writes there by what stamp the value that it just gave can be kept. The other
//! memory is the cache's version words, which JavaScript reads at each use of a copy.

use breakwater_engine::{Cache, Stamp};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The fields of a port, each 8 bytes; src/native/port.ts knows them as well.
const HITS: usize = 0;
const DEADLINE: usize = 1;
const VERSION: usize = 2;
const HASH: usize = 3;
const LENGTH: usize = 4;
/// 1 if the value may be kept.
const STAMPED: usize = 5;
/// What `getWithState` found: 0 nothing, 1 what is fresh, 2 and to be loaded anew soon, 3 what is stale, and
/// the kinds of [`crate::js::format::negative_kind`].
const STATE: usize = 6;
/// Milliseconds until its deadline; of what is stale, since then.
const LEFT: usize = 7;
/// Milliseconds that loading it took.
const COST: usize = 8;
/// From here on: copies that were used, two fields each: the hash, and how many samples of reads.
const LOG: usize = 16;
const RECORDS: usize = 64;
const FIELDS: usize = LOG + 2 * RECORDS;

/// Reads that a sample stands for.
const SAMPLE: u32 = 128;

/// What an instance and JavaScript share. Only the thread of the instance writes.
pub struct Port([AtomicU64; FIELDS]);

impl Port {
    fn new() -> Self {
        Self([const { AtomicU64::new(0) }; FIELDS])
    }

    // Relaxed throughout: one thread writes, and others read nothing but a count.

    #[inline]
    fn put(&self, field: usize, value: u64) {
        self.0[field].store(value, Ordering::Relaxed);
    }

    #[inline]
    fn at(&self, field: usize) -> u64 {
        self.0[field].load(Ordering::Relaxed)
    }

    fn hits(&self) -> u64 {
        f64::from_bits(self.at(HITS)) as u64
    }

    /// Tells by which stamp the value can be kept, and until when.
    #[inline]
    pub fn describe(&self, stamp: Stamp, deadline: Option<u64>, length: usize) {
        self.put(DEADLINE, (deadline.unwrap_or(0) as f64).to_bits());
        self.put(VERSION, stamp.version.unwrap_or(0));
        self.put(HASH, stamp.hash);
        self.put(LENGTH, (length as f64).to_bits());
        self.put(STAMPED, stamp.version.is_some().into());
    }

    /// The memory.
    pub fn cells(&self) -> &[AtomicU64] {
        &self.0
    }

    /// Copies the fields before the log: as many as fit.
    pub fn copy_to(&self, area: &mut [u8]) {
        for (field, to) in area.chunks_exact_mut(8).take(LOG).enumerate() {
            to.copy_from_slice(&self.at(field).to_ne_bytes());
        }
    }

    /// Tells the cache of the first `count` copies in the log.
    pub fn report(&self, cache: &Cache, count: usize) {
        for record in (LOG..).step_by(2).take(count.min(RECORDS)) {
            let (hash, samples) = (self.at(record), self.at(record + 1) as u32);
            cache.record_use(hash);
            if samples > 0 {
                cache.record_reads(hash, samples * SAMPLE);
            }
        }
    }

    /// Tells what `getWithState` found.
    pub fn tell(&self, state: u8, left: f64, cost: u32) {
        self.put(STATE, f64::from(state).to_bits());
        self.put(LEFT, left.to_bits());
        self.put(COST, f64::from(cost).to_bits());
    }
}

/// The ports of a cache, for the sum of what near caches answered.
#[derive(Default)]
pub struct Ports(Mutex<Open>);

#[derive(Default)]
struct Open {
    ports: Vec<Arc<Port>>,
    /// What ports that are closed counted.
    closed: u64,
    /// The sum when it was last reset.
    base: u64,
}

impl Open {
    fn total(&self) -> u64 {
        self.closed + self.ports.iter().map(|port| port.hits()).sum::<u64>()
    }
}

impl Ports {
    /// Reads that near caches answered, in all isolates, since the last reset.
    pub fn hits(&self) -> u64 {
        let open = self.0.lock();
        open.total().saturating_sub(open.base)
    }

    /// Begins to count anew.
    pub fn reset(&self) {
        let mut open = self.0.lock();
        open.base = open.total();
    }

    /// One port more.
    pub fn add(&self) -> Arc<Port> {
        let port = Arc::new(Port::new());
        self.0.lock().ports.push(port.clone());
        port
    }

    /// Takes a port away, and keeps its count.
    pub fn remove(&self, port: &Arc<Port>) {
        let mut open = self.0.lock();
        open.closed += port.hits();
        open.ports.retain(|other| !Arc::ptr_eq(other, port));
    }
}
