//! What a store that is no cluster has not done, since its connection was lost: where the rules say so, it is
//! asked again, for as long as they say, and as far as that is safe.

use super::runs;
use super::world::{START, World};
use breakwater_resp::Protocol::{Resp2, Resp3};
use breakwater_router::{Limits, Rules};

const CUT: &str = "-ERR the store at store:6379 is unreachable: it was cut\r\n";

/// Rules by which it is tried again for so many milliseconds.
fn patient(store_retry: u64) -> Limits {
    Limits { store_retry, ..Limits::default() }
}

/// A world of two threads with open connections, and clients of both.
fn open_world(limits: Limits) -> (World, Vec<usize>) {
    let mut world = World::by(2, Rules { limits, ..Rules::default() });
    let protocols = [Resp3, Resp2, Resp3, Resp2];
    let clients: Vec<_> = (0..4).map(|at| world.connect(at % 2, protocols[at])).collect();
    for client in &clients {
        world.ask(*client, "GET warm");
        world.ask(*client, "PTTL warm");
    }
    world.server.set("k", Some("v"), None);
    (world, clients)
}

/// Cuts all connections to the store.
fn cut(world: &mut World) {
    while !world.open.is_empty() {
        world.cut(0);
    }
    post(world);
}

/// All letters between threads arrive.
fn post(world: &mut World) {
    while !world.letters.is_empty() {
        world.post();
    }
}

/// Everything arrives, and what is tried again in a while as well.
fn settle(world: &mut World) {
    for _ in 0..50 {
        world.settle();
        world.pass(20);
    }
    world.settle();
}

#[test]
fn a_read_that_is_lost_is_asked_again_for_all_who_wait_for_it() {
    let (mut world, clients) = open_world(patient(1_500));
    clients.iter().for_each(|client| world.send(*client, "GET k"));
    world.send(clients[0], "STRLEN k");
    cut(&mut world);
    assert!(clients.iter().all(|client| world.clients[*client].replies.is_empty()));
    settle(&mut world);
    let heard: Vec<_> = clients.iter().map(|client| world.clients[*client].heard()).collect();
    let value = "$1\r\nv\r\n";
    assert_eq!(heard, [&format!("{value}:1\r\n"), value, value, value]);
}

#[test]
fn a_write_that_was_sent_is_not_done_again() {
    let (mut world, clients) = open_world(patient(1_500));
    world.send(clients[0], "RPUSH n 1");
    cut(&mut world);
    assert_eq!(world.clients[clients[0]].heard(), CUT);
    settle(&mut world);
    assert_eq!(runs(&world, "rpush"), 0, "it was lost on its way");
}

#[test]
fn a_request_waits_for_a_store_that_was_lost() {
    let (mut world, clients) = open_world(patient(1_500));
    cut(&mut world);
    for (client, line) in clients.iter().zip(["SET k w", "GET k", "PTTL k", "DEL other"]) {
        world.send(*client, line);
        assert!(world.clients[*client].replies.is_empty(), "{line}");
    }
    settle(&mut world);
    let heard: Vec<_> = clients.iter().map(|client| world.clients[*client].heard()).collect();
    assert_eq!([&*heard[0], &*heard[2], &*heard[3]], ["+OK\r\n", ":-1\r\n", ":1\r\n"]);
    assert_eq!(world.ask(clients[1], "GET k"), "$1\r\nw\r\n");
}

#[test]
fn what_is_tried_again_in_vain_ends_in_time_with_a_clear_error() {
    let (mut world, clients) = open_world(patient(300));
    clients.iter().for_each(|client| world.send(*client, "GET k"));
    cut(&mut world);
    world.pass(299);
    post(&mut world);
    assert!(clients.iter().all(|client| world.clients[*client].replies.is_empty()));
    world.pass(1);
    post(&mut world);
    for client in &clients {
        let heard = world.clients[*client].heard();
        assert!(heard.starts_with("-ERR the store at store:6379 is unreachable: "), "{heard}");
    }
}

#[test]
fn the_replies_of_a_client_stay_in_its_order() {
    let (mut world, clients) = open_world(patient(1_500));
    let client = clients[1];
    world.send(client, "PTTL k");
    cut(&mut world);
    ["SET k w", "GET k", "PTTL k"].iter().for_each(|line| world.send(client, line));
    settle(&mut world);
    assert_eq!(world.clients[client].heard(), ":-1\r\n+OK\r\n$1\r\nw\r\n:-1\r\n");
}

#[test]
fn a_store_that_is_not_asked_is_not_waited_for() {
    let limits = Limits { breaker_failures: 3, breaker_pause: 60_000, ..patient(1_500) };
    let (mut world, clients) = open_world(limits);
    for (client, key) in clients[..3].iter().zip(["a", "b", "c"]) {
        world.send(*client, &format!("PTTL {key}"));
    }
    world.pass(2_000);
    for client in &clients[..3] {
        assert_eq!(world.clients[*client].heard(), "-ERR the store has not answered in time\r\n");
    }
    world.send(clients[3], "PTTL d");
    let heard = world.clients[clients[3]].heard();
    assert!(heard.contains("it has failed 3 times in a row"), "{heard}");
}

#[test]
fn a_store_that_stays_away_is_waited_for_no_longer() {
    let (mut world, clients) = open_world(patient(300));
    cut(&mut world);
    world.pass(200);
    world.send(clients[0], "PTTL k");
    assert!(world.clients[clients[0]].replies.is_empty());
    world.pass(100);
    world.send(clients[1], "PTTL k");
    for client in &clients[..2] {
        let heard = world.clients[*client].heard();
        assert!(heard.starts_with("-ERR the store at store:6379 is unreachable: "), "{heard}");
    }
}

#[test]
fn many_reads_that_are_lost_at_once_are_asked_again_though_that_opens_the_breaker() {
    let limits = Limits { breaker_failures: 3, ..patient(1_500) };
    let (mut world, clients) = open_world(limits);
    for (client, key) in clients.iter().zip(["a", "b", "c", "d"]) {
        world.server.set(key, Some(key), None);
        world.send(*client, &format!("STRLEN {key}"));
    }
    cut(&mut world);
    settle(&mut world);
    for client in &clients {
        assert_eq!(world.clients[*client].heard(), ":1\r\n");
    }
}

#[test]
fn rules_that_change_hold_from_the_next_request_on() {
    let (mut world, clients) = open_world(patient(0));
    let by = |store_retry| Rules { limits: patient(store_retry), ..Rules::default() };
    world.router.reload(by(1_500), START);
    world.send(clients[0], "PTTL k");
    cut(&mut world);
    assert!(world.clients[clients[0]].replies.is_empty());
    settle(&mut world);
    assert_eq!(world.clients[clients[0]].heard(), ":-1\r\n");
    world.router.reload(by(0), START);
    world.send(clients[0], "PTTL k");
    cut(&mut world);
    assert_eq!(world.clients[clients[0]].heard(), CUT);
}

/// Connections are made anew and greeted, and nothing else is answered.
fn greet(world: &mut World) {
    for _ in 0..100 {
        world.pass(20);
        while !world.opening.is_empty() {
            world.open(0);
        }
        for line in world.open.clone() {
            let greets = world
                .to_server
                .get(&line)
                .is_some_and(|sent| sent.windows(5).any(|at| at == b"HELLO"));
            if greets {
                world.forward(line);
                world.back(line, usize::MAX);
            }
        }
        if world.asks("GET k") > 0 {
            return;
        }
    }
    panic!("it is not asked again");
}

#[test]
fn a_read_that_is_asked_again_has_all_its_time_anew() {
    let limits = Limits { store_timeout: 2_000, ..patient(1_500) };
    let (mut world, clients) = open_world(limits);
    world.send(clients[0], "GET k");
    world.pass(1_900);
    cut(&mut world);
    greet(&mut world);
    let again = world.now();
    world.pass(1_500);
    post(&mut world);
    assert!(
        world.clients[clients[0]].replies.is_empty(),
        "it is late if one counts from the first"
    );
    let line = *world.open.iter().find(|line| line.0 == 0).unwrap();
    world.forward(line);
    world.back(line, usize::MAX);
    assert_eq!(world.clients[clients[0]].heard(), "$1\r\nv\r\n");
    assert!(world.now() - again < 2_000);
}
