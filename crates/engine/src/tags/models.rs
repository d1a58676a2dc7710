//! A loader, somebody who writes the source and then invalidates, and a reader who knows that; and
//! invalidations that meet.

use super::*;
use crate::versions::Versions;
use loom::sync::Arc;
use loom::thread;

/// What the index has for the key: nothing, or the epoch and the value.
const NOTHING: u64 = u64::MAX;

struct World {
    tags: Tags,
    versions: Versions,
    source: AtomicU64,
    /// Epoch << 8 | value.
    entry: AtomicU64,
    /// The latest value of the source of which the key's tag is known to be invalidated.
    known: AtomicU64,
    /// Whether the invalidation finds no table, as one may that begins before there is one.
    early: bool,
}

impl World {
    fn new(early: bool) -> Arc<Self> {
        let tags = Tags::new(Some(1));
        tags.make_ready().unwrap();
        Arc::new(Self {
            tags,
            early,
            versions: Versions::new(Some(1), None),
            source: AtomicU64::new(0),
            entry: AtomicU64::new(NOTHING),
            known: AtomicU64::new(0),
        })
    }

    fn load(&self) {
        let epoch = self.tags.epoch();
        let value = self.source.load(Ordering::Relaxed);
        if self.tags.check(epoch, [3].into_iter()) == Validity::Valid {
            // As the index publishes.
            self.entry.swap(epoch << 8 | value, Ordering::AcqRel);
        }
    }

    fn write_and_invalidate(&self, value: u64) {
        self.source.store(value, Ordering::Relaxed);
        let changing = self.versions.changing_all();
        if self.early {
            self.tags.invalidate_in(&self.tags.floor);
        } else {
            self.tags.invalidate(3);
        }
        drop(changing);
        self.known.fetch_max(value, Ordering::Release);
    }

    fn read(&self) -> Option<u64> {
        let entry = self.entry.load(Ordering::Acquire);
        let valid =
            entry != NOTHING && self.tags.check(entry >> 8, [3].into_iter()) == Validity::Valid;
        valid.then_some(entry & 0xFF)
    }

    /// Reads twice, the second time from a copy if it is good.
    fn read_also_from_a_copy(&self) {
        let known = self.known.load(Ordering::Acquire);
        let stamp = self.versions.stamp(0);
        let Some(value) = self.read() else { return };
        assert!(value >= known, "{value} was read though {known} was there");
        let known = self.known.load(Ordering::Acquire);
        if self.versions.is_current(stamp) {
            assert!(value >= known, "{value} was copied though {known} was there");
        }
    }
}

fn run(early: bool) {
    let mut builder = loom::model::Builder::new();
    // Without a bound it would run for an hour.
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(move || {
        let world = World::new(early);
        let loader = {
            let world = world.clone();
            thread::spawn(move || world.load())
        };
        let writer = {
            let world = world.clone();
            thread::spawn(move || world.write_and_invalidate(1))
        };
        world.read_also_from_a_copy();
        loader.join().unwrap();
        writer.join().unwrap();
        assert!(world.read().is_none_or(|value| value == 1), "it stayed");
    });
}

/// Milliseconds of grace.
const GRACE: u64 = 10;

/// An entry that became stale at 0 is met while its tag is invalidated again by two at once,
/// after its grace: it has not become young again.
#[test]
fn what_has_been_stale_for_its_grace_is_not_younger_after_another_invalidation() {
    loom::model(|| {
        let tags = Arc::new(Tags::new(Some(1)));
        tags.make_ready().unwrap();
        let epoch = tags.epoch();
        tags.invalidate_softly(3, 0, GRACE);
        let again = [GRACE, GRACE + 1].map(|now| {
            let tags = tags.clone();
            thread::spawn(move || tags.invalidate_softly(3, now, GRACE))
        });
        let old = |validity| match validity {
            Validity::Valid => false,
            Validity::Stale { since } => since == 0,
            Validity::Invalid => true,
        };
        assert!(old(tags.check(epoch, [3].into_iter())));
        for thread in again {
            thread.join().unwrap();
        }
        assert_eq!(tags.check(epoch, [3].into_iter()), Validity::Invalid);
        let now = tags.check(epoch + 1, [3].into_iter());
        assert!(matches!(now, Validity::Stale { since } if since >= GRACE), "{now:?}");
    });
}

#[test]
fn what_was_loaded_before_an_invalidation_is_not_read_after_it() {
    run(false);
}

#[test]
fn nor_if_the_invalidation_finds_no_table() {
    run(true);
}
