//! What becomes of what a thread has read when it ends, or when a connection of its is lost: the store
//! tells of changes to the connection that has read, and to no other one.

use super::world::World;
use super::{runs, world};
use breakwater_resp::Protocol::Resp3;
use breakwater_router::{Route, Routes};

/// Two or more threads, each of which has read two keys of its own: those of its number. The clients of
/// the threads.
fn read(world: &mut World) -> Vec<usize> {
    let clients: Vec<_> = (0..world.relays.len()).map(|at| world.connect(at, Resp3)).collect();
    for (at, client) in clients.iter().enumerate() {
        for key in [format!("a{at}"), format!("b{at}")] {
            world.server.set(&key, Some("old"), None);
            assert_eq!(world.ask(*client, &format!("GET {key}")), "$3\r\nold\r\n");
        }
    }
    clients
}

/// How often the store is asked when a client reads the keys of a thread, which have these values.
fn asked(world: &mut World, client: usize, thread: usize, values: [&str; 2]) -> usize {
    let before = runs(world, "get");
    for (key, value) in [format!("a{thread}"), format!("b{thread}")].iter().zip(values) {
        let reply = format!("$3\r\n{value}\r\n");
        assert_eq!(world.ask(client, &format!("GET {key}")), reply, "{key}");
    }
    runs(world, "get") - before
}

fn cut(world: &mut World, thread: usize) {
    let line = world.open.iter().position(|line| line.0 == thread).unwrap();
    world.cut(line);
}

fn connect_again(world: &mut World) {
    world.pass(1_000);
    world.settle();
}

#[test]
fn what_a_lost_connection_has_read_does_not_count_and_what_others_have_read_does() {
    let mut world = world(3);
    let clients = read(&mut world);
    cut(&mut world, 0);
    // Nobody hears of that.
    world.server.set("a0", Some("new"), None);
    for client in &clients[..2] {
        assert_eq!(asked(&mut world, *client, 1, ["old"; 2]), 0);
        assert_eq!(asked(&mut world, *client, 2, ["old"; 2]), 0);
    }
    assert_eq!(asked(&mut world, clients[1], 0, ["new", "old"]), 2);
    // Who has read it since hears of it.
    assert_eq!(asked(&mut world, clients[0], 0, ["new", "old"]), 0);
    connect_again(&mut world);
    world.server.set("a0", Some("nxt"), None);
    world.server.set("a1", Some("nxt"), None);
    world.settle();
    for client in clients {
        assert_eq!(world.ask(client, "GET a0"), "$3\r\nnxt\r\n");
        assert_eq!(world.ask(client, "GET a1"), "$3\r\nnxt\r\n");
    }
}

#[test]
fn several_threads_read_of_one_key_and_each_reply_counts_as_long_as_its_connection() {
    let mut world = world(2);
    world.server.set("k", Some("old"), None);
    let clients = [0, 1].map(|at| world.connect(at, Resp3));
    world.ask(clients[0], "GET k");
    assert_eq!(world.ask(clients[1], "STRLEN k"), ":3\r\n");
    world.ask(clients[0], "STRLEN k");
    assert_eq!((runs(&world, "get"), runs(&world, "strlen")), (1, 1), "they share a generation");
    cut(&mut world, 0);
    world.ask(clients[0], "STRLEN k");
    assert_eq!(runs(&world, "strlen"), 1);
    // The other one is told of it.
    connect_again(&mut world);
    world.server.set("k", Some("longer"), None);
    world.settle();
    assert_eq!(world.ask(clients[0], "STRLEN k"), ":6\r\n");
    assert_eq!(world.ask(clients[0], "GET k"), "$6\r\nlonger\r\n");
}

#[test]
fn what_was_asked_over_a_connection_that_is_lost_meanwhile_is_not_remembered() {
    let mut world = world(2);
    let clients = read(&mut world);
    world.server.set("k", Some("old"), None);
    world.send(clients[0], "GET k");
    let line = world.open.iter().find(|line| line.0 == 0).copied().unwrap();
    world.forward(line);
    // The reply has come; how long the key lives has not.
    let reply = "+OK\r\n$3\r\nold\r\n".len();
    world.back(line, reply);
    cut(&mut world, 0);
    world.server.set("k", Some("new"), None);
    world.settle();
    assert_eq!(world.ask(clients[1], "GET k"), "$3\r\nnew\r\n");
}

#[test]
fn what_a_thread_has_read_that_ends_counts_on_and_its_changes_are_heard() {
    let mut world = world(3);
    let clients = read(&mut world);
    world.server.set("a0", Some("mid"), None);
    // The news of that are still on their way.
    world.end_thread(0);
    world.settle();
    for client in &clients[1..] {
        assert_eq!(asked(&mut world, *client, 1, ["old"; 2]), 0);
    }
    assert_eq!(asked(&mut world, clients[1], 0, ["mid", "old"]), 1);
    assert_eq!(asked(&mut world, clients[2], 0, ["mid", "old"]), 0);
    for thread in 0..3 {
        world.server.set(&format!("b{thread}"), Some("new"), None);
    }
    world.settle();
    for client in &clients[1..] {
        for thread in 0..3 {
            assert_eq!(world.ask(*client, &format!("GET b{thread}")), "$3\r\nnew\r\n");
        }
    }
    // The heir ends as well.
    world.end_thread(2);
    world.settle();
    assert_eq!(asked(&mut world, clients[1], 2, ["old", "new"]), 0);
    world.server.set("a2", Some("new"), None);
    world.settle();
    assert_eq!(world.ask(clients[1], "GET a2"), "$3\r\nnew\r\n");
}

#[test]
fn what_an_heir_has_not_taken_over_does_not_count_once_that_has_ended() {
    let mut world = world(3);
    let clients = read(&mut world);
    let tracks = world.connect(1, Resp3);
    assert_eq!(world.ask(tracks, "CLIENT TRACKING ON"), "+OK\r\n");
    assert_eq!(world.ask(tracks, "GET a0"), "$3\r\nold\r\n");
    world.end_thread(0);
    world.end_thread(2);
    world.settle();
    assert!(world.clients[tracks].heard().contains("invalidate"), "and clients are told so");
    world.server.set("a0", Some("new"), None);
    world.settle();
    assert_eq!(asked(&mut world, clients[1], 0, ["new", "old"]), 2);
    assert_eq!(asked(&mut world, clients[1], 2, ["old"; 2]), 0);
}

#[test]
fn what_the_last_thread_has_read_does_not_count_once_it_has_ended_nor_what_a_broken_one_has() {
    for broken in [true, false] {
        let mut world = world(if broken { 2 } else { 1 });
        let clients = read(&mut world);
        match broken {
            true => drop(world.relays[0].break_off()),
            false => world.end_thread(0),
        }
        let heir = match broken {
            true => clients[1],
            false => {
                let begun = world.begin_thread();
                world.connect(begun, Resp3)
            }
        };
        world.server.set("a0", Some("new"), None);
        world.settle();
        assert_eq!(asked(&mut world, heir, 0, ["new", "old"]), 2, "broken: {broken}");
        if broken {
            assert_eq!(asked(&mut world, heir, 1, ["old"; 2]), 0);
        }
    }
}

#[test]
fn who_tracks_hears_of_what_a_thread_has_read_that_has_ended_and_is_told_of_nothing_else() {
    let mut world = world(2);
    read(&mut world);
    let tracks = world.connect(1, Resp3);
    world.ask(tracks, "CLIENT TRACKING ON");
    world.ask(tracks, "GET a0");
    world.end_thread(0);
    world.settle();
    assert_eq!(world.clients[tracks].heard(), "");
    world.server.set("a0", Some("new"), None);
    world.settle();
    assert_eq!(world.clients[tracks].heard(), ">2\r\n$10\r\ninvalidate\r\n*1\r\n$2\r\na0\r\n");
    // Once all that was read over it has ended it is closed, and clients keep what they have for longer.
    world.ask(tracks, "GET b0");
    world.pass(60_000);
    world.settle();
    assert!(world.clients[tracks].heard().contains("invalidate"));
}

#[test]
fn the_connections_of_threads_that_have_ended_are_kept_as_long_as_what_was_read_over_them() {
    let mut world = World::new(2, Routes::new(vec![Route { ttl: Some(500), ..Route::default() }]));
    read(&mut world);
    world.end_thread(0);
    world.settle();
    assert_eq!(world.open.len(), 2);
    world.pass(499);
    assert_eq!(world.open.len(), 2);
    world.pass(1);
    assert_eq!(world.open.len(), 1);
}

#[test]
fn threads_may_come_and_go_for_ever_and_leave_a_few_connections() {
    let forever = Route { ttl: None, ..Route::default() };
    let mut world = World::new(2, Routes::new(vec![forever]));
    let clients = read(&mut world);
    for round in 0..20 {
        let fresh = world.begin_thread();
        let gone = fresh - 1;
        let client = world.connect(fresh, Resp3);
        assert_eq!(world.ask(client, &format!("GET own{round}")), "_\r\n");
        world.end_thread(gone);
        world.settle();
        assert!(world.open.len() <= 2 + 4, "{} connections", world.open.len());
    }
    assert_eq!(asked(&mut world, clients[0], 0, ["old"; 2]), 0);
    // The oldest was closed long ago.
    world.server.set("a1", Some("new"), None);
    world.settle();
    assert_eq!(asked(&mut world, clients[0], 1, ["new", "old"]), 2);
}

#[test]
fn what_the_network_swallows_is_missed_before_long() {
    let mut world = world(1);
    let client = world.connect(0, Resp3);
    world.server.set("k", Some("old"), None);
    assert_eq!(world.ask(client, "GET k"), "$3\r\nold\r\n");
    // From now on nothing arrives, and nobody is told of that.
    world.server.set("k", Some("new"), None);
    world.pass(4_000);
    world.send(client, "GET k");
    assert_eq!(world.clients[client].heard(), "$3\r\nold\r\n");
    // The store is asked whether it is there, and owes the answer.
    world.pass(1_000);
    assert_eq!(world.asks("PING"), 1);
    world.pass(5_000);
    world.send(client, "GET k");
    let heard = world.clients[client].heard();
    assert!(!heard.contains("old"), "{heard}");
    world.pass(1_000);
    world.settle();
    assert_eq!(world.ask(client, "GET k"), "$3\r\nnew\r\n");
}
