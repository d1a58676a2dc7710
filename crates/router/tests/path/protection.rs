//! What protects a store from the node's clients, and them from it: how many reads it is asked at once,
//! who waits, and what is given in its place.

use super::runs;
use super::world::{START, World};
use breakwater_resp::Protocol::{Resp2, Resp3};
use breakwater_router::{Limits, Mode, Route, Routes, Rules};

const FULL: &str = "-BUSY the store at store:6379 is asked for as many reads as it may be, and 2 wait: \
                    this one was not sent\r\n";
const LATE: &str = "-BUSY the store at store:6379 is asked for as many reads as it may be: this one \
                    waited for 1000 ms and was not sent\r\n";

/// A store that is asked for two reads at once; two more may wait, for a second.
fn few() -> Limits {
    Limits { misses: 2, waiting_misses: 2, ..Limits::default() }
}

fn rules(route: Route, limits: Limits) -> Rules {
    Rules { routes: Routes::new(vec![route]), limits, ..Rules::default() }
}

/// A world whose connection to the store is open, and so many clients.
fn open_world(relays: usize, rules: Rules, clients: usize) -> (World, Vec<usize>) {
    let mut world = World::by(relays, rules);
    let clients: Vec<_> = (0..clients).map(|at| world.connect(at % relays, Resp3)).collect();
    for &client in &clients[..relays] {
        world.ask(client, &format!("GET open{client}"));
    }
    (world, clients)
}

/// Reads that the store is asked now.
fn asked(world: &World) -> Vec<String> {
    let all = ["a", "b", "c", "d", "e"].map(|key| format!("GET {key}"));
    all.into_iter().filter(|line| world.asks(line) > 0).collect()
}

fn counts(world: &World) -> [u64; 3] {
    let counts = world.router.server_counts().remove(0).counts;
    ["misses", "waitingMisses", "turnedAway"]
        .map(|name| counts.iter().find(|(of, _)| *of == name).expect("it is counted").1)
}

#[test]
fn a_server_is_asked_for_as_many_reads_at_once_as_it_may_be_and_the_others_in_their_order() {
    let (mut world, clients) = open_world(1, rules(Route::default(), few()), 4);
    for (client, key) in clients.iter().zip(["a", "b", "c", "d"]) {
        world.server.set(key, Some(key), None);
        world.send(*client, &format!("GET {key}"));
    }
    assert_eq!(asked(&world), ["GET a", "GET b"]);
    assert_eq!(counts(&world), [2, 2, 0]);
    let line = world.open[0];
    world.forward(line);
    world.back(line, usize::MAX);
    assert_eq!(asked(&world), ["GET c", "GET d"]);
    assert_eq!(counts(&world), [2, 0, 0]);
    world.settle();
    for (client, key) in clients.iter().zip(["a", "b", "c", "d"]) {
        assert_eq!(world.clients[*client].heard(), format!("$1\r\n{key}\r\n"));
    }
    assert_eq!(counts(&world), [0, 0, 0]);
}

#[test]
fn who_asks_for_what_waits_already_waits_with_it_and_takes_no_place() {
    let (mut world, clients) = open_world(2, rules(Route::default(), few()), 10);
    for (client, key) in clients.iter().step_by(2).zip(["a", "b", "c", "c", "c"]) {
        world.send(*client, &format!("GET {key}"));
    }
    // The other thread joins as well.
    world.send(clients[1], "GET c");
    assert_eq!(counts(&world), [2, 1, 0]);
    world.settle();
    assert_eq!(runs(&world, "get"), 2 + 3, "each once, and what opened the connections");
    for client in [0, 1, 2, 4, 6, 8] {
        assert_eq!(world.clients[clients[client]].heard(), "_\r\n");
    }
}

#[test]
fn who_comes_when_as_many_wait_as_may_is_told_at_once_that_the_store_is_busy() {
    let (mut world, clients) = open_world(1, rules(Route::default(), few()), 5);
    for (client, key) in clients.iter().zip(["a", "b", "c", "d", "e"]) {
        world.send(*client, &format!("GET {key}"));
    }
    assert_eq!(world.clients[clients[4]].heard(), FULL);
    assert_eq!(counts(&world), [2, 2, 1]);
    // What needs no place goes on, and so does its client.
    assert_eq!(world.ask(clients[4], "SET e 1"), "+OK\r\n");
    assert_eq!(world.ask(clients[4], "GET e"), "$1\r\n1\r\n");
    assert_eq!(world.clients[clients[3]].heard(), "_\r\n");
}

#[test]
fn who_has_waited_for_as_long_as_it_may_is_told_so() {
    let (mut world, clients) = open_world(2, rules(Route::default(), few()), 10);
    for (client, key) in clients.iter().step_by(2).zip(["a", "b", "c"]) {
        world.send(*client, &format!("GET {key}"));
    }
    world.send(clients[1], "GET c");
    world.pass(999);
    assert!(world.clients[clients[4]].replies.is_empty());
    world.pass(1);
    while !world.letters.is_empty() {
        world.post();
    }
    // Both threads are told, and those who are asked wait for their replies.
    assert_eq!([4, 1].map(|at| world.clients[clients[at]].heard()), [LATE, LATE]);
    assert!(world.clients[clients[0]].replies.is_empty());
    assert_eq!(counts(&world), [2, 0, 1]);
    world.settle();
    assert_eq!(world.clients[clients[0]].heard(), "_\r\n");
}

#[test]
fn a_read_that_has_waited_is_answered_within_the_time_that_a_request_has() {
    let limits = Limits { misses: 1, ..few() };
    let (mut world, clients) = open_world(1, rules(Route::default(), limits), 2);
    world.send(clients[0], "GET a");
    world.send(clients[1], "GET b");
    world.pass(900);
    world.settle_node();
    let line = world.open[0];
    world.forward(line);
    world.back(line, usize::MAX);
    assert_eq!(asked(&world), ["GET b"]);
    world.pass(1099);
    assert!(world.clients[clients[1]].replies.is_empty());
    world.pass(1);
    let late = "-ERR the store has not answered in time\r\n";
    assert_eq!(world.clients[clients[1]].heard(), late);
}

#[test]
fn a_write_does_not_overtake_a_read_of_its_client_that_waits() {
    let limits = Limits { misses: 1, ..few() };
    let (mut world, clients) = open_world(1, rules(Route::default(), limits), 2);
    world.server.set("b", Some("old"), None);
    world.send(clients[0], "GET a");
    world.send(clients[1], "GET b");
    world.send(clients[1], "SET b new");
    world.send(clients[1], "GET b");
    assert_eq!(world.asks("SET b new"), 0, "it is sent behind the read");
    world.settle();
    assert_eq!(world.clients[clients[1]].heard(), "$3\r\nold\r\n+OK\r\n$3\r\nnew\r\n");
}

#[test]
fn a_reply_beyond_its_time_is_given_while_the_store_is_busy_and_no_longer_than_the_route_says() {
    let route = Route { ttl: Some(100), jitter: 0.0, stale_while_busy: 500, ..Route::default() };
    let limits = Limits { misses: 1, ..few() };
    let (mut world, clients) = open_world(1, rules(route, limits), 3);
    world.server.set("b", Some("old"), None);
    assert_eq!(world.ask(clients[1], "GET b"), "$3\r\nold\r\n");
    world.pass(100);
    world.send(clients[0], "GET a");
    world.send(clients[1], "GET b");
    assert_eq!(world.clients[clients[1]].heard(), "$3\r\nold\r\n", "at once");
    assert_eq!(world.router.sight().crowding.stale_busy, 1);
    assert_eq!(world.router.route_counts()[0].1.stale_given, 1);
    world.pass(501);
    world.send(clients[1], "GET b");
    assert_eq!(world.clients[clients[1]].heard(), "", "it waits");
    world.settle();
    assert_eq!(world.clients[clients[1]].heard(), "$3\r\nold\r\n");
    // With room it is read anew.
    world.pass(100);
    world.server.set("b", Some("new"), None);
    assert_eq!(world.ask(clients[2], "GET b"), "$3\r\nnew\r\n");
}

#[test]
fn what_has_changed_is_never_given_beyond_its_time() {
    let route = Route {
        ttl: Some(100),
        jitter: 0.0,
        stale_while_busy: 60_000,
        stale_if_error: 60_000,
        ..Route::default()
    };
    let limits = Limits { misses: 1, ..few() };
    let (mut world, clients) = open_world(1, rules(route, limits), 2);
    let line = world.open[0];
    for key in ["b", "c"] {
        world.server.set(key, Some("old"), None);
        assert_eq!(world.ask(clients[1], &format!("GET {key}")), "$3\r\nold\r\n");
    }
    world.pass(200);
    // One changes before it is asked for, the other while it is read.
    world.server.set("b", Some("new"), None);
    world.back(line, usize::MAX);
    world.send(clients[0], "GET c");
    world.send(clients[1], "GET b");
    assert_eq!(world.clients[clients[1]].heard(), "");
    world.server.set("c", Some("new"), None);
    world.back(line, usize::MAX);
    world.cut(0);
    for client in clients {
        let heard = world.clients[client].heard();
        assert!(heard.starts_with("-ERR the store at store:6379 is unreachable"), "{heard}");
    }
}

#[test]
fn a_consistent_read_is_never_given_what_is_beyond_its_time() {
    let route = Route {
        ttl: Some(100),
        jitter: 0.0,
        stale_while_busy: 60_000,
        stale_if_error: 60_000,
        ..Route::default()
    };
    let (mut world, clients) = open_world(1, rules(route, few()), 1);
    world.server.set("b", Some("old"), None);
    assert_eq!(world.ask(clients[0], "GET b"), "$3\r\nold\r\n");
    world.pass(200);
    assert_eq!(world.ask(clients[0], "BW READCONCERN consistent"), "+OK\r\n");
    world.cut(0);
    world.send(clients[0], "GET b");
    let heard = world.clients[clients[0]].heard();
    assert!(heard.starts_with("-ERR the store at store:6379 is unreachable"), "{heard}");
}

#[test]
fn other_bounds_count_from_the_next_request_on() {
    let (mut world, clients) = open_world(1, rules(Route::default(), few()), 4);
    for (client, key) in clients.iter().zip(["a", "b", "c"]) {
        world.send(*client, &format!("GET {key}"));
    }
    assert_eq!(counts(&world), [2, 1, 0]);
    world.router.reload(rules(Route::default(), Limits { misses: 4, ..few() }), START);
    world.send(clients[3], "GET d");
    let line = world.open[0];
    world.forward(line);
    world.back(line, 1);
    assert_eq!(asked(&world).len(), 4);
    world.settle();
    assert_eq!(world.clients[clients[3]].heard(), "_\r\n");
}

#[test]
fn a_client_that_goes_while_its_read_waits_fails_nobody_who_waits_with_it() {
    let limits = Limits { misses: 1, ..few() };
    let (mut world, clients) = open_world(1, rules(Route::default(), limits), 3);
    let other = world.connect(0, Resp2);
    world.send(clients[0], "GET a");
    world.send(clients[1], "GET b");
    world.send(other, "GET b");
    world.leave(clients[1]);
    world.settle();
    assert_eq!(world.clients[other].heard(), "$-1\r\n");
}

fn breaker(world: &World) -> (&'static str, u64) {
    let server = world.router.server_counts().remove(0);
    let opened = server.counts.iter().find(|(of, _)| *of == "opened").expect("it is counted").1;
    (server.breaker, opened)
}

/// Rules by which a server that has failed three times is left alone for half a second to a second.
fn brittle(route: Route) -> Rules {
    let limits = Limits { breaker_failures: 3, breaker_pause: 1_000, ..Limits::default() };
    rules(route, limits)
}

/// A world whose store has just failed so often that it is not asked.
fn open_breaker(route: Route) -> (World, Vec<usize>) {
    let (mut world, clients) = open_world(1, brittle(route), 3);
    for (client, key) in clients.iter().zip(["a", "b", "c"]) {
        assert_eq!(breaker(&world), ("closed", 0));
        world.send(*client, &format!("GET {key}"));
    }
    world.pass(2_000);
    for client in &clients {
        let heard = world.clients[*client].heard();
        assert_eq!(heard, "-ERR the store has not answered in time\r\n");
    }
    assert_eq!(breaker(&world), ("open", 1));
    (world, clients)
}

const OPEN: &str = "-ERR the store at store:6379 is unreachable: it has failed 3 times in a row, and is \
                    asked again in a while\r\n";

#[test]
fn a_server_that_has_failed_too_often_is_not_asked_and_clients_hear_so_at_once() {
    let (mut world, clients) = open_breaker(Route::default());
    let before = world.to_server.clone();
    for line in ["GET d", "SET d 1", "INCR d", "LPUSH e 1", "MGET d e"] {
        world.send(clients[0], line);
        assert_eq!(world.clients[clients[0]].heard(), OPEN, "{line}");
    }
    assert_eq!(world.to_server, before, "nothing was sent");
    // What speaks of the client alone is answered.
    world.send(clients[0], "PING");
    assert_ne!(world.clients[clients[0]].heard(), "");
}

#[test]
fn a_server_that_answers_its_trial_is_asked_again() {
    let (mut world, clients) = open_breaker(Route::default());
    assert_eq!(world.asks("PING"), 0);
    world.pass(1_000);
    assert_eq!((breaker(&world), world.asks("PING")), (("half-open", 1), 1));
    world.send(clients[0], "GET d");
    assert_eq!(world.clients[clients[0]].heard(), OPEN, "it is not known yet");
    world.settle();
    assert_eq!(breaker(&world), ("closed", 1));
    assert_eq!(world.ask(clients[0], "SET d 1"), "+OK\r\n");
    assert_eq!(world.ask(clients[0], "GET d"), "$1\r\n1\r\n");
}

#[test]
fn a_trial_that_comes_to_nothing_is_made_again_later_and_later() {
    let limits =
        Limits { breaker_failures: 3, breaker_pause: 100, store_timeout: 500, ..Limits::default() };
    let (mut world, clients) = open_world(1, rules(Route::default(), limits), 3);
    for (client, key) in clients.iter().zip(["a", "b", "c"]) {
        world.send(*client, &format!("GET {key}"));
    }
    world.pass(500);
    assert_eq!(breaker(&world), ("open", 1));
    world.pass(100);
    assert_eq!(breaker(&world), ("half-open", 1));
    world.pass(500);
    assert_eq!(breaker(&world), ("open", 1), "its reply did not come");
    world.pass(99);
    assert_eq!(breaker(&world), ("open", 1), "twice as long, less a half at the most");
    world.pass(101);
    assert_eq!(breaker(&world), ("half-open", 1));
    // A connection that is made says that the server is there.
    for _ in 0..3 {
        world.pass(5_000);
        world.settle();
    }
    assert_eq!(breaker(&world), ("closed", 1));
}

#[test]
fn the_trial_is_made_by_whichever_thread_is_there() {
    let (mut world, clients) = open_world(2, brittle(Route::default()), 6);
    for (client, key) in clients.iter().step_by(2).zip(["a", "b", "c"]) {
        world.send(*client, &format!("GET {key}"));
    }
    world.pass(2_000);
    assert_eq!(breaker(&world), ("open", 1));
    // The thread that has opened it ends.
    for at in [0, 2, 4] {
        world.leave(clients[at]);
    }
    world.end_thread(0);
    world.send(clients[1], "GET d");
    assert_eq!(world.clients[clients[1]].heard(), OPEN);
    world.pass(1_000);
    world.settle();
    assert_eq!(breaker(&world), ("closed", 1));
    assert_eq!(world.ask(clients[1], "GET d"), "_\r\n");
}

#[test]
fn a_thread_that_cannot_connect_does_not_try_in_the_place_of_one_that_is_connected() {
    let (mut world, clients) = open_world(2, brittle(Route::default()), 6);
    for (client, key) in clients.iter().step_by(2).zip(["a", "b", "c"]) {
        world.send(*client, &format!("GET {key}"));
    }
    // The other thread is connected, by what is not in memory.
    world.ask(clients[1], "GET other");
    let line = *world.open.iter().find(|line| line.0 == 1).expect("its connection");
    let heard: Vec<_> = [0, 2, 4].map(|at| world.clients[clients[at]].heard()).into();
    assert_eq!(heard, ["_\r\n"; 3]);
    for (client, key) in clients.iter().step_by(2).zip(["d", "e", "f"]) {
        world.send(*client, &format!("GET {key}"));
    }
    world.pass(2_000);
    assert_eq!(breaker(&world), ("open", 1));
    let own = world.open.iter().position(|line| line.0 == 0).expect("its connection");
    world.cut(own);
    world.send(clients[1], "GET g");
    assert_eq!(world.clients[clients[1]].heard(), OPEN);
    world.pass(1_000);
    assert_eq!(breaker(&world), ("half-open", 1));
    world.forward(line);
    world.back(line, usize::MAX);
    assert_eq!(breaker(&world), ("closed", 1));
}

#[test]
fn while_a_server_is_not_asked_replies_beyond_their_time_are_given_where_the_route_allows_it() {
    let route = Route { ttl: Some(100), jitter: 0.0, stale_if_error: 60_000, ..Route::default() };
    let (mut world, clients) = open_world(1, brittle(route), 3);
    world.server.set("k", Some("old"), None);
    world.server.set("gone", Some("old"), None);
    assert_eq!(world.ask(clients[0], "GET k"), "$3\r\nold\r\n");
    assert_eq!(world.ask(clients[0], "GET gone"), "$3\r\nold\r\n");
    for (client, key) in clients.iter().zip(["a", "b", "c"]) {
        world.send(*client, &format!("GET {key}"));
    }
    world.pass(2_000);
    clients.iter().for_each(|client| drop(world.clients[*client].heard()));
    assert_eq!(breaker(&world).0, "open");
    world.send(clients[0], "GET k");
    assert_eq!(world.clients[clients[0]].heard(), "$3\r\nold\r\n");
    assert_eq!(world.router.sight().crowding.stale_open, 1);
    // What is heard of meanwhile counts.
    world.server.set("gone", Some("new"), None);
    let line = world.open[0];
    world.back(line, usize::MAX);
    world.send(clients[0], "GET gone");
    assert_eq!(world.clients[clients[0]].heard(), OPEN);
}

#[test]
fn a_breaker_that_a_reload_takes_away_closes() {
    let (mut world, clients) = open_breaker(Route::default());
    let limits = Limits { breaker_failures: 0, ..Limits::default() };
    world.router.reload(rules(Route::default(), limits), START);
    world.send(clients[0], "GET d");
    world.pass(1_000);
    world.settle();
    assert_eq!(breaker(&world).0, "closed");
    world.clients[clients[0]].heard();
    assert_eq!(world.ask(clients[0], "GET d"), "_\r\n");
}

#[test]
fn what_is_no_read_to_be_remembered_goes_though_as_many_reads_are_asked_as_may_be() {
    let off = Route { prefix: b"off:".to_vec(), mode: Mode::Off, ..Route::default() };
    let limits = Limits { misses: 1, waiting_misses: 1, ..few() };
    let routes = Routes::new(vec![off]);
    let (mut world, clients) = open_world(1, Rules { routes, limits, ..Rules::default() }, 4);
    world.server.set("warm", Some("w"), None);
    assert_eq!(world.ask(clients[0], "GET warm"), "$1\r\nw\r\n");
    assert_eq!(world.ask(clients[3], "BW READCONCERN consistent"), "+OK\r\n");
    world.send(clients[0], "GET a");
    world.send(clients[1], "GET b");
    assert_eq!(asked(&world), ["GET a"]);
    for (client, line) in
        [(2, "SET c 1"), (2, "GET off:k"), (2, "PTTL k"), (3, "GET warm"), (2, "DEL c")]
    {
        world.send(clients[client], line);
        assert_eq!(world.asks(line), 1, "{line}");
    }
    assert_eq!(counts(&world), [1, 1, 0]);
    // What memory has is given at once.
    let other = world.connect(0, Resp2);
    world.send(other, "GET warm");
    assert_eq!(world.clients[other].heard(), "$1\r\nw\r\n");
    assert_eq!(asked(&world), ["GET a"], "and the read still waits");
}

#[test]
fn threads_have_the_same_share_of_the_bounds_and_at_least_one() {
    for (threads, misses, share) in [(2, 4, 2), (2, 1, 1), (3, 4, 2)] {
        let limits = Limits { misses, waiting_misses: misses, ..Limits::default() };
        let rules = Rules { threads, limits, ..Rules::default() };
        let (mut world, clients) = open_world(2, rules, 10);
        for (client, key) in clients.iter().step_by(2).zip(["a", "b", "c", "d", "e"]) {
            world.send(*client, &format!("GET {key}"));
        }
        assert_eq!(asked(&world).len(), share, "{misses} for {threads}");
        let waiting = share as u64;
        assert_eq!(counts(&world), [share as u64, waiting, 5 - 2 * waiting]);
    }
}

#[test]
fn a_client_that_tracks_a_key_is_told_again_to_forget_what_was_given_beyond_its_time() {
    let route = Route { ttl: Some(100), jitter: 0.0, stale_while_busy: 500, ..Route::default() };
    let limits = Limits { misses: 1, ..few() };
    let (mut world, clients) = open_world(1, rules(route, limits), 2);
    world.server.set("k", Some("old"), None);
    assert_eq!(world.ask(clients[1], "CLIENT TRACKING ON"), "+OK\r\n");
    assert_eq!(world.ask(clients[1], "GET k"), "$3\r\nold\r\n");
    world.pass(100);
    world.settle_node();
    world.clients[clients[1]].heard();
    world.send(clients[0], "GET a");
    world.send(clients[1], "GET k");
    let heard = world.clients[clients[1]].heard();
    assert_eq!(heard, "$3\r\nold\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n");
}

#[test]
fn nodes_whose_store_fails_at_the_same_moment_do_not_try_together() {
    let tried = |seed| {
        let mut world = World::seeded(1, brittle(Route::default()), seed);
        let clients: Vec<_> = (0..3).map(|_| world.connect(0, Resp3)).collect();
        world.ask(clients[0], "GET open");
        for (client, key) in clients.iter().zip(["a", "b", "c"]) {
            world.send(*client, &format!("GET {key}"));
        }
        world.pass(2_000);
        assert_eq!(breaker(&world).0, "open");
        (0..1_000).find(|_| {
            world.pass(1);
            world.asks("PING") > 0
        })
    };
    let moments: Vec<_> =
        (0..16u64).map(|n| tried(n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    assert!(moments.iter().all(Option::is_some), "{moments:?}");
    let apart: std::collections::BTreeSet<_> = moments.iter().collect();
    assert!(apart.len() > 8, "{moments:?}");
}

#[test]
fn a_read_that_comes_to_nothing_is_one_failure_whatever_is_asked_with_it() {
    let (mut world, clients) = open_world(1, brittle(Route::default()), 1);
    for (line, state) in [("GET a", "closed"), ("MGET b c d", "closed"), ("SET e 1", "open")] {
        assert_eq!(breaker(&world).0, "closed", "{line}");
        world.send(clients[0], line);
        world.pass(2_000);
        assert_eq!(
            world.clients[clients[0]].heard(),
            "-ERR the store has not answered in time\r\n"
        );
        assert_eq!(breaker(&world).0, state, "{line}");
    }
}

#[test]
fn what_may_be_given_if_the_store_fails_is_not_if_it_is_busy_and_the_route_says_so() {
    let route = Route {
        ttl: Some(100),
        jitter: 0.0,
        stale_if_error: 60_000,
        stale_while_busy: 50,
        ..Route::default()
    };
    let limits = Limits { misses: 1, waiting_misses: 1, ..few() };
    let (mut world, clients) = open_world(1, rules(route, limits), 4);
    world.server.set("k", Some("old"), None);
    assert_eq!(world.ask(clients[0], "GET k"), "$3\r\nold\r\n");
    world.pass(200);
    world.send(clients[1], "GET a");
    world.send(clients[2], "GET b");
    world.send(clients[0], "GET k");
    let heard = world.clients[clients[0]].heard();
    assert!(heard.starts_with("-BUSY the store at store:6379 "), "{heard}");
    world.settle();
    // One that waits until it may be asked, and is not.
    world.send(clients[1], "GET c");
    world.send(clients[0], "GET k");
    world.pass(1_000);
    assert_eq!(world.clients[clients[0]].heard(), LATE);
    assert_eq!(world.router.sight().crowding.stale_busy, 0);
}

#[test]
fn what_is_beyond_its_time_is_given_as_often_as_the_store_does_not_answer() {
    let route = Route {
        ttl: Some(100),
        jitter: 0.0,
        stale_if_error: 60_000,
        stale_while_busy: 50,
        ..Route::default()
    };
    let limits = Limits { misses: 1, waiting_misses: 1, breaker_failures: 3, ..few() };
    for read in ["GET k", "STRLEN k", "MGET k l"] {
        let (mut world, clients) = open_world(1, rules(route.clone(), limits), 4);
        world.server.set("k", Some("old"), None);
        let old = world.ask(clients[0], read);
        world.pass(200);
        // It is too busy for it.
        world.send(clients[1], "GET a");
        world.send(clients[2], "GET b");
        world.send(clients[0], read);
        assert!(world.clients[clients[0]].heard().starts_with("-BUSY "), "{read}");
        world.settle();
        // It is asked, and does not answer.
        for _ in 0..3 {
            world.send(clients[0], read);
            world.pass(2_000);
            assert_eq!(world.clients[clients[0]].heard(), old, "{read}");
        }
        assert_eq!(breaker(&world).0, "open");
        world.send(clients[0], read);
        assert_eq!(world.clients[clients[0]].heard(), old, "{read}");
        world.cut(0);
        world.send(clients[0], read);
        assert_eq!(world.clients[clients[0]].heard(), old, "{read}");
        // No longer than the route says from its end on, and never what has changed.
        world.pass(55_000);
        world.refuse_all();
        world.send(clients[0], read);
        world.refuse_all();
        let heard = world.clients[clients[0]].heard();
        assert!(heard.starts_with("-ERR "), "{read}: {heard}");
    }
}
