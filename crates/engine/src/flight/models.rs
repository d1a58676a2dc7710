//! The flight table under loom: a late load never overwrites a newer write.

use super::*;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, fence};
use loom::thread;

const KEY: Key<'static> = Key::text(b"k");

/// A source of truth, a cache of it, and the table between them.
struct World {
    table: FlightTable,
    source: AtomicU64,
    /// 0 while it has nothing.
    cache: AtomicU64,
}

impl World {
    /// The source has 1; the cache has nothing.
    fn new() -> Arc<Self> {
        let (source, cache) = (AtomicU64::new(1), AtomicU64::new(0));
        Arc::new(Self { table: FlightTable::new(), source, cache })
    }

    /// Joins; who leads loads and stores. How many waiters were served.
    fn load(&self, owner: u64) -> Option<usize> {
        match self.table.join(KEY, owner, &[]) {
            Role::Lead(lease) => Some(self.land(&lease)),
            Role::Wait { .. } => None,
        }
    }

    /// As [`World::load`], but who leads looks first whether somebody was faster; whether it loaded.
    fn fetch(&self, owner: u64) -> bool {
        let Role::Lead(lease) = self.table.join(KEY, owner, &[]) else { return false };
        if self.cache.load(Ordering::Acquire) != 0 {
            self.table.fail(&lease);
            return false;
        }
        self.land(&lease);
        true
    }

    /// Who leads, when nobody else is here yet.
    fn lead(&self, owner: u64) -> Lease {
        match self.table.join(KEY, owner, &[]) {
            Role::Lead(lease) => lease,
            Role::Wait { .. } => panic!("nobody else is here"),
        }
    }

    /// Who waits for somebody who leads.
    fn wait(&self, owner: u64) -> Ticket {
        match self.table.join(KEY, owner, &[]) {
            Role::Wait { ticket, .. } => ticket,
            Role::Lead(_) => panic!("somebody leads"),
        }
    }

    fn land(&self, lease: &Lease) -> usize {
        let value = self.source.load(Ordering::Acquire);
        let landing = self.table.finish(lease, || self.cache.store(value, Ordering::Release));
        landing.map_or(0, |landing| landing.waiters.len())
    }

    /// Writes the source, and then tells the cache by `mutation`.
    fn write(&self, value: u64, mutation: impl FnOnce(&AtomicU64)) {
        self.source.store(value, Ordering::Release);
        // What is written to the source is written for everybody before the cache is told.
        fence(Ordering::SeqCst);
        self.table.kill(KEY);
        mutation(&self.cache);
        self.table.kill(KEY);
    }
}

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(f);
}

#[test]
fn a_late_load_never_covers_a_set() {
    model(|| {
        let world = World::new();
        let loader = thread::spawn({
            let world = Arc::clone(&world);
            move || world.load(1)
        });
        world.write(2, |cache| cache.store(2, Ordering::Release));
        loader.join().unwrap();
        assert_eq!(world.cache.load(Ordering::Acquire), 2);
        assert!(world.table.is_idle());
    });
}

#[test]
fn a_late_load_never_brings_back_what_was_deleted() {
    model(|| {
        let world = World::new();
        let loader = thread::spawn({
            let world = Arc::clone(&world);
            move || world.load(1)
        });
        world.write(2, |cache| cache.store(0, Ordering::Release));
        loader.join().unwrap();
        assert_ne!(world.cache.load(Ordering::Acquire), 1);
    });
}

#[test]
fn every_waiter_is_served_once_whoever_leads_and_whoever_writes() {
    model(|| {
        let world = World::new();
        let loaders = [1, 2].map(|owner| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.load(owner))
        });
        world.write(2, |cache| cache.store(2, Ordering::Release));
        let ends = loaders.map(|loader| loader.join().unwrap());
        let waited = ends.iter().filter(|end| end.is_none()).count();
        assert_eq!(ends.iter().flatten().sum::<usize>(), waited);
        assert_eq!(world.cache.load(Ordering::Acquire), 2);
        assert!(world.table.is_idle());
    });
}

#[test]
fn a_leader_that_dies_loses_no_waiter_and_no_lease() {
    model(|| {
        let world = World::new();
        let lease = world.lead(1);
        let other = thread::spawn({
            let world = Arc::clone(&world);
            move || world.load(2).is_none()
        });
        let heirs = world.table.owner_gone(1).heirs;
        assert!(world.table.finish(&lease, || ()).is_none(), "a dead owner's lease is over");
        let waits = other.join().unwrap();
        assert_eq!(heirs.len(), usize::from(waits));
        for lease in heirs {
            assert_eq!(world.land(&lease), 0);
        }
        assert!(world.table.is_idle());
        assert_eq!(world.cache.load(Ordering::Acquire), 1);
    });
}

#[test]
fn who_joins_while_a_load_is_cancelled_waits_or_leads() {
    model(|| {
        let world = World::new();
        let lease = world.lead(1);
        let other = thread::spawn({
            let world = Arc::clone(&world);
            move || world.load(2).is_none()
        });
        let cancelled = world.table.cancel(&lease) == Cancelled::Ended;
        let served = if cancelled { 0 } else { world.land(&lease) };
        let waits = other.join().unwrap();
        assert!(!cancelled || !waits, "who waits is not left alone");
        if !cancelled {
            assert_eq!(served, usize::from(waits));
        }
        assert!(world.table.is_idle());
        assert_eq!(world.cache.load(Ordering::Acquire), 1);
    });
}

#[test]
fn a_load_that_is_taken_over_is_landed_once() {
    model(|| {
        let world = World::new();
        let first = world.lead(1);
        let (ticket, number) = (world.wait(2), first.number());
        let slow = thread::spawn({
            let world = Arc::clone(&world);
            move || world.table.finish(&first, || world.cache.store(1, Ordering::Release))
        });
        let handover = world.table.hand_over(ticket, number);
        let first = slow.join().unwrap();
        match handover {
            Handover::Next { lease, deposed } => {
                assert!(first.is_none() && deposed == Some(1));
                assert_eq!(world.land(&lease), 1, "who led before is served");
            }
            Handover::Over => assert_eq!(first.unwrap().waiters, vec![2]),
            handover => panic!("nobody else takes it over: {handover:?}"),
        }
        assert!(world.table.is_idle());
        assert_eq!(world.cache.load(Ordering::Acquire), 1);
    });
}

#[test]
fn an_overdue_load_stores_or_whoever_joined_loads_in_its_place() {
    model(|| {
        let world = World::new();
        let slow = world.lead(1);
        assert!(matches!(world.table.overdue(slow.ticket(), slow.number()), Handover::Alone));
        let late = thread::spawn({
            let world = Arc::clone(&world);
            move || world.table.finish(&slow, || world.cache.store(1, Ordering::Release))
        });
        let loaded = world.fetch(2);
        let late = late.join().unwrap();
        // Nobody ever waits for the slow load: it stores, or another one does.
        assert!(loaded || late.is_some());
        assert!(late.is_none_or(|landing| landing.waiters.is_empty()));
        assert!(world.table.is_idle());
        assert_eq!(world.cache.load(Ordering::Acquire), 1);
    });
}

#[test]
fn a_load_is_taken_over_once_though_all_lose_patience_at_once() {
    model(|| {
        let world = World::new();
        let number = world.lead(1).number();
        let ticket = world.wait(2);
        world.wait(3);
        let others = [2, 3].map(|_| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.table.hand_over(ticket, number))
        });
        let mut leases = Vec::new();
        for other in others {
            match other.join().unwrap() {
                Handover::Next { lease, .. } => leases.push(lease),
                Handover::Since(lease) => assert_ne!(lease, number),
                handover => panic!("there are waiters: {handover:?}"),
            }
        }
        assert_eq!(leases.len(), 1);
        assert!(world.table.leads(&leases[0]) && world.table.waits_for(ticket, 1).is_some());
        assert_eq!(world.land(&leases[0]), 2);
        assert!(world.table.is_idle());
    });
}

#[test]
fn who_leaves_while_the_leader_dies_leaves_no_flight_behind() {
    model(|| {
        let world = World::new();
        let lease = world.lead(1);
        let ticket = world.wait(2);
        let other = thread::spawn({
            let world = Arc::clone(&world);
            move || world.table.leave(ticket, 2)
        });
        let mut gone = world.table.owner_gone(1);
        match (other.join().unwrap(), gone.heirs.pop()) {
            // It is the leader, and is told so: nobody waits for it.
            (Left::Unknown, Some(heir)) => {
                assert_eq!(world.table.cancel(&heir), Cancelled::Ended);
            }
            (Left::Alone(1), None) => {}
            other => panic!("{other:?}"),
        }
        assert!(!world.table.leads(&lease) && gone.alone.is_empty());
        assert!(world.table.is_idle());
    });
}

#[test]
fn of_two_who_miss_one_loads() {
    model(|| {
        let world = World::new();
        let other = thread::spawn({
            let world = Arc::clone(&world);
            move || world.fetch(2)
        });
        let loads = [world.fetch(1), other.join().unwrap()];
        assert_eq!(loads.iter().filter(|&&loaded| loaded).count(), 1);
        assert!(world.table.is_idle());
    });
}
