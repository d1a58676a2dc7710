//! What one process has read most is read by another one before its first client comes.

use super::world::World;
use super::{runs, with, world};
use breakwater_resp::Protocol::{Resp2, Resp3};
use breakwater_router::{Limits, Mode, Route, Routes, Rules};

const ALL: usize = usize::MAX;

/// Another process, in front of the same store, which has read nothing.
fn successor(from: &World, to: &mut World) {
    for (key, past) in &from.server.past {
        for (value, end) in &past.0 {
            to.server.set(key, value.as_deref(), *end);
        }
    }
}

/// Has what one has read most read by the other, whose connections open meanwhile.
fn hand_over(from: &World, to: &mut World) {
    to.relays[0].warm(from.router.hottest(ALL, ALL));
    to.settle();
    assert!(!to.relays[0].is_warming());
}

fn misses(world: &World) -> [u64; 2] {
    let counts = &world.router.route_counts()[0].1;
    [counts.misses, counts.warmed]
}

#[test]
fn what_was_read_is_known_whatever_the_command_and_the_protocol() {
    let mut before = world(1);
    let clients = [before.connect(0, Resp2), before.connect(0, Resp3)];
    before.server.set("a", Some("1"), None);
    before.server.set("b", Some("22"), None);
    let lines = ["GET a", "STRLEN b", "MGET a b none", "GET none", "GETRANGE b 0 0"];
    let ask = |world: &mut World, clients: [usize; 2]| {
        let all = clients.map(|client| lines.map(|line| world.ask(client, line)));
        all.concat()
    };
    let replies = ask(&mut before, clients);
    let mut after = world(1);
    successor(&before, &mut after);
    hand_over(&before, &mut after);
    let asked = ["get", "strlen", "mget", "getrange"].map(|name| runs(&after, name));
    let clients = [after.connect(0, Resp2), after.connect(0, Resp3)];
    assert_eq!(ask(&mut after, clients), replies);
    assert_eq!(["get", "strlen", "mget", "getrange"].map(|name| runs(&after, name)), asked);
    assert_eq!(misses(&after)[0], 0);
    assert!(misses(&after)[1] >= 5);
}

#[test]
fn what_changes_while_it_is_read_is_not_given() {
    for moment in 0..4 {
        let mut before = world(1);
        let client = before.connect(0, Resp3);
        before.server.set("k", Some("old"), None);
        before.ask(client, "GET k");
        let mut after = world(1);
        successor(&before, &mut after);
        after.relays[0].warm(before.router.hottest(ALL, ALL));
        after.settle_node();
        let change = |after: &mut World, at: usize| {
            if moment == at {
                after.server.set("k", Some("new"), None);
            }
        };
        change(&mut after, 0);
        after.open(0);
        // The greeting, and then the read itself.
        for step in 1..3 {
            for line in after.open.clone() {
                after.forward(line);
            }
            change(&mut after, step);
            for line in after.open.clone() {
                after.back(line, usize::MAX);
            }
        }
        change(&mut after, 3);
        after.settle();
        let client = after.connect(0, Resp3);
        assert_eq!(after.ask(client, "GET k"), "$3\r\nnew\r\n", "changed at {moment}");
    }
}

/// So many keys, a process that has read them all, and one of these limits that begins.
fn heirs(limits: Limits, count: usize) -> (Vec<String>, World, World) {
    let mut before = world(1);
    let client = before.connect(0, Resp3);
    let keys: Vec<_> = (0..count).map(|n| format!("k{n}")).collect();
    for key in &keys {
        before.server.set(key, Some("v"), None);
        before.ask(client, &format!("GET {key}"));
    }
    let routes = Routes::new(vec![Route::default()]);
    let mut after = World::by(1, Rules { routes, limits, ..Rules::default() });
    successor(&before, &mut after);
    (keys, before, after)
}

#[test]
fn a_store_is_asked_for_few_reads_at_once_and_for_no_more_than_it_may() {
    let limited = Limits { misses: 3, ..Limits::default() };
    for (limits, most) in [(Limits::default(), 64), (limited, 3)] {
        let (keys, before, mut after) = heirs(limits, 200);
        after.relays[0].warm(before.router.hottest(ALL, ALL));
        let mut highest = 0;
        while after.relays[0].is_warming() {
            after.settle_node();
            highest = highest.max(keys.iter().map(|key| after.asks(&format!("get {key}"))).sum());
            after.open(0);
            for line in after.open.clone() {
                after.forward(line);
                after.back(line, usize::MAX);
            }
        }
        assert_eq!(highest, most);
        assert_eq!(misses(&after), [0, 200]);
    }
}

/// The most reads of 600 that a store is asked at once by a process that lets nobody in, and once it has
/// begun to when it has been asked for `first`.
fn most_at_once(limits: Limits, first: usize) -> (usize, usize) {
    let (keys, before, mut after) = heirs(limits, 600);
    after.relays[0].set_alone(true);
    after.relays[0].warm(before.router.hottest(ALL, ALL));
    let (mut alone, mut behind, mut asked) = (0, 0, 0);
    while after.relays[0].is_warming() {
        after.settle_node();
        let now: usize = keys.iter().map(|key| after.asks(&format!("get {key}"))).sum();
        let of = if asked < first { &mut alone } else { &mut behind };
        *of = now.max(*of);
        asked += now;
        after.relays[0].set_alone(asked < first);
        after.open(0);
        for line in after.open.clone() {
            after.forward(line);
            after.back(line, usize::MAX);
        }
    }
    assert_eq!(misses(&after), [0, 600]);
    (alone, behind)
}

#[test]
fn a_process_that_lets_nobody_in_asks_for_more_at_once_and_for_no_more_than_a_store_may_be() {
    assert_eq!(most_at_once(Limits::default(), usize::MAX), (256, 0));
    assert_eq!(most_at_once(Limits::default(), 1), (256, 64));
    assert_eq!(most_at_once(Limits { misses: 3, ..Limits::default() }, usize::MAX), (3, 0));
}

#[test]
fn the_hottest_come_first_and_no_more_than_is_asked_for() {
    let mut before = world(1);
    let client = before.connect(0, Resp3);
    for n in 0..20 {
        before.server.set(&format!("k{n:02}"), Some("v"), None);
        before.ask(client, &format!("GET k{n:02}"));
    }
    for _ in 0..3 {
        before.ask(client, "GET k07");
    }
    let whole = before.router.hottest(ALL, ALL);
    let few = before.router.hottest(ALL, 40);
    assert!(few.len() <= 40 && !few.is_empty());
    assert!(whole.starts_with(&few));
    assert!(few.windows(3).any(|bytes| bytes == b"k07"), "{few:?}");
    assert!(before.router.hottest(0, ALL).is_empty());
}

#[test]
fn what_was_read_often_is_known_to_be() {
    let mut before = world(1);
    let client = before.connect(0, Resp3);
    for key in ["often", "once"] {
        before.server.set(key, Some("v"), None);
        before.ask(client, &format!("GET {key}"));
    }
    for _ in 0..3 {
        before.ask(client, "GET often");
    }
    let hits = |world: &World, key: &[u8]| world.router.known_key(key).held.unwrap().hits.unwrap();
    assert!(hits(&before, b"often") > hits(&before, b"once"));
    let mut worlds = vec![before];
    for _ in 0..3 {
        let mut after = world(1);
        successor(worlds.last().unwrap(), &mut after);
        hand_over(worlds.last().unwrap(), &mut after);
        worlds.push(after);
    }
    let all = |key: &[u8]| worlds.iter().map(|world| hits(world, key)).collect::<Vec<_>>();
    assert_eq!(all(b"often"), [hits(&worlds[0], b"often"); 4]);
    assert_eq!(all(b"once"), [hits(&worlds[0], b"once"); 4]);
}

#[test]
fn what_is_not_given_any_more_is_not_handed_over() {
    let mut before = with(Route { ttl: Some(100), jitter: 0.0, ..Route::default() });
    let client = before.connect(0, Resp3);
    before.server.set("k", Some("v"), None);
    before.ask(client, "GET k");
    before.ask(client, "STRLEN k");
    assert!(!before.router.hottest(ALL, ALL).is_empty());
    before.pass(101);
    assert!(before.router.hottest(ALL, ALL).is_empty());
    before.ask(client, "GET k");
    before.router.forget_everything();
    assert!(before.router.hottest(ALL, ALL).is_empty());
}

#[test]
fn a_store_that_is_not_there_holds_up_nobody() {
    let mut before = world(1);
    let client = before.connect(0, Resp3);
    for n in 0..200 {
        before.ask(client, &format!("GET k{n}"));
    }
    let mut after = world(1);
    after.relays[0].warm(before.router.hottest(ALL, ALL));
    after.settle_node();
    let mut passed = 0;
    while after.relays[0].is_warming() {
        after.refuse_all();
        after.pass(100);
        passed += 100;
        assert!(passed <= Limits::default().store_timeout, "it is given up");
    }
}

#[test]
fn routes_that_remember_nothing_are_not_read() {
    let mut before = world(1);
    let client = before.connect(0, Resp3);
    before.server.set("k", Some("v"), None);
    before.ask(client, "GET k");
    let mut after = with(Route { mode: Mode::Off, ..Route::default() });
    successor(&before, &mut after);
    hand_over(&before, &mut after);
    assert_eq!(runs(&after, "get"), 0);
    assert_eq!(misses(&after), [0, 0]);
}

#[test]
fn what_comes_in_no_form_that_is_known_is_left() {
    for nonsense in [vec![], vec![0], vec![255; 100], b"\x05\0\0\0\0\0ge\xf4".to_vec()] {
        let mut world = world(1);
        world.relays[0].warm(nonsense);
        world.settle();
        assert!(!world.relays[0].is_warming());
        assert_eq!(runs(&world, "get"), 0);
    }
}

#[test]
fn what_is_no_read_is_not_asked_for() {
    let put = |bytes: &[u8]| [&(bytes.len() as u32).to_ne_bytes(), bytes].concat();
    let told = |name: &str, words: &[&str]| {
        let mut name = name.as_bytes().to_vec();
        *name.last_mut().unwrap() |= 1 << 7;
        let words = words.iter().flat_map(|word| put(word.as_bytes()));
        put(&[vec![1, 0], name, words.collect()].concat())
    };
    for (name, words) in [
        ("set", &["k", "v"][..]),
        ("del", &["k"]),
        ("getdel", &["k"]),
        ("eval", &["return 1", "1", "k"]),
        ("randomkey", &[]),
        ("get", &["k", "more"]),
        ("get", &[]),
        ("no-such-command", &["k"]),
    ] {
        let mut world = world(1);
        world.server.set("good", Some("v"), None);
        world.relays[0].warm([told(name, words), told("get", &["good"])].concat());
        world.settle();
        assert!(!world.relays[0].is_warming());
        let asked = runs(&world, "get");
        assert_eq!((asked, misses(&world)), (1, [0, 1]), "{name}");
        assert!(name == "get" || runs(&world, name) == 0, "{name}");
    }
}
