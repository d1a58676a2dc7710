//! Reclamation under loom. "Freeing" writes a cell that loom watches: to write it while a reader
//! may still look at it fails the model.

use super::*;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

/// A place that points to one of two things, each freed or not.
struct World {
    domain: Domain,
    place: AtomicUsize,
    freed: [UnsafeCell<bool>; 2],
}

impl World {
    fn new() -> Arc<Self> {
        let freed = [UnsafeCell::new(false), UnsafeCell::new(false)];
        Arc::new(Self { domain: Domain::new(), place: AtomicUsize::new(0), freed })
    }

    /// Reads what the place points to, as a thread that comes and goes; which one it was.
    fn read(&self) -> usize {
        let participant = self.domain.join();
        let at = self.read_as(participant);
        self.domain.leave(participant);
        at
    }

    fn read_as(&self, participant: &Participant) -> usize {
        let before = self.domain.pin(participant);
        let at = self.place.load(Ordering::Acquire);
        // SAFETY: loom checks that nobody writes meanwhile.
        self.freed[at].with(|freed| assert!(!unsafe { *freed }, "read after it was freed"));
        self.domain.unpin(participant, &before);
        at
    }

    fn free(&self, at: usize) {
        // SAFETY: loom checks that nobody else reads or writes.
        self.freed[at].with_mut(|freed| unsafe { *freed = true });
    }

    /// Unlinks the first thing; its tag.
    fn unlink(&self) -> u64 {
        self.place.swap(1, Ordering::AcqRel);
        self.domain.tag()
    }
}

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(f);
}

#[test]
fn what_a_reader_found_is_not_freed_before_it_unpins() {
    model(|| {
        let world = World::new();
        let reader = thread::spawn({
            let world = Arc::clone(&world);
            move || world.read()
        });
        let tag = world.unlink();
        let freed = world.domain.horizon() > tag;
        if freed {
            world.free(0);
        }
        reader.join().unwrap();
        assert!(freed || world.domain.horizon() > tag, "nobody reads any more");
    });
}

#[test]
fn two_readers_one_of_which_comes_back_are_both_waited_for() {
    model(|| {
        let world = World::new();
        let twice = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                let participant = world.domain.join();
                let seen = [world.read_as(participant), world.read_as(participant)];
                assert!(seen[0] <= seen[1], "what was unlinked came back");
                world.domain.leave(participant);
            }
        });
        let once = thread::spawn({
            let world = Arc::clone(&world);
            move || world.read()
        });
        let tag = world.unlink();
        if world.domain.horizon() > tag {
            world.free(0);
        }
        twice.join().unwrap();
        once.join().unwrap();
    });
}

#[test]
fn whoever_computes_the_horizon_another_thread_may_free() {
    model(|| {
        let world = World::new();
        let tags = Arc::new(loom::sync::Mutex::new(None));
        let reader = thread::spawn({
            let world = Arc::clone(&world);
            move || world.read()
        });
        let collector = thread::spawn({
            let (world, tags) = (Arc::clone(&world), Arc::clone(&tags));
            move || {
                let found: Option<u64> = *tags.lock().unwrap();
                if found.is_some_and(|tag| world.domain.horizon() > tag) {
                    world.free(0);
                }
            }
        });
        let tag = world.unlink();
        *tags.lock().unwrap() = Some(tag);
        reader.join().unwrap();
        collector.join().unwrap();
    });
}

#[test]
fn who_is_alone_may_free_at_once() {
    model(|| {
        let world = World::new();
        let me = world.domain.join();
        let reader = thread::spawn({
            let world = Arc::clone(&world);
            move || world.read()
        });
        world.place.swap(1, Ordering::AcqRel);
        if world.domain.alone() {
            world.free(0);
        }
        reader.join().unwrap();
        assert!(world.domain.alone(), "the other one left");
        world.domain.leave(me);
    });
}

#[test]
fn participants_are_handed_on_and_never_shared() {
    model(|| {
        let world = World::new();
        let threads = [(), ()].map(|()| {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                let participant = world.domain.join();
                assert_eq!(participant.stripe.replace(1), 0, "somebody else has it");
                thread::yield_now();
                participant.stripe.set(0);
                world.domain.leave(participant);
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        world.read();
        let mut count = 0;
        let mut at = world.domain.participants.load(Ordering::Acquire);
        // SAFETY: participants are never freed while the domain lives.
        while let Some(participant) = unsafe { at.as_ref() } {
            (count, at) = (count + 1, participant.next);
        }
        assert!(count <= 2, "a participant that was free was not taken");
    });
}
