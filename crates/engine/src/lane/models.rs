//! Lanes under loom, whose batches have one entry. Entries are numbers: freeing one writes a cell that
//! loom watches, and so does whatever uses a lane.

use super::*;
use crate::reclaim::{Domain, Participant};
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

const ENTRIES: usize = 4;
const BYTES: u64 = 16;

struct World {
    domain: Domain,
    lanes: Lanes,
    /// Which entry the key has.
    place: AtomicUsize,
    freed: [UnsafeCell<bool>; ENTRIES],
}

impl Drop for World {
    fn drop(&mut self) {
        // Where a model fails there are entries left, which are no memory that could be freed.
        self.lanes.0.iter().for_each(|place| place.store(ptr::null_mut(), Ordering::Relaxed));
    }
}

fn entry(number: usize) -> EntryPtr {
    EntryPtr::from_raw(ptr::without_provenance_mut(16 * (number + 1))).unwrap()
}

fn number(entry: EntryPtr) -> usize {
    entry.as_raw().addr() / 16 - 1
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            domain: Domain::new(),
            lanes: Lanes::new(),
            place: AtomicUsize::new(0),
            freed: std::array::from_fn(|_| UnsafeCell::new(false)),
        })
    }

    /// Reads the key's entry.
    fn read(&self) {
        let participant = self.domain.join();
        let before = self.domain.pin(participant);
        let at = self.place.load(Ordering::Acquire);
        // SAFETY: loom checks that nobody writes meanwhile.
        self.freed[at].with(|freed| assert!(!unsafe { *freed }, "read after it was freed"));
        self.domain.unpin(participant, &before);
        self.domain.leave(participant);
    }

    fn free(&self, entry: EntryPtr) {
        self.freed[number(entry)].with_mut(|freed| {
            // SAFETY: loom checks that nobody else reads or writes.
            assert!(!std::mem::replace(unsafe { &mut *freed }, true), "freed twice");
        });
    }

    /// Replaces the key's entry by this one, as the owner of the first stripe; what has to wait
    /// elsewhere, with its tag.
    fn replace(&self, participant: &Participant, by: usize) -> Vec<(EntryPtr, u64)> {
        let before = self.domain.pin(participant);
        // SAFETY: pinned, and the stripe is this thread's.
        let lane = unsafe { self.lanes.of(0).or_else(|| self.lanes.open(0, u64::MAX)) }.unwrap();
        let old = self.place.swap(by, Ordering::AcqRel);
        // SAFETY: as above.
        assert!(unsafe { lane.keep(entry(old), BYTES) }, "a batch has one entry");
        let tag = self.domain.tag();
        // SAFETY: as above.
        let waited = unsafe { lane.turn(tag) };
        let mut deferred = Vec::new();
        if self.domain.horizon() > waited.tag {
            waited.entries().for_each(|entry| self.free(entry));
            lane.release(waited.bytes);
        } else {
            deferred.extend(waited.entries().map(|entry| (entry, waited.tag)));
        }
        self.domain.unpin(participant, &before);
        deferred
    }

    fn replace_by(&self, entries: impl IntoIterator<Item = usize>) -> Vec<(EntryPtr, u64)> {
        let participant = self.domain.join();
        let deferred = entries.into_iter().flat_map(|by| self.replace(participant, by)).collect();
        self.domain.leave(participant);
        deferred
    }

    /// Takes the lane from its thread; with its tag.
    fn take(&self) -> Option<(Taken, u64)> {
        let participant = self.domain.join();
        let before = self.domain.pin(participant);
        // SAFETY: pinned.
        let taken =
            unsafe { self.lanes.take(0, Lane::has_bytes) }.map(|lane| (lane, self.domain.tag()));
        self.domain.unpin(participant, &before);
        self.domain.leave(participant);
        taken
    }

    /// Frees what is in a lane that nobody uses any more; the bytes that are released.
    fn empty(&self, lane: Taken) -> u64 {
        // SAFETY: loom checks that nobody uses it.
        unsafe { lane.empty(|entry| self.free(entry)) }
    }

    /// When all threads have ended: everything is freed, once, and as many bytes are released as were
    /// taken for `replaced` entries.
    fn settle(&self, replaced: usize, mut released: u64, deferred: Vec<(EntryPtr, u64)>) {
        let horizon = self.domain.horizon();
        for (entry, tag) in deferred {
            assert!(tag < horizon, "nobody reads any more");
            self.free(entry);
            released += BYTES;
        }
        if let Some((lane, _)) = self.take() {
            released += self.empty(lane);
        }
        assert_eq!(released, replaced as u64 * BYTES);
        for freed in &self.freed[..replaced] {
            // SAFETY: all threads have ended.
            assert!(freed.with(|freed| unsafe { *freed }), "everything is freed");
        }
    }
}

fn model(preemptions: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(f);
}

#[test]
fn a_lane_that_was_taken_is_emptied_once_its_thread_uses_it_no_more() {
    model(3, || {
        let world = World::new();
        let owner = thread::spawn({
            let world = Arc::clone(&world);
            move || world.replace_by([1, 2])
        });
        let mut taken = world.take();
        let mut released = 0;
        if let Some((lane, tag)) = taken.take_if(|(_, tag)| world.domain.horizon() > *tag) {
            assert!(tag > 0);
            released += world.empty(lane);
        }
        let deferred = owner.join().unwrap();
        if let Some((lane, tag)) = taken {
            assert!(world.domain.horizon() > tag, "nobody uses it any more");
            released += world.empty(lane);
        }
        world.settle(2, released, deferred);
    });
}

#[test]
fn what_was_replaced_is_not_freed_while_somebody_reads_it() {
    model(3, || {
        let world = World::new();
        let reader = thread::spawn({
            let world = Arc::clone(&world);
            move || world.read()
        });
        let deferred = world.replace_by([1, 2, 3]);
        reader.join().unwrap();
        world.settle(3, 0, deferred);
    });
}

#[test]
fn a_lane_passes_to_the_next_thread_of_its_stripe() {
    model(2, || {
        let world = World::new();
        // As a stripe passes on: release and acquire.
        let stripe = Arc::new(AtomicUsize::new(0));
        let first = thread::spawn({
            let (world, stripe) = (Arc::clone(&world), Arc::clone(&stripe));
            move || {
                let deferred = world.replace_by([1]);
                stripe.store(1, Ordering::Release);
                deferred
            }
        });
        let mut replaced = 1;
        let mut deferred = Vec::new();
        if stripe.load(Ordering::Acquire) == 1 {
            deferred = world.replace_by([2]);
            replaced += 1;
        }
        deferred.extend(first.join().unwrap());
        world.settle(replaced, 0, deferred);
    });
}
