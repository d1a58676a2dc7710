use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;

const KEY: Key<'static> = Key::text(b"user:1");
const ME: u64 = 1;
const OTHER: u64 = 2;

fn lead<W>(table: &FlightTable<W>, owner: u64, waiter: W) -> Lease {
    match table.join(KEY, owner, waiter) {
        Role::Lead(lease) => lease,
        Role::Wait => panic!("somebody leads already"),
    }
}

fn wait<W>(table: &FlightTable<W>, owner: u64, waiter: W) {
    assert!(matches!(table.join(KEY, owner, waiter), Role::Wait));
}

#[test]
fn the_first_leads_and_the_others_land_with_it_in_order() {
    let table = FlightTable::new();
    let lease = lead(&table, ME, 0);
    assert_eq!(lease.key(), KEY);
    wait(&table, OTHER, 1);
    wait(&table, ME, 2);
    assert_eq!(table.finish(&lease, || 7), Some(Landing { waiters: vec![1, 2], stored: Some(7) }));
    assert!(table.is_idle());
    assert_eq!(table.finish(&lease, || 7), None, "a lease ends once");
}

#[test]
fn keys_of_equal_bytes_and_different_kinds_fly_apart() {
    let table = FlightTable::new();
    let _text = lead(&table, ME, 0);
    assert!(matches!(table.join(Key::bytes(KEY.bytes), ME, 1), Role::Lead(_)));
    assert_eq!(table.len(), 2);
}

#[test]
fn a_killed_flight_serves_its_waiters_and_stores_nothing() {
    let table = FlightTable::new();
    let old = lead(&table, ME, 0);
    wait(&table, ME, 1);
    table.kill(KEY);
    let new = lead(&table, ME, 2);
    wait(&table, ME, 3);
    let landing = table.finish(&old, || panic!("must not store"));
    assert_eq!(landing, Some(Landing::<i32, ()> { waiters: vec![1], stored: None }));
    assert_eq!(table.finish(&new, || ()).unwrap(), Landing { waiters: vec![3], stored: Some(()) });
}

#[test]
fn kill_all_reaches_every_flight_and_kill_only_its_key() {
    let table = FlightTable::new();
    let leases: Vec<_> = (0..100u8)
        .map(|n| match table.join(Key::bytes(&[n]), ME, ()) {
            Role::Lead(lease) => lease,
            Role::Wait => unreachable!(),
        })
        .collect();
    table.kill(Key::bytes(&[0]));
    assert_eq!(table.finish(&leases[0], || ()).unwrap().stored, None);
    assert_eq!(table.finish(&leases[1], || ()).unwrap().stored, Some(()));
    table.kill_all();
    assert!(leases[2..].iter().all(|lease| table.finish(lease, || ()).unwrap().stored.is_none()));
    assert!(table.is_idle());
}

#[test]
fn a_failed_load_fails_for_all_who_waited() {
    let table = FlightTable::new();
    let lease = lead(&table, ME, 0);
    wait(&table, ME, 1);
    assert_eq!(table.fail(&lease), Some(vec![1]));
    assert_eq!(table.fail(&lease), None);
    assert!(table.is_idle());
}

#[test]
fn an_abandoned_flight_goes_to_the_one_that_waited_longest() {
    let table = FlightTable::new();
    let first = lead(&table, ME, 0);
    wait(&table, OTHER, 1);
    wait(&table, OTHER, 2);
    table.kill(KEY);
    let Handover::Next(1, second) = table.abandon(&first) else { panic!("1 waited longest") };
    assert_eq!(second.owner(), OTHER);
    assert_ne!(second.token(), first.token());
    assert!(table.finish(&first, || ()).is_none(), "the old lease is worth nothing");
    let landing = table.finish(&second, || ()).unwrap();
    assert_eq!(landing, Landing { waiters: vec![2], stored: Some(()) }, "its load began anew");
}

#[test]
fn an_abandoned_flight_without_waiters_is_gone() {
    let table = FlightTable::new();
    let lease = lead(&table, ME, 0);
    assert!(matches!(table.abandon(&lease), Handover::Empty));
    assert!(matches!(table.abandon(&lease), Handover::Empty));
    assert!(table.is_idle());
}

#[test]
fn waiters_of_a_killed_and_abandoned_flight_join_the_living_one() {
    let table = FlightTable::new();
    let old = lead(&table, ME, 0);
    wait(&table, ME, 1);
    table.kill(KEY);
    let new = lead(&table, ME, 2);
    assert!(matches!(table.abandon(&old), Handover::Empty));
    assert_eq!(table.finish(&new, || ()).unwrap().waiters, vec![1]);
    assert!(table.is_idle());
}

#[test]
fn who_leaves_is_not_served() {
    let table = FlightTable::new();
    let lease = lead(&table, ME, 0);
    wait(&table, ME, 1);
    wait(&table, ME, 2);
    assert_eq!(table.leave(KEY, |&waiter| waiter == 1), Some(1));
    assert_eq!(table.leave(KEY, |&waiter| waiter == 1), None);
    table.kill(KEY);
    assert_eq!(table.leave(KEY, |&waiter| waiter == 2), Some(2), "killed flights are searched");
    assert_eq!(table.finish(&lease, || ()).unwrap().waiters, vec![]);
}

#[test]
fn a_dead_owner_leaves_heirs_and_no_waiters() {
    let table = FlightTable::new();
    let lease = lead(&table, ME, 0);
    wait(&table, ME, 1);
    wait(&table, OTHER, 2);
    let Role::Lead(lonely) = table.join(Key::text(b"user:2"), ME, 3) else { unreachable!() };
    let heirs = table.owner_gone(ME);
    assert_eq!(heirs.len(), 1);
    let (waiter, heir) = &heirs[0];
    assert_eq!((*waiter, heir.owner()), (2, OTHER));
    assert!(table.fail(&lease).is_none() && table.fail(&lonely).is_none());
    assert_eq!(table.fail(heir), Some(vec![]), "the dead owner's waiter is gone");
    assert!(table.is_idle());
}

#[test]
fn a_store_that_panics_leaves_the_flight_to_be_abandoned() {
    let table = FlightTable::new();
    let lease = lead(&table, ME, 0);
    wait(&table, OTHER, 1);
    let panic = std::panic::AssertUnwindSafe(|| table.finish(&lease, || panic!("no memory")));
    assert!(std::panic::catch_unwind(panic).is_err());
    assert!(matches!(table.abandon(&lease), Handover::Next(1, _)));
}

/// One writer, three loaders, few keys: what the writer wrote is never covered by an older load,
/// every waiter is served exactly once, and no lease is lost, though leaders die.
#[test]
fn under_load_no_write_is_lost_and_every_waiter_is_served() {
    const KEYS: usize = 3;
    const WRITES: u64 = 20_000;
    let table = FlightTable::<u64>::new();
    let source: [AtomicU64; KEYS] = Default::default();
    let cache: [Mutex<Option<u64>>; KEYS] = Default::default();
    let (waiting, served, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let name = |at: usize| [at as u8];

    let load = |at: usize, mut lease: Lease, die: bool| {
        if die {
            match table.abandon(&lease) {
                Handover::Next(_, next) => {
                    served.fetch_add(1, Ordering::Relaxed);
                    lease = next;
                }
                Handover::Empty => return,
            }
        }
        let value = source[at].load(Ordering::SeqCst);
        thread::yield_now();
        let landing = table.finish(&lease, || *cache[at].lock() = Some(value)).unwrap();
        served.fetch_add(landing.waiters.len() as u64, Ordering::Relaxed);
    };
    thread::scope(|scope| {
        for owner in 1..=3 {
            let (table, cache, done, waiting, load) = (&table, &cache, &done, &waiting, &load);
            scope.spawn(move || {
                let mut turn = owner;
                while !done.load(Ordering::Relaxed) {
                    turn += 1;
                    let at = turn as usize % KEYS;
                    if cache[at].lock().is_some() {
                        continue;
                    }
                    match table.join(Key::bytes(&name(at)), owner, turn) {
                        Role::Lead(lease) => load(at, lease, turn % 7 == 0),
                        Role::Wait => _ = waiting.fetch_add(1, Ordering::Relaxed),
                    }
                }
            });
        }
        for write in 1..=WRITES {
            let (at, name) = (write as usize % KEYS, name(write as usize % KEYS));
            let key = Key::bytes(&name);
            source[at].store(write, Ordering::SeqCst);
            table.kill(key);
            *cache[at].lock() = write.is_multiple_of(5).then_some(write);
            table.kill(key);
            let kept = *cache[at].lock();
            if kept.is_some_and(|kept| kept < write) {
                done.store(true, Ordering::Relaxed);
                panic!("{kept:?} covers {write}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(table.is_idle());
    assert_eq!(served.into_inner(), waiting.into_inner());
}
