//! The flight table in one thread, and under load: who leads, who waits, what is stored.

use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;

const KEY: Key<'static> = Key::text(b"user:1");
const ME: u64 = 1;
const OTHER: u64 = 2;
const THIRD: u64 = 3;

fn lead(table: &FlightTable, owner: u64) -> Lease {
    lead_tagged(table, owner, &[])
}

fn lead_tagged(table: &FlightTable, owner: u64, tags: &[u32]) -> Lease {
    match table.join(KEY, owner, tags) {
        Role::Lead(lease) => lease,
        Role::Wait { .. } => panic!("somebody leads already"),
    }
}

fn wait(table: &FlightTable, owner: u64) -> Ticket {
    match table.join(KEY, owner, &[]) {
        Role::Wait { ticket, new: true, .. } => ticket,
        role => panic!("{role:?}"),
    }
}

fn landing(waiters: &[u64], stored: Option<u8>) -> Option<Landing<u8>> {
    Some(Landing { waiters: waiters.to_vec(), stored })
}

#[test]
fn the_first_leads_and_the_others_land_with_it_in_order() {
    let table = FlightTable::new();
    let lease = lead(&table, ME);
    assert_eq!(lease.key(), KEY);
    wait(&table, THIRD);
    wait(&table, OTHER);
    assert_eq!(table.finish(&lease, || 7), landing(&[THIRD, OTHER], Some(7)));
    assert!(table.is_idle());
    assert_eq!(table.finish(&lease, || 7), None, "a lease ends once");
}

#[test]
fn an_owner_waits_once_however_often_it_joins() {
    let table = FlightTable::new();
    let lease = lead(&table, ME);
    let ticket = wait(&table, OTHER);
    for owner in [ME, OTHER] {
        match table.join(KEY, owner, &[]) {
            Role::Wait { ticket: same, new, .. } => assert_eq!((same, new), (ticket, false)),
            Role::Lead(_) => panic!("there is a flight"),
        }
    }
    assert_eq!(table.finish(&lease, || 7), landing(&[OTHER], Some(7)));
}

#[test]
fn keys_of_equal_bytes_and_different_kinds_fly_apart() {
    let table = FlightTable::new();
    let _text = lead(&table, ME);
    assert!(matches!(table.join(Key::bytes(KEY.bytes), ME, &[]), Role::Lead(_)));
    assert_eq!(table.len(), 2);
}

#[test]
fn a_killed_flight_serves_its_waiters_and_stores_nothing() {
    let table = FlightTable::new();
    let old = lead(&table, ME);
    wait(&table, OTHER);
    table.kill(KEY);
    let new = lead(&table, ME);
    wait(&table, THIRD);
    assert_eq!(table.finish(&old, || panic!("must not store")), landing(&[OTHER], None));
    assert_eq!(table.finish(&new, || 7), landing(&[THIRD], Some(7)));
}

#[test]
fn kill_all_reaches_every_flight_and_kill_only_its_key() {
    let table = FlightTable::new();
    let leases: Vec<_> = (0..100u8)
        .map(|n| match table.join(Key::bytes(&[n]), ME, &[]) {
            Role::Lead(lease) => lease,
            Role::Wait { .. } => unreachable!(),
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
fn a_tag_kills_the_flights_that_named_it() {
    let table = FlightTable::new();
    let tagged = lead_tagged(&table, ME, &[3, 5]);
    let Role::Lead(other) = table.join(Key::text(b"user:2"), ME, &[4]) else { unreachable!() };
    table.kill_tagged(5);
    assert_eq!(table.finish(&tagged, || 7), landing(&[], None));
    assert_eq!(table.finish(&other, || 7), landing(&[], Some(7)));
}

#[test]
fn a_failed_load_fails_for_all_who_waited() {
    let table = FlightTable::new();
    let lease = lead(&table, ME);
    wait(&table, OTHER);
    assert_eq!(table.fail(&lease), Some(vec![OTHER]));
    assert_eq!(table.fail(&lease), None);
    assert!(table.is_idle());
}

#[test]
fn a_flight_is_cancelled_only_while_nobody_waits() {
    let table = FlightTable::new();
    let lease = lead(&table, ME);
    let ticket = wait(&table, OTHER);
    assert_eq!(table.cancel(&lease), Cancelled::Awaited);
    assert_eq!(table.leave(ticket, OTHER), Left::Alone(ME));
    assert_eq!(table.leave(ticket, OTHER), Left::Unknown);
    assert_eq!(table.cancel(&lease), Cancelled::Ended);
    assert!(table.is_idle());
}

#[test]
fn who_lost_its_lease_is_told_so_whatever_it_does_with_it() {
    let table = FlightTable::new();
    let first = lead(&table, ME);
    let ticket = wait(&table, OTHER);
    let Handover::Next { lease: second, .. } = table.hand_over(ticket, first.number()) else {
        panic!()
    };
    for _ in 0..2 {
        assert_eq!(table.cancel(&first), Cancelled::Lost);
        assert_eq!(table.fail(&first), None);
        let since = second.number();
        let (given, overdue) =
            (table.hand_over(ticket, first.number()), table.overdue(ticket, first.number()));
        assert!(matches!(given, Handover::Since(lease) if lease == since));
        assert!(matches!(overdue, Handover::Since(lease) if lease == since));
    }
    assert_eq!(table.waits_for(ticket, ME), Some(second.number()), "it waits until it leaves");
    assert_eq!(table.fail(&second), Some(vec![ME]));
    assert_eq!(table.cancel(&first), Cancelled::Lost);
    assert_eq!(table.waits_for(ticket, ME), None);
    assert!(matches!(table.hand_over(ticket, first.number()), Handover::Over));
    assert!(matches!(table.overdue(ticket, first.number()), Handover::Over));
    assert!(table.is_idle());
}

#[test]
fn a_load_that_is_overdue_stores_unless_somebody_began_another() {
    let table = FlightTable::new();
    let slow = lead(&table, ME);
    assert!(matches!(table.overdue(slow.ticket(), slow.number()), Handover::Alone));
    assert_eq!(table.finish(&slow, || 7), landing(&[], Some(7)));
    for next in [ME, OTHER] {
        let slow = lead(&table, ME);
        assert!(matches!(table.overdue(slow.ticket(), slow.number()), Handover::Alone));
        let lease = lead(&table, next);
        assert_eq!(table.finish(&slow, || 6), None, "another load began");
        assert_eq!(table.finish(&lease, || 7), landing(&[], Some(7)));
    }
    let slow = lead(&table, ME);
    assert!(matches!(table.overdue(slow.ticket(), slow.number()), Handover::Alone));
    table.kill(KEY);
    assert_eq!(table.finish(&slow, || panic!("must not store")), landing(&[], None));
    let slow = lead(&table, ME);
    wait(&table, OTHER);
    match table.overdue(slow.ticket(), slow.number()) {
        Handover::Next { lease, deposed } => {
            assert_eq!((lease.owner(), deposed), (OTHER, Some(ME)));
            assert_eq!(table.finish(&lease, || 7), landing(&[ME], Some(7)));
        }
        handover => panic!("{handover:?}"),
    }
    assert!(table.is_idle());
}

#[test]
fn a_flight_that_is_handed_over_goes_to_the_one_that_waited_longest() {
    let table = FlightTable::new();
    let first = lead(&table, ME);
    let ticket = wait(&table, OTHER);
    wait(&table, THIRD);
    table.kill(KEY);
    let handover = table.hand_over(ticket, first.number());
    let Handover::Next { lease: second, deposed } = handover else { panic!() };
    assert_eq!((second.owner(), deposed), (OTHER, Some(ME)));
    assert_eq!(second.ticket(), ticket, "who waits knows the flight by the same ticket");
    assert_ne!(second.number(), first.number());
    assert_eq!(table.finish(&first, || 6), None, "the old lease is worth nothing");
    assert_eq!(table.finish(&second, || 7), landing(&[THIRD, ME], Some(7)), "its load began anew");
}

#[test]
fn a_flight_is_handed_over_by_the_first_who_lost_patience_with_its_leader() {
    let table = FlightTable::new();
    let first = lead(&table, ME);
    let ticket = wait(&table, OTHER);
    wait(&table, THIRD);
    let handover = table.hand_over(ticket, first.number());
    let Handover::Next { lease: second, .. } = handover else { panic!() };
    match table.hand_over(ticket, first.number()) {
        Handover::Since(lease) => assert_eq!(lease, second.number()),
        other => panic!("{other:?}"),
    }
    assert!(table.leads(&second) && !table.leads(&first));
    assert!(table.waits_for(ticket, ME).is_some() && table.waits_for(ticket, OTHER).is_none());
    let Role::Wait { lease, .. } = table.join(KEY, 4, &[]) else { panic!() };
    assert_eq!(lease, second.number(), "who comes late is patient with the second");
    let Handover::Next { lease: third, deposed } = table.hand_over(ticket, lease) else { panic!() };
    assert_eq!((third.owner(), deposed), (THIRD, Some(OTHER)));
}

#[test]
fn a_flight_that_nobody_waits_for_ends_when_it_is_handed_over() {
    let table = FlightTable::new();
    let lease = lead(&table, ME);
    assert!(matches!(table.hand_over(lease.ticket(), lease.number()), Handover::Alone));
    assert!(matches!(table.hand_over(lease.ticket(), lease.number()), Handover::Over));
    assert!(table.is_idle());
}

#[test]
fn a_killed_flight_that_is_handed_over_stores_nothing_beside_a_living_one() {
    let table = FlightTable::new();
    let old = lead(&table, ME);
    let ticket = wait(&table, OTHER);
    table.kill(KEY);
    let new = lead(&table, THIRD);
    let Handover::Next { lease, .. } = table.hand_over(ticket, old.number()) else { panic!() };
    assert!(table.may_store(&new) && !table.may_store(&lease) && !table.may_store(&old));
    assert_eq!(table.finish(&lease, || 7), landing(&[ME], None));
    assert_eq!(table.finish(&new, || 8), landing(&[], Some(8)));
    assert_eq!(table.finish(&old, || 6), None);
}

#[test]
fn who_leaves_is_not_served() {
    let table = FlightTable::new();
    let lease = lead(&table, ME);
    let ticket = wait(&table, OTHER);
    wait(&table, THIRD);
    assert_eq!(table.leave(ticket, OTHER), Left::Others);
    table.kill(KEY);
    assert_eq!(table.leave(ticket, THIRD), Left::Alone(ME), "killed flights are searched");
    assert_eq!(table.finish(&lease, || 7), landing(&[], None));
    assert_eq!(table.leave(ticket, THIRD), Left::Unknown);
}

#[test]
fn an_owner_that_is_gone_leaves_heirs_and_waits_no_more() {
    let table = FlightTable::new();
    let lease = lead(&table, ME);
    wait(&table, OTHER);
    let Role::Lead(lonely) = table.join(Key::text(b"user:2"), ME, &[]) else { unreachable!() };
    let other = Key::text(b"user:3");
    let Role::Lead(theirs) = table.join(other, OTHER, &[]) else { unreachable!() };
    assert!(matches!(table.join(other, ME, &[]), Role::Wait { .. }));
    let gone = table.owner_gone(ME);
    assert_eq!(gone.alone, vec![(OTHER, theirs.ticket())]);
    assert_eq!(gone.heirs.len(), 1);
    assert_eq!(gone.heirs[0].owner(), OTHER);
    assert!(table.fail(&lease).is_none() && table.fail(&lonely).is_none());
    assert_eq!(table.fail(&gone.heirs[0]), Some(vec![]), "who is gone does not wait");
    assert_eq!(table.fail(&theirs), Some(vec![]));
    assert!(table.is_idle());
}

#[test]
fn a_store_that_panics_leaves_the_flight_to_be_handed_over() {
    let table = FlightTable::new();
    let lease = lead(&table, ME);
    let ticket = wait(&table, OTHER);
    let panic = std::panic::AssertUnwindSafe(|| table.finish(&lease, || panic!("no memory")));
    assert!(std::panic::catch_unwind(panic).is_err());
    assert!(matches!(table.hand_over(ticket, lease.number()), Handover::Next { .. }));
}

/// One writer, three loaders, few keys: what the writer wrote is never covered by an older load,
/// every waiter is served exactly once, and no lease is lost, though leaders die.
#[test]
fn under_load_no_write_is_lost_and_every_waiter_is_served() {
    const KEYS: usize = 3;
    const WRITES: u64 = 20_000;
    let table = FlightTable::new();
    let source: [AtomicU64; KEYS] = Default::default();
    let cache: [Mutex<Option<u64>>; KEYS] = Default::default();
    let (waiting, served, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let name = |at: usize| [at as u8];

    let load = |at: usize, mut lease: Lease, die: bool| {
        if die {
            match table.hand_over(lease.ticket(), lease.number()) {
                // The heir is served by its own load, and who led before waits.
                Handover::Next { lease: next, .. } => {
                    waiting.fetch_add(1, Ordering::Relaxed);
                    served.fetch_add(1, Ordering::Relaxed);
                    lease = next;
                }
                Handover::Alone | Handover::Over | Handover::Since(_) => return,
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
                    match table.join(Key::bytes(&name(at)), owner, &[]) {
                        Role::Lead(lease) => load(at, lease, turn % 7 == 0),
                        Role::Wait { new, .. } => {
                            waiting.fetch_add(new.into(), Ordering::Relaxed);
                        }
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
