//! What a node remembers, looked at and forgotten by hand: the store has no part in it.

use super::world::World;
use super::{runs, with, world};
use breakwater_engine::Key;
use breakwater_resp::Protocol::Resp3;
use breakwater_router::{Cause, MOST_SHOWN, Mode, Route, awaits_reply};
use std::collections::BTreeMap;

fn filled(world: &mut World, keys: &[&str]) -> usize {
    let client = world.connect(0, Resp3);
    for key in keys {
        world.server.set(key, Some("v"), None);
        world.ask(client, &format!("GET {key}"));
    }
    client
}

#[test]
fn what_is_known_of_a_key_is_what_lies_in_memory() {
    let mut world = with(Route { jitter: 0.0, ttl: Some(1000), ..Route::default() });
    let client = filled(&mut world, &["k"]);
    world.ask(client, "GET none");
    world.pass(300);
    let known = world.router.known_key(b"k");
    assert_eq!((known.route.as_str(), known.mode, known.pinned), ("*", Mode::On, false));
    let held = known.held.unwrap();
    let get = held.get.unwrap();
    assert!(held.is_fresh && held.bytes > 0);
    assert_eq!((get.db, get.absent, get.age), (0, false, 300));
    assert!(get.left.is_some_and(|left| (600..=700).contains(&left)), "{:?}", get.left);
    assert_eq!(get.bytes, b"$1\r\nv\r\n");
    let none = world.router.known_key(b"none").held.unwrap();
    assert!(none.get.is_some_and(|get| get.absent));
    assert_eq!(world.router.known_key(b"never").held, None);
    assert_eq!(world.router.known_key(&[b'k'; 70_000]).held, None);
    world.pass(700);
    assert_eq!(world.router.known_key(b"k").held.and_then(|held| held.get), None);
    // Another read of it counts as long, and lies elsewhere.
    world.ask(client, "STRLEN k");
    let held = world.router.known_key(b"k").held.unwrap();
    assert!(held.is_fresh && held.get.is_none() && held.generation > 0);
}

#[test]
fn a_generation_awaits_the_reply_to_a_get_and_no_other() {
    let mut world = world(1);
    let client = filled(&mut world, &["other"]);
    let awaits = |world: &World, key: &str| {
        world.router.cache().peek(Key::bytes(key.as_bytes()), awaits_reply)
    };
    for (read, key, awaited) in [("GET", "k", true), ("STRLEN", "l", false)] {
        assert_eq!(awaits(&world, key), None);
        world.server.set(key, Some("v"), None);
        world.send(client, &format!("{read} {key}"));
        assert_eq!(awaits(&world, key), Some(awaited), "{read} is under way");
        world.settle();
        assert_eq!(awaits(&world, key), Some(false), "{read} is answered");
    }
}

#[test]
fn what_is_forgotten_by_hand_is_read_anew_and_written_nowhere() {
    let mut world = world(1);
    let client = filled(&mut world, &["user:1", "user:2", "other"]);
    assert!(world.router.forget_key(b"user:1") && !world.router.forget_key(b"user:1"));
    world.ask(client, "GET user:1");
    assert_eq!(runs(&world, "get"), 4);
    assert_eq!(world.router.forget_prefix(b"user:", 0), (0, 2));
    for key in ["user:1", "user:2", "other"] {
        assert_eq!(world.ask(client, &format!("GET {key}")), "$1\r\nv\r\n");
    }
    assert_eq!(runs(&world, "get"), 6);
    let before = world.router.cache().stats().bytes;
    world.router.forget_everything();
    assert!(world.router.cache().stats().bytes < before);
    for key in ["user:1", "user:2", "other"] {
        assert_eq!(world.ask(client, &format!("GET {key}")), "$1\r\nv\r\n");
    }
    assert_eq!(runs(&world, "get"), 9);
    assert!(["del", "unlink", "flushall", "flushdb"].iter().all(|name| runs(&world, name) == 0));
}

#[test]
fn a_reply_under_way_goes_to_its_waiters_though_all_is_forgotten() {
    for forget in [
        |world: &World| world.router.forget_everything(),
        |world: &World| {
            world.router.forget_key(b"k");
        },
    ] {
        let mut world = world(1);
        let client = filled(&mut world, &["other"]);
        world.server.set("k", Some("old"), None);
        world.send(client, "GET k");
        for line in world.open.clone() {
            world.forward(line);
        }
        forget(&world);
        world.settle();
        assert_eq!(world.clients[client].replies.pop_front().unwrap(), b"$3\r\nold\r\n");
        world.ask(client, "GET k");
        world.ask(client, "GET k");
        assert_eq!(runs(&world, "get"), 3, "the late one is not remembered, the next one is");
    }
}

#[test]
fn what_leaves_is_told_to_those_who_watch_once_and_within_bounds() {
    let mut world = world(1);
    let client = filled(&mut world, &["a"]);
    world.ask(client, "SET a new");
    assert_eq!(world.router.invalidated(), Default::default(), "nobody watched");
    world.router.watch_invalidations(true);
    world.ask(client, "GET a");
    world.ask(client, "SET a newer");
    world.ask(client, "GET a");
    world.server.set("a", Some("elsewhere"), None);
    world.settle();
    world.ask(client, "GET a");
    world.router.forget_key(b"a");
    let told = world.router.invalidated();
    let causes: Vec<_> = told.keys.iter().map(|(_, _, cause)| *cause).collect();
    assert_eq!(causes, [Cause::Write, Cause::News, Cause::Hand]);
    assert_eq!(told.routes, BTreeMap::from([("*".to_owned(), 3)]));
    world.ask(client, "FLUSHALL");
    assert!(world.router.invalidated().everything.contains(&Cause::Write));
    let many: Vec<_> = (0..2 * MOST_SHOWN).map(|n| format!("k{n}")).collect();
    for key in &many {
        world.ask(client, &format!("GET {key}"));
    }
    world.router.forget_prefix(b"k", 0);
    let told = world.router.invalidated();
    assert_eq!((told.routes["*"], told.keys.len()), (2 * MOST_SHOWN as u64, MOST_SHOWN));
    for key in &many {
        world.ask(client, &format!("GET {key}"));
    }
    let (last, others) = many.split_last().expect("there are some");
    for key in others {
        world.ask(client, &format!("SET {key} new"));
    }
    world.router.forget_key(last.as_bytes());
    let told = world.router.invalidated();
    let hands = told.keys.iter().filter(|(.., cause)| *cause == Cause::Hand).count();
    assert_eq!((told.keys.len(), hands), (MOST_SHOWN + 1, 1), "a rare cause is not hidden");
    world.router.watch_invalidations(false);
    world.ask(client, "SET a newest");
    assert_eq!(world.router.invalidated(), Default::default());
}

#[test]
fn a_reply_is_in_the_ledger_until_it_is_whole_or_its_connection_is_lost() {
    let mut world = world(1);
    let client = filled(&mut world, &["other"]);
    world.server.set("k", Some(&"v".repeat(100_000)), None);
    let used = |world: &mut World| {
        world.relays[0].charge(0);
        world.router.buffers().used
    };
    let before = used(&mut world);
    for is_cut in [false, true] {
        world.send(client, "GET k");
        let line = world.open[0];
        world.forward(line);
        world.back(line, 60_000);
        let part = used(&mut world) - before;
        assert!((59_000..=70_000).contains(&part), "{part} bytes");
        world.back(line, 30_000);
        assert_eq!(used(&mut world) - before - part, 30_000);
        if is_cut {
            world.cut(0);
        } else {
            world.settle();
        }
        assert_eq!(used(&mut world), before, "it was cut: {is_cut}");
        // Until it is connected again.
        world.pass(1_000);
        world.settle();
        world.router.forget_key(b"k");
    }
}
