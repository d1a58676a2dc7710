//! The cache on the path, without a socket: what may come late, in another order, or not at all.

mod endings;
#[path = "../fronting/mod.rs"]
mod fronting;
mod histories;
mod hooks;
mod memory;
mod pauses;
mod pipelines;
mod protection;
mod pubsub;
mod retries;
mod server;
mod tracking;
mod warming;
mod world;

use breakwater_resp::Protocol::{Resp2, Resp3};
use breakwater_router::{Concern, Mode, Route, Routes, Rules};
use proptest::prelude::*;
use world::{START, World};

fn world(relays: usize) -> World {
    World::new(relays, Routes::default())
}

fn with(route: Route) -> World {
    World::new(1, Routes::new(vec![route]))
}

/// How often the server has run a command.
fn runs(world: &World, name: &str) -> usize {
    world.server.runs.get(name).copied().unwrap_or(0)
}

#[test]
fn a_late_reply_goes_to_its_waiters_and_is_not_remembered() {
    let mut world = world(1);
    let (reader, writer) = (world.connect(0, Resp3), world.connect(0, Resp2));
    world.server.set("k", Some("old"), None);
    world.ask(reader, "GET other");
    world.send(reader, "GET k");
    for line in world.open.clone() {
        world.forward(line);
    }
    // The old value is on its way back while a write goes out and comes back.
    world.send(writer, "SET k new");
    let lines = world.open.clone();
    let (read, written) = (lines[0], lines.get(1).copied());
    while !world.opening.is_empty() {
        world.open(0);
    }
    for line in world.open.clone().into_iter().filter(|line| *line != read) {
        for _ in 0..4 {
            world.forward(line);
            world.back(line, usize::MAX);
        }
    }
    assert!(written.is_none() || !world.clients[writer].replies.is_empty());
    world.settle();
    assert_eq!(world.clients[reader].replies.pop_front().unwrap(), b"$3\r\nold\r\n");
    assert_eq!(world.ask(reader, "GET k"), "$3\r\nnew\r\n");
}

#[test]
fn one_invalidation_ends_all_that_was_read_of_a_key_in_every_database() {
    let mut world = world(1);
    let client = world.connect(0, Resp3);
    world.server.set("k", Some("old"), None);
    let reads = ["GET k", "GETRANGE k 0 -1", "get k"];
    for _ in 0..2 {
        for db in 0..2 {
            world.ask(client, &format!("SELECT {db}"));
            for read in reads {
                assert_eq!(world.ask(client, read), "$3\r\nold\r\n");
            }
            assert_eq!(world.ask(client, "MGET k k"), "*2\r\n$3\r\nold\r\n$3\r\nold\r\n");
        }
    }
    let before = (runs(&world, "get"), runs(&world, "getrange"), runs(&world, "mget"));
    assert_eq!(before, (2, 2, 2), "each was read once for each database");
    world.server.set("k", Some("new"), None);
    world.settle();
    for db in 0..2 {
        world.ask(client, &format!("SELECT {db}"));
        for read in reads {
            assert_eq!(world.ask(client, read), "$3\r\nnew\r\n");
        }
        assert_eq!(world.ask(client, "MGET k k"), "*2\r\n$3\r\nnew\r\n$3\r\nnew\r\n");
    }
}

#[test]
fn a_reply_lives_no_longer_than_its_key() {
    let mut world = with(Route { jitter: 0.0, ..Route::default() });
    let client = world.connect(0, Resp3);
    world.ask(client, "GET other");
    world.server.set("k", Some("v"), Some(100));
    // It is asked for at 0, and the answer takes its time.
    world.send(client, "GET k");
    world.forward(world.open[0]);
    world.pass(40);
    world.settle();
    assert_eq!(world.clients[client].replies.pop_front().unwrap(), b"$1\r\nv\r\n");
    world.pass(59);
    assert_eq!((world.ask(client, "GET k"), runs(&world, "get")), ("$1\r\nv\r\n".into(), 2));
    world.pass(1);
    assert_eq!(world.ask(client, "GET k"), "_\r\n");
}

#[test]
fn that_a_key_does_not_exist_is_remembered_for_a_shorter_time() {
    let mut world = with(Route { jitter: 0.0, negative_ttl: 50, ..Route::default() });
    let client = world.connect(0, Resp2);
    for _ in 0..3 {
        assert_eq!(world.ask(client, "GET none"), "$-1\r\n");
    }
    assert_eq!(runs(&world, "get"), 1);
    world.pass(50);
    world.ask(client, "GET none");
    assert_eq!(runs(&world, "get"), 2);
}

#[test]
fn a_time_is_shortened_by_the_jitter_and_never_lengthened() {
    let mut world = with(Route { jitter: 0.5, ttl: Some(1000), ..Route::default() });
    let client = world.connect(0, Resp3);
    for n in 0..100 {
        world.server.set(&format!("k{n}"), Some("v"), None);
        world.ask(client, &format!("GET k{n}"));
    }
    let read_again = |world: &mut World| {
        let before = runs(world, "get");
        (0..100).for_each(|n| drop(world.ask(client, &format!("GET k{n}"))));
        runs(world, "get") - before
    };
    world.pass(499);
    assert_eq!(read_again(&mut world), 0);
    world.pass(251);
    assert!((10..90).contains(&read_again(&mut world)));
}

#[test]
fn what_is_lost_with_its_connection_is_never_given() {
    let mut world = world(2);
    let (a, b) = (world.connect(0, Resp3), world.connect(1, Resp3));
    world.server.set("k", Some("old"), None);
    assert_eq!(world.ask(a, "GET k"), "$3\r\nold\r\n");
    assert_eq!(world.ask(b, "GET k"), "$3\r\nold\r\n");
    assert_eq!(runs(&world, "get"), 1, "threads share what they read");
    // The connection that would have told is cut, and nobody tells.
    let line = world.open.iter().position(|line| line.0 == 0).unwrap();
    world.cut(line);
    world.server.set("k", Some("new"), None);
    assert_eq!(world.ask(b, "GET k"), "$3\r\nnew\r\n");
}

#[test]
fn threads_read_a_key_once_and_all_clients_get_it() {
    let mut world = world(3);
    world.server.set("k", Some("v"), None);
    let clients: Vec<_> =
        (0..12).map(|n| world.connect(n % 3, if n % 2 == 0 { Resp2 } else { Resp3 })).collect();
    clients.iter().for_each(|client| world.send(*client, "GET k"));
    world.settle();
    for client in clients {
        assert_eq!(world.clients[client].replies.pop_front().unwrap(), b"$1\r\nv\r\n");
    }
    assert_eq!(runs(&world, "get"), 1);
}

#[test]
fn a_thread_that_ends_hands_its_reads_over() {
    let mut world = world(3);
    world.server.set("k", Some("v"), None);
    let clients: Vec<_> = (0..3).map(|n| world.connect(n, Resp3)).collect();
    clients.iter().for_each(|client| world.send(*client, "GET k"));
    // The thread that asks ends before anything was sent.
    let letters = world.relays[0].leave();
    world.letters.extend(letters);
    world.to_server.clear();
    world.opening.retain(|line| line.0 != 0);
    world.settle();
    for client in &clients[1..] {
        assert_eq!(world.clients[*client].replies.pop_front().unwrap(), b"$1\r\nv\r\n");
    }
}

#[test]
fn who_waits_for_a_read_that_is_lost_gets_one_clear_error() {
    let mut world = world(2);
    let clients: Vec<_> = (0..4).map(|n| world.connect(n % 2, Resp3)).collect();
    world.ask(clients[0], "GET warm");
    clients.iter().for_each(|client| world.send(*client, "GET k"));
    let line = world.open.iter().position(|line| line.0 == 0).unwrap();
    world.cut(line);
    while !world.letters.is_empty() {
        world.post();
    }
    let mut replies: Vec<_> = clients
        .iter()
        .map(|client| world.clients[*client].replies.pop_front().expect("an answer"))
        .collect();
    replies.dedup();
    assert_eq!(replies.len(), 1);
    let text = String::from_utf8(replies.remove(0)).unwrap();
    assert_eq!(text, "-ERR the store at store:6379 is unreachable: it was cut\r\n");
}

#[test]
fn a_client_chooses_where_its_reads_are_answered_from() {
    let mut world = world(1);
    let client = world.connect(0, Resp3);
    world.server.set("k", Some("v"), None);
    let mut asked = |line: &str, times: usize| {
        let before = runs(&world, "get");
        assert_eq!(world.ask(client, line), "+OK\r\n");
        (0..times).for_each(|_| assert_eq!(world.ask(client, "GET k"), "$1\r\nv\r\n"));
        runs(&world, "get") - before
    };
    assert_eq!(asked("BW READCONCERN balanced", 3), 1);
    assert_eq!(asked("bw readconcern CONSISTENT", 3), 3);
    assert_eq!(asked("BW READCONCERN default", 3), 0);
    for line in ["BW", "BW READCONCERN", "BW READCONCERN never", "BW OTHER balanced"] {
        assert!(world.ask(client, line).starts_with("-ERR "), "{line}");
    }
}

#[test]
fn a_route_may_leave_reads_to_the_store() {
    let off = |prefix: &str, route: Route| Route { prefix: prefix.into(), ..route };
    let routes = vec![
        off("off:", Route { mode: Mode::Off, ..Route::default() }),
        off("off:on:", Route::default()),
        off("strict:", Route { concern: Concern::Consistent, ..Route::default() }),
        off("only:", Route { commands: Some(vec!["getrange".into()]), ..Route::default() }),
        off("small:", Route { largest: 8, ..Route::default() }),
        off("shadow:", Route { mode: Mode::Shadow, ..Route::default() }),
    ];
    let mut world = World::new(1, Routes::new(routes));
    let client = world.connect(0, Resp3);
    for (key, reads) in
        [("off:k", 3), ("off:on:k", 1), ("strict:k", 3), ("only:k", 3), ("small:k", 3), ("k", 1)]
    {
        world.server.set(key, Some("value"), None);
        let before = runs(&world, "get");
        (0..3).for_each(|_| drop(world.ask(client, &format!("GET {key}"))));
        assert_eq!(runs(&world, "get") - before, reads, "{key}");
    }
    let before = runs(&world, "getrange");
    (0..3).for_each(|_| drop(world.ask(client, "GETRANGE only:k 0 -1")));
    assert_eq!(runs(&world, "getrange") - before, 1);
    // A shadow is filled and counted, and the store answers.
    let before = runs(&world, "get");
    (0..3).for_each(|_| drop(world.ask(client, "GET shadow:k")));
    assert_eq!(runs(&world, "get") - before, 3);
    let counts = world.router.route_counts();
    let of = |name: &str| counts.iter().find(|(pattern, _)| pattern == name).unwrap().1.clone();
    assert_eq!((of("shadow:*").shadowed, of("shadow:*").hits), (2, 0));
    assert_eq!((of("*").hits, of("*").misses, of("*").stored), (2, 1, 1));
    assert_eq!((of("off:*").passed, of("strict:*").passed, of("only:*").hits), (3, 3, 2));
    assert_eq!((of("small:*").dropped, of("small:*").stored), (3, 0));
}

#[test]
fn a_read_during_a_reload_is_answered_and_not_remembered_under_the_new_routes() {
    let endless = Route { ttl: None, ..Route::default() };
    let mut world = World::new(2, Routes::new(vec![endless]));
    let (one, other) = (world.connect(0, Resp3), world.connect(1, Resp3));
    world.server.set("k", Some("v"), None);
    world.ask(one, "GET warm");
    world.ask(other, "GET warm");
    // Asked under the old routes, answered under the new.
    world.send(one, "GET k");
    world.send(other, "GET k");
    let routes = Routes::new(vec![Route { ttl: Some(50), jitter: 0.0, ..Route::default() }]);
    let gone = world.router.reload(Rules { routes, ..Rules::default() }, START);
    assert!(gone.is_empty());
    world.settle();
    for client in [one, other] {
        assert_eq!(world.clients[client].heard(), "$1\r\nv\r\n");
    }
    let before = runs(&world, "get");
    world.pass(10);
    world.ask(one, "GET k");
    assert_eq!(runs(&world, "get"), before + 1, "it was not remembered");
    world.pass(40);
    world.ask(other, "GET k");
    assert_eq!(runs(&world, "get"), before + 1, "this one is, for all threads");
    world.pass(20);
    world.ask(other, "GET k");
    assert_eq!(runs(&world, "get"), before + 2, "as long as the new routes say");
}

#[test]
fn replies_beyond_their_time_are_given_while_the_store_is_away() {
    let mut world =
        with(Route { jitter: 0.0, ttl: Some(100), stale_if_error: 1000, ..Route::default() });
    let client = world.connect(0, Resp3);
    world.server.set("k", Some("v"), None);
    for read in ["GET k", "GETRANGE k 0 -1"] {
        assert_eq!(world.ask(client, read), "$1\r\nv\r\n");
    }
    world.cut(0);
    let ask = |world: &mut World, line: &str| {
        world.send(client, line);
        let reply = world.clients[client].replies.pop_front().expect("an answer");
        String::from_utf8(reply).unwrap()
    };
    for (wait, given) in [(0, true), (500, true), (700, false)] {
        world.pass(wait);
        for read in ["GET k", "GETRANGE k 0 -1"] {
            let reply = ask(&mut world, read);
            assert_eq!(reply == "$1\r\nv\r\n", given, "{read}: {reply}");
            assert!(given || reply.starts_with("-ERR the store at store:6379 is unreachable"));
        }
    }
    world.server.set("k", Some("new"), None);
    for _ in 0..3 {
        world.pass(10_000);
        world.settle();
    }
    assert_eq!(world.ask(client, "GET k"), "$3\r\nnew\r\n");
}

#[test]
fn a_store_that_stays_away_is_lost_once_however_often_it_is_tried_and_by_whom() {
    let route = Route { jitter: 0.0, ttl: None, stale_if_error: 60_000, ..Route::default() };
    let mut world = World::new(2, Routes::new(vec![route]));
    let clients = [world.connect(0, Resp3), world.connect(1, Resp2)];
    for (client, key) in clients.into_iter().zip(["a", "b"]) {
        world.server.set(key, Some("v"), None);
        world.ask(client, &format!("GET {key}"));
    }
    while !world.open.is_empty() {
        world.cut(0);
    }
    for (wait, given) in [(0, true), (500, true), (20_000, true), (39_000, true), (1_000, false)] {
        world.pass(wait);
        world.refuse_all();
        for client in clients {
            for key in ["a", "b"] {
                world.send(client, &format!("GET {key}"));
                world.refuse_all();
                let reply = world.clients[client].replies.pop_front().expect("an answer");
                assert_eq!(reply.starts_with(b"$1"), given, "{key} after {wait}");
            }
        }
    }
}

#[test]
fn a_reply_is_read_anew_before_its_end() {
    let mut world =
        with(Route { jitter: 0.0, ttl: Some(100), refresh_ahead: 0.2, ..Route::default() });
    let client = world.connect(0, Resp3);
    world.server.set("k", Some("v"), None);
    world.ask(client, "GET k");
    let mut misses = 0;
    for _ in 0..100 {
        world.pass(15);
        let before = runs(&world, "get");
        world.send(client, "GET k");
        misses += usize::from(world.clients[client].replies.pop_front().is_none());
        world.send(client, "GET k");
        world.clients[client].replies.clear();
        world.settle();
        assert!(runs(&world, "get") - before <= 1, "one read at a time");
    }
    assert_eq!(misses, 0);
}

#[test]
fn a_share_of_the_replies_is_compared_with_the_store() {
    let mut world = with(Route { verify: 1.0, ..Route::default() });
    let client = world.connect(0, Resp2);
    world.server.set("k", Some("v"), None);
    (0..3).for_each(|_| drop(world.ask(client, "GET k")));
    // A change that nobody is told of, as no server does.
    world.server.past.get_mut("k").unwrap().0.push((Some("w".into()), None));
    world.pass(100);
    assert_eq!(world.ask(client, "GET k"), "$1\r\nv\r\n");
    assert_eq!(world.ask(client, "GET k"), "$1\r\nw\r\n", "what was wrong is forgotten");
    world.settle();
    let counts = world.router.route_counts().remove(0).1;
    assert_eq!((counts.verified, counts.stale), (3, [0, 1, 0, 0, 0]));
}

#[test]
fn a_key_that_is_written_all_the_time_is_left_out_until_its_replies_are_of_use() {
    let mut world = world(1);
    let client = world.connect(0, Resp3);
    for n in 0..200 {
        world.server.set("k", Some(&format!("v{n}")), None);
        world.settle();
        assert!(world.ask(client, "GET k").contains(&format!("v{n}")));
    }
    let counts = |world: &World| world.router.route_counts().remove(0).1;
    let left_out = counts(&world).left_out;
    assert!(left_out > 150, "{left_out}");
    // It is written no more: soon a reply is remembered, and given.
    (0..1000).for_each(|_| drop(world.ask(client, "GET k")));
    world.settle();
    assert!(counts(&world).hits > 500);
    let stored = counts(&world).stored;
    for n in 0..20 {
        world.server.set("k", Some(&format!("w{n}")), None);
        world.settle();
        (0..3).for_each(|_| drop(world.ask(client, "GET k")));
    }
    world.settle();
    assert_eq!(counts(&world).stored - stored, 20, "its replies are of use again");
}

#[test]
fn replies_from_memory_do_not_pile_up_behind_one_that_is_owed() {
    let mut world = world(1);
    let client = world.connect(0, Resp3);
    world.server.set("k", Some(&"v".repeat(100_000)), None);
    let value = world.ask(client, "GET k");
    world.send(client, "SET other x");
    // They come at once; their replies have to wait for that of the write.
    world.send(client, &vec!["GET k"; 200].join("\r\n"));
    assert!(world.clients[client].kept() <= (1 << 20) + value.len());
    world.settle();
    let replies = &mut world.clients[client].replies;
    assert_eq!(replies.pop_front().unwrap(), b"+OK\r\n");
    assert_eq!(replies.len(), 200);
    assert!(replies.iter().all(|reply| reply == value.as_bytes()));
}

#[test]
fn a_request_behind_one_that_was_late_is_late_as_soon() {
    let mut world = world(1);
    let client = world.connect(0, Resp2);
    world.ask(client, "SET k 0");
    world.send(client, "SET k 1");
    world.pass(2_000);
    assert!(world.clients[client].replies.pop_front().unwrap().starts_with(b"-ERR"));
    world.send(client, "SET k 2");
    let due = world.relays[0].wake_at().unwrap();
    assert!(due <= world.now() + 2_000, "{due}");
    world.pass(2_000);
    assert!(world.clients[client].replies.pop_front().unwrap().starts_with(b"-ERR"));
}

#[test]
fn what_a_thread_has_read_is_not_given_once_it_has_ended() {
    let mut world = world(2);
    let (reader, other) = (world.connect(1, Resp3), world.connect(0, Resp3));
    world.server.set("k", Some("old"), None);
    assert_eq!(world.ask(reader, "GET k"), "$3\r\nold\r\n");
    assert_eq!(world.ask(other, "GET k"), "$3\r\nold\r\n");
    assert_eq!(runs(&world, "get"), 1);
    world.end_thread(1);
    // The store would have told the thread that is gone.
    world.server.set("k", Some("new"), None);
    assert_eq!(world.ask(other, "GET k"), "$3\r\nnew\r\n");
}

#[test]
fn a_read_that_takes_longer_than_its_reply_lasts_is_one_read() {
    let mut world = World::new(2, Routes::new(vec![Route { ttl: Some(40), ..Route::default() }]));
    let (one, other) = (world.connect(0, Resp3), world.connect(1, Resp3));
    world.ask(one, "GET warm");
    world.ask(other, "GET warm");
    world.server.set("k", Some("v"), None);
    world.send(one, "GET k");
    world.pass(100);
    world.send(other, "GET k");
    world.settle();
    for client in [one, other] {
        assert_eq!(world.clients[client].replies.pop_front().unwrap(), b"$1\r\nv\r\n");
    }
    assert_eq!(runs(&world, "get"), 2, "one for each key");
}

#[test]
fn a_read_ahead_that_takes_longer_than_the_reply_lasts_is_one_read() {
    for read in ["GET k", "GETRANGE k 0 -1"] {
        let route = Route { jitter: 0.0, ttl: Some(100), refresh_ahead: 0.2, ..Route::default() };
        let mut world = World::new(2, Routes::new(vec![route]));
        let clients = [world.connect(0, Resp3), world.connect(1, Resp3)];
        world.server.set("k", Some("old"), None);
        for client in clients {
            assert_eq!(world.ask(client, read), "$3\r\nold\r\n");
        }
        let command = read.split(' ').next().unwrap().to_lowercase();
        assert_eq!(runs(&world, &command), 1);
        world.pass(90);
        world.send(clients[0], read);
        assert_eq!(world.clients[clients[0]].heard(), "$3\r\nold\r\n", "it is read ahead");
        world.pass(20);
        // It has ended, and the store has not answered: both wait for the read that is under way.
        for client in clients {
            world.send(client, read);
            assert_eq!(world.clients[client].heard(), "");
        }
        world.settle();
        for client in clients {
            assert_eq!(world.clients[client].heard(), "$3\r\nold\r\n");
        }
        assert_eq!(runs(&world, &command), 2);
        // Its reply is remembered for as long as any, from when it was asked for.
        world.pass(50);
        world.ask(clients[1], read);
        assert_eq!(runs(&world, &command), 2);
        world.pass(40);
        world.ask(clients[1], read);
        assert_eq!(runs(&world, &command), 3, "and not longer");
    }
}

/// Reads of one key, each by a command of its own.
const READS: [&str; 4] = ["GET k", "STRLEN k", "GETRANGE k 0 -1", "GETRANGE k 0 1"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever else is read of the key, read ahead, and ends, in whichever thread: as long as the
    /// store has not answered a read, nobody asks it the same again.
    #[test]
    fn nobody_asks_the_store_what_it_is_being_asked(
        acts in prop::collection::vec((0..7usize, 0..4usize, 1..60u64), 1..120),
        life in prop::option::of(1..200u64),
        refresh_ahead in prop_oneof![Just(0.0), Just(0.5)],
    ) {
        let route = Route { jitter: 0.0, ttl: Some(60), refresh_ahead, ..Route::default() };
        let mut world = World::new(2, Routes::new(vec![route]));
        let clients = [world.connect(0, Resp3), world.connect(1, Resp3)];
        for client in clients {
            world.ask(client, "GET warm");
        }
        world.server.set("k", Some("value"), life.map(|life| world.now() + life));
        // What is late is lost, and asked for again.
        let end = world.now() + 1_500;
        for (act, which, count) in acts {
            match act {
                0..3 => world.send(clients[act % 2], READS[which]),
                3 if world.now() + count < end => world.pass(count),
                4 if !world.open.is_empty() => world.forward(world.open[which % world.open.len()]),
                5 if !world.open.is_empty() => {
                    world.back(world.open[which % world.open.len()], count as usize);
                }
                6 => world.post(),
                _ => {}
            }
            for read in READS {
                let asked = world.asks(read);
                prop_assert!(asked <= 1, "{asked} times {read}");
            }
        }
    }
}

#[test]
fn hello_names_the_store_and_its_version_once_that_is_known() {
    let mut world = world(1);
    let client = world.connect(0, Resp3);
    assert!(world.ask(client, "HELLO 3").contains("$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15"));
    world.router.met(b"%2\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n8.0.1\r\n");
    assert!(world.ask(client, "HELLO 3").contains("$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n8.0.1"));
    // What is none says nothing.
    world.router.met(b"+PONG\r\n");
    world.router.met(b"%1\r\n+version\r\n+9\r\n");
    assert!(world.ask(client, "HELLO 3").contains("8.0.1"));
}
